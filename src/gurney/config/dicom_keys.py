"""The one place for the keys of `protocol: dicom`: its services, their rules and limits, its pools, members and checks."""

from __future__ import annotations

from gurney.config import limits, words
from gurney.config.key import Key, duration, later, size

SERVICE = (
    Key("protocol", "protocol", "what is spoken: dicom", required=True),
    Key("listen", "listen", "port, address:port, or a list", required=True),
    Key("ae_title", "ae_title", "the called AE title that is admitted; omitted: any"),
    Key("accept_from", "accept_from", "who may call: NAME@ADDRESS entries; omitted: everyone (a condition says so)"),
    Key("delivery", "delivery", "when the sender gets its positive answer", words.DELIVERIES[0]),
    Key("rules", "rules", "the first that matches wins, the last has no match; omitted: the application's only pool"),
    Key("echo", "echo", "who answers C-ECHO", words.ECHOES[0]),
    Key("prefer", "prefer", "transfer syntax UIDs in the order they are accepted; omitted: the sender's order", "[]"),
    Key("non_patient", "non_patient", "objects without a Study UID", words.NON_PATIENTS[0]),
    Key("duplicates", "duplicates", "the same SOP Instance UID again", words.DUPLICATES[0]),
    Key("digest", "digest", "whether relayed objects are hashed", words.DIGESTS[0]),
    Key("replay_limit", "replay_limit", "bytes of an object kept for replay; beyond it a failure is A700", size(limits.REPLAY_OBJECT)),
    Key("limits", "limits", "limits of this service"),
    Key("tls", "dicom_tls", "TLS towards senders; omitted: plain"),
    *later("user_identity", "give_up", "query", "partial", "moves", "destinations", "notify"),
    *later("order_by", "answers", "batch", "patient_key"),  # of hl7
)
TLS = (
    Key("certificate", "files", "PEM file with chain and key, or a list; the first answers unknown names", required=True),
    Key("client_ca", "file", "TLS is mutual: senders show a certificate of this CA (PEM)"),
    Key("crl", "file", "revoked client certificates (PEM), a list of each CA in the chain"),
    Key("suites", "suites", "which profile of PS3.15 is offered; legacy: the retired ones too, a condition", words.SUITES[0]),
)
LIMITS = (
    Key("associations", "count", "open associations of the service", str(limits.SERVICE_ASSOCIATIONS)),
    Key("associations_per_address", "count", "of one address", str(limits.ADDRESS_ASSOCIATIONS)),
    Key("associations_per_ae", "count", "of one calling AE title", str(limits.AE_ASSOCIATIONS)),
    Key("unassociated", "count", "connections not yet associated", str(limits.UNASSOCIATED)),
    Key("unassociated_per_address", "count", "of one address", str(limits.ADDRESS_UNASSOCIATED)),
    Key("max_object", "object_size", "largest object; omitted: none"),
)
RULE = (
    Key("name", "name", "what explain and the ledger call it; omitted: rule-N"),
    Key("match", "match", "facts and the globs they must fit; omitted: everything"),
    Key("pool", "pool_name", "the name of one of the application's pools", required=True),
    Key("urgency", "urgency", "who goes first, who is shed first", words.URGENCIES[1]),
    *later("copy_to", "delivery", "discard"),
)
POOL = (
    Key("members", "members", "NAME: destination, or a list of destinations", required=True),
    Key("balance", "balance", "how a new study finds its member", words.BALANCES[0]),
    Key("keep", "keep", "what stays together on one member", words.KEEPS[0]),
    Key("site", "site_name", "where the members stand"),
    Key("check", "check", "the members' active check"),
    Key("weight", "weight", "the members' weight", str(limits.WEIGHT)),
    Key("statuses", "statuses", "rows of the status policy that differ here: {A9xx: next}", "{}"),
    Key("tls", "member_tls", "TLS towards the members, always verified; omitted: plain"),
    *later("storage", "authoritative", "takes", "send", "nak", "retry"),
)
MEMBER = (
    Key("address", "target", "NAME@HOST:PORT or HOST:PORT; with keys for the rest HOST", required=True),
    Key("ae_title", "ae_title", "the called AE title sent to it; omitted: the sender's is passed on"),
    Key("port", "port", "where the address has none"),
    Key("weight", "weight", "its share of new studies", str(limits.WEIGHT)),
    Key("calling_ae", "ae_title", "the calling AE title sent to it; omitted: the sender's is passed on"),
    Key("max_associations", "member_associations", "associations open to it at once", str(limits.MEMBER_ASSOCIATIONS)),
    Key("max_bytes", "size", "bytes in flight to it", size(limits.MEMBER_BYTES)),
    Key("async_ops", "async_ops", "operations outstanding on one association", "1"),
    Key("check", "check", "its active check; keys left out are the pool's"),
    Key("site", "site_name", "where it stands; omitted: the pool's site"),
    Key("tls", "member_tls", "TLS towards it; keys left out are the pool's"),
    *later("rate", "send", "nak", "retry"),
)
CHECK = (
    Key("kind", "check_kind", "what is asked of the member", "dicom-echo"),
    Key("interval", "check_duration", "from one check to the next", duration(limits.CHECK_INTERVAL_MS)),
    Key("timeout", "check_duration", "no outcome after this is a failure", duration(limits.CHECK_TIMEOUT_MS)),
    Key("rise", "check_count", "good checks in a row until up", str(limits.CHECK_RISE)),
    Key("fall", "check_count", "failed checks in a row until down", str(limits.CHECK_FALL)),
    Key("expect_contexts", "expect_contexts", "[abstract syntax UID, transfer syntax UID] pairs that must be accepted", "[]"),
)
