"""The one place for reading services of `protocol: dicom`: admission, limits and the words of delivery."""

from __future__ import annotations

from collections.abc import Collection

from gurney.config import addresses, dicom_match, limits, rules, text, words
from gurney.config.document import Limits, Listen, Peer, Service
from gurney.config.fields import Desk, Fields
from gurney.config.service_tls import listener_tls
from gurney.config.tree import Items, Node, Scalar

LIMITS = Limits(
    associations=limits.SERVICE_ASSOCIATIONS,
    associations_per_address=limits.ADDRESS_ASSOCIATIONS,
    associations_per_ae=limits.AE_ASSOCIATIONS,
    unassociated=limits.UNASSOCIATED,
    unassociated_per_address=limits.ADDRESS_UNASSOCIATED,
    max_object=None,
)


def service(desk: Desk, name: str, key: Scalar, node: Node, path: str, pools: Collection[str], base: Limits) -> Service | None:
    """A service; None when it is no mapping."""
    fields = desk.open(node, path, "service.dicom", key.at)
    if fields is None:
        return None
    fields.judge()
    return Service(
        name=name,
        path=path,
        protocol=protocol(fields, "dicom"),
        listen=listen(fields),
        ae_title=fields.value("ae_title", text.ae_title, None),
        accept_from=_accept_from(fields),
        delivery=fields.word("delivery", words.DELIVERIES, words.DELIVERIES_LATER, "delivery", words.DELIVERIES[0]),
        rules=rules.rules(fields, pools, "dicom", dicom_match.match),
        echo=fields.word("echo", words.ECHOES, (), "word for echo", words.ECHOES[0]),
        prefer=fields.values("prefer", text.uid),
        non_patient=fields.word("non_patient", words.NON_PATIENTS, words.NON_PATIENTS_LATER, "word for non_patient", words.NON_PATIENTS[0]),
        duplicates=fields.word("duplicates", words.DUPLICATES, words.DUPLICATES_LATER, "word for duplicates", words.DUPLICATES[0]),
        digest=fields.word("digest", words.DIGESTS, words.DIGESTS_LATER, "digest", words.DIGESTS[0]),
        replay_limit=_replay_limit(fields),
        limits=dicom_limits(limits_of(fields, "limits.dicom"), base),
        tls=listener_tls(fields),
    )


def protocol(fields: Fields, read_as: str) -> str:
    """`protocol` of a service that is read as one of `read_as`."""
    return fields.word("protocol", words.PROTOCOLS, words.PROTOCOLS_LATER, "protocol", read_as)


def listen(fields: Fields) -> tuple[Listen, ...]:
    """`listen` of a service."""
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


def limits_of(fields: Fields, kind: str) -> Fields | None:
    """The mapping `limits` of a service or an application, its keys judged; None when it is left out."""
    node = fields.get("limits")
    inner = fields.desk.open(node, fields.under("limits"), kind, fields.key_at("limits")) if node is not None else None
    if inner is not None:
        inner.judge()
    return inner


def dicom_limits(inner: Fields | None, base: Limits) -> Limits:
    """`limits` of dicom services; what is left out is `base`'s."""
    if inner is None:
        return base

    def count(given: str) -> int:
        return text.integer(given, 1, limits.LIMIT_HIGHEST)

    return Limits(
        associations=inner.value("associations", count, base.associations),
        associations_per_address=inner.value("associations_per_address", count, base.associations_per_address),
        associations_per_ae=inner.value("associations_per_ae", count, base.associations_per_ae),
        unassociated=inner.value("unassociated", count, base.unassociated),
        unassociated_per_address=inner.value("unassociated_per_address", count, base.unassociated_per_address),
        max_object=inner.optional("max_object", text.size_or_none, base.max_object),
    )
