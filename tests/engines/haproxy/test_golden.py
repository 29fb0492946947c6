"""Every golden bundle on a real HAProxy: it starts as the bundle says, and every member can change, go and come at run time."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Backend, Bundle, Server
from gurney.engines.haproxy import binary, changes, observe, servers
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import NotRunning
from tests.golden.proxied import APPLICATION, HAPROXY, NAMES, document, ground
from tests.golden.real import lay_out
from tests.live.harness.wait import Late, until
from tests.ports import free_ports

Started = Callable[[str], tuple[Path, Bundle]]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    """A golden bundle as it runs; only where it listens, and how many connections it wants, are this machine's."""
    children: list[subprocess.Popen[bytes]] = []

    def start(name: str) -> tuple[Path, Bundle]:
        lay_out(HAPROXY / name, tmp_path)
        found = document(name)
        content = haproxy.TARGET.compile(found, APPLICATION, ground(name, found))
        assert content is not None
        made = bundles.load(content)
        place = tmp_path / "current" / "haproxy.cfg"
        place.write_text(here(place.read_text()))
        argv = [str(binary.find().path), "-W", "-S", "unix@run/master.sock,mode,600", "-f", "current/haproxy.cfg"]
        with (tmp_path / "log").open("wb") as log:
            children.append(subprocess.Popen(argv, cwd=tmp_path, env=binary.ENVIRONMENT, stdout=log, stderr=log))
        try:
            until(lambda: answers(tmp_path), 60, "HAProxy answers")
        except Late as late:
            raise Late(f"{late}: {(tmp_path / 'log').read_text()}") from None
        return tmp_path, made

    yield start
    for child in children:
        child.terminate()
        child.wait(60)


def here(text: str) -> str:
    ports = iter(free_ports(text.count("\n    bind ")))
    text = re.sub(r"(?m)^    bind (?!unix)\S+( v4v6| v6only)?", lambda found: f"    bind 127.0.0.1:{next(ports)}", text)
    return re.sub(r"(?m)^    maxconn \d+", "    maxconn 500", text)


def answers(folder: Path) -> bool:
    try:
        return bool(Runtime(folder).facts())
    except NotRunning:
        return False


def with_servers(made: Bundle, change: Callable[[Backend], tuple[Server, ...]]) -> Bundle:
    return replace(made, backends=tuple(replace(backend, servers=change(backend)) for backend in made.backends))


def fewer(backend: Backend) -> tuple[Server, ...]:
    return backend.servers[:-1] if backend.resizable else backend.servers


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_bundle_runs_as_it_says_and_changes_at_run_time(started: Started, name: str) -> None:
    folder, made = started(name)
    assert observe.differences(folder, made) == ()
    other = with_servers(
        made, lambda backend: tuple(replace(one, weight=one.weight // 2, disabled=not one.disabled) for one in backend.servers)
    )
    changes.apply_changes(folder, other, before=made)
    assert observe.differences(folder, other) == ()
    changes.apply_changes(folder, made, before=other)
    assert observe.differences(folder, made) == ()
    without = with_servers(made, fewer)
    changes.apply_changes(folder, without, before=made)
    until(lambda: not changes.reap(Runtime(folder), Runtime(folder).look(), without), 60, "what left is deleted")
    assert observe.differences(folder, without) == ()
    changes.apply_changes(folder, made, before=without)
    assert observe.differences(folder, made) == ()
    assert servers.leaving(Runtime(folder).look(), made) == ()
