"""The one place for the baseline relay: pynetdicom receives an object and sends it on before it answers (one association each way)."""

from __future__ import annotations

import argparse
import signal
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, Verification

EXPLICIT_LE = "1.2.840.10008.1.2.1"


def main() -> None:
    """The relay's process."""
    parser = argparse.ArgumentParser(prog="python -m bench.dicom.relay")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", type=int, required=True)
    args = parser.parse_args()
    out = AE(ae_title="RELAY")
    out.add_requested_context(CTImageStorage, EXPLICIT_LE)
    peers: dict[Any, Any] = {}

    def on_store(event: Any) -> int:
        far = peers.get(event.assoc)
        if far is None or not far.is_established:
            far = peers[event.assoc] = out.associate("127.0.0.1", args.target, ae_title="STORE", max_pdu=16384)
        ds = event.dataset
        ds.file_meta = event.file_meta
        answer = far.send_c_store(ds)
        return int(answer.Status) if "Status" in answer else 0xA700

    ae = AE(ae_title="PACS")
    ae.maximum_associations = 64
    ae.add_supported_context(Verification)
    ae.add_supported_context(CTImageStorage, EXPLICIT_LE)
    ae.start_server(("127.0.0.1", args.port), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)])
    signal.pause()


if __name__ == "__main__":
    main()
