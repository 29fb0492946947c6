"""The one place for what Linux says of processes under /proc: start times, argv, who holds a port."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

PROC = Path("/proc")


def boot_id() -> str:
    """This boot of the kernel: pids and start times mean nothing beyond it."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process: field 22 of /proc/PID/stat (proc_pid_stat(5)), or None when it is gone."""
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rfind(b")") + 2 :].split()  # the name, field 2, may hold spaces and brackets
    return int(fields[19])


def is_started_by(pid: int, argv: Sequence[str]) -> bool:
    """Whether a process is of our uid and has these arguments (argv[0] apart: an interpreter may stand under another name)."""
    try:
        if (PROC / str(pid)).stat().st_uid != os.getuid():
            return False
        line = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return bool(line) and line.removesuffix(b"\0").split(b"\0")[1:] == [os.fsencode(one) for one in argv[1:]]  # a zombie's is empty


def started_by(argv: Sequence[str]) -> list[int]:
    """Living processes with these arguments, oldest first; never this one."""
    found = [pid for pid in _pids() if pid != os.getpid() and is_started_by(pid, argv)]
    return sorted(found, key=lambda pid: start_time(pid) or 0)


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
