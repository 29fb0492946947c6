"""The demo room: a small hospital on loopback, to look at and to break."""
