"""The one place where the demo begins and ends: `main` builds the hospital, runs what was asked and leaves nothing behind."""

from __future__ import annotations

import signal
import sys
from types import FrameType

from gurney.demo.check import check, say
from gurney.demo.hospital import Hospital
from gurney.errors import GurneyError


class _Stopped(BaseException):
    """SIGTERM or SIGHUP: unwinds through `finally` as Ctrl-C does."""


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stopped


def main(check_only: bool) -> int:
    """`gurney demo` (interactive) or `gurney demo --check`: exit status 0 good, 1 failed.

    The check ends with one JSON line on stdout; it fails when anything acknowledged is lost or changed, or anything was refused.
    """
    before = {number: signal.signal(number, _stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    hospital = Hospital()
    try:
        hospital.start(say)
        if check_only or not sys.stdin.isatty() or not sys.stdout.isatty():
            result = check(hospital)
            print(result.as_json(), flush=True)
            return 0 if result.good else 1
        from gurney.demo.screen import Screen

        print("ready", flush=True)
        return Screen(hospital).run()
    except GurneyError as e:
        print(f"error {e.code}: {e.message}", file=sys.stderr)
        return e.exit_status
    except (KeyboardInterrupt, _Stopped):
        return 1
    finally:
        for number in before:
            signal.signal(number, signal.SIG_IGN)  # the end is not to be cut short
        interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        hospital.close()
        signal.signal(signal.SIGINT, interrupt)
        for number, handler in before.items():
            signal.signal(number, handler)
