"""What members take: words by address and calling AE title, refusals that grow old, checks that speak for all."""

from __future__ import annotations

from dataclasses import replace

from gurney.config.document import Check, Member
from gurney.deliver.capabilities import REFUSED_SECONDS, Capabilities, address_of

CT = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1")
MR = ("1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.1.2.1")
CHECK = Check("dicom-echo", 2000, 2000, 2, 3)
MEMBER = Member("a", "p", "10.0.0.1", 104, "A", None, 100, 8, 1 << 28, None, None, CHECK)


class World:
    """Capabilities with a clock to set and a memory to look at."""

    def __init__(self, known: dict[tuple[str, str, str, str], str] | None = None) -> None:
        self.now = 0.0
        self.written: list[tuple[str, ...]] = []
        self.all = Capabilities(known or {}, lambda *entry: self.written.append(entry), lambda: self.now)


def test_a_word_is_kept_by_address_and_calling_title() -> None:
    world = World()
    world.all.learn(MEMBER, "CT1", {CT: True, MR: False})
    assert world.all.word(MEMBER, "CT1", *CT) == "accepted" and world.all.word(MEMBER, "CT1", *MR) == "refused"
    assert world.all.word(MEMBER, "CT2", *CT) == "unknown"
    assert world.all.word(replace(MEMBER, port=105), "CT1", *CT) == "unknown"
    assert world.all.word(replace(MEMBER, name="other"), "CT1", *CT) == "accepted"
    assert world.all.worth_asking(MEMBER, "CT1", (CT, MR)) == (CT,)


def test_only_what_changes_is_written() -> None:
    world = World()
    for _ in range(3):
        world.all.learn(MEMBER, "CT1", {CT: True})
    assert world.written == [(address_of(MEMBER), "CT1", *CT, "accepted")]
    world.all.learn(MEMBER, "CT1", {CT: False})
    assert world.written[1:] == [(address_of(MEMBER), "CT1", *CT, "refused")]


def test_a_refusal_grows_old_and_is_asked_for_again_but_still_the_last_word() -> None:
    world = World({(address_of(MEMBER), "CT1", *MR): "refused"})
    assert world.all.word(MEMBER, "CT1", *MR) == "unknown" and world.all.takes(MEMBER, "CT1", MR) is False
    world.all.learn(MEMBER, "CT1", {MR: False})
    assert world.all.word(MEMBER, "CT1", *MR) == "refused" and not world.written
    world.now = REFUSED_SECONDS + 1
    assert world.all.word(MEMBER, "CT1", *MR) == "unknown" and world.all.heard_of(MEMBER)


def test_a_check_speaks_for_every_calling_title_that_has_met_the_pair() -> None:
    world = World()
    world.all.learn(MEMBER, "CT1", {CT: True})
    world.all.learn(MEMBER, "CT2", {CT: True, MR: True})
    world.all.learn_for_all(MEMBER, {CT: False})
    assert [world.all.takes(MEMBER, calling, CT) for calling in ("CT1", "CT2", "CT3")] == [False, False, None]
    assert world.all.takes(MEMBER, "CT2", MR) is True
