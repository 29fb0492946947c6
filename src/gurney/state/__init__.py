"""The one place for what the node remembers: revisions, overrides, last good engine files, the site key, who owns the folder."""
