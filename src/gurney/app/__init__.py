"""The one place for putting a process together: one file each."""
