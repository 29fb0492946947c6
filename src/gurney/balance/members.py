"""The one place for choosing a member: who can take an object, who should, and why not the others.

A study that has begun stays with its member while that member can serve. What moves a pin: the member is down, was tried for this
object and failed, is disabled or removed, or is draining and the study has been quiet. Never: a member added, a weight, a
member's return. *Full* is not *down*: a full member's studies wait for it, new studies prefer others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gurney.balance.keys import Key
from gurney.balance.weights import score, turn_of
from gurney.config.document import Member, Pool

QUEUED_BYTES = 512 * 1024  # what a waiting object counts for under least-load: one CT slice (dicom.md §10)


@dataclass(slots=True)
class View:
    """One member as the route process sees it now. Not frozen, for the hot path's sake."""

    member: Member
    operational: str = "up"  # up | down | full
    start: float = 1.0  # slow start: 0 < start <= 1, scales the weight for new studies
    open: int = 0  # associations in use there
    cap: int = 8  # how many may be in use
    queued: int = 0  # objects waiting for it
    bytes: int = 0  # in flight towards it
    penalty: float = 0.0  # of recent failures and slowness, see standing.py; 0 = none
    takes: bool | None = None  # whether it accepts the object's pair; None = not known


@dataclass(frozen=True, slots=True)
class Selection:
    """The member for one object. `reasons` says of each member looked at why, or why not.

    `repin`: the key's pin must move to `member` (written first, compare-and-set). `last_resort`: every member is out and this is the
    least bad. `wait`: `member` has no free slot; the object waits for it, it does not go elsewhere.
    """

    member: str | None
    repin: bool = False
    last_resort: bool = False
    wait: bool = False
    reasons: Mapping[str, str] = field(default_factory=dict)


def choose(
    pool: Pool,
    key: Key,
    pin: str | None,
    views: Mapping[str, View],
    tried: frozenset[str] = frozenset(),
    turn: int = 0,
    *,
    quiet: bool = False,
    explain: bool = False,
) -> Selection:
    """The member for an object with `key`, whose key is pinned to `pin` (None: not yet).

    `tried`: members that already failed this object. A pin to one of them moves (`repin`), except where the member refuses the
    pair: then the object goes elsewhere and the pin stays. `turn`: the number of this new study, for `round-robin`. `quiet`: the key
    has had no object for 60 s, so that a draining member may hand it over. `explain`: give a reason for every member even
    where the pin decides alone.
    """
    held = None if pin is None else _pin_fault(pool, pin, views.get(pin), tried, quiet)
    if pin is not None and held is None:
        reasons = _completed(_reasons(pool, views, tried), pin, None, None) if explain else {}
        reasons[pin] = "the key is pinned to it"
        return Selection(pin, wait=_no_slot(views[pin]), reasons=reasons)
    reasons = _reasons(pool, views, tried)
    able = [name for name, why in reasons.items() if why == ""]
    name = _place(pool, key, able, views, turn, pin is not None)
    if name is None and held is not None and held.stays:
        name = pin  # nobody else can: what a draining member already holds it may still be given
    last_resort = name is None
    if name is None:
        name = _least_bad(pool, key, pin, views, tried)
    if name is None:
        return Selection(None, reasons=_completed(reasons, None, held, pin))
    repin = pin is not None and name != pin and held is not None and held.moves
    reasons = _completed(reasons, name, held, pin)
    reasons[name] = _why(pool, name, views, last_resort, repin)
    return Selection(name, repin, last_resort, _no_slot(views[name]), reasons)


def stays(pool: Pool, pin: str, operational: str, takes: bool | None) -> bool:
    """True only if `choose` would give a key pinned to `pin` to it, whatever the others are; asked first, for nearly every object."""
    member = pool.members.get(pin)
    return member is not None and member.override is None and operational != "down" and takes is not False


@dataclass(frozen=True, slots=True)
class _PinFault:
    """Why the pinned member does not get the object; `moves`: the pin goes with it; `stays`: better than nobody."""

    why: str
    moves: bool
    stays: bool = False


def _pin_fault(pool: Pool, pin: str, view: View | None, tried: frozenset[str], quiet: bool) -> _PinFault | None:
    member = pool.members.get(pin)
    if member is None or view is None:
        return _PinFault("pinned to it, but it was removed", True)
    word, _ = overridden(member)
    if word == "disable":
        return _PinFault("pinned to it, but it is disabled", True)
    if view.takes is False:
        return _PinFault("pinned to it, but it refuses the pair; the pin stays", False)
    if pin in tried:
        return _PinFault("pinned to it, but it failed this object", True)
    if view.operational == "down":
        return _PinFault("pinned to it, but it is down", True)
    if word == "drain" and quiet:
        return _PinFault("pinned to it, but it drains and the key is quiet", True, True)
    return None


def overridden(member: Member) -> tuple[str | None, int]:
    """The override's word (None, drain, disable, weight) and the weight in force. `ValueError` for any other word."""
    word = member.override
    if word is None or word in ("drain", "disable"):
        return word, member.weight
    name, _, number = word.partition("=")
    if name != "weight" or not (number.isascii() and number.isdigit() and 1 <= int(number) <= 256):
        raise ValueError("must be drain, disable or weight=N, N from 1 to 256")
    return "weight", int(number)


def _refusal(member: Member, view: View | None, tried: frozenset[str]) -> str:
    """Why `member` cannot take a new key, in words; "" if it can."""
    word, _ = overridden(member)
    if view is None:
        return "not known to the route process yet"
    if word == "disable":
        return "disabled"
    if word == "drain":
        return "drains: takes no new studies"
    if view.takes is False:
        return "refuses the pair"
    if member.name in tried:
        return "failed this object"
    return "down" if view.operational == "down" else ""


def _reasons(pool: Pool, views: Mapping[str, View], tried: frozenset[str]) -> dict[str, str]:
    return {name: _refusal(member, views.get(name), tried) for name, member in pool.members.items()}


def _place(pool: Pool, key: Key, able: Sequence[str], views: Mapping[str, View], turn: int, begun: bool) -> str | None:
    """Who of `able` gets a new key: those not full first, then those known to take the pair; among equals the balance decides.

    `begun`: the key is pinned elsewhere and only this object, or the pin, moves. Then load and turns do not decide: what is
    moved piece by piece must meet again at one member.
    """
    if not able:
        return None
    ranks = {name: (views[name].operational == "full", views[name].takes is None) for name in able}
    best = min(ranks.values())
    able = [name for name in able if ranks[name] == best]
    balance = "study" if begun and pool.balance in ("least-load", "round-robin") else pool.balance
    return BALANCES[balance](able, {name: _weight(views[name], pool) for name in able}, views, key, turn)


def _weight(view: View, pool: Pool) -> float:
    return overridden(pool.members[view.member.name])[1] * view.start


def _least_bad(pool: Pool, key: Key, pin: str | None, views: Mapping[str, View], tried: frozenset[str]) -> str | None:
    """The member to try when every one is out: down ones only; a drained or disabled one is never tried."""
    down = [name for name, member in pool.members.items() if _refusal(member, views.get(name), tried) == "down"]
    if pin in down:
        return pin
    if not down:
        return None
    least = min((views[name].takes is None, views[name].penalty) for name in down)
    down = [name for name in down if (views[name].takes is None, views[name].penalty) == least]
    return _by_hash(down, {name: _weight(views[name], pool) for name in down}, views, key, 0)


def _no_slot(view: View) -> bool:
    return view.open >= view.cap


def _completed(reasons: dict[str, str], chosen: str | None, held: _PinFault | None, pin: str | None) -> dict[str, str]:
    """The reasons with those who could but were not chosen put into words."""
    found = {name: why or "could take it, another was chosen" for name, why in reasons.items()}
    if held is not None and pin is not None and pin != chosen:
        found[pin] = held.why
    return found


def _why(pool: Pool, name: str, views: Mapping[str, View], last_resort: bool, repin: bool) -> str:
    if last_resort:
        return "down, but every member is out and it is the least bad"
    why = f"chosen by {pool.balance}" + (", the pin moves to it" if repin else "")
    return f"{why}; full, but so are all others" if views[name].operational == "full" else why


Chooser = Callable[[Sequence[str], Mapping[str, float], Mapping[str, View], Key, int], str]


def _by_hash(able: Sequence[str], weights: Mapping[str, float], views: Mapping[str, View], key: Key, turn: int) -> str:
    return max(able, key=lambda name: (score(name, weights[name], key.kind, key.value), name))


def _by_load(able: Sequence[str], weights: Mapping[str, float], views: Mapping[str, View], key: Key, turn: int) -> str:
    def load(name: str) -> tuple[float, float]:
        view = views[name]
        # an idle member that fails fast has no load: its penalty counts as objects waiting there. Equals are told apart by hash.
        busy = view.bytes + (view.queued + view.penalty) * QUEUED_BYTES
        return busy / weights[name], -score(name, weights[name], key.kind, key.value)

    return min(able, key=load)


def _by_turn(able: Sequence[str], weights: Mapping[str, float], views: Mapping[str, View], key: Key, turn: int) -> str:
    return able[turn_of([max(1, round(weights[name])) for name in able], turn)]


def _in_order(able: Sequence[str], weights: Mapping[str, float], views: Mapping[str, View], key: Key, turn: int) -> str:
    return able[0]


BALANCES: Mapping[str, Chooser] = {
    "study": _by_hash,
    "patient": _by_hash,
    "least-load": _by_load,
    "round-robin": _by_turn,
    "failover": _in_order,
}
