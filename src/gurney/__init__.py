"""Gurney: a load balancer for healthcare IT that reads the clinical protocols it carries."""

__version__ = "0.1.0"
