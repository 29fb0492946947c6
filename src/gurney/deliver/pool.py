"""The one place for a pool at work: its words in this revision and its live members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gurney.balance.members import View
from gurney.config.document import Pool
from gurney.deliver.capabilities import Capabilities
from gurney.deliver.member import LiveMember
from gurney.deliver.transfer import Transfer


class LivePool:
    """One pool of one revision. Live members are shared with the revision before it where they answer at the same address."""

    def __init__(self, spec: Pool, members: Mapping[str, LiveMember]) -> None:
        self.spec = spec
        self.members = dict(members)
        self.turn = 0  # studies placed, for round-robin

    def views(self, transfer: Transfer, capabilities: Capabilities) -> dict[str, View]:
        """Every member as `balance` chooses for `transfer`."""
        return self.look(capabilities, transfer.calling_ae, transfer.context)

    def look(self, capabilities: Capabilities, calling_ae: str, pair: tuple[str, str]) -> dict[str, View]:
        """Every member as it is now for a sender and a pair."""
        answers = [m.standing.answer_seconds for m in self.members.values() if m.standing.answer_seconds is not None]
        fastest = min(answers, default=None)
        return {name: member.view(capabilities.takes(member.spec, calling_ae, pair), fastest) for name, member in self.members.items()}

    def seen(self) -> dict[str, Any]:
        """This pool for `status`: each member in three words and what it has in hand."""
        return {"balance": self.spec.balance, "members": {name: member.seen() for name, member in self.members.items()}}
