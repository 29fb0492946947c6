"""Sockets: what our processes say to each other, listening, dialling, sessions, probes."""
