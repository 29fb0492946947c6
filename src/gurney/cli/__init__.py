"""The one place for the verbs a person types: one file a group, one list of verbs, output fit for a terminal."""
