"""Documents by seed: a few applications with services of dicom, http and tcp, and what a day of an operator makes of them.

What is drawn is what a plan sees: the processes of each engine, as compiling would give them. The second document is the first with
some changes, most of them about who listens where.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gurney.config.document import Application, Listen
from gurney.config.proxied import Persist, ProxyCheck, ProxyLimits, ProxyMember, ProxyPool, ProxyService, Queue
from gurney.config.served import Rule
from gurney.plan.steps import Key, Listener, Process, overlap
from tests.balance.hospital import member, pool, service

HOSTS = ("", "", "", "10.0.0.1", "10.0.0.2")
PORTS = range(1, 6)
NAMES = ("a", "b", "c")
SERVICES = (("store", "dicom"), ("second", "dicom"), ("web", "http"), ("site", "http"), ("raw", "tcp"))
CHECK = ProxyCheck("http", 2000, 2000, 2, 3)


@dataclass(frozen=True)
class One:
    """One service as drawn: where it listens, and a number that stands for what its rules say."""

    listen: tuple[Listen, ...]
    rules: int = 0


@dataclass(frozen=True)
class Drawn:
    """One application as drawn: its services by name, its members' weights by name."""

    services: Mapping[str, One]
    members: Mapping[str, int]


World = dict[str, Drawn]


def pair(seed: int) -> tuple[World, World]:
    """A document and what becomes of it."""
    chance = random.Random(seed)
    before = _drawn(chance)
    after = dict(before)
    for _ in range(chance.randrange(1, 6)):
        after = chance.choice(_CHANGES)(after, chance)
    if chance.random() < 0.1:
        after = _drawn(chance)
    return _sound(before), _sound(after)


def _drawn(chance: random.Random) -> World:
    names = chance.sample(NAMES, chance.randrange(0, len(NAMES) + 1))
    return {name: _application(chance) for name in names}


def _application(chance: random.Random) -> Drawn:
    chosen = chance.sample(SERVICES, chance.randrange(1, 4))
    return Drawn({name: One(_listens(chance)) for name, _ in chosen}, {"m1": 100, "m2": 100})


def _listens(chance: random.Random) -> tuple[Listen, ...]:
    return tuple(Listen(chance.choice(HOSTS), chance.choice(PORTS)) for _ in range(chance.choice((1, 1, 1, 2))))


def _places(world: World) -> list[tuple[str, str]]:
    return [(name, at) for name, drawn in world.items() for at in drawn.services]


def _put(world: World, place: tuple[str, str], one: One | None) -> World:
    name, at = place
    kept = {key: value for key, value in world[name].services.items() if key != at or one is not None}
    if one is not None:
        kept[at] = one
    return {**world, name: replace(world[name], services=kept)}


def _swap(world: World, chance: random.Random) -> World:
    places = _places(world)
    if len(places) < 2:
        return world
    chosen = chance.sample(places, min(len(places), chance.choice((2, 2, 3))))
    moved = [world[name].services[at] for name, at in chosen]
    for place, one in zip(chosen, moved[1:] + moved[:1], strict=True):
        world = _put(world, place, replace(world[place[0]].services[place[1]], listen=one.listen))
    return world


def _move(world: World, chance: random.Random) -> World:
    places = _places(world)
    if not places:
        return world
    place = chance.choice(places)
    return _put(world, place, replace(world[place[0]].services[place[1]], listen=_listens(chance)))


def _hand_over(world: World, chance: random.Random) -> World:
    """A service goes; another, somewhere else, listens where it did."""
    places = _places(world)
    if not places:
        return world
    place = chance.choice(places)
    listen = world[place[0]].services[place[1]].listen
    world = _put(world, place, None)
    name = chance.choice(list(world))
    return _put(world, (name, chance.choice(SERVICES)[0]), One(listen))


def _widen(world: World, chance: random.Random) -> World:
    """From one address to every address, or back."""
    places = _places(world)
    if not places:
        return world
    place = chance.choice(places)
    there = world[place[0]].services[place[1]]
    listen = tuple(Listen("10.0.0.1" if one.host == "" else "", one.port) for one in there.listen)
    return _put(world, place, replace(there, listen=listen))


def _rules(world: World, chance: random.Random) -> World:
    places = _places(world)
    if not places:
        return world
    place = chance.choice(places)
    return _put(world, place, replace(world[place[0]].services[place[1]], rules=chance.randrange(3)))


def _members(world: World, chance: random.Random) -> World:
    if not world:
        return world
    name = chance.choice(list(world))
    members = dict(world[name].members)
    members[chance.choice(("m1", "m2", "m3"))] = chance.choice((1, 50, 100))
    if len(members) > 2 and chance.random() < 0.5:
        members.pop("m1", None)
    return {**world, name: replace(world[name], members=members)}


def _come(world: World, chance: random.Random) -> World:
    return {**world, chance.choice(NAMES): _application(chance)}


def _go(world: World, chance: random.Random) -> World:
    if not world:
        return world
    name = chance.choice(list(world))
    return {key: value for key, value in world.items() if key != name}


def _rename(world: World, chance: random.Random) -> World:
    if not world:
        return world
    name, new = chance.choice(list(world)), chance.choice(NAMES)
    return {new if key == name else key: value for key, value in world.items() if key == name or key != new}


_CHANGES = (_swap, _swap, _move, _hand_over, _hand_over, _widen, _rules, _members, _come, _go, _rename)


def _sound(world: World) -> World:
    """Without two services where only one can listen: the reader would refuse such a document."""
    taken: list[tuple[Key, str, Listener]] = []
    found: World = {}
    for name, drawn in world.items():
        kept: dict[str, One] = {}
        for at, one in drawn.services.items():
            protocol = dict(SERVICES)[at]
            key = (name, "route" if protocol == "dicom" else "haproxy")
            free: list[Listen] = []
            for listen in dict.fromkeys(one.listen):
                new = listener(listen)
                clash = [held for held in taken if overlap(new, held[2])]
                if all(held[0] == key and held[1] == protocol == "http" and held[2] == new for held in clash):
                    taken.append((key, protocol, new))
                    free.append(listen)
            if free:
                kept[at] = replace(one, listen=tuple(free))
        if kept:
            found[name] = replace(drawn, services=kept)
    return found


def listener(listen: Listen) -> Listener:
    """As compilers name it."""
    return f"{listen.host or '*'}:{listen.port}", listen.host, listen.port


def processes(world: World) -> dict[Key, Process]:
    """What compiling the document would give."""
    found: dict[Key, Process] = {}
    for name, drawn in world.items():
        dicom = {at: one for at, one in drawn.services.items() if dict(SERVICES)[at] == "dicom"}
        proxied = {at: one for at, one in drawn.services.items() if at not in dicom}
        if dicom:
            found[name, "route"] = _route(name, dicom, drawn.members)
        if proxied:
            found[name, "haproxy"] = _haproxy(name, proxied, drawn.members)
    return found


def _route(name: str, services: Mapping[str, One], weights: Mapping[str, int]) -> Process:
    made = {at: replace(service(name=at, listen=one.listen), prefer=(str(one.rules),)) for at, one in services.items()}
    pools = {"archive": pool(*(member(at, weight=weight) for at, weight in weights.items()))}
    application = Application(name, f"applications.{name}", made, pools)
    return Process(application, f"route {application!r}", _listeners(services))


def _haproxy(name: str, services: Mapping[str, One], weights: Mapping[str, int]) -> Process:
    root = f"applications.{name}"
    made = {
        at: ProxyService(
            name=at,
            path=f"{root}.services.{at}",
            protocol=dict(SERVICES)[at],
            listen=one.listen,
            hosts=("*",),
            base="/",
            tls=None,
            accept_from=(),
            accept_proxy_from=(),
            trust_forwarded_from=(),
            rules=(Rule(f"rule {one.rules}", f"{root}.services.{at}.rules[0]", {}, "pool"),),
            limits=ProxyLimits(5000, 10_000, None, 60_000),
        )
        for at, one in services.items()
    }
    members = {
        at: ProxyMember(at, f"{root}.pools.pool.members.{at}", "10.0.2.1", 8080, weight, None, CHECK, None, "none")
        for at, weight in weights.items()
    }
    queue = Queue(1000, 5000)
    pools = {"pool": ProxyPool("pool", f"{root}.pools.pool", "http", "least-load", Persist(), 200, queue, 0, 0, None, None, None, members)}
    application = Application(name, root, {}, {}, made, pools)
    shape = repr(made)
    return Process(application, f"haproxy {application!r}", _listeners(services), shape, True, "HAProxy")


def _listeners(services: Mapping[str, One]) -> tuple[Listener, ...]:
    return tuple(sorted({listener(listen) for one in services.values() for listen in one.listen}))
