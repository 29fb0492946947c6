"""The one place for what members take: (address, calling AE, abstract syntax, transfer syntax) -> accepted or refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from gurney.config.document import Member

Pair = tuple[str, str]
Remember = Callable[[str, str, str, str, str], None]  # address, calling AE, abstract, transfer, word


REFUSED_SECONDS = 300.0  # a refusal is asked for again after this


def address_of(member: Member) -> str:
    """Under which a member's words are kept: what answers at an address, whatever the document calls it."""
    return f"{member.ae_title or ''}@{member.host}:{member.port}"


class Capabilities:
    """Words learnt from checks, from asking and from contradictions; `remember` makes a changed word durable.

    A refusal is believed for five minutes, then asked for again when a sender proposes the pair: an archive that has learnt a new
    SOP class is found out without anybody's help. `clock` is any one clock, in seconds.
    """

    def __init__(self, known: Mapping[tuple[str, str, str, str], str], remember: Remember, clock: Callable[[], float]) -> None:
        self._words = {key: (word, -math.inf) for key, word in known.items()}
        self._heard = {key[0] for key in self._words}
        self._remember = remember
        self._clock = clock

    def word(self, member: Member, calling: str, abstract: str, transfer: str) -> str:
        """`accepted`, `refused` or `unknown`; `calling` is the sender's AE title, which the member may see replaced."""
        word, at = self._last(member, calling, (abstract, transfer))
        return "unknown" if word == "refused" and self._clock() - at > REFUSED_SECONDS else word

    def takes(self, member: Member, calling: str, pair: Pair) -> bool | None:
        """Whether `member` takes the pair by its last word, None when nobody has asked."""
        word, _ = self._last(member, calling, pair)
        return None if word == "unknown" else word == "accepted"

    def _last(self, member: Member, calling: str, pair: Pair) -> tuple[str, float]:
        return self._words.get((address_of(member), member.calling_ae or calling, *pair), ("unknown", 0.0))

    def learn(self, member: Member, calling: str, words: Mapping[Pair, bool]) -> None:
        """Take over what an A-ASSOCIATE-AC or a status said about pairs."""
        address, sent = address_of(member), member.calling_ae or calling
        self._heard.add(address)
        for pair, accepted in words.items():
            self._learn((address, sent, *pair), "accepted" if accepted else "refused")

    def learn_for_all(self, member: Member, words: Mapping[Pair, bool]) -> None:
        """What a check found of pairs holds for every calling AE title that has met them there."""
        address = address_of(member)
        for key in [key for key in self._words if key[0] == address and key[2:] in words]:
            self._learn(key, "accepted" if words[key[2:]] else "refused")

    def _learn(self, key: tuple[str, str, str, str], word: str) -> None:
        before = self._words.get(key)
        self._words[key] = (word, self._clock())
        if before is None or before[0] != word:
            self._remember(*key, word)

    def heard_of(self, member: Member) -> bool:
        """Whether this member has ever said anything about any pair."""
        return address_of(member) in self._heard

    def worth_asking(self, member: Member, calling: str, among: Iterable[Pair]) -> tuple[Pair, ...]:
        """Those of `among` that are not known to be refused."""
        return tuple(pair for pair in among if self.word(member, calling, *pair) != "refused")
