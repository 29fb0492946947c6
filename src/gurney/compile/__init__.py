"""From a checked document to each engine's exact files. Pure: nothing is written here."""
