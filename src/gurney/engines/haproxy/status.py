"""The one place for how an application's HAProxy is doing, as the JSON every engine gives (`services`, `pools`, `workers`). Pure.

A member's operational word comes from the backend that checks it; what its servers in other backends (a pool's panic twin) carry is added
to it. HAProxy counts per listener: services that share one show its numbers, and say so. Counters begin at 0 in each worker; `Totals`
carries them on over reloads for as long as the control process lives, and from the worker's start after that. What an old worker still
answers after a reload is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from gurney.compile.haproxy.bundle import Bundle, Server
from gurney.engines.haproxy import servers, spoken
from gurney.engines.haproxy.running import Row, Running, whole
from gurney.telemetry.rates import Rate

_SPARE = 1000  # counters of what is gone that are kept: it may come back


class Totals:
    """Counters that go on when a worker begins anew. One object an application."""

    def __init__(self) -> None:
        self._worker: tuple[str, str] | None = None
        self._seen: dict[tuple[str, str], tuple[str, ...]] = {}  # proxy and server → counters as told last
        self._base: dict[tuple[str, str], tuple[int, ...]] = {}  # what was counted before those
        self._sums: dict[tuple[str, str], tuple[int, ...]] = {}
        self._looked: set[tuple[str, str]] = set()  # of the look that is under way

    def begin(self, worker: tuple[str, str]) -> None:
        """What follows is told by this worker: when it is another one, what was counted before is kept."""
        if self._worker is not None and self._worker != worker:
            self._base |= self._sums
            self._seen.clear()
        self._worker = worker
        if len(self._sums) > 2 * len(self._looked) + _SPARE:  # members that are long gone: nothing grows without a bound
            for kept in (self._seen, self._base, self._sums):
                for key in kept.keys() - self._looked:
                    del kept[key]
        self._looked.clear()

    def of(self, row: Row, counters: Counters) -> tuple[int, ...]:
        """These counters of one row of `show stat`, carried on. A server deleted and added again begins at 0 in the same worker."""
        key, told = (row.pxname, row.svname), counters.pick(row)
        self._looked.add(key)
        before = self._seen.get(key)
        if told == before:  # most are: it is asked of every server each second
            return self._sums[key]
        now = tuple(map(whole, told))
        if before is not None and any(one < whole(then) for one, then in zip(now, before, strict=True)):
            self._base[key] = self._sums[key]
        base = self._base.get(key)
        self._seen[key] = told
        self._sums[key] = now if base is None else tuple(one + then for one, then in zip(now, base, strict=True))
        return self._sums[key]


class Counters:
    """Columns of `show stat` that count up."""

    def __init__(self, *columns: str) -> None:
        self.columns = columns
        self.pick: Callable[[Row], tuple[str, ...]] = attrgetter(*columns)

    def summed(self, found: Iterable[tuple[int, ...]]) -> dict[str, int]:
        """By column, over several rows."""
        rows = tuple(found)
        sums = rows[0] if len(rows) == 1 else tuple(map(sum, zip(*rows, strict=True))) or (0,) * len(self.columns)
        return dict(zip(self.columns, sums, strict=True))


_SERVICE = Counters("stot", "req_tot", "bin", "bout", "ereq", "dreq", "hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx")
_MEMBER = Counters("stot", "req_tot", "econ", "eresp", "wretr", "wredis", "chkdown", "hrsp_5xx", "bin", "bout")


def status(bundle: Bundle, running: Running, totals: Totals, before: Mapping[str, str]) -> dict[str, Any]:
    """`services`, `pools`, `checked` of one application.

    `before`: the operational word each member (POOL/MEMBER) had when it was last checked: a disabled one is not checked and keeps it.
    """
    totals.begin(running.worker)
    return {
        "checked": _checked(bundle, running),
        "services": {name: _service(name, bundle, running, totals) for name in bundle.table.services},
        "pools": _pools(bundle, running, totals, before),
    }


def _checked(bundle: Bundle, running: Running) -> bool:
    """Whether every checked member has had one result since the worker's start (`INI`: not yet)."""
    for backend in bundle.backends:
        rows = running.servers.get(backend.name, {})
        for server in backend.servers:
            row = rows.get(server.name)
            if row is None or (row.check_status.lstrip("* ") == "INI" and not servers.out(row)):
                return False
    return True


def _service(name: str, bundle: Bundle, running: Running, totals: Totals) -> dict[str, Any]:
    fronts = [one for one in bundle.frontends if name in one.services]
    open_ = [(one, running.frontends[one.name]) for one in fronts if one.name in running.frontends]
    rows = [row for one, row in open_ if not one.redirect]  # one that only sends to https serves nobody
    counted = _SERVICE.summed(totals.of(row, _SERVICE) for row in rows)
    http = bundle.table.services[name].protocol == "http"
    shared = sorted({other for one in fronts for other in one.services} - {name})
    found: dict[str, Any] = {
        "accepting": bool(fronts) and len(open_) == len(fronts) and all(row.status == "OPEN" for _, row in open_),
        "sessions": sum(row.number("scur") for row in rows),
        "sessions_total": counted["stot"],
        "requests_total": counted["req_tot"] if http else counted["stot"],
        "requests_per_second": sum(row.number("req_rate" if http else "rate") for row in rows),
        "bytes_in": counted["bin"],
        "bytes_out": counted["bout"],
        "errors": counted["ereq"] + counted["hrsp_5xx"],
        "refused": counted["dreq"],
    }
    if http:
        found["answers"] = {f"{digit}xx": counted[f"hrsp_{digit}xx"] for digit in "12345"}
    return {**found, "shares_listener_with": shared} if shared else found


def _pools(bundle: Bundle, running: Running, totals: Totals, before: Mapping[str, str]) -> dict[str, Any]:
    placed: dict[str, list[tuple[Server, Row]]] = {}
    queued: dict[str, int] = {}
    left: dict[str, list[dict[str, Any]]] = {}
    pool_of = {backend.name: backend.pool for backend in bundle.backends}
    for backend in bundle.backends:
        rows = running.servers.get(backend.name, {})
        if backend.name in running.backends:
            queued[backend.pool] = queued.get(backend.pool, 0) + running.backends[backend.name].number("qcur")
        for server in backend.servers:
            if server.name in rows:
                placed.setdefault(server.member, []).append((server, rows[server.name]))
    for gone in servers.leaving(running, bundle):
        left.setdefault(pool_of[gone.backend], []).append({"address": gone.address, "sessions": gone.sessions})
    return {
        name: {
            "balance": pool.balance,
            "queued": queued.get(name, 0),
            "members": {
                member: _member(f"{name}/{member}", spec.override, placed[f"{name}/{member}"], totals, before)
                for member, spec in pool.members.items()
                if f"{name}/{member}" in placed
            },
            **({"leaving": left[name]} if name in left else {}),
        }
        for name, pool in bundle.table.pools.items()
    }


def _member(
    member: str, override: str | None, placed: Sequence[tuple[Server, Row]], totals: Totals, before: Mapping[str, str]
) -> dict[str, Any]:
    rows = [one for _, one in placed]
    row = min(rows, key=_unchecked)
    counted = _MEMBER.summed(totals.of(one, _MEMBER) for one in rows)
    sessions = sum(one.number("scur") for one in rows)
    words = [spoken.operational(one) for one in rows]
    operational = spoken.operational(row)
    if operational == "up" and "full" in words:
        operational = "full"
    return {
        "configured": "enabled",
        "override": override,
        "operational": operational if operational is not None else before.get(member, "up"),
        "why": spoken.why(row, sessions),
        "outcome": spoken.check(row),
        "sessions": sessions,
        "cap": max(server.maxconn for server, _ in placed) or None,
        "queued": sum(one.number("qcur") for one in rows),
        "requests_total": max(counted["req_tot"], counted["stot"]) if row.mode == "tcp" else counted["req_tot"],
        "failures_total": counted["econ"] + counted["eresp"],
        "retries_total": counted["wretr"],
        "went_down_total": counted["chkdown"],
        "bytes_in": counted["bin"],
        "bytes_out": counted["bout"],
    }


def _unchecked(row: Row) -> int:
    """Least for the row with a check of its own: a panic twin says `no check`, one that follows another's checks has no result."""
    return 2 if row.status == "no check" else 0 if row.check_status else 1


class Flows:
    """Bytes per second of each service, from its total at every look. HAProxy tells rates of requests and sessions, not of bytes."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, Rate]] = {}  # service → total at the last look

    def of(self, services: Mapping[str, Mapping[str, Any]], now: float) -> Iterator[tuple[str, float]]:
        """Each service's rate at `now` (seconds, monotonic)."""
        for name, one in services.items():
            total = one["bytes_in"] + one["bytes_out"]
            before, rate = self._seen.get(name) or (total, Rate(now))
            rate.add(now, max(0, total - before))
            self._seen[name] = (total, rate)
            yield name, round(rate.per_second(now), 1)


def operational(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """POOL/MEMBER and operational word of a status, of those that are not disabled: what `before` is to be the next time."""
    for pool, state in told["pools"].items():
        for member, one in state["members"].items():
            if not str(one["why"]).startswith(spoken.DISABLED):
                yield f"{pool}/{member}", one["operational"]
