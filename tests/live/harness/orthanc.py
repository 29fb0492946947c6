"""The one place for Orthanc as an archive with a database and as a sender, driven by its REST interface."""

from __future__ import annotations

import hashlib
import json
import shutil
import urllib.request
from pathlib import Path
from typing import Any

from .objects import split_part10
from .processes import Child
from .wait import until


class Orthanc:
    """One Orthanc with its own database; `modalities` is name -> [AE title, host, port]."""

    def __init__(self, folder: Path, dicom_port: int, http_port: int, modalities: dict[str, list[Any]] | None = None) -> None:
        self.folder, self.port, self.http = folder / f"orthanc-{dicom_port}", dicom_port, http_port
        self.folder.mkdir(parents=True)
        config = {
            "StorageDirectory": "./db", "IndexDirectory": "./db", "DicomAet": "ORTHANC", "DicomPort": dicom_port, "HttpPort": http_port,
            "RemoteAccessAllowed": False, "AuthenticationEnabled": False, "DicomCheckCalledAet": False,
            "DicomCheckModalityHost": False, "DicomAlwaysAllowEcho": True, "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": True, "OverwriteInstances": True, "DicomModalities": modalities or {},
        }  # fmt: skip
        (self.folder / "orth.json").write_text(json.dumps(config))
        self.start()

    def start(self) -> None:
        binary = shutil.which("Orthanc", path="/usr/sbin:/usr/bin") or "Orthanc"
        self.child = Child([binary, "orth.json"], self.folder, "orthanc")
        until(self._up, 20, "Orthanc answers")

    def _up(self) -> bool:
        try:
            return bool(self.get("/system"))
        except OSError:
            return False

    def _open(self, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data=data)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=120) as answer:
            return bytes(answer.read())

    def get(self, path: str) -> Any:
        return json.loads(self._open(path))

    def version(self) -> str:
        return str(self.get("/system")["Version"])

    def upload(self, raw: bytes) -> str:
        return str(json.loads(self._open("/instances", raw))["ID"])

    def send(self, modality: str, ids: list[str]) -> dict[str, Any]:
        """C-STOREs from Orthanc; its own account of what failed (`FailedInstancesCount`)."""
        body = json.dumps({"Resources": ids, "Synchronous": True}).encode()
        return dict(json.loads(self._open(f"/modalities/{modality}/store", body)))

    def stored(self) -> dict[str, str]:
        out = {}
        for ident in self.get("/instances"):
            meta, data = split_part10(self._open(f"/instances/{ident}/file"))
            out[meta[3].decode("latin-1").rstrip("\0 ")] = hashlib.sha256(data).hexdigest()
        return out

    def kill(self) -> None:
        self.child.kill()

    close = kill
