"""The one place for seeing which rooms a walk enters: a profile function that keeps the first entry into each folder of `src/gurney`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import gurney

SOURCE = str(Path(str(gurney.__file__)).parent) + "/"


def room_of(frame: FrameType) -> str | None:
    """The room a frame's code stands in, None outside of them."""
    name = frame.f_code.co_filename
    return name[len(SOURCE) :].split("/", 1)[0] if name.startswith(SOURCE) and "/" in name[len(SOURCE) :] else None


class Recorder:
    """`rooms` is the order in which rooms were first entered while `on`, in the threads that run with it.

    Calls that begin in one of `apart` (the process's own clock, its control socket) are no part of the walk.
    """

    def __init__(self, apart: tuple[str, ...] = ("app",)) -> None:
        self.apart = apart
        self.rooms: list[str] = []
        self.on = threading.Event()

    def install(self) -> None:
        """For the calling thread, from now on."""
        sys.setprofile(self._profile)

    def _profile(self, frame: FrameType, event: str, arg: Any) -> None:
        if event != "call" or not self.on.is_set():
            return
        room = room_of(frame)
        if room is None or room in self.rooms:
            return
        caller: FrameType | None = frame
        while caller is not None:
            if room_of(caller) in self.apart and caller.f_code.co_name != "main":
                return
            caller = caller.f_back
        self.rooms.append(room)
