"""The one place for the words an operator writes and reads: each list is closed, behaviour lives elsewhere (a test keeps them equal).

What stands in a `*_LATER` list is a word of the contract this version does not do yet: `GRN-V001`, never silence.
"""

from __future__ import annotations

PROTOCOLS = ("dicom",)
PROTOCOLS_LATER = ("hl7", "http", "fhir", "dicomweb", "s3", "tcp")

DELIVERIES = ("relay",)
DELIVERIES_LATER = ("spool", "spool-on-failure")

BALANCES = ("study", "patient", "least-load", "round-robin", "failover")
BALANCES_LATER = ("least-time", "random", "source", "uri")  # of http.md §1; header:NAME too

KEEPS = ("study", "patient", "object")  # dicom.md §4

CHECK_KINDS = ("tcp", "dicom-associate", "dicom-echo")
CHECK_KINDS_LATER = ("dicom-find", "dicom-store", "http", "fhir", "dicomweb", "s3", "hl7")

ECHOES = ("local", "pool")  # dicom.md §6

NON_PATIENTS = ("balance",)
NON_PATIENTS_LATER = ("all-members",)

DUPLICATES = ("forward",)
DUPLICATES_LATER = ("absorb",)

DIGESTS = ("none",)
DIGESTS_LATER = ("sha256",)

URGENCIES = ("critical", "routine", "bulk")

# dicom.md §3, by where they are read
ASSOCIATION_FACTS = ("calling_ae", "called_ae", "network", "listener", "implementation")
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
FACTS_LATER = ("tls_subject", "user")

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
