"""The one place for reading pools, members and checks of `protocol: dicom`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gurney.config import addresses, limits, member_lists, text, words
from gurney.config.balances import balance
from gurney.config.document import Check, Member, Pool
from gurney.config.faults import Unfit, printable, shown
from gurney.config.fields import Desk, Fields
from gurney.config.proxied import MemberTls
from gurney.config.service_tls import member_tls
from gurney.config.tree import Items, Node, Scalar

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
    tls: MemberTls | None = None


def pool(desk: Desk, name: str, key: Scalar, node: Node, path: str) -> Pool:
    """A pool from its mapping or its short form, a list of members."""
    if isinstance(node, Items):
        members = _members(desk, node, f"{path}.members", path, _Defaults(limits.WEIGHT, None, CHECK))
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, members)
    if isinstance(node, Scalar) and node.sound:
        desk.wrong(node, path, "GRN-S011", "a pool is a list of members or a mapping", f"[{printable(node.text)}]")
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, {})
    fields = desk.open(node, path, "pool.dicom", key.at)
    if fields is None:
        return Pool(name, path, words.BALANCES[0], words.KEEPS[0], None, {})
    fields.judge()
    defaults = _Defaults(
        weight=member_lists.weight(fields, limits.WEIGHT),
        site=member_lists.site(fields, None),
        check=_check(fields, CHECK),
        tls=member_tls(fields, None),
    )
    members_node = fields.get("members")
    members = _members(desk, members_node, fields.under("members"), path, defaults) if members_node is not None else {}
    return Pool(
        name=name,
        path=path,
        balance=balance(fields, words.BALANCES_LATER),
        keep=fields.word("keep", words.KEEPS, (), "word for keep", words.KEEPS[0]),
        site=defaults.site,
        members=members,
        statuses=_statuses(fields),
    )


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
    inner = fields.desk.open(node, fields.under("check"), "check.dicom", fields.key_at("check"))
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
        kind=inner.word_of("kind", words.CHECK_KINDS_OF, words.CHECK_KINDS_LATER, "check", base.kind),
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
    def read(name: str | None, item: Node, under: str, at: tuple[int, int]) -> Member | None:
        return _member(desk, name, item, under, at, defaults)

    return member_lists.members(desk, node, path, pool_path, "NAME@ADDRESS:PORT", read)


def _member(desk: Desk, name: str | None, node: Node, path: str, at: tuple[int, int], defaults: _Defaults) -> Member | None:
    """One member from its short form NAME@HOST:PORT or its long form; without a name it gets one from NAME, else the address."""
    if isinstance(node, Scalar):
        return _short_member(desk, name, node, path, defaults)
    fields = desk.open(node, path, "member.dicom", at)
    if fields is None:
        return None
    fields.judge()
    target = fields.value("address", addresses.target, addresses.Target(None, "", None))
    title = member_lists.once(fields, "ae_title", target.ae_title, fields.value("ae_title", text.ae_title, None))
    port = member_lists.once(fields, "port", target.port, fields.value("port", addresses.port, None))
    if port is None and target.host and not fields.has("port"):
        desk.wrong(fields.get("address") or node, path, "GRN-S017", f"{shown(target.host)} has no port", "HOST:PORT, or a key `port`")
    if name is None and title is None and not target.host:
        return None  # nothing to name it by; its address has been said to be wrong
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
        weight=member_lists.weight(fields, defaults.weight),
        max_associations=fields.value(
            "max_associations", lambda given: text.integer(given, 1, limits.MEMBER_ASSOCIATIONS_HIGHEST), limits.MEMBER_ASSOCIATIONS
        ),
        max_bytes=fields.value("max_bytes", lambda given: text.size(given, 1), limits.MEMBER_BYTES),
        rate=None,
        site=member_lists.site(fields, defaults.site),
        check=_check(fields, defaults.check),
        tls=member_tls(fields, defaults.tls),
    )


def _short_member(desk: Desk, name: str | None, node: Scalar, path: str, defaults: _Defaults) -> Member | None:
    """A member from NAME@HOST:PORT."""
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
        tls=defaults.tls,
    )


def _whole_target(given: str) -> addresses.Target:
    target = addresses.target(given)
    if target.port is None:
        raise Unfit("GRN-S017", f"{shown(given)} has no port", f"{given}:104, or the port your archive listens on")
    return target
