"""Row A4 for HAProxy with real processes: control killed at every failpoint of a change, then `up` again; no request is lost meanwhile."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gurney.api.client import Client
from gurney.errors import EngineRefused, NotRunning
from tests.cli.running import Node, node, until
from tests.control.made import made
from tests.live.harness.counts import count, say
from tests.live.harness.http.client import get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.groups import Group
from tests.live.harness.http.running import Load, Website
from tests.ports import free_port

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

POINTS = ("config.rendered", "config.validated", "config.renamed", "config.reloaded", "runtime.said", "config.confirmed")
FEW = {"at-run-time": ("config.renamed", "runtime.said"), "reload": ("config.validated", "config.reloaded")}  # the rest in tests/live


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Node]:
    with node(tmp_path) as made:
        yield made


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Website]:
    made = Website(tmp_path, "a", "b")
    yield made
    made.close()


def web(port: int, ports: dict[str, int], *, weight: int = 100, further: int | None = None) -> str:
    """`weight` is a change at run time, `further` (another listener) a reload."""
    listen = f"[127.0.0.1:{port}]" if further is None else f"[127.0.0.1:{port}, 127.0.0.1:{further}]"
    members: dict[str, int | str] = {"a": f'{{address: "127.0.0.1:{ports["a"]}", weight: {weight}}}', "b": ports["b"]}
    return document(application("web", [service("site", listen, accept_from="[127.0.0.0/8]")], [pool("servers", members)]))


def haproxy(one: Node) -> dict[str, Any]:
    found: dict[str, Any] = one.status()["applications"]["web"]["engines"]["haproxy"]
    return found


def confirmed(one: Node) -> bool:
    return bool(haproxy(one)["confirmed"])


@pytest.mark.parametrize("change", ["at-run-time", "reload"])
def test_reliability_a4_http_killed_while_applying(one: Node, site: Website, change: str) -> None:
    port, further = free_port(), free_port()
    ports = site.ports()
    assert one.up(one.write(web(port, ports))).startswith("ready ")
    master, weight, kills, there = haproxy(one)["pid"], 100, 0, None
    load = Load(one.folder, Group("kept", port, connections=4, pause=0.02), Group("close", port, connections=4, close=True, pause=0.02))
    try:
        load.runs(50)
        points = count(0, 1, asked=1) * POINTS or FEW[change]
        for point in points:
            one.end_control(signal.SIGTERM)
            assert one.up(failpoints=f"{point}=kill").startswith("ready ")
            if change == "at-run-time":
                weight -= 1
            else:
                there = further if there is None else None
            wanted = web(port, ports, weight=weight, further=there)
            try:
                Client(one.state / "control.sock").apply(wanted, "gurney.yaml")
            except NotRunning:
                assert one.control is not None and one.control.wait(30) == -signal.SIGKILL
                kills += 1
            else:  # nothing is said at run time in a reload
                one.end_control(signal.SIGTERM)
            assert one.up().startswith("ready ")
            until(lambda: confirmed(one), f"{point}: what is wanted is served")
            assert one.status()["applications"]["web"]["pools"]["servers"]["members"]["a"]["weight"] == weight
            assert answers(further) is (there is not None)
            load.runs(20)
        tallies = load.stop()
    finally:
        load.close()
    errors = sum(tally.failed for tally in tallies.values())
    say(f"reliability-a4-http-kill-{change}", kills=kills, requests=sum(tally.done for tally in tallies.values()), errors=errors)
    assert (errors, haproxy(one)["pid"]) == (0, master), tallies
    assert kills >= len(points) - (len(points) == len(POINTS)) * 2


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_two_changes_within_a_second_are_two_revisions(one: Node, site: Website) -> None:
    port, further = free_port(), free_port()
    ports = site.ports()
    one.up(one.write(web(port, ports)))
    client = Client(one.state / "control.sock")
    load = Load(one.folder, Group("close", port, connections=4, close=True, pause=0.02))
    try:
        load.runs(50)
        for at in range(3):
            assert client.apply(web(port, ports, further=further), "g")["revision"] == 2 + 3 * at
            assert client.apply(web(port, ports, weight=7), "g")["revision"] == 3 + 3 * at
            assert client.apply(web(port, ports), "g")["revision"] == 4 + 3 * at
            assert client.apply(web(port, ports), "g")["changed"] is False
        load.runs(20)
        tallies = load.stop()
    finally:
        load.close()
    assert sum(tally.failed for tally in tallies.values()) == 0, tallies
    assert confirmed(one)


def test_a_port_that_is_taken_leaves_everything_as_it_was(one: Node, site: Website) -> None:
    port, ports = free_port(), site.ports()
    one.up(one.write(web(port, ports)))
    before = haproxy(one)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen(1)
        holder_port = holder.getsockname()[1]
        with pytest.raises(EngineRefused) as caught:
            Client(one.state / "control.sock").apply(web(port, ports, further=holder_port), "gurney.yaml")
    after = haproxy(one)
    assert (after["generation"], after["confirmed"]) == (before["generation"], True)
    assert "ApplyFailed" in [condition["code"] for condition in one.status()["conditions"]]
    assert caught.value.message.startswith("gurney.yaml:") and f"port {holder_port} is taken" in caught.value.message


def test_a_machine_that_starts_anew_goes_on_with_a_certificate_whose_file_is_gone(one: Node, site: Website) -> None:
    port = free_port()
    portal = made("h.test", days=36500)
    (one.folder / "portal.pem").write_bytes(portal.pem + portal.key_pem)
    tls = {"tls": "{certificate: portal.pem}", "accept_from": "[127.0.0.0/8]"}
    text = document(application("web", [service("site", port, **tls)], [pool("servers", dict(site.ports()))]))
    file = one.write(text)
    assert one.up(file).startswith("ready ")
    one.gurney("down")
    assert one.control is not None and one.control.wait(30) == 0
    (one.folder / "portal.pem").unlink()
    assert one.up(file).startswith("ready revision=1 ")
    context = ssl.create_default_context(cadata=portal.pem.decode())
    assert get(port, "/x", tls=context, name="h.test").status == 200
    until(lambda: "CertificateChanged" in [found["code"] for found in one.status()["conditions"]], "the condition says that it is gone")
    assert "GRN-F001" in one.gurney("check", file, status=2).stdout
    one.write(text + "# another document\n")
    assert "GRN-F001" in one.gurney("apply", file, status=2).stderr
