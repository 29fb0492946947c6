"""Keeping processes and their listeners alive. It reads no document and serves no API; nothing but `stop` and `shutdown` ends a process."""
