"""The one place where the demo begins and ends: `main` builds the hospital, runs what was asked and leaves nothing behind."""

from __future__ import annotations

import sys

from gurney.demo.check import check, say
from gurney.demo.hospital import Hospital
from gurney.demo.interruption import Stopped, stoppable, uninterrupted
from gurney.errors import GurneyError


def main(check_only: bool) -> int:
    """`gurney demo` (interactive) or `gurney demo --check`: exit status 0 good, 1 failed.

    The check ends with one JSON line on stdout; it fails when anything acknowledged is lost or changed, anything was refused, or a visitor
    of the portal was not served.
    """
    with stoppable():
        hospital = Hospital()
        try:
            return _run(hospital, check_only or not sys.stdin.isatty() or not sys.stdout.isatty())
        except GurneyError as e:
            print(f"error {e.code}: {e.message}", file=sys.stderr)
            return e.exit_status
        except (KeyboardInterrupt, Stopped):
            return 1
        finally:
            with uninterrupted():
                hospital.close()


def _run(hospital: Hospital, check_only: bool) -> int:
    hospital.start(say)
    if check_only:
        result = check(hospital)
        print(result.as_json(), flush=True)
        return 0 if result.good else 1
    from gurney.demo.screen import Screen

    print("ready", flush=True)
    return Screen(hospital).run()
