"""The one place for the demo's screen: live status within 80 columns and 24 lines, what to break and how, one key each."""

from __future__ import annotations

import select
import sys
import termios
import threading
import time
import tty
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from gurney.demo.account import Journals, balance
from gurney.demo.changes import PACS, PORTAL
from gurney.demo.hospital import ARCHIVES, PORTALS, Hospital, shipped_document
from gurney.errors import GurneyError

RATE = 8.0  # objects a second and association
LINES = 24  # of the smallest terminal
PROGRAMS = ("control", "guard", "route", "haproxy")
NEWS = 2  # the last lines of what was done
HEADS = ("member", "state", "pid", "override", "busy", "done", "why")
KEYS: tuple[tuple[str, str], ...] = (
    ("k", "kill an archive, with objects in hand"),
    ("p", "kill a portal member, with requests"),
    ("s", "start again what was killed"),
    ("d", "drain archive-2, portal-2 for 30 s"),
    ("a", "apply the next changed document"),
    ("r", "kill the route process {route}"),
    ("h", "kill HAProxy {haproxy}: brief errors"),
    ("g", "kill the guard {guard}"),
    ("c", "kill control {control}; again: up"),
    ("q", "quit; nothing stays behind"),
)


class Screen:
    """The interactive demo on a terminal."""

    def __init__(self, hospital: Hospital) -> None:
        self.hospital = hospital
        self.journals = Journals(hospital.folders)
        self.status: Mapping[str, Any] | None = None
        self.news: list[str] = []
        self._growth: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._applied = 0
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._pids: dict[str, int | None] = {}
        self._rates: list[tuple[float, int, int]] = []

    def run(self) -> int:
        """Until `q` or Ctrl-C; returns the exit status (1 when anything acknowledged is lost or changed)."""
        self.hospital.start_modality(rate=RATE)
        self.hospital.start_visitors()
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        try:
            with Live(self.picture(), auto_refresh=False) as live:
                while self._key(0.25):
                    live.update(self.picture(live.console.height), refresh=True)
        except KeyboardInterrupt:
            pass
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            self._stop.set()
        print("stopping: what is in hand is finished first …", file=sys.stderr)
        self.hospital.stop_senders()
        watcher.join(15)
        result = balance(self.hospital.sent, self.hospital.folders, self.hospital.visits)
        print(result.as_json())
        return 0 if not (result.lost or result.changed) else 1

    def _watch(self) -> None:
        while not self._stop.is_set():
            each = Counter(self.journals.each)
            self._growth, self._before = Counter({n: each[n] - self._before[n] for n in each}), each
            self._pids = {program: self.hospital.pid_of(program) for program in PROGRAMS}
            try:
                self.status = self.hospital.gurney.status()
            except (OSError, ValueError, GurneyError) as e:
                self._tell(f"status: {e}")
            self._stop.wait(1)

    def _key(self, within: float) -> bool:
        """Takes one key, if there is one; False to quit."""
        ready, _, _ = select.select([sys.stdin], [], [], within)
        if not ready:
            return True
        key = sys.stdin.read(1).lower()
        if key in ("q", ""):
            return False
        action = self._actions().get(key)
        if action is not None:
            threading.Thread(target=self._do, args=(action,), daemon=True).start()
        return True

    def _do(self, action: Callable[[], str]) -> None:
        with self._busy:
            try:
                self._tell(action())
            except (GurneyError, OSError) as e:
                self._tell(str(e))

    def _tell(self, text: str) -> None:
        self.news = [*self.news, f"{time.strftime('%H:%M:%S')} {text}"][-NEWS:]

    def _actions(self) -> dict[str, Callable[[], str]]:
        h = self.hospital
        return {
            "k": lambda: self._kill_member(self._busiest(), "every archive"),
            "p": lambda: self._kill_member(next((n for n in PORTALS if h.alive(n)), None), "every portal member"),
            "s": self._start_members,
            "d": self._drain,
            "a": self._apply,
            "g": lambda: h.kill("guard"),
            "r": lambda: h.kill("route"),
            "h": lambda: h.kill("haproxy"),
            "c": self._control,
        }

    def _kill_member(self, victim: str | None, all_of_them: str) -> str:
        if victim is None:
            return f"{all_of_them} is dead already: s starts them again"
        self.hospital.members[victim].kill()
        return f"{victim} killed"

    def _busiest(self) -> str | None:
        """The living archive that has grown most since the last look, breast-1 last: it has no second."""
        living = [name for name in ("archive-1", "archive-2") if self.hospital.alive(name)]
        if living:
            return max(living, key=lambda name: self._growth[name])
        return "breast-1" if self.hospital.alive("breast-1") else None

    def _start_members(self) -> str:
        dead = [name for name in self.hospital.members if not self.hospital.alive(name)]
        for name in dead:
            self.hospital.start_member(name)
        return f"{', '.join(dead)} started again" if dead else "all members are alive"

    def _drain(self) -> str:
        for member in ("pacs/archive/archive-2", "portal/portal/portal-2"):
            self.hospital.gurney.verb("drain", member, "--for", "30s", "--why", "the demo")
        return "archive-2 and portal-2: drained for 30 s"

    def _apply(self) -> str:
        changes = (PACS, *PORTAL)
        if self._applied == len(changes):
            self.hospital.apply(shipped_document())
            self._applied = 0
            return "applied: the first document again"
        change = changes[self._applied]
        self.hospital.apply(change.make(self.hospital.document))
        self._applied += 1
        return f"applied: {change.what}"

    def _control(self) -> str:
        h = self.hospital
        if h.gurney.control is not None and h.gurney.control.poll() is None:
            return f"{h.kill('control')}; c again starts the next"
        h.up()
        return "gurney up: ready"

    def picture(self, height: int = LINES) -> Group:
        """Everything, within `height` lines: when it is low, fewer conditions are shown."""
        rows = self._rows()
        used = 3 + 1 + 1 + len(rows) + (len(KEYS) + 1) // 2 + 1 + NEWS
        room = height - 1 - used
        conditions = self._conditions(max(1, room))
        space = [Text()] if len(conditions) < room else []
        elsewhere = _line(f"export GURNEY_STATE={self.hospital.gurney.state}; gurney status", "dim")
        news = [_line(one, "dim") for one in self.news[-NEWS:]]
        return Group(self._counts(), Text(), self._members(rows), *conditions, *space, self._keys(), elsewhere, *news)

    def _counts(self) -> Table:
        """What the modality and the visitors saw, and what the archives' disks hold."""
        sent, visits = self.hospital.sent, self.hospital.visits
        lost, acked = self.journals.lost(sent), len(sent.acked)
        self._rates = [*self._rates, (time.monotonic(), acked, visits.requests)][-20:]
        (t0, a0, w0), (t1, a1, w1) = self._rates[0], self._rates[-1]
        objects, requests = ((a1 - a0) / (t1 - t0), (w1 - w0) / (t1 - t0)) if t1 > t0 else (0.0, 0.0)
        grid = Table.grid(padding=(0, 2))
        grid.add_row("", "sent", "acked", "stored", "lost", "refused", "studies", "objects/s", style="dim")
        studies = len(set(sent.study.values()))
        row = [len(sent.sha256), acked, len(self.journals.stored), lost, sent.refused, studies, f"{objects:.1f}"]
        ports = self.hospital.ports
        grid.add_row(f"PACS@127.0.0.1:{ports['store']}", *map(str, row), style="bold red" if lost else "bold green")
        p50, p99 = (visits.quantile(share) or 0 for share in (0.5, 0.99))
        web = [f"{visits.requests} requests", f"{visits.errors} errors", f"{requests:.0f}/s", f"p50 {p50} p99 {p99} ms"]
        line = Table.grid()
        line.add_row(grid)
        line.add_row(_line("  ".join([f"http://127.0.0.1:{ports['web']}", *web]), "bold red" if visits.errors else "bold green"))
        return line

    def _rows(self) -> list[tuple[Text, ...]]:
        """A row a member, in the order of the document."""
        return [
            self._row(pool, name, member)
            for application in (self.status or {}).get("applications", {}).values()
            for pool, facts in application.get("pools", {}).items()
            for name, member in facts.get("members", {}).items()
        ]

    def _row(self, pool: str, name: str, member: Mapping[str, Any]) -> tuple[Text, ...]:
        word = str(member.get("operational"))
        style = {"up": "green", "full": "yellow"}.get(word, "red")
        simulator = self.hospital.members.get(name)
        pid = (simulator.pid or "dead") if simulator is not None else ""
        done = self.journals.each[name] if name in ARCHIVES else member.get("requests_total", 0)
        busy = member.get("associations", member.get("sessions", 0))
        cells = (f"{pool}/{name}", word, pid, member.get("override") or "-", busy, done, member.get("why") or "")
        return tuple(Text(str(cell), style=style if cell is word else "") for cell in cells)

    def _members(self, rows: list[tuple[Text, ...]]) -> RenderableType:
        """The members as a table whose last column ends where the terminal does."""
        if self.status is None:
            return _line("no control process answers; traffic goes on", "yellow")
        heads = tuple(Text(head, style="dim") for head in HEADS)
        widths = [max(row[index].cell_len for row in (heads, *rows)) for index in range(len(HEADS))]
        lines = []
        for row in (heads, *rows):
            line = Text(no_wrap=True, overflow="ellipsis")
            for cell, width in zip(row, widths, strict=True):
                line.append_text(cell).append(" " * (width - cell.cell_len + 2))
            lines.append(line)
        return Group(*lines)

    def _conditions(self, most: int) -> list[Text]:
        found = (self.status or {}).get("conditions", [])
        lines = [f"{one.get('code')} {one.get('object') or ''}".rstrip() + f": {one.get('reason')}" for one in found]
        if len(lines) > most:
            lines = [*lines[: most - 1], f"… {len(lines) - most + 1} conditions more: gurney status"]
        return [_line(one, "yellow") for one in lines]

    def _keys(self) -> Table:
        """What can be done, with the pids for those who rather type `kill -9` elsewhere."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        half = (len(KEYS) + 1) // 2
        pids = {program: self._pids.get(program) or "…" for program in PROGRAMS}
        cells = [(Text(key, style="bold cyan"), Text(what.format_map(pids))) for key, what in KEYS]
        for left, right in zip(cells[:half], cells[half:], strict=True):
            grid.add_row(*left, *right)
        return grid


def _line(text: str, style: str) -> Text:
    """One line, cut where the terminal ends."""
    return Text(text.replace("\n", " "), style=style, no_wrap=True, overflow="ellipsis")
