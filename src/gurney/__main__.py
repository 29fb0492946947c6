"""The one place for `python -m gurney`: it is the `gurney` command."""

from __future__ import annotations

import sys

from gurney.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
