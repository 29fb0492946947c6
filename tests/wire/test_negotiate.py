"""Negotiation over pools as pure sets: what is accepted, refused, asked for and rejected (dicom.md §2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.wire.dicom import negotiate, sop_classes
from gurney.wire.dicom.negotiate import NO_CONTEXT, NO_MEMBER, Negotiation, Pools
from gurney.wire.dicom.pdu import AssociateAC, AssociateRQ, ContextAC, ContextRQ

CT, MR, SR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.88.11"
ECHO = sop_classes.VERIFICATION
FIND = "1.2.840.10008.5.1.4.1.2.2.1"
IMPLICIT, EXPLICIT, JPEG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"


def asked(*contexts: tuple[str, tuple[str, ...]]) -> AssociateRQ:
    return AssociateRQ(contexts=tuple(ContextRQ(2 * n + 1, abstract, transfers) for n, (abstract, transfers) in enumerate(contexts)))


def said(words: str) -> dict[tuple[str, str], str]:
    """`a:IEj b:e`: a capital is taken, a small letter refused, what is not named was never asked about; for any abstract syntax."""
    letters = {"i": IMPLICIT, "e": EXPLICIT, "j": JPEG}
    known: dict[tuple[str, str], str] = {}
    for part in words.split():
        member, _, given_ = part.partition(":")
        known |= {(member, letters[letter.lower()]): "accepted" if letter.isupper() else "refused" for letter in given_}
    return known


def run(rq: AssociateRQ, eligible: Pools, words: str, prefer: tuple[str, ...] = ()) -> Negotiation:
    known = said(words)
    return negotiate.negotiate(rq, eligible, lambda member, _abstract, transfer: known.get((member, transfer), "unknown"), prefer)


def answers(result: Negotiation) -> list[tuple[int, str]]:
    return [(context.result, context.transfer if context.result == 0 else "") for context in result.contexts]


ONE = asked((CT, (IMPLICIT, EXPLICIT, JPEG)))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a:IEJ b:IEJ", (0, IMPLICIT)),  # the sender's order
        ("a:iEJ b:IEJ", (0, EXPLICIT)),  # what all take
        ("a:iEj b:IEJ", (0, EXPLICIT)),
        ("a:ieJ b:IEj", (0, IMPLICIT)),  # nothing all take: any
        ("a:iej b:iej", (4, "")),
        ("a:IEJ b:ie", (0, IMPLICIT)),  # b was never asked about JPEG: refused this time
        ("a:iej b:IEJ", (0, IMPLICIT)),
    ],
)
def test_a_pair_is_accepted_when_all_take_it_and_else_when_any_does(words: str, expected: tuple[int, str]) -> None:
    result = run(ONE, [["a", "b"]], words)
    assert answers(result) == [expected] and result.reject is None


def test_all_means_all_members_of_all_possible_pools() -> None:
    assert answers(run(ONE, [["a"], ["b"]], "a:IEJ b:iEJ")) == [(0, EXPLICIT)]
    assert answers(run(ONE, [["a", "b"], ["b", "c"]], "a:IEJ b:iEJ c:ieJ")) == [(0, JPEG)]


def test_where_not_all_take_it_one_in_each_pool_is_better_than_one_anywhere() -> None:
    assert answers(run(ONE, [["a", "b"], ["c"]], "a:Iej b:iej c:iej")) == [(0, IMPLICIT)]
    assert answers(run(ONE, [["a", "b"], ["c"]], "a:IEj b:iej c:iEj")) == [(0, EXPLICIT)]


def test_any_counts_only_where_an_abstract_syntax_would_be_left_with_nothing() -> None:
    """One context a transfer syntax, as storescu proposes: Implicit is taken by all, so JPEG, taken by one, is not offered."""
    apart = asked((CT, (JPEG,)), (CT, (IMPLICIT,)))
    assert answers(run(apart, [["a", "b"]], "a:IJ b:Ij")) == [(4, ""), (0, IMPLICIT)]
    assert answers(run(apart, [["a", "b"]], "a:iJ b:Ij")) == [(0, JPEG), (0, IMPLICIT)]
    assert run(apart, [["a", "b"]], "a:iJ b:Ij").notes == (f"any {CT}",)


def test_prefer_orders_what_can_be_had() -> None:
    assert answers(run(ONE, [["a"]], "a:IEJ", (JPEG, EXPLICIT))) == [(0, JPEG)]
    assert answers(run(ONE, [["a"]], "a:IEj", (JPEG, EXPLICIT))) == [(0, EXPLICIT)]
    assert answers(run(ONE, [["a"]], "a:IEJ", ("1.2.3",))) == [(0, IMPLICIT)]


def test_unknown_pairs_are_refused_this_time_and_reported() -> None:
    result = run(ONE, [["a"], ["b"]], "a:I b:i")
    assert answers(result) == [(0, IMPLICIT)]
    assert result.unknown == {(member, CT, transfer) for member in "ab" for transfer in (EXPLICIT, JPEG)}


def test_nothing_known_is_rejected_for_now() -> None:
    result = run(ONE, [["a", "b"]], "")
    assert result.reject == NO_MEMBER == (2, 3, 1)
    assert len(result.unknown) == 6
    assert run(ONE, [], "").reject == NO_MEMBER and run(ONE, [[]], "").reject == NO_MEMBER
    assert run(asked((ECHO, (IMPLICIT,)), (CT, (IMPLICIT,))), [["a"]], "").reject == NO_MEMBER


def test_what_every_member_refuses_is_answered_not_rejected() -> None:
    """A refusal is known: the sender hears it per context; 1/1/1 would make it drop the job (dicom.md §2)."""
    result = run(ONE, [["a", "b"]], "a:iej b:iej")
    assert (result.reject, answers(result), result.notes) == (None, [(4, "")], (f"refused {CT}",))
    assert run(ONE, [["a", "b"]], "a:iej").reject == NO_MEMBER  # b might


def test_verification_alone_is_always_accepted() -> None:
    for eligible in ([], [["a"]]):
        result = run(asked((ECHO, (EXPLICIT, IMPLICIT))), eligible, "")
        assert (result.reject, answers(result), result.unknown) == (None, [(0, EXPLICIT)], frozenset())


def test_other_services_are_refused_and_rejected_only_when_nothing_else_is_asked() -> None:
    assert answers(run(asked((FIND, (IMPLICIT,)), (CT, (IMPLICIT,))), [["a"]], "a:I")) == [(3, ""), (0, IMPLICIT)]
    assert run(asked((FIND, (IMPLICIT,))), [["a"]], "a:I").reject == NO_CONTEXT == (1, 1, 1)
    assert run(asked(), [["a"]], "a:I").reject == NO_CONTEXT
    assert run(asked((CT, ())), [["a"]], "a:I").reject == NO_CONTEXT
    assert answers(run(asked((CT, ()), (ECHO, ())), [["a"]], "a:I")) == [(4, ""), (4, "")]


def test_eligible_members_may_depend_on_the_sop_class() -> None:
    """A rule on `sop_class` is decided by the abstract syntax: only its pool's members count."""
    pools: dict[str, Pools] = {CT: [["a"]], SR: [["b"]]}
    rq = asked((CT, (EXPLICIT,)), (SR, (EXPLICIT,)))
    known = said("a:E b:e")
    result = negotiate.negotiate(rq, pools.__getitem__, lambda member, _, transfer: known[member, transfer])
    assert answers(result) == [(0, EXPLICIT), (4, "")]


def test_dicom_25_many_contexts_are_answered_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    """128 contexts, one SOP class in many of them; ids and order as proposed."""
    rq = asked(*[(CT if n % 2 else f"2.25.{n}", (EXPLICIT, IMPLICIT) if n % 3 else (JPEG,)) for n in range(128)])
    result = run(rq, [["a", "b"]], "a:IEj b:IeJ")
    deviations = [
        context.id
        for context, answer in zip(rq.contexts, result.contexts, strict=True)
        if (answer.id, answer.result, answer.transfer if answer.result == 0 else "")
        != (context.id, *((0, IMPLICIT) if IMPLICIT in context.transfers else (4, "") if context.abstract == CT else (0, JPEG)))
    ]
    with capsys.disabled():
        print(f"\ntest_dicom_25_pure: contexts={len(result.contexts)} deviations={len(deviations)}")
    assert not deviations


def test_proposals_ask_one_pair_a_context_in_batches_of_128() -> None:
    pairs = [(f"2.25.{n}", EXPLICIT) for n in range(300)]
    batches = negotiate.proposals([*pairs, *pairs])
    assert [len(batch) for batch in batches] == [128, 128, 44]
    assert [context.id for context in batches[0]] == list(range(1, 256, 2))
    assert [(context.abstract, *context.transfers) for batch in batches for context in batch] == pairs
    assert negotiate.proposals([]) == ()


def test_what_a_member_answered_is_taken_refused_or_left_out() -> None:
    (batch,) = negotiate.proposals([(CT, IMPLICIT), (CT, EXPLICIT), (MR, IMPLICIT), (SR, IMPLICIT)])
    ac = AssociateAC(contexts=(ContextAC(1, 0, IMPLICIT), ContextAC(3, 4, EXPLICIT), ContextAC(5, 0, EXPLICIT), ContextAC(99, 0, IMPLICIT)))
    assert negotiate.answers(batch, ac) == {(CT, IMPLICIT): True, (CT, EXPLICIT): False, (MR, IMPLICIT): False, (SR, IMPLICIT): False}


@given(
    contexts=st.lists(
        st.tuples(st.sampled_from([CT, MR, SR, ECHO, FIND]), st.lists(st.sampled_from([IMPLICIT, EXPLICIT, JPEG]), max_size=3).map(tuple)),
        max_size=6,
    ),
    pools=st.lists(st.lists(st.sampled_from("abc"), max_size=3), max_size=3),
    words=st.dictionaries(
        st.tuples(st.sampled_from("abc"), st.sampled_from([CT, MR, SR]), st.sampled_from([IMPLICIT, EXPLICIT, JPEG])),
        st.sampled_from(["accepted", "refused"]),
    ),
    prefer=st.lists(st.sampled_from([IMPLICIT, EXPLICIT, JPEG]), max_size=2).map(tuple),
)
def test_any_request_gets_an_answer_that_can_be_placed(
    contexts: list[tuple[str, tuple[str, ...]]],
    pools: list[list[str]],
    words: dict[tuple[str, str, str], str],
    prefer: tuple[str, ...],
) -> None:
    """Every context answered in order; a storage pair is accepted only where a member takes it, and by all unless none is taken by all."""
    rq = asked(*contexts)
    result = negotiate.negotiate(rq, pools, lambda *pair: words.get(pair, "unknown"), prefer)
    members = {member for pool in pools for member in pool}
    assert [context.id for context in result.contexts] == [context.id for context in rq.contexts]
    by_all = {
        (context.abstract, transfer)
        for context in rq.contexts
        for transfer in context.transfers
        if members and all(words.get((member, context.abstract, transfer)) == "accepted" for member in members)
    }
    for context, answer in zip(rq.contexts, result.contexts, strict=True):
        if answer.result == 0:
            assert answer.transfer in context.transfers
            if context.abstract != ECHO:
                assert any(words.get((member, context.abstract, answer.transfer)) == "accepted" for member in members)
                assert (context.abstract, answer.transfer) in by_all or context.abstract not in {abstract for abstract, _ in by_all}
        assert (answer.result == 3) == (context.abstract == FIND)
    assert not any(entry in words for entry in result.unknown)
    assert result.reject in (None, NO_MEMBER, NO_CONTEXT)
    if any(answer.result == 0 and context.abstract != ECHO for context, answer in zip(rq.contexts, result.contexts, strict=True)):
        assert result.reject is None
