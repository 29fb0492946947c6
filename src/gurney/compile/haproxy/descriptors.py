"""The one place for how many connections a HAProxy may hold: what is wanted, and what RLIMIT_NOFILE grants (http.md §3).

HAProxy refuses to start where its `maxconn` needs more descriptors than the hard limit. Measured on 2.8.25: it wants 2 × maxconn + one a
listener + one a checked server + 3 a thread + 50, and some for peers. 64 holds that up to four threads; each further one adds its three.
"""

from __future__ import annotations

from dataclasses import dataclass

from gurney.compile.target import Machine
from gurney.errors import InputRefused

OWN = 64  # descriptors of the process itself, four threads included
THREADS_INSIDE = 4
A_THREAD = 3  # epoll and the two ends of a pipe
PEERS = 4  # listener and both ends of what old and new worker tell each other
ROOM = 16  # members are counted in powers of two from here on, so that one more changes no limit


@dataclass(frozen=True, slots=True)
class Granted:
    """The process's `maxconn`, and the words that say why."""

    maxconn: int
    words: tuple[str, ...]


def grant(machine: Machine, wanted: int, listeners: int, members: int, peered: bool, hops: int = 1) -> Granted:
    """The smaller of `wanted` connections and what the descriptors hold. `members` are servers that are checked.

    `InputRefused` where not one connection is left.
    """
    room = room_for(members)
    more_threads = A_THREAD * max(0, machine.threads - THREADS_INSIDE)
    own = OWN + more_threads + listeners + 2 * room + (PEERS if peered else 0)
    held = (machine.nofile - own) // 2
    if held < 1:
        hint = f"raise the limit of open files (LimitNOFILE=, ulimit -Hn) above {own + 2}"
        raise InputRefused(f"{machine.nofile} open files are too few for {members} members and {listeners} listeners", hint=hint)
    maxconn = min(wanted * hops, held)
    said = f"{maxconn} connections in all"
    if maxconn == wanted * hops:
        return Granted(maxconn, (f"{said}: all the services ask for; {machine.nofile} open files would hold {held}",))
    why = f"{said} of the {wanted * hops} the services ask for: {machine.nofile} open files, two a connection"
    return Granted(maxconn, (f"{why}, {own} for the process, {listeners} listeners and {room} members",))


def room_for(members: int) -> int:
    """For how many members descriptors are kept: the next power of two, 16 at least."""
    return max(ROOM, 1 << (members - 1).bit_length() if members else 0)
