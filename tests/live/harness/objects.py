"""The one place for the objects that tests send: synthetic ones built byte by byte, and samples read from installed packages."""

from __future__ import annotations

import hashlib
import random
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import pdus

CT = "1.2.840.10008.5.1.4.1.1.2"
MR = "1.2.840.10008.5.1.4.1.1.4"
MG = "1.2.840.10008.5.1.4.1.1.1.2"
US = "1.2.840.10008.5.1.4.1.1.6.1"
SC = "1.2.840.10008.5.1.4.1.1.7"
SOP_CLASS = {"CT": CT, "MR": MR, "MG": MG, "US": US, "OT": SC}
LONG = {b"OB", b"OW", b"SQ", b"UN", b"UT"}


@dataclass(frozen=True)
class Thing:
    """One object as it crosses the wire: `data` is the data set in `transfer`, `sha` its sha256."""

    sop_class: str
    sop_instance: str
    study: str
    transfer: str
    data: bytes = field(repr=False)
    sha: str
    name: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        return self.sop_class, self.transfer


def uid(rng: random.Random) -> str:
    """A UID under 2.25 (PS3.5 Annex B.2)."""
    return f"2.25.{rng.getrandbits(127)}"


def element(tag: int, vr: bytes, value: bytes | str, implicit: bool = False) -> bytes:
    data = value.encode("latin-1") if isinstance(value, str) else value
    if len(data) % 2:
        data += b"\0" if vr in (b"UI", b"OB", b"UN") else b" "
    group, number = tag >> 16, tag & 0xFFFF
    if implicit:
        return struct.pack("<HHI", group, number, len(data)) + data
    if vr in LONG:
        return struct.pack("<HH2s2xI", group, number, vr, len(data)) + data
    return struct.pack("<HH2sH", group, number, vr, len(data)) + data


def thing(
    study: str,
    sop_instance: str,
    *,
    modality: str = "CT",
    size: int = 8192,
    more: Iterable[tuple[int, bytes, bytes | str]] = (),
    without: Sequence[int] = (),
    transfer: str = pdus.EXPLICIT_LE,
    sop_class: str | None = None,
    fill: bytes | None = None,
) -> Thing:
    """A synthetic object of about `size` bytes; `more` adds or replaces elements, `without` leaves tags out."""
    cls = sop_class or SOP_CLASS.get(modality, SC)
    values: dict[int, tuple[bytes, bytes | str]] = {
        0x00080016: (b"UI", cls),
        0x00080018: (b"UI", sop_instance),
        0x00080020: (b"DA", "20260101"),
        0x00080050: (b"SH", "A1"),
        0x00080060: (b"CS", modality),
        0x00081010: (b"SH", "STATION1"),
        0x00100010: (b"PN", "1^Patient"),
        0x00100020: (b"LO", "P1"),
        0x0020000D: (b"UI", study),
        0x0020000E: (b"UI", study + ".1"),
    }
    values.update({tag: (vr, value) for tag, vr, value in more})
    for tag in without:
        values.pop(tag, None)
    implicit = transfer == pdus.IMPLICIT_LE
    head = b"".join(element(t, values[t][0], values[t][1], implicit) for t in sorted(values))
    room = max(0, size - len(head) - 12)
    pixels = fill if fill is not None else random.Random(sop_instance).randbytes(4096)
    body = head + element(0x7FE00010, b"OW", (pixels * (room // len(pixels) + 1))[: room - room % 2], implicit)
    return made(cls, sop_instance, study, transfer, body)


def made(sop_class: str, sop_instance: str, study: str, transfer: str, data: bytes, name: str = "") -> Thing:
    return Thing(sop_class, sop_instance, study, transfer, data, hashlib.sha256(data).hexdigest(), name)


def study(seed: int | str, count: int, **kwargs: object) -> list[Thing]:
    """`count` objects of one new study, all UIDs from `seed`."""
    rng = random.Random(seed)
    own = uid(rng)
    return [thing(own, uid(rng), **kwargs) for _ in range(count)]  # type: ignore[arg-type]


def part10(t: Thing) -> bytes:
    """A Part 10 file around the bytes (PS3.10 §7.1)."""
    meta = (
        element(0x00020001, b"OB", b"\0\1")
        + element(0x00020002, b"UI", t.sop_class)
        + element(0x00020003, b"UI", t.sop_instance)
        + element(0x00020010, b"UI", t.transfer)
        + element(0x00020012, b"UI", pdus.IMPLEMENTATION)
    )
    return bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta + t.data


def write_files(things: Sequence[Thing], folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    out = []
    for i, t in enumerate(things):
        path = folder / f"{i:06d}.dcm"
        path.write_bytes(part10(t))
        out.append(path)
    return out


def split_part10(raw: bytes) -> tuple[dict[int, bytes], bytes]:
    """(file meta values by element number, data set bytes) of a Part 10 file; raises `ValueError` when it is none."""
    if raw[128:132] != b"DICM":
        raise ValueError("no DICM")
    at = 132
    meta: dict[int, bytes] = {}
    while at + 8 <= len(raw) and raw[at : at + 2] == b"\2\0":
        _, number, vr = struct.unpack_from("<HH2s", raw, at)
        if vr in LONG:
            length, start = struct.unpack_from("<I", raw, at + 8)[0], at + 12
        else:
            length, start = struct.unpack_from("<H", raw, at + 6)[0], at + 8
        meta[number] = raw[start : start + length]
        at = start + length
    return meta, raw[at:]


def sample_files() -> list[Path]:
    """Every Part 10 file that pydicom, pydicom-data and pynetdicom install, in a fixed order."""
    import data_store
    import pydicom
    import pynetdicom

    out: list[Path] = []
    for module in (pydicom, pynetdicom, data_store):
        root = Path(str(module.__file__)).parent
        for path in sorted(root.rglob("*")):
            if path.is_file() and path.stat().st_size > 132 and path.suffix not in (".py", ".pyc"):
                with path.open("rb") as f:
                    if f.read(132)[128:] == b"DICM":
                        out.append(path)
    return out
