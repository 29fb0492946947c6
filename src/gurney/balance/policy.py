"""The one place for what a member's C-STORE status means: the table of `dicom.md` §5 as data, and a pool's own rows over it.

A row is named by four hex digits, the last ones `x` for any (`A7xx`, `Cxxx`). A pool's rows come before the table's, and of two rows
that fit the one with fewer `x` wins. Statuses are those of PS3.7 Annex C and PS3.4 Table B.2-1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

T = TypeVar("T")

SUCCESS = 0x0000
REFUSED_PAIR = 0x0122  # SOP class not supported: the pair is not taken
DUPLICATE = 0x0111  # duplicate SOP instance
OUT_OF_RESOURCES = 0xA700  # what the sender hears when nobody answered


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about a status.

    `word`: done (stored) · warn (stored, counted as a warning) · next (the next eligible member, the pin stays) · next-repin (the next
    one, and the pin moves) · again (once more at this member) · final (no other member) · already (was stored before: the sender
    hears 0000). `relay_status`: the sender hears this status verbatim; for next and next-repin: when no member is left.
    """

    word: str
    relay_status: bool = True
    counts_against_member: bool = False  # as a failure, in its standing
    capability_refused: bool = False  # the member does not take this pair: correct what is known of it
    full: bool = False  # the member takes no new studies until a check passes
    condition: str | None = None  # the code of a condition to raise


DONE = Action("done")
WARN = Action("warn")
NEXT = Action("next", counts_against_member=True)
REPIN = Action("next-repin", counts_against_member=True, full=True)
AGAIN = Action("again", counts_against_member=True)
FINAL = Action("final")
REFUSED = Action("final", condition="status_refused")
OTHER_PAIR = Action("next", capability_refused=True)
ALREADY = Action("already", relay_status=False)

ACTIONS: Mapping[str, Action] = {"next": NEXT, "next-repin": REPIN, "again": AGAIN, "final": FINAL}
"""The words a pool may put in a row of its own (`statuses: {A9xx: next}`)."""

TABLE: Mapping[str, Action] = {
    "0000": DONE,
    "Bxxx": WARN,
    "A7xx": REPIN,
    "A9xx": FINAL,
    "Cxxx": FINAL,
    "0122": OTHER_PAIR,
    "0110": AGAIN,
    "0111": FINAL,
    "xxxx": REFUSED,
}
_ROW = re.compile(r"[0-9A-F]{4}|[0-9A-F]{3}x|[0-9A-F]{2}xx|[0-9A-F]xxx")


def is_row(text: str) -> bool:
    """True if `text` can name a row: four hex digits in capitals, the last one to three may be `x`."""
    return _ROW.fullmatch(text) is not None


def act(statuses: Mapping[str, str], status: int, *, ambiguous_before: bool = False, member_attempts: int = 1) -> Action:
    """What to do about `status` from a member.

    `statuses` are the pool's own rows. `ambiguous_before`: an earlier attempt of this object at this member ended without an answer, so
    that 0111 means it was stored then. `member_attempts`: attempts at this member, this one included; *again* is said once.
    """
    if status == DUPLICATE and ambiguous_before:
        return ALREADY
    own = _row(statuses, status)
    action = ACTIONS[own] if own is not None else _row(TABLE, status) or REFUSED
    if own is not None and status == REFUSED_PAIR:
        action = replace(action, capability_refused=True)  # whatever a pool wants done about it, the pair is not taken
    if action.word == "again" and member_attempts > 1:
        return replace(NEXT, counts_against_member=action.counts_against_member)
    return action


def _row(rows: Mapping[str, T], status: int) -> T | None:
    digits = f"{status & 0xFFFF:04X}"
    for kept in (4, 3, 2, 1, 0):
        found = rows.get(digits[:kept] + "x" * (4 - kept))
        if found is not None:
            return found
    return None
