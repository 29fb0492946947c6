"""What cannot be: refused in a person's words, with everything as it was before."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gurney.compile.haproxy.bundle import Bundle, dump
from gurney.errors import EngineRefused
from tests.engines.haproxy.house import APPLICATION, House, Member, by_hand, get
from tests.ports import free_port

pytestmark = pytest.mark.live
Make = Callable[[str], Member]


@pytest.fixture
def foreign() -> Iterator[socket.socket]:
    """Somebody else's listening socket that would share its port, as HAProxy would too."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    yield sock
    sock.close()


def unchanged(house: House, good: bytes, port: int, before: frozenset[int]) -> None:
    engine = house.another()
    assert get(port) == "one"
    assert house.workers().pids() == before
    assert engine.published(APPLICATION) == good
    assert engine.observe(APPLICATION).generation == engine.generation(good)


def test_a_taken_port_is_found_before_haproxy_would_share_it(house: House, member: Make, foreign: socket.socket) -> None:
    port, taken, one = free_port(), foreign.getsockname()[1], member("one")
    good = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    before = house.workers().pids()
    with pytest.raises(EngineRefused, match=rf"web: port {taken} is taken by .+ \(pid {os.getpid()}\)") as caught:
        house.engine.load(APPLICATION, dump(by_hand([port, taken], {"one": one.port})))
    assert caught.value.hint == f"stop it, or listen elsewhere than on 127.0.0.1:{taken}"
    assert caught.value.path == "applications.web.services.site.listen"
    unchanged(house, good, port, before)


def test_a_start_on_a_taken_port_leaves_nothing(house: House, member: Make, foreign: socket.socket) -> None:
    taken = foreign.getsockname()[1]
    with pytest.raises(EngineRefused, match=f"port {taken} is taken"):
        house.engine.start(APPLICATION, dump(by_hand([taken], {"one": 1})), ())
    assert house.guard.list() == [] and house.engine.published(APPLICATION) is None
    assert not house.engine.observe(APPLICATION).running


def test_a_port_of_another_application_is_named_too(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    (house.state / "apps" / "other").mkdir()
    house.engine.start(APPLICATION, dump(by_hand([port], {"one": one.port})), ())
    with pytest.raises(EngineRefused, match=rf"other: port {port} is taken by haproxy \(pid \d+\)"):
        house.engine.start("other", dump(by_hand([port], {"one": one.port})), ())
    house.engine.listen(APPLICATION, ())
    house.engine.start("other", dump(by_hand([port], {"one": one.port})), ())
    assert get(port) == "one"


def test_two_applications_swap_their_ports(house: House, member: Make) -> None:
    """As a plan does it: one lets go, the other loads, the first loads what it was given in return."""
    first, second, one, two = free_port(), free_port(), member("one"), member("two")
    (house.state / "apps" / "other").mkdir()
    house.engine.start(APPLICATION, dump(by_hand([first], {"one": one.port})), ())
    house.engine.start("other", dump(by_hand([second], {"two": two.port})), ())
    house.engine.listen("other", ())
    house.engine.load(APPLICATION, dump(by_hand([second], {"one": one.port})))
    house.engine.load("other", dump(by_hand([first], {"two": two.port})))
    assert (get(second), get(first)) == ("one", "two")


def test_a_listener_let_go_of_is_bound_again_on_the_way_back(house: House, member: Make) -> None:
    first, second, one = free_port(), free_port(), member("one")
    good = dump(by_hand([first, second], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    house.engine.listen(APPLICATION, ((f"127.0.0.1:{first}", "127.0.0.1", first),))
    with socket.create_server(("127.0.0.1", second), reuse_port=False):
        pass  # it was free
    house.engine.listen(APPLICATION, tuple((f"127.0.0.1:{port}", "127.0.0.1", port) for port in (first, second)))
    assert get(second) == "one"
    house.engine.listen(APPLICATION, ())
    house.engine.listen(APPLICATION, ((f"127.0.0.1:{first}", "127.0.0.1", first),))
    house.engine.back(APPLICATION, good)
    assert get(first) == get(second) == "one"


def test_an_address_the_node_does_not_have(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    good = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    before = house.workers().pids()
    with pytest.raises(EngineRefused, match=r"this node does not have the address 192\.0\.2\.1"):
        house.engine.load(APPLICATION, dump(elsewhere(by_hand([port], {"one": one.port}), port)))
    unchanged(house, good, port, before)


def elsewhere(bundle: Bundle, port: int) -> Bundle:
    [frontend] = bundle.frontends
    listen = replace(frontend.listen, host="192.0.2.1")
    text = bundle.files["haproxy.cfg"].replace(f"bind 127.0.0.1:{port}", f"bind 192.0.2.1:{port}")
    moved = replace(frontend, listener=f"192.0.2.1:{port}", listen=listen)
    return replace(bundle, shape="0" * 64, files={"haproxy.cfg": text.replace(bundle.shape, "0" * 64)}, frontends=(moved,))


@pytest.mark.parametrize("kept", ["missing", "a folder"])
def test_a_certificate_that_cannot_be_read(house: House, member: Make, kept: str) -> None:
    port, one = free_port(), member("one")
    good = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    before = house.workers().pids()
    digest = "ab" * 32
    if kept == "a folder":
        (house.state / "keys" / "certificates" / f"{digest}.pem").mkdir()
    bad = by_hand([port], {"one": one.port}, bind=" ssl crt current/certificates/a.pem", materials={"certificates/a.pem": digest})
    with pytest.raises(EngineRefused, match=r"web: the kept file .*abab\.pem cannot be read") as caught:
        house.engine.load(APPLICATION, dump(bad))
    assert caught.value.hint == "it is certificates/a.pem of the bundle"
    unchanged(house, good, port, before)


def test_more_descriptors_than_there_are(house: House, member: Make) -> None:
    port, one = free_port(), member("one")
    good = dump(by_hand([port], {"one": one.port}))
    house.engine.start(APPLICATION, good, ())
    before = house.workers()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    bad = by_hand([port], {"one": one.port}, maxconn=hard)
    with pytest.raises(EngineRefused, match=r"web: HAProxy: .*FD limit") as caught:
        house.engine.load(APPLICATION, dump(bad))
    assert caught.value.hint is not None and "LimitNOFILE" in caught.value.hint
    kept = house.folder / "refused" / house.engine.generation(dump(bad))
    assert "FD limit" in (kept / "diagnostics.txt").read_text()
    assert not (house.folder / house.engine.generation(dump(bad))).exists()
    unchanged(house, good, port, before.pids())
