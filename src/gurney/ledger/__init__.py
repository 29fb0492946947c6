"""What happened to each object and where it lies; pins, capabilities, ambiguities. One an application, in its record."""

from gurney.ledger.ledger import Ledger, Pin, Remembered

__all__ = ["Ledger", "Pin", "Remembered"]
