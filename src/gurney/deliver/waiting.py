"""The one place for objects that wait for a slot of a member: three queues by urgency, served 8 : 3 : 1 so that nothing starves."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from gurney.deliver.transfer import Transfer

_SHARES = {"critical": 8, "routine": 3, "bulk": 1}


class Waiting:
    """Transfers in order of arrival within an urgency; across urgencies by shares."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Transfer]] = {urgency: deque() for urgency in _SHARES}
        self._credit = dict(_SHARES)
        self.count = 0  # who waits, in all

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Transfer]:
        for queue in self._queues.values():
            yield from queue

    def add(self, transfer: Transfer) -> None:
        """Put `transfer` at the end of its urgency's queue."""
        self._queues[transfer.urgency].append(transfer)
        self.count += 1

    def remove(self, transfer: Transfer) -> bool:
        """Take `transfer` out; False when it does not wait here."""
        try:
            self._queues[transfer.urgency].remove(transfer)
        except ValueError:
            return False
        self.count -= 1
        return True

    def drain(self) -> list[Transfer]:
        """Take everything out."""
        everything = list(self)
        for queue in self._queues.values():
            queue.clear()
        self.count = 0
        return everything

    def take(self, fits: Callable[[Transfer], bool]) -> Transfer | None:
        """The next transfer that `fits`, by urgency's shares; None when none does."""
        for urgency in sorted((name for name, queue in self._queues.items() if queue), key=lambda name: -self._credit[name]):
            queue = self._queues[urgency]
            for transfer in queue:
                if fits(transfer):
                    queue.remove(transfer)
                    self.count -= 1
                    self._spend(urgency)
                    return transfer
        return None

    def _spend(self, urgency: str) -> None:
        self._credit[urgency] -= 1
        if not any(self._credit[name] > 0 for name, queue in self._queues.items() if queue):
            self._credit = dict(_SHARES)
