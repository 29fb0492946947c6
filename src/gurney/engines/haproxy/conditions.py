"""The one place for the conditions a running HAProxy gives cause for: their codes and meanings, and when each holds.

Pure but for `runs_as_root`, which reads /proc.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gurney.compile.haproxy.bundle import Bundle
from gurney.config.limits import OLD_WORKERS

RUNS_AS_ROOT = "RunsAsRoot"
POOL_PANICS = "PoolPanics"
RELOAD_WAITS = "ReloadWaits"

MEANINGS: Mapping[str, str] = {
    RUNS_AS_ROOT: "HAProxy's worker, or the route process, runs as root: no uid of its own can be used for it",
    POOL_PANICS: "fewer members of a pool are usable than its `panic` says: all that are enabled are used, whatever their checks say",
    RELOAD_WAITS: "as many old workers of HAProxy as are allowed still end their sessions: a change that needs a reload waits for one",
}

Found = tuple[str, str, str]  # code, object, reason


def conditions(bundle: Bundle, told: Mapping[str, Any], *, root: bool) -> Iterator[Found]:
    """What holds now of an application whose status is `told`."""
    application = bundle.table.application
    if root:
        yield RUNS_AS_ROOT, application, "HAProxy's worker runs as root"
    old = told["workers"]["old"]
    if len(old) >= OLD_WORKERS:
        sessions = sum(one["sessions"] for one in old)
        yield RELOAD_WAITS, application, f"{len(old)} old workers hold {sessions} sessions"
    for name, pool in bundle.table.pools.items():
        members = told["pools"].get(name, {}).get("members", {})
        enabled = [key for key, member in pool.members.items() if member.override != "disable" and key in members]
        usable = [key for key in enabled if members[key]["operational"] != "down" and pool.members[key].override != "drain"]
        if len(usable) < pool.usable_wanted(len(enabled)):
            yield POOL_PANICS, f"{application}/{name}", f"{len(usable)} of {len(enabled)} members usable, panic is below {pool.panic} %"


def runs_as_root(pid: int | None) -> bool:
    """Whether a process's effective uid is 0. Its /proc entry's owner says nothing: a worker that changed its uid is not dumpable."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("Uid:") and line.split()[2] == "0" for line in lines)
