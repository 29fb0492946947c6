"""Accepting and answering: what senders meet."""
