"""Logs, counters, rates, keyed digests: what Gurney says about itself, without patient data. The only log writer."""
