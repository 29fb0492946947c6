"""The one place for the demo's screen: live status, what to break and how, one key each."""

from __future__ import annotations

import select
import sys
import termios
import threading
import time
import tty
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gurney.demo.account import Journals, balance
from gurney.demo.check import changed
from gurney.demo.hospital import Hospital
from gurney.errors import GurneyError

RATE = 8.0  # objects a second and association
KEYS: tuple[tuple[str, str, str], ...] = (
    ("k", "kill an archive (SIGKILL) in the middle of an object", "kill -9 {archive}"),
    ("s", "start it again", ""),
    ("d", "drain archive-2 for 30 s", "gurney drain pacs/archive/archive-2 --for 30s"),
    ("a", "apply a changed document (weight, rule)", ""),
    ("g", "kill the guard: traffic goes on, the control process starts the next one", "kill -9 {guard}"),
    ("c", "kill the control process: traffic goes on (again: gurney up)", "kill -9 {control}"),
    ("r", "kill the route process: nobody is refused, what got no answer is sent again", "kill -9 {route}"),
    ("q", "quit: everything stops, nothing stays behind", ""),
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
        self.weight = hospital.document
        self._stop = threading.Event()
        self._busy = threading.Lock()
        self._pids: dict[str, int | None] = {}
        self._rate: list[tuple[float, int]] = []

    def run(self) -> int:
        """Until `q` or Ctrl-C; returns the exit status (1 when anything acknowledged is lost or changed)."""
        self.hospital.start_modality(rate=RATE)
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        before = termios.tcgetattr(sys.stdin)
        tty.setcbreak(sys.stdin)
        try:
            with Live(self._picture(), auto_refresh=False) as live:
                while self._key(0.25):
                    live.update(self._picture(), refresh=True)
        except KeyboardInterrupt:
            pass
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
            self._stop.set()
        print("stopping: the objects in hand are finished first …", file=sys.stderr)
        self.hospital.stop_modality()
        watcher.join(65)
        result = balance(self.hospital.sent, self.hospital.folders)
        print(result.as_json())
        return 0 if not (result.lost or result.changed) else 1

    def _watch(self) -> None:
        while not self._stop.is_set():
            each = Counter(self.journals.each)
            self._growth, self._before = Counter({n: each[n] - self._before[n] for n in each}), each
            self._pids = {program: self.hospital.pid_of(program) for program in ("control", "guard", "route")}
            try:
                self.status = self.hospital.status()
            except (OSError, ValueError) as e:
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
        self.news = [*self.news, f"{time.strftime('%H:%M:%S')} {text}"][-6:]

    def _actions(self) -> dict[str, Callable[[], str]]:
        h = self.hospital
        return {
            "k": self._kill_archive,
            "s": self._start_archives,
            "d": lambda: self._verb("drain", "pacs/archive/archive-2", "--for", "30s"),
            "a": self._apply,
            "g": lambda: h.kill("guard"),
            "r": lambda: h.kill("route"),
            "c": self._control,
        }

    def _kill_archive(self) -> str:
        h = self.hospital
        victim = self._busiest()
        if victim is None:
            return "every archive is dead already: s starts them again"
        h.kill_archive(victim)
        return f"{victim} killed"

    def _busiest(self) -> str | None:
        """The living archive that has grown most since the last look, breast-1 last: it has no second."""
        living = [name for name in ("archive-1", "archive-2") if self.hospital.alive(name)]
        if living:
            return max(living, key=lambda name: self._growth[name])
        return "breast-1" if self.hospital.alive("breast-1") else None

    def _start_archives(self) -> str:
        dead = [n for n in self.hospital.folders if not self.hospital.alive(n)]
        for name in dead:
            self.hospital.start_archive(name)
        return f"{', '.join(dead)} started again" if dead else "all archives are alive"

    def _apply(self) -> str:
        other = changed(self.weight)
        self.hospital.apply(other if self.hospital.document == self.weight else self.weight)
        return "applied: " + ("weight 50, a rule more" if self.hospital.document == other else "the first document again")

    def _control(self) -> str:
        h = self.hospital
        if h.control is not None and h.control.poll() is None:
            return f"{h.kill('control')}; c again starts the next"
        h.up()
        return "gurney up: ready"

    def _verb(self, *words: str) -> str:
        done = self.hospital.verb(*words)
        return (done.stdout + done.stderr).strip().replace("\n", " ") or f"gurney {' '.join(words)}"

    def _picture(self) -> Group:
        app = (self.status or {}).get("applications", {}).get("pacs", {})
        return Group(self._counts(), self._service(app), self._members(app), self._keys(), self._news())

    def _counts(self) -> Panel:
        """What the modality saw against what the archives' disks hold."""
        sent = self.hospital.sent
        lost = self.journals.lost(sent)
        acked = len(sent.acked)
        self._rate = [*self._rate, (time.monotonic(), acked)][-20:]
        (t0, a0), (t1, a1) = self._rate[0], self._rate[-1]
        grid = Table.grid(padding=(0, 3))
        grid.add_row("studies", "sent", "acked", "stored", "lost", "refused", "broken associations", "objects/s", style="dim")
        row = [len(set(sent.study.values())), len(sent.sha256), acked, len(self.journals.stored), lost, sent.refused, sent.broken]
        grid.add_row(*map(str, row), f"{(a1 - a0) / (t1 - t0):.1f}" if t1 > t0 else "-", style="bold red" if lost else "bold green")
        return Panel(grid, title="what the modality saw, what lies on the disks")

    def _service(self, app: Mapping[str, Any]) -> Panel:
        """The service as `gurney status` has it: sessions, rates, outcomes."""
        s = app.get("services", {}).get("store")
        if s is None:
            return Panel("no control process answers; traffic goes on", title="gurney status", style="yellow")
        outcomes = "  ".join(f"{word} {count}" for word, count in s.get("outcomes", {}).items())
        rates = f"{s.get('objects_per_second', 0):.1f} objects/s  {s.get('bytes_per_second', 0) / 1e6:.2f} MB/s"
        studies = f"pinned {app.get('pins', 0)}  split {app.get('split_studies', 0)}"
        line = f"{s.get('associations', 0)} associations  {rates}  {outcomes}  {studies}"
        conditions = [f"{c.get('code')} {c.get('object')}: {c.get('reason')}" for c in (self.status or {}).get("conditions", [])]
        return Panel(Text("\n".join([line, *conditions])), title="gurney status: pacs/store")

    def _members(self, app: Mapping[str, Any]) -> Table:
        table = Table("member", "operational", "override", "associations", "queued", "on disk", "why", expand=True)
        for pool, facts in app.get("pools", {}).items():
            for name, m in facts.get("members", {}).items():
                word = str(m.get("operational"))
                style = {"up": "green", "full": "yellow"}.get(word, "red")
                busy = f"{m.get('associations', 0)} of {m.get('cap', 0)}"
                more = (str(m.get("queued", 0)), str(self.journals.each[name]), Text(str(m.get("why", ""))))
                table.add_row(f"{pool}/{name}", Text(word, style=style), str(m.get("override") or "-"), busy, *more)
        return table

    def _keys(self) -> Panel:
        h = self.hospital
        victim = self._busiest()
        facts = {program: str(pid or "…") for program, pid in self._pids.items()}
        facts["archive"] = str(h.archives[victim].pid) if victim else "…"
        grid = Table.grid(padding=(0, 2))
        for key, what, command in KEYS:
            text = command.format_map(defaultdict(lambda: "…", facts))
            grid.add_row(Text(key, style="bold cyan"), what, Text(text, style="dim"))
        return Panel(grid, title="break something: a key, or the command elsewhere", subtitle=f"export GURNEY_STATE={h.state}")

    def _news(self) -> Text:
        return Text("\n".join(self.news), style="dim")
