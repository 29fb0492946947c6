"""The one place for the sample files pydicom, pydicom-data and pynetdicom install: data sets as they travel, and pydicom's reading."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import data_element_generator
from pydicom.uid import UID

_FOLDERS = (("pydicom", "data"), ("data_store", "data"), ("pynetdicom", "tests/dicom_files"))


@dataclass(frozen=True)
class Sample:
    """One file: the data set as it would be sent, and what pydicom says of it."""

    name: str
    path: Path
    transfer_syntax: str
    data: bytes  # behind the file meta, deflated where the transfer syntax says so
    whole: Dataset  # pydicom's reading of the file
    values: Mapping[int, bytes]  # pydicom's values of depth 0, raw; a sequence has none


def paths() -> list[Path]:
    """Every installed file that says it is a DICOM file, in a fixed order."""
    found: list[Path] = []
    for package, folder in _FOLDERS:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations, f"{package} is not installed"
        root = Path(next(iter(spec.submodule_search_locations))) / folder
        found += sorted(path for path in root.rglob("*") if path.is_file() and _is_dicom(path))
    return found


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return path.suffix == ".dcm" or file.read(132)[128:] == b"DICM"


def _data_offset(content: bytes) -> int:
    """Where the data set begins: behind preamble and group 0002 (PS3.10 §7.1), which is always Explicit LE."""
    at = 132 if content[128:132] == b"DICM" else 0
    while content[at : at + 2] == b"\x02\x00" and len(content) >= at + 12:
        if content[at + 4 : at + 6] in (b"OB", b"UN", b"OW", b"UT", b"SQ"):
            at += 12 + int.from_bytes(content[at + 8 : at + 12], "little")
        else:
            at += 8 + int.from_bytes(content[at + 6 : at + 8], "little")
    return at


def _transfer_syntax(whole: Dataset) -> str:
    named = str(whole.file_meta.get("TransferSyntaxUID", "") or "")
    if named:
        return named
    implicit, little = whole.original_encoding
    return "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1" if little else "1.2.840.10008.1.2.2"


def elements(data: bytes, transfer_syntax: str) -> Iterator[tuple[int, bytes | None]]:
    """(tag, raw value) of what pydicom finds at depth 0, in the order of the data set; None for a sequence and for fragments."""
    syntax = UID(transfer_syntax)
    if syntax.is_deflated:
        data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data)
    for element in data_element_generator(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian):
        plain = isinstance(element, RawDataElement) and element.VR != "SQ" and element.length != 0xFFFFFFFF
        yield int(element.tag), (element.value or b"") if plain else None


def _depth_0(data: bytes, transfer_syntax: str) -> dict[int, bytes]:
    """The raw values of depth 0; of a repeated tag the last counts, as in pydicom's `Dataset`."""
    return {tag: value for tag, value in dict(elements(data, transfer_syntax)).items() if value is not None}


def _read(path: Path) -> Sample | None:
    content = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            whole = pydicom.dcmread(path, force=True)
            data, syntax = content[_data_offset(content) :], _transfer_syntax(whole)
            return Sample(path.name, path, syntax, data, whole, _depth_0(data, syntax)) if len(whole) else None
        except Exception:  # what pydicom cannot read has no oracle
            return None


@cache
def samples() -> tuple[Sample, ...]:
    """Every sample that pydicom reads and that has elements."""
    return tuple(_samples())


def _samples() -> Iterator[Sample]:
    for path in paths():
        sample = _read(path)
        if sample is not None:
            yield sample
