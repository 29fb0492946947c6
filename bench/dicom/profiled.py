"""The one place for saying where the route process spends its time: it runs alone, in front of the same generator and sink.

`python -m bench.dicom.profiled --port P --sink S --folder DIR` serves until SIGTERM, then writes `DIR/profile.json`. Under cProfile every
Python call is dearer than it is: the shares are a guide, the counts of calls are exact. With `--sample` nothing is made dearer: every
millisecond of CPU time it is noted whether the head of a data set is being parsed.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import signal
import socket
import threading
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType
from typing import Any

from bench.dicom.ways import GURNEY

LINES = 28


def prepare(folder: Path, port: int, sink: int) -> Path:
    """The application's folder as guard and control would have made it; returns it."""
    from gurney.compile.route import compiler
    from gurney.config import reader

    reading = reader.read(GURNEY.format(port=port, sink=sink, more=""))
    if reading.document is None:
        raise SystemExit("\n".join(map(str, reading.faults)))
    app = folder / "apps" / "pacs"
    (app / "objects").mkdir(parents=True, mode=0o700)
    (folder / "keys").mkdir()
    (folder / "keys" / "site.key").write_bytes(bytes(32))
    (app / "route.json").write_bytes(compiler.compile(reading.document, "pacs").bytes)
    return app


def hand_over(app: Path, port: int) -> None:
    """Passes the listener on `route.sock`, as the guard does."""
    from gurney.net.messages import Connection

    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    while not (app / "route.sock").exists():
        threading.Event().wait(0.02)
    with Connection(app / "route.sock") as control:
        control.ask({"op": "listeners", "names": [f"127.0.0.1:{port}"]}, [listener.fileno()])
        while not control.ask({"op": "status"})[0]["checked"]:
            threading.Event().wait(0.02)
    print("ready", flush=True)


def _name(key: tuple[str, int, str]) -> tuple[str, str]:
    """(room, file:function) of a profile's entry; `C` for what is built in."""
    file, _, function = key
    if "/gurney/" in file:
        path = file.split("/gurney/", 1)[1]
        return path.split("/", 1)[0], f"{path}:{function}"
    return ("C", function) if file == "~" else ("library", f"{Path(file).name}:{function}")


def report(profile: cProfile.Profile, objects: int) -> dict[str, Any]:
    """Seconds by room and the dearest functions: (own seconds, calls an object, name)."""
    stats: Any = pstats.Stats(profile)
    rooms: dict[str, float] = defaultdict(float)
    dear = []
    for key, (_, calls, own, _, _) in stats.stats.items():
        room, name = _name(key)
        rooms[room] += own
        dear.append((own, calls / max(objects, 1), name))
    idle = sum(own for own, _, name in dear if "run_forever" in name)
    dear = sorted((d for d in dear if "run_forever" not in d[2]), reverse=True)[:LINES]
    calls = sum(v[1] for v in stats.stats.values())
    return {
        "rooms": dict(sorted(rooms.items(), key=lambda r: -r[1])),
        "loop_and_idle": idle,
        "functions": dear,
        "calls": calls / max(objects, 1),
    }


class Samples:
    """Looks at the running process every millisecond of its CPU time; a look falls to the Python frame that runs or has called into C."""

    HEAD = ("/wire/dicom/head.py", "/wire/dicom/elements.py", "/wire/dicom/inflate.py")

    def __init__(self) -> None:
        self.all = self.head = 0
        self.rooms: dict[str, int] = defaultdict(int)

    def look(self, number: int, frame: FrameType | None) -> None:
        self.all += 1
        innermost, parsing = "", False
        while frame is not None:
            file = frame.f_code.co_filename
            if not innermost and "/gurney/" in file:
                innermost = file.split("/gurney/", 1)[1].removesuffix(".py")
            parsing = parsing or file.endswith(self.HEAD)
            frame = frame.f_back
        self.rooms[innermost or "loop"] += 1
        self.head += parsing

    def begin(self) -> None:
        signal.signal(signal.SIGPROF, self.look)
        signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)

    def account(self) -> dict[str, Any]:
        """`samples`, those in the head parser, and the shares by file of the innermost Gurney frame."""
        signal.setitimer(signal.ITIMER_PROF, 0)
        shares = {file: n / max(self.all, 1) for file, n in sorted(self.rooms.items(), key=lambda r: -r[1])}
        return {"samples": self.all, "head": self.head, "shares": shares}


def main() -> None:
    """The profiled process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.profiled")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sink", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--sample", action="store_true")
    args = parser.parse_args()
    import uvloop

    from gurney.app.route import RouteProcess

    app = prepare(args.folder, args.port, args.sink)
    loop = uvloop.new_event_loop()
    process = RouteProcess(loop, app)
    loop.add_signal_handler(15, process.stop, 5.0, "SIGTERM")
    threading.Thread(target=hand_over, args=(app, args.port), daemon=True).start()
    began = time.process_time()
    if args.sample:
        samples = Samples()
        samples.begin()
        loop.run_forever()
        account = samples.account()
    else:
        profile = cProfile.Profile()
        profile.runcall(loop.run_forever)
        account = report(profile, sum(service.objects_total for service in process._services.values()))
    objects = sum(service.objects_total for service in process._services.values())
    account |= {"objects": objects, "cpu": time.process_time() - began}
    (args.folder / "profile.json").write_text(json.dumps(account))


if __name__ == "__main__":
    main()
