"""The one place for HAProxy as an engine: publishing, the sandboxed checker, the master, run-time changes, observation, status."""
