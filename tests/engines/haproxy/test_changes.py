"""Changes through the runtime socket of a real HAProxy: no new process, no error, and what runs equals what is published."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gurney.compile.haproxy.bundle import Bundle, Server
from gurney.disk.faults import parse
from gurney.engines.haproxy import changes, commands, observe, servers
from gurney.engines.haproxy.commands import Verb
from gurney.engines.haproxy.runtime import Runtime
from gurney.errors import EngineRefused, NotRunning
from tests.engines.haproxy.made import Member, bundle
from tests.engines.haproxy.stage import Stage
from tests.live.harness.http.certificates import Authority
from tests.live.harness.http.groups import Group
from tests.live.harness.http.running import Load, Website
from tests.live.harness.wait import until
from tests.ports import free_ports

CHANGES = int(os.environ.get("GURNEY_MEMBER_CHANGES", "100"))
SEED = int(os.environ.get("GURNEY_SEED", "4"))


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage(Path(tempfile.mkdtemp(prefix="gurney-runtime-")) / "haproxy", *free_ports(2))
    yield made
    made.close()
    made.folder.parent.rmdir()


@pytest.fixture
def website(tmp_path: Path) -> Iterator[Website]:
    made = Website(tmp_path, "m0", "m1", "m2", "m3", "m4")
    yield made
    made.kill()


def members(website: Website, *names: str) -> dict[str, Member]:
    return {name: Member(website.port(name)) for name in names}


def generation(stage: Stage, observer: observe.Observer, made: Bundle) -> str | None:
    return observer.observe(stage.folder, [("wanted", made)]).generation


def changed(rng: random.Random, now: dict[str, Member], website: Website) -> dict[str, Member]:
    """One change of one member; one that takes requests always stays."""
    others = {name: one for name, one in now.items() if one.override is None}
    name = rng.choice(sorted(website.sites))
    if name not in now:
        return {**now, name: Member(website.port(name), rng.choice([1, 100, 256]))}
    alone = set(others) <= {name}
    word = rng.choice(["weight", "maxconn"] if alone else ["weight", "maxconn", "drain", "disable", "enable", "remove"])
    one = now[name]
    match word:
        case "remove":
            return {key: value for key, value in now.items() if key != name}
        case "weight":
            return {**now, name: Member(one.port, rng.randint(1, 256), one.override, one.maxconn)}
        case "maxconn":
            return {**now, name: Member(one.port, one.weight, one.override, rng.choice([8, 10, 50]))}
        case other:
            return {**now, name: Member(one.port, one.weight, None if other == "enable" else other, one.maxconn)}


def test_100_member_changes_under_load(stage: Stage, website: Website, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    now = members(website, "m0", "m1")
    last = bundle(now, port=stage.port)
    stage.publish(last)
    stage.start()
    before, observer, unequal = stage.workers(), observe.Observer(), 0
    load = Load(tmp_path, Group("kept", stage.port, connections=8), Group("closing", stage.port, connections=4, close=True))
    try:
        load.runs(50)
        for _ in range(CHANGES):
            now = changed(rng, now, website)
            made = bundle(now, port=stage.port)
            stage.publish(made)
            changes.apply_changes(stage.folder, made, before=last)
            last = made
            unequal += generation(stage, observer, made) != "wanted"
            load.runs(20)
        tally = load.stop()
    finally:
        load.close()
    made = bundle(now, port=stage.port)
    until(lambda: generation(stage, observer, made) and not _leaving(stage, made), 30, "what leaves is gone")
    after = stage.workers()
    failed = {name: one.errors for name, one in tally.items() if one.failed}
    fresh = len(after.pids() - before.pids())
    requests = sum(one.done for one in tally.values())
    print(f"haproxy-runtime changes={CHANGES} requests={requests} unequal={unequal} new_processes={fresh}")
    assert not failed, failed
    assert unequal == 0
    assert fresh == 0 and after.pids() == before.pids()


def _leaving(stage: Stage, made: Bundle) -> tuple[servers.Leaving, ...]:
    return servers.leaving(Runtime(stage.folder).look(), made)


def _mapped(port: int, path: str) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.headers["x-map"]


def test_a_map_is_replaced_whole_and_at_once(stage: Stage, website: Website) -> None:
    def text(word: str, count: int) -> str:
        return "# by our compiler\n" + "".join(f"/map/{n}   {word}-{n}\n" for n in range(count))

    one = members(website, "m0")
    made = bundle(one, port=stage.port, maps={"maps/x.map": text("old", 3)})
    stage.publish(made)
    stage.start()
    assert observe.differences(stage.folder, made) == ()
    assert _mapped(stage.port, "/map/2") == "old-2"
    fresh = bundle(one, port=stage.port, maps={"maps/x.map": text("new", 4000)})
    stage.publish(fresh)
    assert observe.differences(stage.folder, fresh) == ("HAProxy holds another maps/x.map than the file",)
    done = changes.apply_changes(stage.folder, fresh)
    assert done == ("maps/x.map replaced (4000 entries)",)
    assert (_mapped(stage.port, "/map/2"), _mapped(stage.port, "/map/3999")) == ("new-2", "new-3999")
    assert changes.apply_changes(stage.folder, fresh) == () and observe.differences(stage.folder, fresh) == ()
    empty = bundle(one, port=stage.port, maps={"maps/x.map": ""})
    stage.publish(empty)
    changes.apply_changes(stage.folder, empty)
    assert _mapped(stage.port, "/map/2") == "none" and observe.differences(stage.folder, empty) == ()


def test_a_list_is_replaced_whatever_its_entries_hold(stage: Stage, website: Website) -> None:
    printable = "".join(map(chr, range(33, 127)))
    hostile = ["a;b", "a b", "\\", "a\\;show info", "<<x", "-f /etc/passwd", "--", "'", '"', "${X}", "%[env(X)]", printable]
    one = members(website, "m0")
    made = bundle(one, port=stage.port, maps={"maps/x.list": "first\n"})
    stage.publish(made)
    stage.start()
    fresh = bundle(one, port=stage.port, maps={"maps/x.list": "# ours\n" + "\n".join([*hostile, *(f"n{n}" for n in range(1500))]) + "\n"})
    stage.publish(fresh)
    assert observe.differences(stage.folder, fresh) == ("HAProxy holds another maps/x.list than the file",)
    changes.apply_changes(stage.folder, fresh)
    assert observe.differences(stage.folder, fresh) == ()
    assert (_listed(stage.port, "a;b"), _listed(stage.port, "n1499"), _listed(stage.port, "first")) == (True, True, False)


def _listed(port: int, text: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/", headers={"x-listed": text})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status == 204


def test_a_certificate_is_swapped_under_connections(stage: Stage, website: Website, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pems = [authority.leaf(f"{name}.pem", "h.test") for name in ("first", "second")]
    name = "certificates/c_1.pem"
    one = members(website, "m0")
    stage.certificates[name] = Path(pems[0].file).read_text()
    made = bundle(one, port=stage.port, certificates={name: "first"})
    stage.publish(made)
    stage.start()
    first, context = _shown(stage.tls), ssl._create_unverified_context()
    held = [context.wrap_socket(socket.create_connection(("127.0.0.1", stage.tls), 10)) for _ in range(100)]
    stage.certificates[name] = Path(pems[1].file).read_text()
    fresh = bundle(one, port=stage.port, certificates={name: "second"})
    stage.publish(fresh)
    assert observe.differences(stage.folder, fresh) == (f"HAProxy holds another {name} than the file",)
    assert changes.apply_changes(stage.folder, fresh) == (f"certificate {name} swapped",)
    assert observe.differences(stage.folder, fresh) == () and _shown(stage.tls) != first
    dropped = 0
    for sock in held:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: h.test\r\n\r\n")
        dropped += not sock.recv(64).startswith(b"HTTP/1.1 200")
        sock.close()
    print(f"haproxy-certificate connections={len(held)} dropped={dropped}")
    assert dropped == 0


def test_a_certificate_that_does_not_fit_its_key_changes_nothing(stage: Stage, website: Website, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first, second = (Path(authority.leaf(f"{name}.pem", "h.test").file).read_text() for name in ("first", "second"))
    name = "certificates/c_1.pem"
    stage.certificates[name] = first
    made = bundle(members(website, "m0"), port=stage.port, certificates={name: "x"})
    stage.publish(made)
    stage.start()
    shown = _shown(stage.tls)
    stage.certificates[name] = _part(second, "CERTIFICATE") + _part(first, "PRIVATE KEY")
    stage.publish(made)
    with pytest.raises(EngineRefused):
        changes.apply_changes(stage.folder, made)
    assert _shown(stage.tls) == shown
    stage.certificates[name] = second
    stage.publish(made)
    changes.apply_changes(stage.folder, made)
    assert _shown(stage.tls) != shown


def _part(pem: str, kind: str) -> str:
    end = f"-----END {kind}-----\n"
    return pem[pem.index(f"-----BEGIN {kind}-----") : pem.index(end) + len(end)]


def _shown(port: int) -> bytes:
    context = ssl._create_unverified_context()
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10)) as sock:
        return sock.getpeercert(binary_form=True) or b""


@pytest.mark.parametrize("nth", range(1, 5))
def test_a_change_that_was_killed_is_completed_by_the_next(stage: Stage, website: Website, tmp_path: Path, nth: int) -> None:
    authority = Authority(tmp_path)
    name = "certificates/c_1.pem"
    stage.certificates[name] = Path(authority.leaf("first.pem", "h.test").file).read_text()
    before = bundle(members(website, "m0", "m1"), port=stage.port, maps={"maps/x.map": "/map/1 a\n"}, certificates={name: "1"})
    stage.publish(before)
    stage.start()
    stage.certificates[name] = Path(authority.leaf("second.pem", "h.test").file).read_text()
    after = bundle(
        {"m1": Member(website.port("m1"), 7), "m2": Member(website.port("m2"))},
        port=stage.port,
        maps={"maps/x.map": "/map/1 b\n"},
        certificates={name: "2"},
    )
    stage.publish(after)
    pid = os.fork()
    if not pid:
        with contextlib.suppress(BaseException):
            changes.apply_changes(stage.folder, after, parse(f"runtime.said=kill@{nth}").hit)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, "the point was not passed"
    assert nth == 4 or observe.differences(stage.folder, after)
    changes.apply_changes(stage.folder, after)
    assert observe.differences(stage.folder, after) == ()
    assert _mapped(stage.port, "/map/1") == "b"


def test_what_is_done_behind_our_back_is_seen_and_named(stage: Stage, website: Website) -> None:
    made = bundle(members(website, "m0", "m1"), port=stage.port, maps={"maps/x.map": "/map/1 a\n"})
    stage.publish(made)
    stage.start()
    observer, runtime = observe.Observer(), Runtime(stage.folder)
    assert generation(stage, observer, made) == "wanted"
    runtime.ask(commands.on_server(Verb.WEIGHT, "be_web", "s_m0", 3))
    seen = observer.observe(stage.folder, [("wanted", made)])
    assert (seen.generation, seen.why) == (None, "member web/m0 has weight 3, wanted is 100")
    runtime.ask(commands.on_server(Verb.WEIGHT, "be_web", "s_m0", 100))
    assert generation(stage, observer, made) == "wanted"
    runtime.ask(commands.Command(Verb.PREPARE_MAP, ("current/maps/x.map",)))
    runtime.ask(commands.Command(Verb.COMMIT_MAP, ("1", "current/maps/x.map")))
    until(lambda: generation(stage, observer, made) is None, 5, "the map is looked at in its turn")
    assert observer.observe(stage.folder, [("wanted", made)]).why == "HAProxy holds another maps/x.map than the file"
    changes.apply_changes(stage.folder, made)
    assert generation(stage, observer, made) == "wanted"


def test_a_leaving_member_keeps_its_requests_and_comes_back_after_them(stage: Stage, website: Website) -> None:
    both = bundle(members(website, "m0", "m1"), port=stage.port)
    stage.publish(both)
    stage.start()
    website.set("m1", mode="slow", seconds=3.0, only="/slow")
    changes.apply_changes(
        stage.folder, bundle({**members(website, "m1"), "m0": Member(website.port("m0"), override="disable")}, port=stage.port)
    )
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(_status(stage.port, "/slow")))
    asking.start()
    until(lambda: Runtime(stage.folder).look().servers["be_web"]["s_m1"].number("scur") == 1, 10, "the request is at the member")
    without = bundle(members(website, "m0"), port=stage.port)
    changes.apply_changes(stage.folder, without, before=both)
    seen = observe.Observer().observe(stage.folder, [("wanted", without)])
    assert seen.generation == "wanted" and seen.status is not None
    assert [one["sessions"] for one in seen.status["pools"]["web"]["leaving"]] == [1]
    other = replace(both, backends=tuple(replace(one, servers=tuple(_rising(server) for server in one.servers)) for one in both.backends))
    with pytest.raises(changes.ReloadNeeded):
        changes.apply_changes(stage.folder, other)
    asking.join(20)
    assert answers == [200]
    changes.apply_changes(stage.folder, both)
    assert observe.differences(stage.folder, both) == ()


def _rising(server: Server) -> Server:
    """The same with another option."""
    return replace(server, arguments=(server.arguments or "").replace("rise 2", "rise 3"))


def _status(port: int, path: str, client: str = "") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path, headers={"x-client": client} if client else {})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_disabling_clears_what_keeps_clients_there(stage: Stage, website: Website) -> None:
    both = members(website, "m0", "m1")
    stage.publish(bundle(both, port=stage.port))
    stage.start()
    for client in range(10):
        assert _status(stage.port, "/", f"c{client}") == 200
    runtime = Runtime(stage.folder)
    assert "used:10" in runtime.ask(commands.Command(Verb.SHOW_TABLES))
    changes.apply_changes(stage.folder, bundle({**both, "m0": Member(website.port("m0"), override="disable")}, port=stage.port))
    assert "used:5" in runtime.ask(commands.Command(Verb.SHOW_TABLES))


def test_a_member_that_moves_gets_nothing_at_its_old_address(stage: Stage, website: Website, tmp_path: Path) -> None:
    stage.publish(bundle(members(website, "m0"), port=stage.port))
    stage.start()
    load = Load(tmp_path, Group("kept", stage.port, connections=8), Group("closing", stage.port, connections=4, close=True))
    try:
        load.runs(100)
        changes.apply_changes(stage.folder, bundle({"m0": Member(website.port("m1"))}, port=stage.port))
        load.runs(20)  # what was on its way
        before = website.counts("m0")["requests"]
        load.runs(200)
        assert website.counts("m0")["requests"] == before and website.counts("m1")["requests"] > 100
        assert sum(one.failed for one in load.stop().values()) == 0
    finally:
        load.close()


def test_another_shape_is_a_reload(stage: Stage, website: Website) -> None:
    made = bundle(members(website, "m0"), port=stage.port)
    stage.publish(made)
    stage.start()
    other = bundle(members(website, "m0"), port=stage.port, shape="0ther")
    with pytest.raises(changes.ReloadNeeded):
        changes.apply_changes(stage.folder, other)
    assert observe.Observer().observe(stage.folder, [("wanted", other)]).why == "HAProxy serves shape 7f3a0c, published is 0ther"


def test_counters_go_on_over_a_reload(stage: Stage, website: Website) -> None:
    made = bundle(members(website, "m0"), port=stage.port)
    stage.publish(made)
    stage.start()
    observer = observe.Observer()
    for count in (3, 5):
        for _ in range(count):
            assert _status(stage.port, "/") == 200
        seen = observer.observe(stage.folder, [("wanted", made)])
        stage.reload()
    assert seen.status is not None
    assert seen.status["services"]["www"]["requests_total"] == 8
    assert seen.status["pools"]["web"]["members"]["m0"]["requests_total"] == 8
    assert seen.status["workers"]["current"] == stage.workers().current.pid or seen.status["workers"]["current"] is not None  # type: ignore[union-attr]


def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        Runtime(tmp_path).look()
    seen = observe.Observer().observe(tmp_path, [])
    assert (seen.running, seen.generation, seen.status) == (False, None, None) and "nobody answers" in seen.why
