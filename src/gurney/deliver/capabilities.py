"""The one place for what members take: (address, calling AE, abstract syntax, transfer syntax) -> accepted or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from gurney.config.document import Member

Pair = tuple[str, str]
Remember = Callable[[str, str, str, str, str], None]  # address, calling AE, abstract, transfer, word


def address_of(member: Member) -> str:
    """Under which a member's words are kept: what answers at an address, whatever the document calls it."""
    return f"{member.ae_title or ''}@{member.host}:{member.port}"


class Capabilities:
    """Words learnt from checks, from asking and from contradictions; `remember` makes a changed word durable."""

    def __init__(self, known: Mapping[tuple[str, str, str, str], str], remember: Remember) -> None:
        self._words = dict(known)
        self._heard = {key[0] for key in self._words}
        self._remember = remember

    def word(self, member: Member, calling: str, abstract: str, transfer: str) -> str:
        """`accepted`, `refused` or `unknown`; `calling` is the sender's AE title, which the member may see replaced."""
        return self._words.get((address_of(member), member.calling_ae or calling, abstract, transfer), "unknown")

    def takes(self, member: Member, calling: str, pair: Pair) -> bool | None:
        """Whether `member` takes the pair, None when nobody has asked."""
        word = self.word(member, calling, *pair)
        return None if word == "unknown" else word == "accepted"

    def learn(self, member: Member, calling: str, words: Mapping[Pair, bool]) -> None:
        """Take over what an A-ASSOCIATE-AC or a status said about pairs."""
        address = address_of(member)
        sent = member.calling_ae or calling
        self._heard.add(address)
        for (abstract, transfer), accepted in words.items():
            key = (address, sent, abstract, transfer)
            word = "accepted" if accepted else "refused"
            if self._words.get(key) != word:
                self._words[key] = word
                self._remember(address, sent, abstract, transfer, word)

    def heard_of(self, member: Member) -> bool:
        """Whether this member has ever said anything about any pair."""
        return address_of(member) in self._heard

    def worth_asking(self, member: Member, calling: str, among: Iterable[Pair]) -> tuple[Pair, ...]:
        """Those of `among` that are not known to be refused."""
        return tuple(pair for pair in among if self.word(member, calling, *pair) != "refused")
