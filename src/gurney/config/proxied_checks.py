"""The one place for reading `check` of pools and members of http and tcp: what HAProxy itself asks a member."""

from __future__ import annotations

from gurney.config import http_text, limits, text, words
from gurney.config.fields import Fields
from gurney.config.proxied import ProxyCheck
from gurney.config.tree import Items, Scalar


def _default(kind: str) -> ProxyCheck:
    return ProxyCheck(
        kind=kind,
        interval_ms=limits.CHECK_INTERVAL_MS,
        timeout_ms=limits.CHECK_TIMEOUT_MS,
        rise=limits.CHECK_RISE,
        fall=limits.CHECK_FALL,
        path="/",
        host=None,
        expect=limits.CHECK_GOOD,
    )


CHECKS = {"http": _default("http"), "tcp": _default("tcp")}  # by protocol


def check(holder: Fields, protocol: str, base: ProxyCheck) -> ProxyCheck:
    """`check` of a pool or member; what is left out is `base`'s."""
    node, path, desk = holder.get("check"), holder.under("check"), holder.desk
    if node is None:
        return base
    kinds, later = words.PROXY_CHECK_KINDS, words.PROXY_CHECK_KINDS_LATER
    if isinstance(node, Scalar) and node.sound and node.text in (*kinds, *later):
        desk.wrong(node, path, "GRN-S011", "a check is a mapping", f"check: {{kind: {node.text}}}")
        return base
    fields = desk.open(node, path, f"check.{protocol}", holder.key_at("check"))
    if fields is None:
        return base
    kind_node = fields.get("kind")
    if isinstance(kind_node, Scalar) and kind_node.sound and kind_node.text in later:
        fields.word("kind", kinds, later, "check", base.kind)
        return base
    fields.judge()
    kind = fields.word_of("kind", words.CHECK_KINDS_OF, (), "check", base.kind)
    if kind == "tcp" and not desk.faults.is_broken(fields.under("kind")):
        for key in ("path", "host", "expect"):
            if fields.has(key):
                hint = "kind: http asks for a path" if key == "path" else "kind: http does"
                desk.faults.add(fields.key_at(key), "GRN-S009", f"a tcp check has no '{key}'", hint, path=fields.under(key))

    def moment(given: str) -> int:
        return text.duration_ms(given, limits.CHECK_SHORTEST_MS, limits.CHECK_LONGEST_MS)

    def count(given: str) -> int:
        return text.integer(given, 1, limits.CHECK_COUNT_HIGHEST)

    return ProxyCheck(
        kind=kind,
        interval_ms=fields.value("interval", moment, base.interval_ms),
        timeout_ms=fields.value("timeout", moment, base.timeout_ms),
        rise=fields.value("rise", count, base.rise),
        fall=fields.value("fall", count, base.fall),
        path=fields.value("path", http_text.path, base.path),
        host=fields.value("host", http_text.host, base.host),
        expect=_expect(fields, base.expect),
    )


def _expect(fields: Fields, default: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    node = fields.get("expect")
    if isinstance(node, Items) and not node.items:
        fields.desk.wrong(node, fields.under("expect"), "GRN-S025", "no status would be good", "expect: 200, or 2xx")
    if isinstance(node, Items) and len(node.items) > limits.CHECK_STATUSES:
        fields.desk.wrong(node, fields.under("expect"), "GRN-S006", f"more than {limits.CHECK_STATUSES} statuses in one check")
        return default
    return fields.values("expect", http_text.statuses) or default
