"""The one place for reading a pool's `members`: a mapping, or a list whose members are named by NAME, else by address."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gurney.config import limits, text
from gurney.config.document import Member
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.proxied import ProxyMember
from gurney.config.tree import Entries, Items, Node, Scalar

M = TypeVar("M", Member, ProxyMember)
T = TypeVar("T")
Read = Callable[[str | None, Node, str, tuple[int, int]], M | None]  # (name or None, node, path, where it is named)


def members(desk: Desk, node: Node, path: str, pool_path: str, example: str, read: Read[M]) -> dict[str, M]:
    """The members by name, in the order of the document; `read` reads one, `example` is how one is written."""
    desk.marks.setdefault(path, node.at)
    if isinstance(node, Scalar):
        if node.sound:
            desk.wrong(node, path, "GRN-S011", "members are a list or a mapping", f"[{printable(node.text)}]")
        desk.faults.breaks(path)
        return {}
    count = len(node.pairs) if isinstance(node, Entries) else len(node.items)
    if count == 0:
        desk.wrong(node, path, "GRN-S025", "a pool without members", example)
    if count > limits.MEMBERS:
        desk.wrong(node, path, "GRN-S006", f"more than {limits.MEMBERS} members in one pool")
        return {}
    return _named(desk, node, path, read) if isinstance(node, Entries) else _listed(desk, node, path, pool_path, read)


def _named(desk: Desk, node: Entries, path: str, read: Read[M]) -> dict[str, M]:
    found: dict[str, M] = {}
    for name, key, value, under in desk.named(node, path, "members", text.member_name):
        member = read(name, value, under, key.at)
        if member is not None:
            found[name] = member
    return found


def _listed(desk: Desk, node: Items, path: str, pool_path: str, read: Read[M]) -> dict[str, M]:
    found: dict[str, M] = {}
    for index, item in enumerate(node.items):
        member = _one_listed(desk, item, f"{path}[{index}]", path, read)
        if member is not None and member.name in found:
            hint = "give the members names: members: {first: ADDRESS, second: ADDRESS}"
            desk.wrong(item, pool_path, "GRN-S023", f"two members are named {shown(member.name)}", hint)
        elif member is not None:
            found[member.name] = member
    return found


def _one_listed(desk: Desk, item: Node, at_path: str, path: str, read: Read[M]) -> M | None:
    member = read(None, item, at_path, item.at)
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


def once(fields: Fields, key: str, in_address: T | None, in_key: T | None) -> T | None:
    """What may stand in the address or under a key of its own, but not in both."""
    if in_address is not None and in_key is not None:
        fields.desk.faults.add(
            fields.key_at(key), "GRN-S030", f"'{key}' stands in the address too", "leave one of them out", path=fields.under(key)
        )
    return in_address if in_key is None else in_key


def weight(fields: Fields, default: int) -> int:
    """`weight` of a pool or member."""
    return fields.value("weight", lambda given: text.integer(given, 1, limits.WEIGHT_HIGHEST, "a weight"), default)


def site(fields: Fields, default: str | None) -> str | None:
    """`site` of a pool or member: one that is defined."""
    known = fields.desk.sites

    def parse(given: str) -> str:
        if given not in known:
            hint = fields.desk.faults.guess(given, known)
            raise Unfit("GRN-S012", f"site {shown(given)} is not defined", hint or "define it under `sites` at the top")
        return given

    return fields.value("site", parse, default)
