"""The one place for rules in HAProxy's words: conditions over value lists, the first that fits sets `txn.rule`, then the pool's backend.

Everything that is chosen is chosen once and kept in `txn.*`: `service`, `rule`, `pool` (a backend), `usable` (its usable members), `need`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gurney.compile.haproxy import globs
from gurney.compile.haproxy.lists import FALLBACKS, USABLE_WANTED, Files, file_of
from gurney.compile.haproxy.names import Names
from gurney.compile.haproxy.settings import said
from gurney.compile.haproxy.tree import (
    Acl,
    Call,
    File,
    Format,
    Header,
    Int,
    Leaf,
    Line,
    Made,
    Network,
    Quoted,
    Sample,
    Span,
    Term,
    Word,
    call,
    sample,
    words,
)  # fmt: skip
from gurney.config import limits
from gurney.config.proxied import ProxyPool, ProxyService
from gurney.config.served import Rule

FACTS = ("method", "path", "host", "network")  # and header:NAME
_ACTION = {"http": "http-request", "tcp": "tcp-request content"}


@dataclass(frozen=True, slots=True)
class Desk:
    """What choosing needs to know: names, files, every pool by name, the protocol of the frontend."""

    named: Names
    files: Files
    pools: Mapping[str, ProxyPool]
    protocol: str

    def act(self, phrase: str, *leaves: Leaf, path: str = "") -> Line:
        """A line `http-request PHRASE …` or `tcp-request content PHRASE …`."""
        return said(f"{_ACTION[self.protocol]} {phrase}", *leaves, path=path)

    def backend(self, pool: str, suffix: str = "") -> Made:
        """The backend of a pool."""
        return self.named.made("be", self.pools[pool].path, suffix)


def usable_wanted(made: ProxyPool) -> int:
    """Fewer usable members than this and all that are not disabled are used."""
    return made.usable_wanted(sum(member.override != "disable" for member in made.members.values()))


def var(name: str) -> Call:
    """The fetch of one of our variables."""
    return call("var", Word(f"txn.{name}"))


def is_made(name: str, *values: Made) -> Term:
    """True where `txn.NAME` is one of `values`."""
    return Term(sample(var(name)), words("-m str"), values)


def found(name: str, negated: bool = False) -> Term:
    """True where `txn.NAME` has been set."""
    return Term(sample(var(name)), words("-m found"), negated=negated)


def number(of: Sample, operator: str, value: int) -> Term:
    """A comparison of a whole number."""
    return Term(of, words("-m int"), (Int(value, most=limits.HTTP_BODY_HIGHEST),), operator=Word(operator))


def choose(desk: Desk, fe: Made, services: Sequence[ProxyService]) -> list[Line]:
    """From `txn.service` (where there are several) to the backend."""
    reachable = {service.name: _reachable(service) for service in services}
    everything = [rule for rules in reachable.values() for rule in rules]
    whole = all(rules and not rules[-1].match for rules in reachable.values())
    lines: list[Line] = []
    if len(everything) > 1 or not whole:
        for service in services:
            lines += _conditional(desk, service, reachable[service.name], alone=len(services) == 1)
        lines += _last(desk, fe, services, reachable)
    if not whole:
        lines.append(refused(desk, 404, "No rule of this service fits.", found("rule", negated=True)))
    pools = dict.fromkeys(rule.pool for rule in everything)
    if len(pools) == 1 and whole and desk.pools[next(iter(pools))].fallback is None:
        return [*lines, *_one(desk, next(iter(pools)), services[0].path)]
    if len(everything) == 1 and whole:
        chosen = sample(call("str", desk.backend(everything[0].pool)))
    else:
        chosen = sample(var("rule"), call("map_str", _pools(desk, fe, everything)))
    lines.append(desk.act("set-var(txn.pool)", chosen))
    return [*lines, *_many(desk, pools)]


def refused(desk: Desk, status: int, text: str, *terms: Leaf, path: str = "") -> Line:
    """http: an answer in plain words; tcp: the connection is closed."""
    if desk.protocol == "tcp":
        return said("tcp-request content reject if", *terms, path=path)
    body = (*words("content-type text/plain string"), Quoted(text), Word("if"), *terms)
    return said("http-request return status", Int(status, 200, 599), *body, path=path)


def _reachable(service: ProxyService) -> list[Rule]:
    """The rules up to the first that always fits."""
    rules: list[Rule] = []
    for rule in service.rules:
        rules.append(rule)
        if not rule.match:
            break
    return rules


def _conditional(desk: Desk, service: ProxyService, rules: Sequence[Rule], alone: bool) -> list[Line]:
    """For each rule that matches something: its conditions, and the line that sets `txn.rule` where all of them hold."""
    lines: list[Line] = []
    mine = () if alone else (is_made("service", desk.named.made("v", service.path)),)
    for at, rule in enumerate(rules):
        if not rule.match:
            continue
        name = desk.named.made("r", rule.path)
        conditions: list[Leaf] = [] if at == 0 else [found("rule", negated=True)]
        conditions += mine
        for place, (fact, values) in enumerate(rule.match.items()):
            acl = desk.named.made("r", rule.path, f"_{fact}" if fact in FACTS else f"_h{place}")
            lines += _acls(desk, acl, fact, values, service, rule)
            conditions.append(Acl(acl))
        lines.append(desk.act("set-var(txn.rule)", sample(call("str", name)), Word("if"), *conditions, path=rule.path))
    return lines


def _acls(desk: Desk, acl: Made, fact: str, values: Sequence[str], service: ProxyService, rule: Rule) -> list[Line]:
    """A condition over value lists, one a way of matching: their entries change at run time."""
    path = f"{rule.path}.match"
    if fact == "network":
        file = desk.files.values(acl, "ip", [Network(value) for value in values])
        return [Line((Word("acl"), acl, sample(call("src")), *words("-m ip -f"), file), path)]
    before = service.base if fact == "path" and service.base != "/" else ""
    ways = globs.patterns(values, before)
    of = sample(_fetch(fact))
    if globs.ANY in ways:
        return [Line((Word("acl"), acl, of, *words("-m found")), path)]
    return [Line((Word("acl"), acl, of, *words(f"-m {way} -f"), desk.files.values(acl, way, ways[way])), path) for way in ways]


def _fetch(fact: str) -> Call:
    if fact == "host":
        return var("host")
    if fact.startswith("header:"):
        return call("req.fhdr", Header(fact.removeprefix("header:")))
    return call(fact)


def _last(desk: Desk, fe: Made, services: Sequence[ProxyService], reachable: Mapping[str, Sequence[Rule]]) -> list[Line]:
    """The rule without a match, where no other fitted."""
    last = {
        service.path: desk.named.made("r", reachable[service.name][-1].path)
        for service in services
        if reachable[service.name] and not reachable[service.name][-1].match
    }
    if not last:
        return []
    condition = (Word("unless"), found("rule")) if any(rule.match for rules in reachable.values() for rule in rules) else ()
    if len(services) == 1:
        return [desk.act("set-var(txn.rule)", sample(call("str", next(iter(last.values())))), *condition, path=services[0].path)]
    table = desk.files.map(file_of(fe, "rules"), [(desk.named.made("v", path), rule) for path, rule in last.items()])
    return [desk.act("set-var(txn.rule)", sample(var("service"), call("map_str", table)), *condition)]


def _pools(desk: Desk, fe: Made, rules: Sequence[Rule]) -> File:
    return desk.files.map(file_of(fe, "pools"), [(desk.named.made("r", rule.path), desk.backend(rule.pool)) for rule in rules])


def _one(desk: Desk, pool: str, path: str) -> list[Line]:
    """Everything goes to one pool: to its twin when too few of it are usable, by a list of those numbers."""
    made, name = desk.pools[pool], desk.backend(pool)
    lines: list[Line] = []
    if made.panic:
        least = 0 if made.fallback_page is None else 1  # with nobody the page is shown
        most = usable_wanted(made) - 1
        few = desk.files.values(name, "few", [] if most < least else [Span(least, most)])
        at = Term(sample(call("nbsrv", name)), words("-m int"), file=few)
        lines.append(Line((Word("use_backend"), desk.backend(pool, "_panic"), Word("if"), at), f"{made.path}.panic"))
    return [*lines, Line((Word("default_backend"), name), path)]


def _many(desk: Desk, pools: Mapping[str, None]) -> list[Line]:
    """`txn.pool` leads on: to its fallback while it has nobody, to its twin when it has too few."""
    count = desk.act("set-var(txn.usable)", sample(var("pool"), call("nbsrv")))
    none = number(sample(var("usable")), "eq", 0)
    lines = [count]
    reached = dict(pools)
    for _ in range(_depth(desk, pools)):
        falling = [(desk.backend(name), desk.backend(pool.fallback)) for name, pool in desk.pools.items() if pool.fallback is not None]
        further = sample(var("pool"), call("map_str", desk.files.map(FALLBACKS, falling)))
        has = Term(further, words("-m found"))
        lines += [desk.act("set-var(txn.pool)", further, Word("if"), none, has), count]
        reached |= dict.fromkeys(after for after in [desk.pools[name].fallback for name in reached] if after is not None)
    if any(desk.pools[name].panic for name in reached):
        wanted = [(desk.backend(name), Int(usable_wanted(pool))) for name, pool in desk.pools.items() if pool.panic]
        table = desk.files.map(USABLE_WANTED, wanted)
        lines.append(desk.act("set-var(txn.need)", sample(var("pool"), call("map_str_int", table, Int(0)))))
        pages = [desk.backend(name) for name in reached if desk.pools[name].fallback_page is not None and desk.pools[name].panic]
        if pages:
            lines.append(desk.act("set-var(txn.need)", sample(call("int", Int(0))), Word("if"), none, is_made("pool", *pages)))
        few = number(sample(var("usable"), call("sub", Word("txn.need"))), "lt", 0)
        lines.append(Line((Word("use_backend"), _dynamic(call("concat", Word("_panic"))), Word("if"), few)))
    return [*lines, Line((Word("use_backend"), _dynamic()))]


def _dynamic(*more: Call) -> Leaf:
    return Format((sample(var("pool"), *more),))


def _depth(desk: Desk, pools: Mapping[str, None]) -> int:
    """How many fallbacks can follow one another."""
    longest = 0
    for name in pools:
        seen = {name}
        at = desk.pools[name].fallback
        while at is not None and at not in seen:
            seen.add(at)
            at = desk.pools[at].fallback
        longest = max(longest, len(seen) - 1)
    return longest
