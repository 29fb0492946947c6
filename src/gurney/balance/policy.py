"""The one place for what a member's C-STORE status means: the table of `dicom.md` §5 as data, and a pool's own rows over it.

Which class a status belongs to is `wire.dicom.statuses`. A pool's row is named by four hex digits, the last ones `x` for any (`A7xx`,
`Cxxx`); it comes before the table, and of two rows that fit the one with fewer `x` wins.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from gurney.wire.dicom.statuses import classify


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
    "success": DONE,
    "warning": WARN,
    "full": REPIN,
    "object-fault": FINAL,
    "pair-refused": OTHER_PAIR,
    "member-fault": AGAIN,
    "duplicate": FINAL,
    "refused": REFUSED,
    "unknown": REFUSED,
}
"""What is done about each class of `wire.dicom.statuses`."""

_ROW = re.compile(r"[0-9A-F]{4}|[0-9A-F]{3}x|[0-9A-F]{2}xx|[0-9A-F]xxx")


def is_row(text: str) -> bool:
    """True if `text` can name a row: four hex digits in capitals, the last one to three may be `x`."""
    return _ROW.fullmatch(text) is not None


def act(statuses: Mapping[str, str], status: int, *, ambiguous_before: bool = False, member_attempts: int = 1) -> Action:
    """What to do about `status` from a member.

    `statuses` are the pool's own rows. `ambiguous_before`: an earlier attempt of this object at this member ended without an answer, so
    that 0111 means it was stored then. `member_attempts`: attempts at this member, this one included; *again* is said once.
    """
    kind = classify(status)
    if kind == "duplicate" and ambiguous_before:
        return ALREADY
    own = _own_row(statuses, status)
    action = TABLE[kind] if own is None else ACTIONS[own]
    if own is not None and kind == "pair-refused":
        action = replace(action, capability_refused=True)  # whatever a pool wants done about it, the pair is not taken
    if action.word == "again" and member_attempts > 1:
        return NEXT
    return action


def _own_row(rows: Mapping[str, str], status: int) -> str | None:
    """The pool's word for `status`, by its row with the fewest `x`."""
    if not rows:
        return None
    digits = f"{status:04X}"
    return next((rows[row] for kept in (4, 3, 2, 1) if (row := digits[:kept] + "x" * (4 - kept)) in rows), None)
