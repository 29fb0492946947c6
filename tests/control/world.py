"""A whole change path without processes: real state, real engines, a fake guard whose route processes live in threads, a clock by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from gurney.control.control import Control, Memory
from gurney.control.journal import Journal
from gurney.control.outcome import Telling
from gurney.control.watch import Watch
from gurney.disk.faults import Faults
from gurney.engines import Ground, engines
from gurney.state.certificates import Certificates
from gurney.state.database import Database
from gurney.state.folder import Folder
from gurney.state.last_good import LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revisions
from gurney.telemetry.log import Log
from tests.control.proxy import FakeProxy, Machine
from tests.engines.fakes import FakeKeeper


def document(weight: int = 100, listen: str = "11112", further: str = "") -> str:
    return f"""
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: [{listen}], accept_from: [10.0.0.0/8]}}
    pools:
      archive:
        members:
          archive-1: {{address: "A1@10.0.0.1:104", weight: {weight}}}
          archive-2: A2@10.0.0.2:104
{further}"""


SECOND = """
  second:
    services:
      store: {protocol: dicom, listen: 11200, accept_from: [10.0.0.0/8]}
    pools:
      archive: [B1@10.0.1.1:104]
"""
WEB = """
  web:
    services:
      portal: {protocol: http, listen: LISTEN, accept_from: [10.0.0.0/8]TLS}
    pools:
      portal: {members: {web-1: {address: "10.0.2.1:8080", weight: WEIGHT}, web-2: "10.0.2.2:8080"}}
"""


def web(listen: str = "8080", weight: int = 100, tls: str = "", name: str = "web") -> str:
    """A further application for `document`: a portal."""
    text = WEB.replace("LISTEN", listen).replace("WEIGHT", str(weight)).replace("TLS", f", tls: {{{tls}}}" if tls else "")
    return text.replace("web:", f"{name}:", 1)


BAD = "gurney: 1\napplications:\n  pacs:\n    services:\n      store: {protocol: dicom, listen: 11112}\n    pools: {}\n"


@dataclass
class World:
    """One node. `again` is a control process that died and one that follows it."""

    path: Path
    keeper: FakeKeeper = field(default_factory=FakeKeeper)
    now: float = 1_000_000.0
    told: list[str] = field(default_factory=list)
    guards: int = 0
    faults: Faults = field(default_factory=Faults)
    machine: Machine = field(default_factory=Machine)

    def __post_init__(self) -> None:
        self.folder = Folder(self.path)
        self.folder.prepare()
        self._open()

    def _open(self) -> None:
        self.database = Database(self.folder.database)
        self.telling = Telling(self.told.append)
        ground = Ground(self.folder.application, self.keeper, self.faults, self.telling)
        self.memory = Memory(
            Revisions(self.database), Overrides(self.database), LastGood(self.database), Certificates(self.folder.certificates)
        )
        self.log = Log(self.folder.control_log, strict=True)
        self.proxy = FakeProxy(self.machine)
        self.control = Control(
            memory=self.memory,
            engines={**engines(ground), "haproxy": self.proxy},
            journal=Journal(self.log),
            clock=lambda: self.now,
            progress=self.told.append,
            telling=self.telling,
        )
        self.watch = Watch(self.control, self.keeper, self._start_guard, self.told.append)

    def _start_guard(self) -> None:
        self.guards += 1
        self.keeper.gone = False

    def again(self) -> None:
        self.database.close()
        self.log.close()
        self._open()
        routes = {(name, "route"): self.keeper.listeners[name] for name in self.keeper.routes}
        self.control.remember({**routes, **{(name, "haproxy"): () for name in self.machine.running}})

    def apply(self, text: str, **how: float) -> dict[str, object]:
        return self.control.apply(text, "gurney.yaml", who="me", folder=self.path, **how)  # type: ignore[arg-type]

    def codes(self) -> list[str]:
        return [one["code"] for one in self.watch.status()["conditions"]]

    def member(self, name: str = "archive-1") -> dict[str, object]:
        found: dict[str, object] = self.watch.status()["applications"]["pacs"]["pools"]["archive"]["members"][name]
        return found

    def served_weight(self, application: str = "pacs") -> int:
        table = self.keeper.routes[application].table
        assert table is not None
        return next(iter(table.pools["archive"].members.values())).weight

    def events(self, name: str) -> list[dict[str, object]]:
        lines = [json.loads(line) for line in self.folder.control_log.read_text().splitlines()]
        return [line for line in lines if line["event"] == name]

    def close(self) -> None:
        self.log.close()
        self.keeper.close()
        self.database.close()
