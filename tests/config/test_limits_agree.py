"""Limits have their one place in `config.limits`; `wire`, which may not know `config`, says the same numbers, other rooms derive theirs."""

from __future__ import annotations

import importlib

import pytest

from gurney.config import limits

# limit -> where a room names it, "module:attribute"; an attribute without _MS is in seconds where the limit is in ms
ELSEWHERE = {
    "ARTIM_MS": "wire.dicom.timers:ARTIM",
    "CONNECT_MS": "wire.dicom.timers:CONNECT",
    "ASSOCIATE_ANSWER_MS": "wire.dicom.timers:ASSOCIATE",
    "RELEASE_ANSWER_MS": "wire.dicom.timers:RELEASE",
    "MESSAGE_SILENCE_MS": "wire.dicom.timers:STALL",
    "MESSAGE_PACE_MS": "wire.dicom.timers:RATE_WINDOW",
    "MESSAGE_PACE_BYTES": "wire.dicom.timers:RATE_FLOOR",
    "SENDER_IDLE_MS": "wire.dicom.timers:IDLE",
    "ASSOCIATE_PDU": "wire.dicom.pdu:MAX_ASSOCIATE",
    "OWN_MAXIMUM_LENGTH": "wire.dicom.pdu:OWN_MAXIMUM",
    "LEAST_MAXIMUM_LENGTH": "wire.dicom.pdu:DEFAULT_MAXIMUM",
    "COMMAND_SET": "wire.dicom.pdv:MAX_COMMAND",
    "HEAD": "wire.dicom.head:CAP",
    "INFLATE": "wire.dicom.inflate:INFLATED",
    "NESTING": "wire.dicom.head:DEPTH",
    "CHECK_CONTEXTS": "health.checks.dicom_associate:MOST_PAIRS",
    "PIN_MS": "balance.pins:KEPT",
    "STUDY_QUIET_MS": "balance.pins:QUIET",
    "PIN_BATCH_MS": "ledger.ledger:BATCH_SECONDS",
    "KEEPALIVE_IDLE_MS": "net.tune:KEEPALIVE_IDLE",
    "KEEPALIVE_INTERVAL_MS": "net.tune:KEEPALIVE_INTERVAL",
    "KEEPALIVE_PROBES": "net.tune:KEEPALIVE_PROBES",
    "STALL_MS": "net.tune:STALL_MS",
    "ACK_SILENCE_MS": "net.tune:SILENT_MS",
    "REPLAY_MEMORY": "net.slabs:BUDGET",
    "RECEIVE_FRONT": "net.slabs:SLAB",
    "LISTENERS": "net.messages:FDS_A_SEND",
    "MEMBER_WAIT_MS": "deliver.dispatch:WAIT_SECONDS",
    "AMBIGUOUS_SAME_MEMBER_MS": "deliver.dispatch:AMBIGUOUS_SECONDS",
    "MEMBER_ANSWER_MS": "deliver.link:ANSWER_SECONDS",
    "MEMBER_IDLE_MS": "deliver.link:IDLE_SECONDS",
    "ACK_WATCH_MS": "deliver.link:WATCH_SECONDS",
    "CAP_RETRY_MS": "deliver.checking:RAISE_CAP_SECONDS",
    "HELD_BEFORE_SLOT": "deliver.member:READ_AHEAD",
    "CAPABILITY_ASK_MS": "intake.dicom.negotiation:ASK_SECONDS",
    "UNASSOCIATED_AGE_MS": "intake.dicom.admission:YOUNG_SECONDS",
    "DRAIN_WITHIN_MS": "app.route:STOP_SECONDS",
}


@pytest.mark.parametrize("name", sorted(ELSEWHERE))
def test_a_limit_named_elsewhere_is_the_same_number(name: str) -> None:
    module, _, attribute = ELSEWHERE[name].partition(":")
    there = getattr(importlib.import_module(f"gurney.{module}"), attribute)
    scale = 1000 if name.endswith("_MS") and not attribute.endswith("_MS") else 1
    assert there * scale == getattr(limits, name)
