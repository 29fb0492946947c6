"""Files that must survive: sync order, locks, the record's thread, failpoints."""
