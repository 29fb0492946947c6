"""Which member a request goes to: every `balance` and `persist`, what moves when one leaves, fallback and panic (http-16)."""

from __future__ import annotations

import collections
import signal
from collections.abc import Callable

import pytest

from tests.live.conftest import Room
from tests.live.harness.counts import count, say
from tests.live.harness.gurney import Gurney
from tests.live.harness.http.client import Answer, Client, get
from tests.live.harness.http.documents import application, document, pool, service
from tests.live.harness.http.engine import Engine
from tests.live.harness.http.groups import Group
from tests.live.harness.http.shapes import weighed
from tests.live.harness.wait import until

FOUR = ("a", "b", "c", "d")
# balance → the share of requests of members a to d, with weights 100, 100, 50 and 150, each ± the tolerance
BOUNDS: dict[str, tuple[tuple[float, ...], float]] = {
    "round-robin": ((0.25, 0.25, 0.125, 0.375), 0.02),
    "least-load": ((0.25, 0.25, 0.125, 0.375), 0.12),
    "random": ((0.25, 0.25, 0.125, 0.375), 0.12),
    "failover": ((1.0, 0.0, 0.0, 0.0), 0.0),
    "source": ((0.25, 0.25, 0.125, 0.375), 0.2),
    "uri": ((0.25, 0.25, 0.125, 0.375), 0.12),
    "header:X-Key": ((0.25, 0.25, 0.125, 0.375), 0.12),
}
WEIGHTS = (100, 100, 50, 150)


def keyed(how: str, i: int) -> dict[str, str]:
    """What differs between client i and the others, as words of `get`."""
    if how == "source":
        return {"source": f"127.0.{1 + i // 250}.{1 + i % 250}"}
    return {"target": f"/k/{i}"} if how == "uri" else {"target": "/same", "X_Key": f"key-{i}"}


def chosen(port: int, how: str, keys: int) -> list[str]:
    """The member of each key."""
    if how == "source":
        return [get(port, **keyed(how, i)).member for i in range(keys)]
    with Client(port) as c:
        return [c.ask(**keyed(how, i)).member for i in range(keys)]


def slug(balance: str) -> str:
    return balance.replace(":", "-").lower()


@pytest.mark.timeout(300)
def test_http_16_shares_of_every_balance(room: Room) -> None:
    """Seven services with a pool each of the same four members with weights 100, 100, 50, 150."""
    site = room.website(*FOUR)
    ports = {b: room.port() for b in BOUNDS}
    members = {n: weighed(site.port(n), w) for n, w in zip(FOUR, WEIGHTS, strict=True)}
    services = [service(slug(b), p, rules=[f"{{pool: {slug(b)}}}"]) for b, p in ports.items()]
    pools = [pool(slug(b), members, balance=b, slow_start="0s", panic="0%") for b in BOUNDS]
    g = room.gurney(document(application("web", services, pools)))
    wrong: dict[str, dict[str, float]] = {}
    total = count(400, 8000)
    for balance, (bounds, tolerance) in BOUNDS.items():
        if balance in ("source", "uri", "header:X-Key"):
            seen = collections.Counter(chosen(ports[balance], balance.partition(":")[0], total))
            assert chosen(ports[balance], balance.partition(":")[0], 50) == chosen(ports[balance], balance.partition(":")[0], 50)
        else:
            load = room.load(Group("g", ports[balance], connections=8, most=total))
            tally = load.wait()["g"]
            assert tally.errors == {}, (balance, tally)
            seen = collections.Counter(tally.shares)
        shares = {n: seen[n] / seen.total() for n in FOUR}
        say("http-16", balance=balance, requests=seen.total(), **{n: f"{s:.3f}" for n, s in shares.items()})
        if any(abs(shares[n] - b) > tolerance for n, b in zip(FOUR, bounds, strict=True)):
            wrong[balance] = shares
    assert wrong == {}
    failover_goes_on(g, ports["failover"])


def failover_goes_on(g: Gurney, port: int) -> None:
    """`failover`: with the first drained the second takes all."""
    assert g.verb("drain", "web/failover/a").returncode == 0
    until(lambda: {get(port).member for _ in range(5)} == {"b"}, 10, "the second takes all")
    assert g.verb("enable", "web/failover/a").returncode == 0


@pytest.mark.timeout(300)
def test_http_16_few_keys_move_when_one_of_ten_leaves(room: Room) -> None:
    """source, uri, header: of the keys at most 12 % change their member when one of ten is taken from the document."""
    names = [f"m{i}" for i in range(10)]
    site = room.website(*names)
    how = {"source": "source", "uri": "uri", "header": "header:X-Key"}
    ports = {h: room.port() for h in how}

    def text(members: list[str]) -> str:
        services = [service(h, ports[h], rules=[f"{{pool: {h}}}"]) for h in how]
        pools = [pool(h, {m: site.port(m) for m in members}, balance=b, slow_start="0s") for h, b in how.items()]
        return document(application("web", services, pools))

    g = room.gurney(text(names))
    keys = count(500, 5000)
    before = {h: chosen(ports[h], h, keys) for h in how}
    done = g.apply(text([n for n in names if n != "m4"]))
    assert done.returncode == 0, done.stdout + done.stderr
    after = {h: chosen(ports[h], h, keys) for h in how}
    moved = {h: sum(x != y for x, y in zip(before[h], after[h], strict=True)) / keys for h in how}
    needless = {h: sum(x not in (y, "m4") for x, y in zip(before[h], after[h], strict=True)) for h in how}
    say("http-16", keys=keys, **{f"moved_{h}": f"{m:.3f}" for h, m in moved.items()}, **{f"needless_{h}": n for h, n in needless.items()})
    assert all(0 < m <= 0.12 or h == "source" for h, m in moved.items()), moved
    assert moved["source"] <= 0.2 and "m4" not in {m for h in how for m in after[h]}
    assert all(n <= 0.03 * keys for n in needless.values()), needless


def cookie_of(answer: Answer) -> str:
    value = answer.header("set-cookie")
    assert value is not None, answer.head
    return value


@pytest.mark.timeout(300)
def test_http_16_persist_keeps_clients_and_lets_go_of_a_failed_member(room: Room) -> None:
    """By cookie and by source: known clients stay, also with a draining member; a failed member's clients move and lose nothing."""
    sites = {n: room.website(n) for n in FOUR}
    ports = {"cookie": room.port(), "source": room.port()}
    members = {n: s.port(n) for n, s in sites.items()}
    services = [service(p, ports[p], rules=[f"{{pool: {p}}}"]) for p in ports]
    pools = [pool(p, members, persist=p, balance="round-robin", slow_start="0s", panic="0%") for p in ports]
    g = room.gurney(document(application("web", services, pools)))
    clients = 40
    first = [get(ports["cookie"]) for _ in range(clients)]
    jars = [cookie_of(a).split(";")[0] for a in first]
    attributes = {w.strip().split("=")[0].lower() for w in cookie_of(first[0]).split(";")[1:]}
    names = {n for n in FOUR if any(n == jar.partition("=")[2] for jar in jars)}
    sources = [f"127.1.0.{i + 1}" for i in range(clients)]
    by: dict[str, Callable[[int], str]] = {
        "cookie": lambda i: get(ports["cookie"], Cookie=jars[i]).member,
        "source": lambda i: get(ports["source"], source=sources[i]).member,
    }
    homes = {p: [by[p](i) for i in range(clients)] for p in by}
    moved = {p: sum(by[p](i) != homes[p][i] for i in range(clients)) for p in by}
    for p in by:
        assert g.verb("drain", f"web/{p}/a").returncode == 0
    moved_by_drain = {p: sum(by[p](i) != homes[p][i] for i in range(clients)) for p in by}
    newcomers = collections.Counter(get(ports["cookie"]).member for _ in range(20))
    sites["b"].kill()
    until(lambda: operational(g, "cookie", "b") == "down" and operational(g, "source", "b") == "down", 20, "b is out")
    after = {p: [by[p](i) for i in range(clients)] for p in by}
    stranded = {p: sum(h == "b" and m in ("b", "-") for h, m in zip(homes[p], after[p], strict=True)) for p in by}
    say(
        "http-16",
        clients=clients,
        members_used=len(set(homes["cookie"])),
        moved=sum(moved.values()),
        moved_by_drain=sum(moved_by_drain.values()),
        new_to_drained=newcomers["a"],
        stranded_after_failure=sum(stranded.values()),
    )
    assert (moved, moved_by_drain, newcomers["a"], stranded) == (
        {"cookie": 0, "source": 0},
        {"cookie": 0, "source": 0},
        0,
        {"cookie": 0, "source": 0},
    )
    assert len(set(homes["cookie"])) == 4 and "httponly" in attributes and not names
    assert all("b" in homes[p] for p in by), "some clients had b"


def operational(g: Gurney, pool_name: str, member: str) -> str:
    return str(g.status()["applications"]["web"]["pools"][pool_name]["members"][member]["operational"])


PAGE = "<!doctype html><title>closed</title><p>the portal rests</p>\n"


@pytest.mark.timeout(300)
def test_http_16_fallback_page_and_panic(room: Room) -> None:
    """All down: a further pool, or a page with 503. `panic`: with fewer than that usable all are used, also those that checks call down."""
    sites = {n: room.website(n) for n in FOUR}
    spare = room.website("spare")
    (room.folder / "rest.html").write_text(PAGE)
    ports = {n: room.port() for n in ("pool", "page", "panic", "calm")}
    members = {n: s.port(n) for n, s in sites.items()}
    more = {
        "pool": {"fallback": "spare", "panic": "0%"},
        "page": {"fallback": "{page: rest.html}", "panic": "0%"},
        "panic": {"panic": "60%"},
        "calm": {"panic": "0%"},
    }
    services = [service(n, p, rules=[f"{{pool: {n}}}"]) for n, p in ports.items()]
    pools = [pool(n, members, balance="round-robin", slow_start="0s", **keys) for n, keys in more.items()]
    g = room.gurney(document(application("web", services, [*pools, pool("spare", {"spare": spare.port()})])))
    before = {n: collections.Counter(get(p).member for _ in range(40)) for n, p in ports.items()}
    for n in ("a", "b"):
        sites[n].set(n, mode="status", only="/check", status=503)  # called down, and yet able to serve
    until(lambda: all(operational(g, "calm", n) == "down" and operational(g, "panic", n) == "down" for n in ("a", "b")), 20, "two are down")
    panicking = collections.Counter(get(ports["panic"]).member for _ in range(80))
    calm = collections.Counter(get(ports["calm"]).member for _ in range(80))
    for n in ("a", "b"):
        sites[n].set(n, mode="normal")
    until(lambda: all(operational(g, "panic", n) == "up" for n in ("a", "b")), 20, "two are up")
    for s in sites.values():
        s.signal(signal.SIGSTOP)
    until(lambda: all(operational(g, p, n) == "down" for p in ("pool", "page") for n in FOUR), 20, "all are down")
    elsewhere = collections.Counter(get(ports["pool"]).member for _ in range(20))
    page = [get(ports["page"]) for _ in range(5)]
    for s in sites.values():
        s.signal(signal.SIGCONT)
    until(lambda: all(operational(g, p, n) == "up" for p in ("pool", "page") for n in FOUR), 20, "all are up")
    back = collections.Counter(get(ports["pool"]).member for _ in range(20))
    say(
        "http-16",
        panic_members=len(panicking),
        calm_members=len(calm),
        fallback_served=elsewhere["spare"],
        page_503=sum(a.status == 503 and a.body.decode() == PAGE for a in page),
        fallback_after=back["spare"],
    )
    assert all(set(c) == set(FOUR) for c in before.values()), before
    assert (set(panicking), set(calm)) == (set(FOUR), {"c", "d"})
    assert (elsewhere, [a.status for a in page], {a.body.decode() for a in page}) == ({"spare": 20}, [503] * 5, {PAGE})
    assert back["spare"] == 0


@pytest.mark.timeout(300)
def test_http_16_max_in_flight_and_the_queue(room: Room) -> None:
    """A member for two at a time: it never has a third, the others wait in the queue; beyond `most` or `wait` the answer is 503."""
    site = room.website("a", mode="slow", seconds=0.1, only="/x")
    port = room.port()
    keys = {"max_in_flight": "2", "queue": "{most: 6, wait: 2s}"}
    g = room.gurney(document(application("web", [service("site", port)], [pool("servers", {"a": site.port()}, **keys)])))
    load = room.load(Group("g", port, prefix="/x", connections=6, most=60))
    tally = load.wait()["g"]
    flood = room.load(Group("f", port, prefix="/x", connections=40, most=120)).wait()["f"]
    highest = max(int(s["smax"] or 0) for s in Engine(g.state).stat() if s["type"] == "2")
    say(
        "http-16",
        max_in_flight=2,
        seen_at_once=highest,
        queued_errors=tally.failed,
        flood_503=flood.errors.get("status-503", 0),
        flood_served=flood.done,
    )
    assert (tally.errors, tally.done, highest) == ({}, 60, 2)
    assert set(flood.errors) == {"status-503"} and flood.done >= 6
