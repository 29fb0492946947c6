"""The words of gurney.yaml: types, limits, reader with line marks, lint, overrides laid over it."""
