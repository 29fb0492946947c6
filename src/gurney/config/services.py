"""The one place for reading services: listeners, admission, limits and the words of delivery."""

from __future__ import annotations

from collections.abc import Collection

from gurney.config import addresses, limits, rules, text, words
from gurney.config.document import Limits, Listen, Peer, Service
from gurney.config.faults import Unfit
from gurney.config.fields import Desk, Fields
from gurney.config.tree import Entries, Items, Node, Scalar

LIMITS = Limits(
    associations=limits.SERVICE_ASSOCIATIONS,
    associations_per_address=limits.ADDRESS_ASSOCIATIONS,
    associations_per_ae=limits.AE_ASSOCIATIONS,
    unassociated=limits.UNASSOCIATED,
    unassociated_per_address=limits.ADDRESS_UNASSOCIATED,
    max_object=None,
)


def protocol_of(node: Node) -> str | None:
    """The protocol a service's node names, or None."""
    found = child(node, "protocol")
    return found.text if isinstance(found, Scalar) and found.sound else None


def child(node: Node | None, name: str) -> Node | None:
    """The value under a key of a mapping, or None."""
    if isinstance(node, Entries):
        return next((value for key, value in node.pairs if key.text == name), None)
    return None


def service(desk: Desk, name: str, key: Scalar, node: Node, path: str, pools: Collection[str], base: Limits) -> Service | None:
    """A service; None when it is no mapping or speaks a protocol of a later version (said once, nothing else about it)."""
    fields = desk.open(node, path, "service", key.at)
    if fields is None:
        return None
    if protocol_of(node) in words.PROTOCOLS_LATER:
        fields.word("protocol", words.PROTOCOLS, words.PROTOCOLS_LATER, "protocol", "")
        desk.faults.breaks(path)
        return None
    fields.judge()
    return Service(
        name=name,
        path=path,
        protocol=fields.word("protocol", words.PROTOCOLS, words.PROTOCOLS_LATER, "protocol", words.PROTOCOLS[0]),
        listen=_listen(fields),
        ae_title=fields.value("ae_title", text.ae_title, None),
        accept_from=_accept_from(fields),
        delivery=fields.word("delivery", words.DELIVERIES, words.DELIVERIES_LATER, "delivery", words.DELIVERIES[0]),
        rules=rules.rules(fields, pools),
        echo=fields.word("echo", words.ECHOES, (), "word for echo", words.ECHOES[0]),
        prefer=fields.values("prefer", text.uid),
        non_patient=fields.word("non_patient", words.NON_PATIENTS, words.NON_PATIENTS_LATER, "word for non_patient", words.NON_PATIENTS[0]),
        duplicates=fields.word("duplicates", words.DUPLICATES, words.DUPLICATES_LATER, "word for duplicates", words.DUPLICATES[0]),
        digest=fields.word("digest", words.DIGESTS, words.DIGESTS_LATER, "digest", words.DIGESTS[0]),
        replay_limit=_replay_limit(fields),
        limits=service_limits(fields, base),
    )


def _listen(fields: Fields) -> tuple[Listen, ...]:
    node = fields.get("listen")
    if isinstance(node, Items) and not node.items:
        fields.desk.wrong(node, fields.under("listen"), "GRN-S025", "nothing to listen on", "a port, or ADDRESS:PORT")
    return fields.values("listen", addresses.listen)


def _accept_from(fields: Fields) -> tuple[Peer, ...]:
    node = fields.get("accept_from")
    if isinstance(node, Items) and not node.items:
        hint = "leave `accept_from` out to admit everyone"
        fields.desk.wrong(node, fields.under("accept_from"), "GRN-S025", "nobody would be admitted", hint)
    return fields.values("accept_from", addresses.peer)


def _replay_limit(fields: Fields) -> int:
    node, highest = fields.get("replay_limit"), limits.REPLAY_OBJECT
    value = fields.value("replay_limit", text.size, highest)
    if value > highest and node is not None:
        what = f"replay_limit over {text.spell_size(highest)}"
        fields.desk.later(node.at, what, fields.under("replay_limit"), f"this version keeps at most {text.spell_size(highest)} an object")
        return highest
    return value


def service_limits(fields: Fields, base: Limits) -> Limits:
    """`limits` of a service or an application; what is left out is `base`'s."""
    node = fields.get("limits")
    inner = fields.desk.open(node, fields.under("limits"), "limits", fields.key_at("limits")) if node is not None else None
    if inner is None:
        return base
    inner.judge()

    def count(given: str) -> int:
        return text.integer(given, 1, limits.LIMIT_HIGHEST)

    def object_size(given: str) -> int | None:
        if given == "none":
            return None
        try:
            return text.size(given, 1)
        except Unfit as unfit:
            raise Unfit(unfit.code, unfit.message, f"{unfit.hint}; or none") from None

    return Limits(
        associations=inner.value("associations", count, base.associations),
        associations_per_address=inner.value("associations_per_address", count, base.associations_per_address),
        associations_per_ae=inner.value("associations_per_ae", count, base.associations_per_ae),
        unassociated=inner.value("unassociated", count, base.unassociated),
        unassociated_per_address=inner.value("unassociated_per_address", count, base.unassociated_per_address),
        max_object=inner.value("max_object", object_size, base.max_object),
    )


def pools_named(services: Node | None, *, later: bool) -> frozenset[str]:
    """The pools that services of later protocols (or of this version's) name: read loosely, for what need not be judged."""
    if not isinstance(services, Entries):
        return frozenset()
    found: set[str] = set()
    for _, node in services.pairs:
        if (protocol_of(node) in words.PROTOCOLS_LATER) == later:
            found |= _pools_of(node)
    return frozenset(found)


def _pools_of(service_node: Node) -> set[str]:
    listed = child(service_node, "rules")
    found: set[str] = set()
    for rule in listed.items if isinstance(listed, Items) else ():
        for key in ("pool", "copy_to"):
            value = child(rule, key)
            for item in value.items if isinstance(value, Items) else (value,):
                if isinstance(item, Scalar) and item.sound:
                    found.add(item.text)
    return found
