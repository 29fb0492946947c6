"""The one place for reading golden documents of HAProxy: NAME.yaml, the ground they stand on, and the files they compile to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.target import Ground, Machine
from gurney.config import materials
from gurney.config.document import Document
from gurney.config.overrides import Override, lay
from gurney.config.proxied import Material
from gurney.config.reader import read

HAPROXY = Path(__file__).parent / "haproxy"
NAMES = sorted(path.stem for path in HAPROXY.glob("*.yaml"))
APPLICATION = "web"
OVERRIDES: Mapping[str, Mapping[str, str]] = {
    "overridden": {"web/servers/drained": "drain", "web/servers/disabled": "disable", "web/servers/lighter": "weight=7"}
}
CERTIFICATES: Mapping[str, tuple[str, ...]] = {
    "portal.pem": ("portal.example.org", "other.example.org"),
    "clinic.pem": ("*.clinic.example.org", "clinic.example.org"),
    "api.pem": ("api.example.org", "portal.example.org"),
    "one.pem": ("one.example.org",),
    "two.pem": ("*.two.example.org", "a.two.example.org", "elsewhere.example.org"),
}


def document(name: str) -> Document:
    """tests/golden/haproxy/NAME.yaml as the compiler gets it."""
    reading = read((HAPROXY / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")
    assert reading.document is not None, reading.faults
    return lay(reading.document, [Override(at, word, None, None, "test", 0.0) for at, word in OVERRIDES.get(name, {}).items()])


def ground(name: str, found: Document) -> Ground:
    """The machine NAME says, and a stand-in for every file the document names."""
    nofile = int(name.removeprefix("nofile-")) if name.startswith("nofile-") else 20_000
    held = {
        one.name: Material(one.kind, hashlib.sha256(one.name.encode()).hexdigest(), CERTIFICATES.get(one.name, ()))
        for one in materials.wanted(found)
    }
    return Ground(Machine(nofile=nofile), held)


def texts(bundle: Bundle) -> dict[str, str]:
    """The golden files of a bundle: what stands on disk, and the bundle without what stands there and in the document."""
    short = {
        "shape": bundle.shape,
        "maps": list(bundle.maps),
        "materials": dict(bundle.materials),
        "swappable": list(bundle.swappable),
        "frontends": [f"{front.name} {front.listener} {','.join(front.services)}" for front in bundle.frontends],
        "backends": [
            {
                "name": back.name,
                "pool": back.pool,
                "role": back.role,
                "resizable": back.resizable,
                "servers": [
                    f"{one.name} {one.member} {one.address} {one.weight}{' disabled' * one.disabled} {one.maxconn}: {one.arguments}"
                    for one in back.servers
                ],
            }
            for back in bundle.backends
        ],
        "lines": [f"{number}: {path}" for number, path in enumerate(bundle.lines, 1) if path],
        "granted": list(bundle.granted),
    }
    return {**bundle.files, "bundle.json": json.dumps(short, indent=1) + "\n"}
