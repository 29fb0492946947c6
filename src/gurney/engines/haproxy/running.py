"""The one place for reading what a worker of HAProxy says of itself: `show info` and `show stat` of 2.8 as typed values. Pure.

`show stat` has all that a change needs too: address, weight as set (`uweight`; `weight` is what slow start leaves of it), maxconn
(`slim`), maintenance (`status`). A drain by weight 0 shows as `UP`: only `uweight` tells it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import NamedTuple

from gurney.errors import EngineRefused


class Row(NamedTuple):
    """One line of `show stat`, the columns that are used, as text. Missing numbers are ""."""

    pxname: str
    svname: str
    type: str  # 0 frontend, 1 backend, 2 server, 3 listener
    status: str
    qcur: str
    scur: str
    slim: str
    stot: str
    bin: str
    bout: str
    dreq: str
    ereq: str
    econ: str
    eresp: str
    wretr: str
    wredis: str
    uweight: str
    chkdown: str
    sid: str
    throttle: str
    rate: str
    check_status: str
    check_code: str
    check_duration: str
    last_chk: str
    hanafail: str
    hrsp_1xx: str
    hrsp_2xx: str
    hrsp_3xx: str
    hrsp_4xx: str
    hrsp_5xx: str
    req_rate: str
    req_tot: str
    addr: str
    mode: str

    def number(self, column: str) -> int:
        """A column as a number; 0 where HAProxy has none."""
        return whole(getattr(self, column))


def whole(text: str) -> int:
    """A number of `show stat`; 0 for an empty one, and for what is none: a reader of another program's words takes any text."""
    if not text:
        return 0
    try:
        return max(0, int(text))
    except ValueError:
        return 0


FRONTEND, BACKEND, SERVER = "0", "1", "2"


@dataclass(frozen=True, slots=True)
class Running:
    """What one worker says. `servers`: backend → name → row."""

    info: Mapping[str, str]
    frontends: Mapping[str, Row]
    backends: Mapping[str, Row]
    servers: Mapping[str, Mapping[str, Row]]

    @property
    def shape(self) -> str:
        """The global `description`."""
        return self.info.get("description", "")

    @property
    def worker(self) -> tuple[str, str]:
        """What tells one worker from another: pid and start time."""
        return self.info.get("Pid", ""), self.info.get("Start_time_sec", "")


def facts(text: str) -> dict[str, str]:
    """`show info` by name."""
    return {name: value.strip() for name, found, value in (line.partition(":") for line in text.splitlines()) if found}


def read(info: str, stat: str) -> Running:
    """Both answers. Raises `EngineRefused` when the second is no table of HAProxy's."""
    frontends: dict[str, Row] = {}
    backends: dict[str, Row] = {}
    servers: dict[str, dict[str, Row]] = {}
    for row in rows(stat):
        if row.type == SERVER:
            servers.setdefault(row.pxname, {})[row.svname] = row
        elif row.type == BACKEND:
            backends[row.pxname] = row
            servers.setdefault(row.pxname, {})
        elif row.type == FRONTEND:
            frontends[row.pxname] = row
    return Running(facts(info), frontends, backends, servers)


def rows(stat: str) -> Iterator[Row]:
    """The lines of `show stat`. Raises `EngineRefused`."""
    lines = csv.reader(stat.strip("\n").split("\n"))
    try:
        head = next(lines, [])
    except csv.Error:
        head = []
    if not head or head[0] != "# pxname":
        raise EngineRefused("HAProxy answers 'show stat' with something else", hint=stat[:200])
    head[0] = "pxname"
    try:
        pick = itemgetter(*(head.index(column) for column in Row._fields))
        for line in lines:
            if line:
                yield Row._make(pick(line))
    except (ValueError, IndexError, csv.Error) as problem:
        raise EngineRefused("HAProxy's 'show stat' lacks a column that 2.8 has", hint=str(problem)) from problem
