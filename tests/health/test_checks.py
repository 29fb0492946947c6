"""Checks against members that behave and members that do not: each case its own word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import words
from gurney.errors import LocalError
from gurney.health.checks import CHECKS
from gurney.health.checks.core import Check, Pair
from gurney.health.outcomes import OUTCOMES
from gurney.wire.dicom import command
from gurney.wire.dicom.pdu import PduFault
from gurney.wire.dicom.sop_classes import VERIFICATION
from tests.health.peer import Peer, talk

IMPLICIT, EXPLICIT, CT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.2"
VERIFY: Pair = (VERIFICATION, IMPLICIT)
TIMEOUT = 2.0


def check(kind: str = "dicom-echo", *pairs: Pair) -> Check:
    return CHECKS[kind](calling_ae="GURNEY", called_ae="ARCHIVE1", pairs=pairs or (VERIFY,), timeout=TIMEOUT, now=0.0)


def outcome(peer: Peer, kind: str = "dicom-echo", *pairs: Pair, now: float = 0.5) -> tuple[str | None, str]:
    made = check(kind, *pairs)
    talk(made, peer, now)
    if made.outcome is None:
        made.tick(TIMEOUT)
    return made.outcome, made.detail


def refusing_verification(abstract: str, transfer: str) -> bool:
    return abstract != VERIFICATION


def refusing_ct(abstract: str, transfer: str) -> bool:
    return abstract != CT


def with_status(status: int) -> Callable[[bytes], bytes]:
    return lambda data: command.echo_response(command.read(data), status)


def test_the_kinds_are_the_documents_words() -> None:
    assert tuple(CHECKS) == words.CHECK_KINDS


@pytest.mark.parametrize("kind", CHECKS)
def test_a_well_member_is_ok(kind: str) -> None:
    assert outcome(Peer(), kind) == ("ok", "")


@pytest.mark.parametrize("kind", CHECKS)
def test_a_right_answer_after_half_the_timeout_is_slow(kind: str) -> None:
    assert outcome(Peer(), kind, now=1.01) == ("slow", "")


def test_dicom_36_scripted_members_give_different_words() -> None:
    found = {
        "well": outcome(Peer()),
        "late": outcome(Peer(), now=1.5),
        "busy": outcome(Peer(reject=(2, 3, 2))),
        "unknown caller": outcome(Peer(reject=(1, 1, 3))),
        "unknown called": outcome(Peer(reject=(1, 1, 7))),
        "other rejection": outcome(Peer(reject=(1, 2, 2))),
        "no contexts": outcome(Peer(takes=lambda abstract, transfer: False)),
        "a pair lost": outcome(Peer(takes=refusing_ct), "dicom-echo", VERIFY, (CT, EXPLICIT)),
        "aborting": outcome(Peer(abort="associate")),
        "silent": outcome(Peer(silent="echo")),
        "failing": outcome(Peer(answer=with_status(0x0110))),
    }
    for name, (word, detail) in found.items():
        print(f"dicom-36 {name}: {word} ({detail})")
    assert {name: word for name, (word, _) in found.items()} == {
        "well": "ok",
        "late": "slow",
        "busy": "rejected-busy",
        "unknown caller": "rejected-caller",
        "unknown called": "rejected-called",
        "other rejection": "rejected-other",
        "no contexts": "no-context",
        "a pair lost": "contexts-lost",
        "aborting": "aborted",
        "silent": "answer-timeout",
        "failing": "bad-status",
    }
    assert found["busy"][1] == "2/3/2"
    assert found["failing"][1] == "status 0110"
    assert found["a pair lost"][1] == f"{CT} in {EXPLICIT}"


@pytest.mark.parametrize(
    ("why", "word"),
    [
        ("ECONNREFUSED", "refused"),
        ("ECONNRESET", "refused"),
        ("EHOSTUNREACH", "refused"),
        ("ETIMEDOUT", "connect-timeout"),
        ("connect-timeout", "connect-timeout"),
        ("tls-failed: expired", "tls-failed"),
        ("tls-closed", "aborted"),
        ("closed", "refused"),
    ],
)
@pytest.mark.parametrize("kind", CHECKS)
def test_a_connection_that_cannot_be_made(kind: str, why: str, word: str) -> None:
    made = check(kind)
    made.failed(why, 0.1)
    assert made.outcome == word
    assert not made.awaiting_accept


@pytest.mark.parametrize("kind", CHECKS)
def test_silence_in_a_tls_handshake_is_that_of_a_member_that_may_serve_another(kind: str) -> None:
    made = check(kind)
    made.failed("tls-timeout", 2.0)
    assert (made.outcome, made.awaiting_accept) == ("answer-timeout", kind != "tcp")


def test_why_a_tls_handshake_failed_is_told() -> None:
    made = check()
    made.failed("tls-failed: wrong-name", 0.1)
    assert (made.outcome, made.detail) == ("tls-failed", "wrong-name")


@pytest.mark.parametrize("kind", CHECKS)
def test_no_connection_by_the_deadline(kind: str) -> None:
    made = check(kind)
    assert made.deadline == TIMEOUT
    made.tick(1.99)
    assert made.outcome is None
    made.tick(2.0)
    assert made.outcome == "connect-timeout"


def test_silence_after_connecting_may_be_a_member_that_serves_one_at_a_time() -> None:
    made = check()
    talk(made, Peer(silent="associate"))
    made.tick(2.0)
    assert (made.outcome, made.detail, made.awaiting_accept) == ("answer-timeout", "no answer to the association request", True)
    made = check()
    talk(made, Peer(silent="echo"))
    made.tick(2.0)
    assert (made.outcome, made.awaiting_accept) == ("answer-timeout", False)


def test_a_close_before_the_answer_is_an_abort() -> None:
    made = check()
    made.connected(0.0)
    made.failed("closed", 0.1)
    assert made.outcome == "aborted"


def test_what_was_found_counts_even_if_the_release_is_not_answered() -> None:
    assert outcome(Peer(silent="release")) == ("ok", "")
    made = check()
    talk(made, Peer(silent="release"))
    made.failed("ECONNRESET", 1.0)
    assert made.outcome == "ok"


def test_the_association_is_released() -> None:
    peer = Peer()
    assert outcome(peer) == ("ok", "")
    assert peer.upper.state == 13  # the peer has answered our A-RELEASE-RQ and waits for the close


@pytest.mark.parametrize("kind", ["dicom-associate", "dicom-echo"])
def test_one_pair_a_context_and_a_word_for_each(kind: str) -> None:
    pairs = (VERIFY, (CT, IMPLICIT), (CT, EXPLICIT), (CT, EXPLICIT))
    peer = Peer(takes=lambda abstract, transfer: transfer == IMPLICIT)
    made = check(kind, *pairs)
    talk(made, peer, 0.0)
    assert peer.asked is not None
    assert [(context.id, context.abstract, context.transfers) for context in peer.asked.contexts] == [
        (1, VERIFICATION, (IMPLICIT,)),
        (3, CT, (IMPLICIT,)),
        (5, CT, (EXPLICIT,)),
    ]
    assert (peer.asked.calling_ae, peer.asked.called_ae, peer.asked.async_window) == ("GURNEY", "ARCHIVE1", None)
    assert made.accepted == {VERIFY: True, (CT, IMPLICIT): True, (CT, EXPLICIT): False}
    assert made.outcome == "contexts-lost"


def test_an_echo_needs_verification_an_association_does_not() -> None:
    peer = Peer(takes=refusing_verification)
    assert outcome(peer, "dicom-echo", VERIFY, (CT, EXPLICIT)) == ("no-context", "Verification is not taken")
    assert outcome(Peer(takes=refusing_verification), "dicom-associate", VERIFY, (CT, EXPLICIT)) == ("ok", "")


@pytest.mark.parametrize("kind", ["dicom-associate", "dicom-echo"])
def test_a_transfer_syntax_nobody_asked_for_is_not_taken(kind: str) -> None:
    made = check(kind)
    talk(made, Peer(transfer=EXPLICIT))
    assert made.accepted == {VERIFY: False}
    assert made.outcome == "no-context"


def test_an_echo_asks_for_verification_by_itself() -> None:
    made = check("dicom-echo", (CT, EXPLICIT))
    talk(made, Peer())
    assert made.outcome == "ok"
    assert made.accepted == {VERIFY: True, (CT, EXPLICIT): True}


def test_a_whole_association_of_pairs_can_be_asked_for() -> None:
    pairs = [(f"1.2.840.10008.5.1.4.1.1.{at}", EXPLICIT) for at in range(128)]
    made = check("dicom-associate", *pairs)
    talk(made, Peer())
    assert made.outcome == "ok" and len(made.accepted) == 128
    with pytest.raises(LocalError):
        check("dicom-associate", *pairs, VERIFY)


def wrong_number(data: bytes) -> bytes:
    return command.with_message_id(command.echo_response(command.read(data), 0), 77)


@pytest.mark.parametrize("answer", [wrong_number, lambda data: command.echo_request(1), lambda data: b"\0" * 8])
def test_an_answer_to_something_else_is_no_answer(answer: Callable[[bytes], bytes]) -> None:
    word, detail = outcome(Peer(answer=answer))
    assert word == "bad-status" and detail


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x28" * 9, b"\x02\x00\xff\xff\xff\xff" + b"\0" * 80, b"\0" * 600],
)
def test_a_member_that_speaks_something_else_has_no_right_answer(garbage: bytes) -> None:
    word, _ = outcome(Peer(garbage=garbage))
    assert word == "bad-status"


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 7, 11, 64])
def test_any_cut_of_the_bytes_gives_the_same_word(piece: int) -> None:
    for peer, word in (
        (Peer(), "ok"),
        (Peer(takes=refusing_ct), "contexts-lost"),
        (Peer(abort="echo"), "aborted"),
        (Peer(reject=(2, 1, 1)), "rejected-busy"),
    ):
        made = check("dicom-echo", VERIFY, (CT, EXPLICIT))
        talk(made, peer, piece=piece)
        assert made.outcome == word


@given(st.binary(max_size=300), st.sampled_from(["dicom-associate", "dicom-echo"]), st.booleans())
def test_any_bytes_of_a_member_end_in_a_word(data: bytes, kind: str, associated: bool) -> None:
    made = check(kind)
    asked = made.connected(0.0)
    if associated:
        made.received(Peer(silent="echo").hear(asked), 0.0)
    try:
        made.received(data, 0.1)
    except PduFault:  # pragma: no cover - a core is total
        pytest.fail("a peer's bytes raised")
    made.tick(TIMEOUT)
    assert made.outcome in OUTCOMES
    assert made.received(b"more", 3.0) == b""


def test_after_the_outcome_nothing_changes_it() -> None:
    made = check("tcp")
    made.connected(0.1)
    made.failed("closed", 0.2)
    made.tick(9.0)
    assert made.outcome == "ok"


class Hasty(Peer):
    """Says one thing more in the same write as its AC (1) or as its answer to the echo (2)."""

    said = 0
    when = 1
    more = b""

    def hear(self, data: bytes) -> bytes:
        back = super().hear(data)
        self.said += 1
        return back + self.more if self.said == self.when else back


@pytest.mark.parametrize("kind", ["dicom-associate", "dicom-echo"])
@pytest.mark.parametrize(
    ("more", "word"),
    [
        (b"\7\0\0\0\0\4\0\0\2\0", "aborted"),
        (b"\5\0\0\0\0\4\0\0\0\0", "aborted"),
        (b"HTTP/1.0 200", "bad-status"),
        (b"\3\0\xff\xff\xff\xff", "bad-status"),
    ],
)
def test_an_association_over_in_the_read_that_opened_it_was_of_no_use(kind: str, more: bytes, word: str) -> None:
    """A-ABORT, A-RELEASE-RQ or garbage right behind the AC: a word, not a request of ours in a wrong state."""
    peer = Hasty()
    peer.more = more
    assert outcome(peer, kind)[0] == word


@pytest.mark.parametrize("more", [b"\7\0\0\0\0\4\0\0\2\0", b"\5\0\0\0\0\4\0\0\0\0", b"HTTP/1.0 200"])
def test_what_stands_behind_a_right_answer_takes_nothing_from_it(more: bytes) -> None:
    peer = Hasty()
    peer.more, peer.when = more, 2
    assert outcome(peer)[0] == "ok"
