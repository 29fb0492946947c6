"""The one place for the names of metrics: kind, labels, meaning (dicom.md §9). A name that is not here cannot be counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SECONDS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
"""Upper bounds, in seconds, of the buckets of every duration."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `labels` in the order in which their values are given."""

    name: str
    kind: Literal["counter", "gauge", "seconds"]
    labels: tuple[str, ...]
    means: str


METRICS: tuple[Metric, ...] = (
    Metric("gurney_dicom_associations", "gauge", ("service", "ae"), "associations open with senders"),
    Metric("gurney_dicom_associations_total", "counter", ("service", "ae"), "associations accepted from senders"),
    Metric("gurney_dicom_rejects_total", "counter", ("service", "status"), "A-ASSOCIATE-RJ sent, by result/source/reason"),
    Metric("gurney_dicom_aborts_total", "counter", ("service", "by", "status"), "associations aborted, by whom and source/reason"),
    Metric("gurney_dicom_objects_total", "counter", ("service", "ae", "pool", "member", "status"), "objects, by the status the sender got"),
    Metric("gurney_dicom_bytes_total", "counter", ("service", "pool", "member"), "bytes of data sets that members answered"),
    Metric("gurney_dicom_object_seconds", "seconds", ("service", "part"), "an object's time: wait, transfer, answer"),
    Metric("gurney_dicom_inflight_bytes", "gauge", ("pool", "member"), "bytes on their way to a member"),
    Metric("gurney_dicom_replay_bytes", "gauge", (), "bytes kept for a replay, all objects together"),
    Metric("gurney_dicom_queue_seconds", "seconds", ("pool",), "time an object waited for a member's slot"),
    Metric("gurney_dicom_replays_total", "counter", ("pool", "member", "cause"), "objects sent again elsewhere, by the member that failed"),
    Metric("gurney_dicom_unreplayable_total", "counter", ("service",), "objects that outgrew the replay limits"),
    Metric("gurney_dicom_ambiguous_total", "counter", ("pool", "member"), "objects sent whole whose answer never came"),
    Metric("gurney_dicom_possible_duplicates_total", "counter", ("pool",), "objects given to a second member after an ambiguity"),
    Metric("gurney_dicom_repins_total", "counter", ("pool", "cause"), "studies moved to another member"),
    Metric("gurney_dicom_split_studies", "gauge", ("pool",), "studies that lie on more than one member"),
    Metric("gurney_dicom_studies", "gauge", ("pool",), "studies with a pin"),
    Metric("gurney_dicom_unreadable_total", "counter", ("service", "cause"), "data sets whose facts could not be read"),
    Metric("gurney_dicom_tolerated_total", "counter", ("service", "note"), "deviations of peers that were tolerated"),
    Metric("gurney_dicom_malformed_total", "counter", ("service", "cause"), "peers cut off for what they sent"),
    Metric("gurney_dicom_tls_refused_total", "counter", ("side", "object", "cause"), "TLS handshakes refused: side sender or member, why"),
    Metric("gurney_dicom_probes_total", "counter", ("service",), "connections that closed without a byte"),
    Metric("gurney_dicom_limited_total", "counter", ("service", "limit"), "connections or associations refused by a limit"),
    Metric("gurney_dicom_late_answers_total", "counter", ("pool", "member"), "members' bytes nobody waited for"),
    Metric("gurney_dicom_member_associations", "gauge", ("pool", "member"), "associations open with a member"),
    Metric("gurney_dicom_member_associations_total", "counter", ("pool", "member", "outcome"), "associations tried, by outcome"),
    Metric("gurney_dicom_member_slots", "gauge", ("pool", "member"), "associations a member may have"),
    Metric("gurney_dicom_capability_unknown", "gauge", ("pool",), "pairs nobody has asked a member about"),
    Metric("gurney_dicom_notifications_total", "counter", ("service", "outcome"), "notifications sent"),
    Metric("gurney_dicom_check_total", "counter", ("pool", "member", "outcome"), "checks of a member, by outcome"),
    Metric("gurney_dicom_check_seconds", "seconds", ("pool", "member"), "duration of a check"),
    Metric("gurney_dicom_ledger_lag_seconds", "seconds", (), "from a ledger entry handed over to its commit"),
    Metric("gurney_record_groups_total", "counter", ("durability",), "groups committed by the record"),
    Metric("gurney_record_entries_total", "counter", (), "entries committed by the record"),
    Metric("gurney_log_lines_total", "counter", ("level",), "lines of the log"),
    Metric("gurney_log_dropped_total", "counter", ("cause",), "lines and fields the log refused or could not write"),
)

BY_NAME = {metric.name: metric for metric in METRICS}
