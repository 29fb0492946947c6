"""The one place for the demo's archive: a storage SCP in a process of its own that stores durably what it is sent, byte for byte.

`python -m gurney.demo.archive --name archive-1 --ae-title ARCHIVE1 --port 21101 --folder DIR` serves until SIGTERM, or until its
standard input ends (the demo that started it is gone). Every object is a Part 10 file, synced before its answer, and one line of
`objects.jsonl`: {"sop", "study", "modality", "sha256", "bytes", "file", "offset"}, where the data set begins at `offset` of the file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.uid import AllTransferSyntaxes
from pynetdicom import AE, AllStoragePresentationContexts, evt
from pynetdicom.sop_class import Verification

OUT_OF_RESOURCES = 0xA700  # PS3.4 Table B.2-1
SUCCESS = 0x0000


class Store:
    """The files of one archive; `keep` returns when the object would survive a power cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._journal = os.open(folder / "objects.jsonl", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._lock = threading.Lock()
        self._number = len(list(folder.glob("*.dcm")))

    def keep(self, image: bytes, data_set: bytes, sop: str) -> None:
        """`image` is the whole Part 10 file, `data_set` its tail as received. Raises OSError when it cannot be made durable."""
        with self._lock:
            self._number += 1
            name = f"{self._number:06d}-{os.getpid()}.dcm"  # our numbers: a UID of a peer never becomes a path
        part = self.folder / f"{name}.part"
        with part.open("wb") as f:
            f.write(image)
            f.flush()
            os.fsync(f.fileno())
        part.rename(self.folder / name)
        head = dcmread(BytesIO(image), stop_before_pixels=True, specific_tags=["StudyInstanceUID", "Modality"], force=True)
        line = {
            "sop": sop,
            "study": str(head.get("StudyInstanceUID", "")),
            "modality": str(head.get("Modality", "")),
            "sha256": hashlib.sha256(data_set).hexdigest(),
            "bytes": len(data_set),
            "file": name,
            "offset": len(image) - len(data_set),
        }
        with self._lock:
            os.write(self._journal, json.dumps(line).encode() + b"\n")
            os.fdatasync(self._journal)


def serve(name: str, ae_title: str, host: str, port: int, folder: Path) -> Any:
    """Starts the SCP and returns pynetdicom's server; `shutdown()` ends it."""
    store = Store(folder)

    def on_store(event: Any) -> int:
        try:
            store.keep(event.encoded_dataset(), event.request.DataSet.getvalue(), str(event.request.AffectedSOPInstanceUID))
        except OSError as e:
            print(f"{name}: {e}", file=sys.stderr, flush=True)
            return OUT_OF_RESOURCES
        return SUCCESS

    ae = AE(ae_title=ae_title)
    ae.require_called_aet = True
    ae.maximum_associations = 64
    ae.network_timeout = None  # an idle association is the other side's business
    ae.add_supported_context(Verification)
    for context in AllStoragePresentationContexts:
        ae.add_supported_context(str(context.abstract_syntax), AllTransferSyntaxes)
    return ae.start_server((host, port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])


def main() -> None:
    """The archive's process."""
    parser = argparse.ArgumentParser(prog="python -m gurney.demo.archive", description="a storage SCP of the demo")
    parser.add_argument("--name", required=True)
    parser.add_argument("--ae-title", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # every acknowledged object is synced already
    serve(args.name, args.ae_title, args.host, args.port, args.folder)
    print(f"{args.name} listens on {args.host}:{args.port}", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
