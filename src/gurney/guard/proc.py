"""The one place for what Linux says of processes under /proc: start times, argv, sessions, who holds a port.

Everything the guard starts leads a session of its own, and keeps doing so when it executes itself anew (HAProxy's master at a reload).
What it forks (HAProxy's workers) has the same argv and stands in that session without leading it: so one is told from the other.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

PROC = Path("/proc")
RELOADED = re.compile(rb"-sf|-st|-x|[0-9]+|sockpair@[0-9]+")
"""What HAProxy's master puts before its own arguments when it executes itself anew; its workers keep it."""


def boot_id() -> str:
    """This boot of the kernel: pids and start times mean nothing beyond it."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process: field 22 of /proc/PID/stat (proc_pid_stat(5)), or None when it is gone."""
    fields = _stat(pid)
    return None if fields is None else int(fields[19])


def session(pid: int) -> int | None:
    """The session of a living process (field 6), by its leader's pid; None when it is gone, a zombie or of another pid namespace."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else int(fields[3]) or None


def has_argv(pid: int, argv: Sequence[str]) -> bool:
    """Whether a process has these arguments (argv[0] apart: an interpreter may stand under another name); a zombie has none."""
    try:
        line = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    found, wanted = line.removesuffix(b"\0").split(b"\0")[1:], [os.fsencode(one) for one in argv[1:]]
    more = len(found) - len(wanted)
    return bool(line) and more >= 0 and found[more:] == wanted and all(RELOADED.fullmatch(one) for one in found[:more])


def is_started_by(pid: int, argv: Sequence[str], user: int | None = None) -> bool:
    """Whether a process leads its session, has these arguments, and our uid or `user`."""
    return session(pid) == pid and _uid(pid) in {os.getuid(), user} and has_argv(pid, argv)


def started_by(argv: Sequence[str], user: int | None = None) -> list[int]:
    """Living processes that a guard started with these arguments, oldest first; never this one."""
    found = [pid for pid in _pids() if pid != os.getpid() and is_started_by(pid, argv, user)]
    return sorted(found, key=lambda pid: start_time(pid) or 0)


def is_left_over(pid: int, argv: Sequence[str]) -> bool:
    """Whether a process was forked by one with these arguments that lives no longer; of any uid, for a worker may have dropped ours."""
    leader = session(pid)
    return leader not in (None, pid) and has_argv(pid, argv) and session(leader or 0) is None


def left_over(argv: Sequence[str]) -> list[int]:
    """Living processes that a dead process with these arguments left behind."""
    return [pid for pid in _pids() if is_left_over(pid, argv)]


def holders(port: int) -> list[str]:
    """Who listens on a TCP port, as far as we may see: `nginx (pid 312)`."""
    inodes = set(_listening(port))
    found = []
    for pid in _pids() if inodes else ():
        try:
            names = {os.readlink(entry.path) for entry in os.scandir(PROC / str(pid) / "fd")}
            comm = (PROC / str(pid) / "comm").read_text().strip()
        except OSError:
            continue
        if names & inodes:
            found.append(f"{comm} (pid {pid})")
    return found


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat from the third, the state, on."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    return stat[stat.rfind(b")") + 2 :].split()  # the name, field 2, may hold spaces and brackets


def _uid(pid: int) -> int | None:
    """The real uid; the owner of /proc/PID is root for a process that has changed its own (proc(5))."""
    try:
        status = (PROC / str(pid) / "status").read_bytes()
    except OSError:
        return None
    return int(status.partition(b"\nUid:\t")[2].split(None, 1)[0])


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in os.scandir(PROC) if entry.name.isascii() and entry.name.isdigit())


def _listening(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        try:
            rows = (PROC / "net" / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            fields = row.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:  # 0A: TCP_LISTEN
                yield f"socket:[{fields[9]}]"
