"""The one place for the other programs that pass objects on: pynetdicom, Orthanc's auto-routing, DCMTK receiving and then sending."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from bench.dicom.paths import ROOT, Standing, listens, start, until
from bench.ports import free_ports

AUTOROUTE = "function OnStoredInstance(instanceId, tags, metadata) Delete(SendToModality(instanceId, 'sink')) end\n"


def pynetdicom_relay(folder: Path, port: int, sink: int) -> Standing:
    """pynetdicom receives an object, sends it on, then answers."""
    process = start([sys.executable, "-m", "bench.dicom.relay", "--port", str(port), "--target", str(sink)], folder, "relay", ROOT)
    path = Standing("pynetdicom", port, [process.pid], [process])
    until(lambda: listens(port), 15, "the relay listens")
    return path


def orthanc(folder: Path, port: int, sink: int) -> Standing:
    """Debian's Orthanc with the one-line auto-router of its book; it answers before it sends."""
    (folder / "route.lua").write_text(AUTOROUTE)
    config = {
        "StorageDirectory": str(folder / "orthanc"),
        "IndexDirectory": str(folder / "orthanc"),
        "DicomAet": "PACS",
        "DicomPort": port,
        "HttpServerEnabled": True,
        "HttpPort": free_ports(1)[0],
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomCheckCalledAet": False,
        "DicomAlwaysAllowStore": True,
        "DicomModalities": {"sink": ["STORE", "127.0.0.1", sink]},
        "LuaScripts": [str(folder / "route.lua")],
        "Plugins": [],
    }
    (folder / "orthanc.json").write_text(json.dumps(config))
    process = start(["Orthanc", str(folder / "orthanc.json")], folder, "orthanc-log")
    path = Standing("orthanc", port, [process.pid], [process])
    until(lambda: listens(port), 20, "Orthanc listens")
    return path


def dcmtk_forward(folder: Path, port: int, sink: int) -> Standing:
    """storescp, and a storescu for every object once it lies on the disk; it answers before it sends."""
    (folder / "stored").mkdir()
    onward = f"storescu -R -aec STORE 127.0.0.1 {sink} #p/#f"
    argv = ["storescp", "--fork", "+B", "-aet", "PACS", "-od", str(folder / "stored"), "--exec-on-reception", onward, str(port)]
    process = start(argv, folder, "storescp")
    path = Standing("dcmtk-forward", port, [process.pid], [process])
    until(lambda: listens(port), 10, "storescp listens")
    return path


def versions() -> str:
    """What Debian has of them, in words."""
    said = []
    for program in ("Orthanc", "storescp"):
        if shutil.which(program) is not None:
            first = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.splitlines()[0]
            said.append(first.replace("$", "").replace("dcmtk:", "DCMTK").strip())
    import pynetdicom

    return ", ".join([*said, f"pynetdicom {pynetdicom.__version__}"])
