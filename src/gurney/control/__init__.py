"""The one place for the loop of the change path: apply, undo, confirm, overrides, conditions, timers, keeping the guard alive."""
