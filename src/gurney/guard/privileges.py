"""The one place for what the guard and its children may: no new privileges, no ambient capabilities they do not need, another uid."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, PR_CAP_AMBIENT_RAISE, PR_CAP_AMBIENT_LOWER = 47, 1, 2, 3
ENVIRONMENT = ("LANG", "LC_ALL", "PYTHONPATH", "GURNEY_FAILPOINTS")
"""What passes from our environment to a child: its language, and what only development and tests set."""
CAP_NET_BIND_SERVICE = 10
TRY = "import os, sys; os.listdir(sys.argv[1]); import gurney.app.route"
"""What another uid has to be able to do: reach its folder, read our program."""
TRY_SECONDS = 20.0


def environment() -> dict[str, str]:
    """The environment of our own programs: OPENSSL_CONF (peers.md §1), no modules from their folder, and what ENVIRONMENT lets through."""
    return {"OPENSSL_CONF": "/dev/null", "PYTHONSAFEPATH": "1", **{name: os.environ[name] for name in ENVIRONMENT if name in os.environ}}


def no_new_privileges() -> None:
    """This process and all it starts gain nothing by executing a set-uid program or one with file capabilities. Raises OSError."""
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


@contextlib.contextmanager
def without_ports(binds: bool) -> Iterator[None]:
    """What is started inside has the right to ports below 1024 only if it `binds`; this thread has it again afterwards. Raises OSError.

    A service manager gives that right to a guard that is not root as an ambient capability, which every program it executes would inherit.
    """
    ambient = bool(_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_NET_BIND_SERVICE))
    if not ambient or binds:
        yield
        return
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_BIND_SERVICE)
    try:
        yield
    finally:
        _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE)


def able(uid: int, folder: Path) -> str:
    """Why our own program cannot run under this uid in this folder; "" when it can. Tried, not guessed; for root only."""
    argv = [sys.executable, "-c", TRY, str(folder)]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", env=environment(), user=uid, group=uid, extra_groups=[],
            timeout=TRY_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return ""  # a machine that is busy says nothing against it
    except OSError as problem:
        return f"uid {uid} cannot run {sys.executable}: {problem.strerror}"
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return f"uid {uid} cannot run Gurney: {words[-1] if words else f'exit {done.returncode}'}"
    return ""


def _prctl(option: int, first: int, second: int = 0) -> int:
    """prctl(2), which Python has no function for. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    answer = int(libc.prctl(option, ctypes.c_ulong(first), ctypes.c_ulong(second), ctypes.c_ulong(0), ctypes.c_ulong(0)))
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer
