"""Bytes to events and back, no I/O: cores take bytes and `now`, and return events and their next deadline."""
