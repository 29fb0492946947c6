"""The one place for the public sample files that pydicom, pydicom-data and pynetdicom install: data sets as they travel, and pydicom's reading."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

_FOLDERS = (("pydicom", "data"), ("data_store", "data"), ("pynetdicom", "tests/dicom_files"))
_NO_DATA_SETS = frozenset({".py", ".pyc", ".json", ".txt", ".md", ".xml", ".npy", ".jpg", ".png", ".bin", ".toml", ".zip", ".gz"})


@dataclass(frozen=True)
class Sample:
    """One file: the data set as it would be sent, and what pydicom says of it."""

    name: str
    path: Path
    transfer_syntax: str
    data: bytes  # behind the file meta, deflated where the transfer syntax says so
    whole: Dataset  # depth 0 still raw where nobody asked for it
    clean: bool  # pydicom read it without a warning

    def raw(self, tag: int) -> bytes | None:
        """The bytes of a value at depth 0, None where the element is absent or no plain value (a sequence)."""
        if tag not in self.whole:
            return None
        value = self.whole.get_item(tag).value
        return b"" if value is None else value if isinstance(value, bytes) else None


def paths() -> list[Path]:
    """Every installed file that may be a DICOM file, in a fixed order."""
    found: list[Path] = []
    for package, folder in _FOLDERS:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations, f"{package} is not installed"
        root = Path(next(iter(spec.submodule_search_locations))) / folder
        found += sorted(path for path in root.rglob("*") if path.is_file() and path.suffix not in _NO_DATA_SETS)
    return found


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


def _read(path: Path) -> Sample | None:
    content = path.read_bytes()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            whole = pydicom.dcmread(path, force=True)
            if not len(whole):
                return None
            return Sample(path.name, path, _transfer_syntax(whole), content[_data_offset(content) :], whole, not caught)
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
