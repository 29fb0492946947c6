"""The ledger over a real record: batches, compare-and-set, what is remembered, what is given up."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gurney.disk.faults import Fault, Faults
from gurney.disk.record import Record
from gurney.ledger import Ledger, Pin
from gurney.ledger.ledger import BATCH_SECONDS, EXPIRED_SECONDS, KEPT_SECONDS, RETRY_SECONDS, TOUCH_SECONDS

EPOCH = 1_800_000_000.0


class House:
    """A ledger, its record, and a loop whose time is a number."""

    def __init__(self, folder: Path, faults: Faults | None = None) -> None:
        self.calls: queue.SimpleQueue[tuple[Callable[..., object], tuple[Any, ...]]] = queue.SimpleQueue()
        self.now = 0.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.troubles: list[str | None] = []
        self.record = Record(
            folder / "record.db", dict([Ledger.SCHEMA]), wal_bytes=100_000, faults=faults,
            wake=lambda call, *args: self.calls.put((call, args)),
        )  # fmt: skip
        self.ledger = Ledger(self.record, self, lambda error: self.troubles.append(None if error is None else str(error)))

    def call_later(self, delay: float, callback: Callable[[], None]) -> None:
        self.timers.append((self.now + delay, callback))

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if timer[0] <= self.now]
        self.timers = [timer for timer in self.timers if timer[0] > self.now]
        for _, callback in due:
            callback()

    def until(self, condition: Callable[[], object]) -> None:
        """Run what the record's thread wakes us with until a condition is met."""
        while not condition():
            call, args = self.calls.get(timeout=10)
            call(*args)

    def flush(self) -> None:
        done: list[bool] = []
        self.ledger.flush(lambda: done.append(True))
        self.until(lambda: done)

    def pins(self) -> dict[tuple[str, str], str]:
        return {(pin.pool, pin.ref): pin.member for pin in self.ledger.load(EPOCH).pins}

    def repin(self, old: str | None, new: str, epoch: float = EPOCH) -> str | None:
        winners: list[str | None] = []
        self.ledger.repin("p", "r", old, new, epoch, winners.append)
        self.until(lambda: winners)
        return winners[0]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.record.close()


def test_pins_go_in_one_batch_and_come_back(house: House, tmp_path: Path) -> None:
    groups = house.record.groups_unsynced
    for number in range(500):
        house.ledger.pin("archive", f"ref{number}", "a" if number % 2 else "b", EPOCH)
    assert house.record.pending == 0 and len(house.timers) == 1
    house.advance(BATCH_SECONDS)
    house.flush()
    assert house.record.groups_unsynced == groups + 1
    house.record.close()
    again = House(tmp_path)
    pins = again.ledger.load(EPOCH).pins
    assert len(pins) == 500 and Pin("archive", "ref1", "a", EPOCH) in pins
    again.record.close()


def test_a_pin_that_stands_is_not_moved_by_a_pin(house: House) -> None:
    house.ledger.pin("p", "r", "a", EPOCH)
    house.ledger.pin("p", "r", "b", EPOCH + 1)
    house.flush()
    house.ledger.pin("p", "r", "b", EPOCH + 2)
    house.flush()
    assert house.ledger.load(EPOCH).pins == (Pin("p", "r", "a", EPOCH + 2),)


def test_an_expired_row_gives_way(house: House) -> None:
    house.ledger.pin("p", "r", "a", EPOCH - KEPT_SECONDS - 1)
    house.ledger.pin("p", "s", "a", EPOCH - EXPIRED_SECONDS - 1)
    house.flush()
    assert house.pins() == {("p", "s"): "a"}
    house.ledger.pin("p", "r", "b", EPOCH)
    house.ledger.pin("p", "s", "b", EPOCH)
    house.flush()
    assert house.pins() == {("p", "r"): "b", ("p", "s"): "b"}
    assert house.repin(None, "c", EPOCH) == "b"
    assert house.repin(None, "c", EPOCH + KEPT_SECONDS) == "c"


def test_touches_are_batched_and_move_the_end(house: House) -> None:
    house.ledger.pin("p", "r", "a", EPOCH)
    house.flush()
    house.timers.clear()
    for number in range(1000):
        house.ledger.touch("p", "r", EPOCH + number)
    house.ledger.touch("p", "unknown", EPOCH)
    assert [due - house.now for due, _ in house.timers] == [TOUCH_SECONDS]
    house.advance(TOUCH_SECONDS)
    house.flush()
    assert house.ledger.load(EPOCH).pins == (Pin("p", "r", "a", EPOCH + 999),)


def test_repin_is_compare_and_set_and_the_loser_reads_the_winner(house: House) -> None:
    house.ledger.pin("p", "r", "a", EPOCH)  # not yet written: the repin comes after it all the same
    winners: dict[str, str | None] = {}
    for new in ("b", "c"):
        house.ledger.repin("p", "r", "a", new, EPOCH, lambda winner, new=new: winners.__setitem__(new, winner))  # type: ignore[misc]
    house.until(lambda: len(winners) == 2)
    assert winners == {"b": "b", "c": "b"} and house.pins() == {("p", "r"): "b"}
    assert house.ledger.load(EPOCH).pins[0].repins == 1
    assert house.repin(None, "d") == "b"
    assert house.repin("b", "d") == "d"


def test_repin_without_a_row_takes_the_new_one(house: House) -> None:
    assert house.repin("gone", "b") == "b"
    house.ledger.expire(EPOCH + KEPT_SECONDS)
    assert house.repin(None, "c") == "c"


def test_flush_waits_for_everything_before_it(house: House) -> None:
    order: list[str] = []
    house.ledger.flush(lambda: order.append("nothing to wait for"))
    assert order == ["nothing to wait for"]
    house.ledger.pin("p", "r", "a", EPOCH)
    house.advance(BATCH_SECONDS)
    house.ledger.pin("p", "s", "a", EPOCH)
    house.ledger.flush(lambda: order.append("flushed"))
    assert len(order) == 1
    house.until(lambda: len(order) == 2)
    assert house.pins() == {("p", "r"): "a", ("p", "s"): "a"}


def test_an_ambiguity_is_synced_before_it_is_done(house: House) -> None:
    synced = house.record.groups_synced
    done: list[int] = []
    house.ledger.ambiguous("object", "study", "a", EPOCH, lambda: done.append(house.record.groups_synced))
    assert not done
    house.until(lambda: done)
    assert done == [synced + 1]
    assert house.ledger.load(EPOCH).ambiguities == {("object", "a")}
    house.ledger.settle("object", "a", "stored")
    house.flush()
    assert not house.ledger.load(EPOCH).ambiguities


def test_capabilities_are_the_last_word(house: House) -> None:
    pair = ("a", "CT1", "1.2.840.10008.1.1", "1.2.840.10008.1.2")
    house.ledger.capability(*pair, "refused", EPOCH)
    house.ledger.capability(*pair, "accepted", EPOCH + 1)
    house.flush()
    house.ledger.capability(*pair, "refused", EPOCH)  # an older word that comes late
    house.flush()
    assert house.ledger.load(EPOCH).capabilities == {pair: "accepted"}


def test_what_is_past_its_time_goes(house: House) -> None:
    house.ledger.pin("p", "old", "a", EPOCH)
    house.ledger.pin("p", "young", "a", EPOCH + 10)
    house.flush()
    house.ledger.expire(EPOCH + KEPT_SECONDS)
    house.flush()
    assert house.record.read("SELECT ref FROM ledger_pins") == [("young",)]


def test_no_room_is_said_and_tried_again(tmp_path: Path) -> None:
    house = House(tmp_path, Faults((Fault("group.begun", "enospc", nth=1), Fault("group.begun", "enospc", nth=2))))
    house.ledger.pin("p", "r", "a", EPOCH)
    done: list[str] = []
    house.ledger.flush(lambda: done.append("flushed"))
    house.until(lambda: len(house.troubles) == 1)
    failed: list[BaseException] = []
    house.ledger.ambiguous("object", "study", "a", EPOCH, lambda: done.append("never"), failed.append)
    house.until(lambda: failed)
    assert not done and "No space left" in str(failed[0])
    house.advance(RETRY_SECONDS)
    house.until(lambda: done)
    assert done == ["flushed"] and house.troubles[-1] is None and house.pins() == {("p", "r"): "a"}
    house.record.close()


def test_an_ambiguity_without_room_waits_for_room(tmp_path: Path) -> None:
    house = House(tmp_path, Faults((Fault("group.begun", "enospc", nth=1),)))
    done: list[bool] = []
    house.ledger.ambiguous("object", "study", "a", EPOCH, lambda: done.append(True))
    house.until(lambda: house.timers)
    assert not done
    house.advance(RETRY_SECONDS)
    house.until(lambda: done)
    house.record.close()
