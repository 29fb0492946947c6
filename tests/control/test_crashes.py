"""Reliability row A4 with real processes: a bad document, an impossible one, or a crash in the middle of an apply never serves."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.api.client import Client
from gurney.errors import DocumentRefused, EngineRefused, NotRunning
from gurney.net.messages import Connection
from tests.cli.running import Node, document, node
from tests.live.harness.counts import count, say
from tests.live.harness.sender import echo
from tests.ports import free_port

pytestmark = pytest.mark.live

POINTS = ("config.rendered", "config.validated", "config.renamed", "config.reloaded", "config.confirmed")


class Echoes:
    """C-ECHOs, one association each, one after the other, for as long as this lasts."""

    def __init__(self, *ports: int) -> None:
        self.good = 0
        self.errors: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(port,), daemon=True) for port in ports]

    def __enter__(self) -> Echoes:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(30)

    def _work(self, port: int) -> None:
        while not self._ended.is_set():
            try:
                status = echo(port)
                self.good += status == 0
                if status != 0:
                    self.errors.append(f"status {status:04x}")
            except Exception as error:  # every kind of failure counts
                self.errors.append(repr(error))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path) as made:
        yield made


def served(one: Node, application: str = "pacs") -> str:
    """The generation the route process itself names."""
    with Connection(one.state / "apps" / application / "route.sock") as connection:
        answer, _ = connection.ask({"op": "status"})
    return str(answer["generation"])


def on_disk(one: Node, application: str = "pacs") -> str:
    return hashlib.sha256((one.state / "apps" / application / "route.json").read_bytes()).hexdigest()


def second(port: int) -> str:
    return f"""
  other:
    services:
      store: {{protocol: dicom, listen: "127.0.0.1:{port}", accept_from: [127.0.0.0/8]}}
    pools:
      archive: {{check: {{interval: 500ms, timeout: 500ms}}, members: [B1@127.0.0.1:9]}}
"""


def spoilt(text: str, seed: int) -> str:
    """The document with something wrong in it, some other way each time."""
    chance = random.Random(seed)
    kind = seed % 4
    if kind == 0:
        return text.replace("protocol: dicom", f"protocol: d{chance.randrange(10**6)}")
    if kind == 1:
        return text + f"\nunknown{chance.randrange(10**6)}: 1\n"
    if kind == 2:
        return text[: chance.randrange(20, len(text) - 60)] + "\n}: ["
    return text.replace("weight: 100", f"weight: {chance.randrange(257, 10**6)}")


def test_reliability_a4_bad_and_impossible_documents_never_serve(one: Node) -> None:
    ports = free_port(), free_port()
    text = document(ports[0], further=second(ports[1]))
    assert one.up(one.write(text)).startswith("ready ")
    client, before = Client(one.state / "control.sock"), {name: served(one, name) for name in ("pacs", "other")}
    pids = one.pid("pacs"), one.pid("other")
    each, wrong = count(20, 200), 0
    with Echoes(*ports) as echoes, socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        for seed in range(each):
            with pytest.raises(DocumentRefused):
                client.apply(spoilt(text, seed), "gurney.yaml")
            wrong += {name: served(one, name) for name in before} != before
        for seed in range(each):
            taken = document(ports[0], weight=1 + seed, further=second(holder.getsockname()[1]))
            with pytest.raises(EngineRefused, match="Address already in use"):
                client.apply(taken, "gurney.yaml")
            wrong += {name: served(one, name) for name in before} != before or on_disk(one) != before["pacs"]
    status = client.status()
    assert all(status["applications"][name]["engines"]["route"]["confirmed"] for name in before)
    assert status["revision"]["revision"] == 1 and "ApplyFailed" in [condition["code"] for condition in status["conditions"]]
    assert (one.pid("pacs"), one.pid("other")) == pids
    say("reliability-a4", invalid=each, impossible=each, served_wrongly=wrong, echo_errors=len(echoes.errors))
    assert (wrong, echoes.errors) == (0, []) and echoes.good > 2 * each


def test_reliability_a4_killed_while_applying(one: Node) -> None:
    port = free_port()
    file = one.write(document(port))
    assert one.up(file).startswith("ready ")
    route, weight, wrong, kills = one.pid(), 100, 0, 0
    with Echoes(port) as echoes:
        for point in POINTS * count(1, 3):
            one.end_control(signal.SIGTERM)
            assert one.up(failpoints=f"{point}=kill").startswith("ready ")
            old, weight = served(one), weight - 1
            with pytest.raises(NotRunning):
                Client(one.state / "control.sock").apply(document(port, weight=weight), "gurney.yaml")
            assert one.control is not None and one.control.wait(30) == -signal.SIGKILL
            kills += 1
            new = served(one)
            wrong += new != old and point not in ("config.reloaded", "config.confirmed")
            wrong += on_disk(one) not in (old, new) and point != "config.renamed"
            assert one.up().startswith("ready ")
            member = one.status()["applications"]["pacs"]["pools"]["archive"]["members"]["archive-1"]
            assert member["weight"] == weight and served(one) == on_disk(one)
    assert one.pid() == route
    os.kill(route, 0)
    say("reliability-a4-kill", kills=kills, served_wrongly=wrong, echo_errors=len(echoes.errors))
    assert (wrong, echoes.errors) == (0, []) and echoes.good > kills
