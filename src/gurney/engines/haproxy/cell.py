"""The one place for the walls around the checker: a small program that gives everything up, then becomes `haproxy -c`.

It is run by its path, with no module of ours: `python -I -S cell.py FOLDER USER SECONDS PROGRAM ARGUMENT…`. What a kernel does not let it
give up it goes on without; each wall stands for itself. Landlock (Linux 5.13) is spoken to by system call: no library has it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import sys

MEMORY = 2 * 1024**3  # bytes of address space
OUTPUT = 4 * 1024 * 1024  # bytes of the largest file, its own words
DESCRIPTORS = 1024
READABLE = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ssl/certs", "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates", "/etc/hosts", "/etc/nsswitch.conf", "/etc/resolv.conf", "/etc/host.conf", "/etc/localtime",
    "/usr/share/zoneinfo", "/dev/null", "/dev/urandom", "/sys/devices/system",
)  # fmt: skip
"""What the program may read beside its own folder and the sandbox; nothing may be written."""

_CLONE_NEWUSER, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000
_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on every architecture
_RULE_PATH = 1
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_OF_A_FILE = _EXECUTE | _READ_FILE
_EVERYTHING = {1: 13, 2: 14, 3: 15, 4: 15}  # ABI -> how many rights of the file system it knows; from 5 on 16


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def main(arguments: list[str]) -> None:
    """Give up network, privileges, files and time, then become the program. Never returns but by an exception."""
    folder, user, seconds, program = arguments[0], int(arguments[1]), int(arguments[2]), arguments[3]
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    _leave_network(libc)
    _limit(seconds)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)  # every capability goes with it
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _shut(libc, [*READABLE, folder, os.path.dirname(program)])
    os.chdir(folder)
    os.execve(program, arguments[3:], {"OPENSSL_CONF": "/dev/null"})


def _leave_network(libc: ctypes.CDLL) -> None:
    """An empty network of its own: as root at once, else inside a user namespace of its own where that is allowed."""
    if libc.unshare(_CLONE_NEWNET | _CLONE_NEWIPC) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC)


def _limit(seconds: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, OUTPUT),
        (resource.RLIMIT_NOFILE, DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (wanted, wanted))


def landlock(libc: ctypes.CDLL) -> int:
    """The version of Landlock this kernel has; below 1: none."""
    return int(libc.syscall(_CREATE_RULESET, None, 0, 1))


def _shut(libc: ctypes.CDLL, readable: list[str]) -> None:
    """Landlock: reading and running below these paths, nothing else in the file system, no TCP."""
    abi = landlock(libc)
    if abi < 1:
        return
    every = (1 << _EVERYTHING.get(abi, 16)) - 1
    rules = _Ruleset(every, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return
    for path in readable:
        with contextlib.suppress(OSError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed = _EXECUTE | _READ_FILE | _READ_DIR if os.path.isdir(path) else _OF_A_FILE
            libc.syscall(_ADD_RULE, ruleset, _RULE_PATH, ctypes.byref(_Beneath(allowed, place)), 0)
            os.close(place)
    libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


if __name__ == "__main__":
    main(sys.argv[1:])
