"""The one place for HTTP to the control process: one table of routes, the server on a unix socket, the client of the command line."""
