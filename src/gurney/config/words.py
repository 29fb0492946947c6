"""The one place for the words an operator writes and reads: each list is closed, behaviour lives elsewhere (a test keeps them equal).

What stands in a `*_LATER` list is a word of the contract this version does not do yet: `GRN-V001`, never silence.
"""

from __future__ import annotations

ROUTE_PROTOCOLS = ("dicom",)  # carried by the route process
PROXY_PROTOCOLS = ("http", "tcp")  # carried by HAProxy
PROTOCOLS = ROUTE_PROTOCOLS + PROXY_PROTOCOLS
PROTOCOLS_LATER = ("hl7", "fhir", "dicomweb", "s3")

DELIVERIES = ("relay",)
DELIVERIES_LATER = ("spool", "spool-on-failure")

BALANCES = ("study", "patient", "least-load", "round-robin", "failover")  # of dicom
BALANCES_LATER = ("least-time",)

# http.md §1; HTTP_BALANCES has header:NAME too
HTTP_BALANCES = ("least-load", "round-robin", "random", "failover", "source", "uri")
HTTP_BALANCES_LATER = ("least-time", "study", "patient")
TCP_BALANCES = ("least-load", "round-robin", "random", "failover", "source")
TCP_BALANCES_LATER = ("least-time",)

HTTP_PERSISTS = ("none", "cookie", "source")
HTTP_PERSISTS_LATER = ("header", "app-cookie", "parameter")  # each with :NAME
TCP_PERSISTS = ("none", "source")
PERSIST_THENS = ("none", "source")

BALANCES_OF = {"dicom": BALANCES, "http": HTTP_BALANCES, "tcp": TCP_BALANCES}
PERSISTS_OF = {"http": HTTP_PERSISTS, "tcp": TCP_PERSISTS}

KEEPS = ("study", "patient", "object")  # dicom.md §4

CLIENTS = ("required", "optional")  # client certificates, where there is a client_ca
ALPNS = ("h2", "http/1.1")
SUITES = ("bcp195", "modified", "legacy")  # PS3.15 B.12 · B.13 · the retired profiles (B.1, B.3, B.9, B.10)
PROXIES = ("none", "v1", "v2")  # PROXY protocol towards a member

CHECK_KINDS = ("tcp", "dicom-associate", "dicom-echo")  # made by the route process
CHECK_KINDS_LATER = ("dicom-find", "dicom-store")
PROXY_CHECK_KINDS = ("http", "tcp")  # made by HAProxy itself
PROXY_CHECK_KINDS_LATER = ("fhir", "dicomweb", "s3", "hl7")

CHECK_KINDS_OF = {"dicom": CHECK_KINDS, "http": PROXY_CHECK_KINDS, "tcp": PROXY_CHECK_KINDS}

ECHOES = ("local", "pool")  # dicom.md §6

NON_PATIENTS = ("balance",)
NON_PATIENTS_LATER = ("all-members",)

DUPLICATES = ("forward",)
DUPLICATES_LATER = ("absorb",)

DIGESTS = ("none",)
DIGESTS_LATER = ("sha256",)

URGENCIES = ("critical", "routine", "bulk")

# dicom.md §3, by where they are read
ASSOCIATION_FACTS = ("calling_ae", "called_ae", "network", "listener", "implementation", "tls_subject")
COMMAND_FACTS = ("request", "sop_class", "sop_instance", "priority", "move_originator", "transfer_syntax")
DATA_FACTS = (
    "image_type",
    "study_date",
    "accession",
    "modality",
    "manufacturer",
    "institution",
    "station",
    "study_description",
    "series_description",
    "patient_id",
    "issuer",
    "body_part",
    "protocol_name",
    "study_uid",
    "series_uid",
)
FACTS = ASSOCIATION_FACTS + COMMAND_FACTS + DATA_FACTS
FACTS_LATER = ("user",)

# http.md §2, column plain; of http header:NAME too
HTTP_FACTS = ("method", "path", "host", "network")
HTTP_FACTS_LATER = (
    "tenant",
    "resource",
    "interaction",
    "access",
    "operation",
    "study_uid",
    "bucket",
    "client",
    "certificate",
    "content_type",
)
TCP_FACTS = ("network", "host")

REQUESTS = ("store", "echo")
REQUESTS_LATER = ("find", "move", "get", "worklist", "mpps", "commitment", "print", "other")

# dicom.md §7: what a check or the traffic saw of a member
OUTCOMES = (
    "ok",
    "slow",
    "refused",
    "connect-timeout",
    "tls-failed",
    "rejected-busy",
    "rejected-caller",
    "rejected-called",
    "rejected-other",
    "no-context",
    "contexts-lost",
    "aborted",
    "answer-timeout",
    "bad-status",
)

OPERATIONAL = ("up", "down", "full")
OVERRIDES = ("drain", "disable", "weight")  # `weight` stands as weight=N

# What a row of a pool's `statuses` may say. Words that would turn a refusal into a success are not the operator's to give.
STATUS_ACTIONS = ("next", "next-repin", "again", "final")
