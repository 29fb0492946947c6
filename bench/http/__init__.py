"""HTTP through what Gurney compiles beside files written by hand."""
