"""The one place for the demo's screen: live status, what to break and how, one key each."""

from __future__ import annotations

import select
import sys
import termios
import threading
import time
import tty
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
    ("d", "drain archive-2 for 30 s", "gurney drain pacs/archive/archive-2 --for 30s --state {state}"),
    ("a", "apply a changed document (weight, rule)", "gurney apply {file} --state {state}"),
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
        self.victim = "archive-1"
        self.weight = hospital.document
        self._stop = threading.Event()
        self._busy = threading.Lock()
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
            "g": lambda: f"guard {h.kill('guard')} killed",
            "r": lambda: f"route process {h.kill('route')} killed",
            "c": self._control,
        }

    def _kill_archive(self) -> str:
        h = self.hospital
        self.victim = next((n for n in ("archive-1", "archive-2", "breast-1") if h.alive(n)), "archive-1")
        if not h.alive(self.victim):
            return "every archive is dead already: s starts them again"
        h.kill_archive(self.victim)
        return f"{self.victim} killed"

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
            return f"control process {h.kill('control')} killed; c again starts the next"
        h.up()
        return "gurney up: ready"

    def _verb(self, *words: str) -> str:
        done = self.hospital.verb(*words)
        return (done.stdout + done.stderr).strip().replace("\n", " ") or f"gurney {' '.join(words)}"

    def _picture(self) -> Group:
        sent = self.hospital.sent
        acked = len(sent.acked)
        lost = self.journals.lost(sent)
        self._rate = [*self._rate, (time.monotonic(), acked)][-20:]
        (t0, a0), (t1, a1) = self._rate[0], self._rate[-1]
        counts = Table.grid(padding=(0, 3))
        counts.add_row("sent", "acked", "stored", "lost", "refused", "broken associations", "objects/s")
        row = [len(sent.sha256), acked, len(self.journals.stored), lost, sent.refused, sent.broken]
        counts.add_row(*map(str, row), f"{(a1 - a0) / (t1 - t0):.1f}" if t1 > t0 else "-", style="bold red" if lost else "bold green")
        return Group(Panel(counts, title="what the modality saw, what lies on the disks"), self._members(), self._keys(), self._news())

    def _members(self) -> Table:
        table = Table("member", "configured", "override", "operational", "why", "on disk", expand=True, title="gurney status")
        if self.status is None:
            table.caption = "no control process answers; traffic goes on"
        pools = (self.status or {}).get("applications", {}).get("pacs", {}).get("pools", {})
        for pool, facts in pools.items():
            for name, m in facts.get("members", {}).items():
                word = str(m.get("operational"))
                colour = "green" if word == "up" else "yellow" if word == "full" else "red"
                cells = [f"{pool}/{name}", str(m.get("configured")), str(m.get("override") or "-"), f"[{colour}]{word}[/]"]
                table.add_row(*cells, Text(str(m.get("why", ""))), str(self.journals.each[name]))
        for c in (self.status or {}).get("conditions", []):
            table.add_row(
                Text(str(c.get("object", ""))), "", "", Text(str(c.get("code", "")), style="yellow"), Text(str(c.get("reason", ""))), ""
            )
        return table

    def _keys(self) -> Panel:
        h = self.hospital
        archive = next((n for n in ("archive-1", "archive-2", "breast-1") if h.alive(n)), None)
        pids = {
            "archive": str(h.archives[archive].pid) if archive else "…",
            "control": str(h.control.pid if h.control else "…"),
            "guard": "PID",
            "route": "PID",
            "state": str(h.state),
            "file": str(h.file),
        }
        grid = Table.grid(padding=(0, 2))
        for key, what, command in KEYS:
            grid.add_row(Text(key, style="bold cyan"), what, Text(command.format(**pids), style="dim"))
        return Panel(grid, title="break something (or type the command elsewhere)")

    def _news(self) -> Text:
        return Text("\n".join(self.news), style="dim")
