"""Compiling an application into its route process's table: `compiler`, the way back to the document: `paths`."""

from __future__ import annotations

from gurney.compile.route.compiler import Compiled, compile, listener_name, listeners

__all__ = ["Compiled", "compile", "listener_name", "listeners"]
