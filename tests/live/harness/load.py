"""The one place for steady load: associations that send small studies until told to stop, and say what went wrong."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from . import objects, pdus
from .objects import Thing
from .pdus import Broken
from .sender import Association, Refused, Secure


class Load:
    """`associations` threads, each a study after another on one association (or a new association a study).

    `retry`: an object without an answer is sent again on a new association, as a scanner's queue would; what broke is counted.
    """

    def __init__(
        self,
        port: int,
        associations: int = 4,
        *,
        size: int = 60_000,
        per_study: int = 20,
        reopen: bool = False,
        retry: bool = False,
        modalities: Sequence[str] = ("CT", "MR"),
        seed: str = "load",
        secure: Secure | None = None,
    ) -> None:
        self.port, self.size, self.per_study = port, size, per_study
        self.reopen, self.retry, self.modalities, self.seed = reopen, retry, modalities, seed
        self.secure = secure
        self.lock = threading.Lock()
        self.stop_now = threading.Event()
        self.things: list[Thing] = []
        self.acked: set[str] = set()
        self.refused: list[int] = []
        self.broken: list[str] = []
        self.refused_connections: list[str] = []
        self.threads = [threading.Thread(target=self._work, args=(i,), daemon=True) for i in range(associations)]
        for t in self.threads:
            t.start()

    def _offers(self) -> list[pdus.Offer]:
        return pdus.offers_for([(objects.SOP_CLASS[m], pdus.EXPLICIT_LE) for m in self.modalities])

    def _open(self) -> Association | None:
        try:
            return Association(self.port, self._offers(), secure=self.secure)
        except Refused as e:
            self._note(self.broken, f"rejected {e}")
        except ConnectionRefusedError as e:
            self._note(self.refused_connections, str(e))
        except (OSError, Broken) as e:
            self._note(self.broken, f"opening: {type(e).__name__}: {e}")
        return None

    def _note(self, where: list[str], text: str) -> None:
        with self.lock:
            where.append(text)

    def _work(self, index: int) -> None:
        a: Association | None = None
        number = 0
        while not self.stop_now.is_set():
            modality = self.modalities[number % len(self.modalities)]
            todo = objects.study(f"{self.seed}-{index}-{number}", self.per_study, size=self.size, modality=modality)
            number += 1
            with self.lock:
                self.things.extend(todo)
            while todo and not self.stop_now.is_set():
                a = a or self._open()
                if a is None:
                    if not self.retry:
                        return
                    self.stop_now.wait(0.05)
                elif not self._share(a, todo):
                    a = None
                    if not self.retry:
                        return
            if self.reopen and a is not None:
                a = self._close(a)
        if a is not None:
            self._close(a)

    def _close(self, a: Association) -> None:
        try:
            a.release()
        except (OSError, Broken) as e:
            self._note(self.broken, f"releasing: {e}")

    def _share(self, a: Association, todo: list[Thing]) -> bool:
        """Sends from the front of `todo` until it is empty or told to stop; False when the association broke."""
        while todo and not self.stop_now.is_set():
            try:
                status = a.store(todo[0])
            except (OSError, Broken) as e:
                self._note(self.broken, f"{type(e).__name__}: {e}")
                a.sock.close()
                return False
            t = todo.pop(0)
            with self.lock:
                if status == 0 or status & 0xF000 == 0xB000:
                    self.acked.add(t.sop_instance)
                else:
                    self.refused.append(status)
        return True

    def stop(self) -> None:
        self.stop_now.set()
        for t in self.threads:
            t.join(60)

    @property
    def errors(self) -> int:
        return len(self.broken) + len(self.refused) + len(self.refused_connections)
