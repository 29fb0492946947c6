"""The one place for reading pools, members and checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from gurney.config import addresses, limits, text, words
from gurney.config.document import Check, Member, Pool
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.tree import Entries, Items, Node, Scalar

T = TypeVar("T")

_STATUS_ROW = re.compile(r"(?=.{4}\Z)[0-9A-F]{1,4}x{0,3}")
_SUCCESS_ROW = re.compile(r"0000|0xxx|00xx|000x|B[0-9A-Fx]{3}")

CHECK = Check(
    kind="dicom-echo",
    interval_ms=limits.CHECK_INTERVAL_MS,
    timeout_ms=limits.CHECK_TIMEOUT_MS,
    rise=limits.CHECK_RISE,
    fall=limits.CHECK_FALL,
)


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a pool gives its members."""

    weight: int
    site: str | None
    check: Check


def pool(desk: Desk, name: str, key: Scalar, node: Node, path: str) -> Pool:
    """A pool from its mapping or its short form, a list of members."""
    if isinstance(node, Items):
        members = _members(desk, node, f"{path}.members", path, _Defaults(limits.WEIGHT, None, CHECK))
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, members)
    if isinstance(node, Scalar) and node.sound:
        desk.wrong(node, path, "GRN-S011", "a pool is a list of members or a mapping", f"[{printable(node.text)}]")
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, {})
    fields = desk.open(node, path, "pool", key.at)
    if fields is None:
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, {})
    fields.judge()
    defaults = _Defaults(
        weight=_weight(fields, limits.WEIGHT),
        site=_site(fields, None),
        check=_check(fields, CHECK),
    )
    members_node = fields.get("members")
    members = _members(desk, members_node, fields.under("members"), path, defaults) if members_node is not None else {}
    return Pool(
        name=name,
        path=path,
        balance=_balance(fields),
        keep=fields.word("keep", words.KEEPS, (), "word for keep", words.KEEPS[0]),
        site=defaults.site,
        members=members,
        statuses=_statuses(fields),
    )


def _balance(fields: Fields) -> str:
    node = fields.get("balance")
    later: tuple[str, ...] = words.BALANCES_LATER
    if isinstance(node, Scalar) and node.sound and node.text.startswith("header:"):
        later = (*later, node.text)
    return fields.word("balance", words.BALANCES, later, "balance", words.BALANCES[0])


def _weight(fields: Fields, default: int) -> int:
    return fields.value("weight", lambda given: text.integer(given, 1, limits.WEIGHT_HIGHEST, "a weight"), default)


def _site(fields: Fields, default: str | None) -> str | None:
    known = fields.desk.sites

    def parse(given: str) -> str:
        if given not in known:
            hint = fields.desk.faults.guess(given, known)
            raise Unfit("GRN-S012", f"site {shown(given)} is not defined", hint or "define it under `sites` at the top")
        return given

    return fields.value("site", parse, default)


def _statuses(fields: Fields) -> Mapping[str, str]:
    node = fields.get("statuses")
    if node is None:
        return {}
    rows: dict[str, str] = {}
    for row, key, value, under in fields.desk.named(node, fields.under("statuses"), "status rows", _status_row):
        action = fields.desk.word(value, under, words.STATUS_ACTIONS, (), "action for a status", row)
        if action is not None and key.sound:
            rows[row] = action
    return rows


def _status_row(given: str) -> str:
    """A row of the status policy (dicom.md §5): four hexadecimal capitals, the last ones may be x."""
    if _STATUS_ROW.fullmatch(given) is None:
        raise Unfit("GRN-S028", f"{shown(given)} is no status", "four hexadecimal digits in capitals, x for any: A9xx, 0110")
    if _SUCCESS_ROW.fullmatch(given):
        raise Unfit("GRN-S028", f"status {given} means stored and cannot be overridden", "a second delivery would be a duplicate")
    return given


def _check(fields: Fields, base: Check) -> Check:
    node = fields.get("check")
    if node is None:
        return base
    if isinstance(node, Scalar) and node.sound and node.text in (*words.CHECK_KINDS, *words.CHECK_KINDS_LATER):
        fields.desk.wrong(node, fields.under("check"), "GRN-S011", "a check is a mapping", f"check: {{kind: {node.text}}}")
        return base
    inner = fields.desk.open(node, fields.under("check"), "check", fields.key_at("check"))
    if inner is None:
        return base
    kind_node = inner.get("kind")
    if isinstance(kind_node, Scalar) and kind_node.sound and kind_node.text in words.CHECK_KINDS_LATER:
        inner.word("kind", words.CHECK_KINDS, words.CHECK_KINDS_LATER, "check", base.kind)
        return base
    inner.judge()

    def duration(given: str) -> int:
        return text.duration_ms(given, limits.CHECK_SHORTEST_MS, limits.CHECK_LONGEST_MS)

    def count(given: str) -> int:
        return text.integer(given, 1, limits.CHECK_COUNT_HIGHEST)

    contexts = _contexts(inner) if inner.has("expect_contexts") else base.expect_contexts
    return Check(
        kind=inner.word("kind", words.CHECK_KINDS, words.CHECK_KINDS_LATER, "check", base.kind),
        interval_ms=inner.value("interval", duration, base.interval_ms),
        timeout_ms=inner.value("timeout", duration, base.timeout_ms),
        rise=inner.value("rise", count, base.rise),
        fall=inner.value("fall", count, base.fall),
        expect_contexts=contexts,
    )


def _contexts(fields: Fields) -> tuple[tuple[str, str], ...]:
    """`expect_contexts`: a list of [abstract syntax UID, transfer syntax UID]."""
    node, path, desk = fields.get("expect_contexts"), fields.under("expect_contexts"), fields.desk
    pair_hint = "[[ABSTRACT SYNTAX UID, TRANSFER SYNTAX UID]]"
    if not isinstance(node, Items):
        if node is not None:
            desk.wrong(node, path, "GRN-S011", "a list of pairs is expected here", pair_hint)
        return ()
    if len(node.items) > limits.CHECK_CONTEXTS:
        desk.wrong(node, path, "GRN-S006", f"more than {limits.CHECK_CONTEXTS} pairs", "one association offers no more contexts")
        return ()
    pairs = []
    for index, item in enumerate(node.items):
        under = f"{path}[{index}]"
        if not isinstance(item, Items) or len(item.items) != 2:
            desk.wrong(item, under, "GRN-S011", "a pair of two UIDs is expected here", pair_hint)
            continue
        abstract, transfer = (desk.value(uid, under, text.uid) for uid in item.items)
        if abstract is not None and transfer is not None:
            pairs.append((abstract, transfer))
    return tuple(pairs)


def _members(desk: Desk, node: Node, path: str, pool_path: str, defaults: _Defaults) -> dict[str, Member]:
    """Members by name: a mapping, or a list whose members are named by NAME, else by address."""
    desk.marks.setdefault(path, node.at)
    if isinstance(node, Scalar):
        if node.sound:
            desk.wrong(node, path, "GRN-S011", "members are a list or a mapping", f"[{printable(node.text)}]")
        desk.faults.breaks(path)
        return {}
    count = len(node.pairs) if isinstance(node, Entries) else len(node.items)
    if count == 0:
        desk.wrong(node, path, "GRN-S025", "a pool without members", "NAME@ADDRESS:PORT")
    if count > limits.MEMBERS:
        desk.wrong(node, path, "GRN-S006", f"more than {limits.MEMBERS} members in one pool")
        return {}
    return (
        _named_members(desk, node, path, defaults) if isinstance(node, Entries) else _listed_members(desk, node, path, pool_path, defaults)
    )


def _named_members(desk: Desk, node: Entries, path: str, defaults: _Defaults) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for name, key, value, under in desk.named(node, path, "members", text.member_name):
        member = _member(desk, name, value, under, key.at, defaults)
        if member is not None:
            found[name] = member
    return found


def _listed_members(desk: Desk, node: Items, path: str, pool_path: str, defaults: _Defaults) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for index, item in enumerate(node.items):
        member = _listed_member(desk, item, f"{path}[{index}]", path, defaults)
        if member is not None and member.name in found:
            hint = "give the members names: members: {first: ADDRESS, second: ADDRESS}"
            desk.wrong(item, pool_path, "GRN-S023", f"two members are named {shown(member.name)}", hint)
        elif member is not None:
            found[member.name] = member
    return found


def _listed_member(desk: Desk, item: Node, at_path: str, path: str, defaults: _Defaults) -> Member | None:
    member = _member(desk, None, item, at_path, item.at, defaults)
    if member is None:
        return None
    try:
        text.member_name(member.name)
    except Unfit as unfit:
        desk.wrong(item, at_path, unfit.code, unfit.message, f"give it another one: members: {{NAME: {member.name}@…}}")
        return None
    under = f"{path}.{member.name}"
    _mark_as(desk, item, under)
    if desk.faults.is_broken(at_path):
        desk.faults.breaks(under)
    return replace(member, path=under)


def _mark_as(desk: Desk, node: Node, path: str) -> None:
    """Marks a listed member and its keys under its name, as if it stood in a mapping."""
    desk.marks.setdefault(path, node.at)
    for key, value in node.pairs if isinstance(node, Entries) else ():
        _mark_as(desk, value, f"{path}.{key.text}")
        desk.marks[f"{path}.{key.text}"] = key.at


def _member(desk: Desk, name: str | None, node: Node, path: str, at: tuple[int, int], defaults: _Defaults) -> Member | None:
    """One member from its short form NAME@HOST:PORT or its long form; without a name it gets one from NAME, else the address."""
    if isinstance(node, Scalar):
        target = desk.value(node, path, _whole_target)
        if target is None or target.port is None:
            return None
        own = name or target.ae_title or addresses.spell_target(target.host, target.port)
        return Member(
            name=own,
            path=path,
            host=target.host,
            port=target.port,
            ae_title=target.ae_title,
            calling_ae=None,
            weight=defaults.weight,
            max_associations=limits.MEMBER_ASSOCIATIONS,
            max_bytes=limits.MEMBER_BYTES,
            rate=None,
            site=defaults.site,
            check=defaults.check,
        )
    fields = desk.open(node, path, "member", at)
    if fields is None:
        return None
    fields.judge()
    target = fields.value("address", addresses.target, addresses.Target(None, "", None))
    title = _once(fields, "ae_title", target.ae_title, fields.value("ae_title", text.ae_title, None))
    port = _once(fields, "port", target.port, fields.value("port", addresses.port, None))
    if port is None and target.host and not fields.has("port"):
        desk.wrong(fields.get("address") or node, path, "GRN-S017", f"{shown(target.host)} has no port", "HOST:PORT, or a key `port`")
    number = fields.value("async_ops", lambda given: text.integer(given, 1, limits.PORT_HIGHEST), 1)
    if number > 1:
        desk.later(fields.key_at("async_ops"), f"async_ops: {number}", fields.under("async_ops"), "this version has async_ops: 1")
    return Member(
        name=name or title or addresses.spell_target(target.host, port or 0),
        path=path,
        host=target.host,
        port=port or 0,
        ae_title=title,
        calling_ae=fields.value("calling_ae", text.ae_title, None),
        weight=_weight(fields, defaults.weight),
        max_associations=fields.value(
            "max_associations", lambda given: text.integer(given, 1, limits.MEMBER_ASSOCIATIONS_HIGHEST), limits.MEMBER_ASSOCIATIONS
        ),
        max_bytes=fields.value("max_bytes", lambda given: text.size(given, 1), limits.MEMBER_BYTES),
        rate=None,
        site=_site(fields, defaults.site),
        check=_check(fields, defaults.check),
    )


def _once(fields: Fields, key: str, in_address: T | None, in_key: T | None) -> T | None:
    """What may stand in the address or under a key of its own, but not in both."""
    if in_address is not None and in_key is not None:
        fields.desk.faults.add(
            fields.key_at(key), "GRN-S030", f"'{key}' stands in the address too", "leave one of them out", path=fields.under(key)
        )
    return in_address if in_key is None else in_key


def _whole_target(given: str) -> addresses.Target:
    target = addresses.target(given)
    if target.port is None:
        raise Unfit("GRN-S017", f"{shown(given)} has no port", f"{given}:104, or the port your archive listens on")
    return target
