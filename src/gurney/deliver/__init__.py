"""Sending until answered: member associations, replay, retry, what a status means for the next step."""
