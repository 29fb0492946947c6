"""The one place for the demo's studies: image files that pydicom and pynetdicom ship, multiplied with fresh UIDs under 2.25.

Neither ships a mammogram, so a computed-radiography-like image gets a mammogram's labels: what Gurney reads is real, the picture is not.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pydicom
import pynetdicom
from pydicom import Dataset, dcmread

MAMMOGRAPHY = "1.2.840.10008.5.1.4.1.1.1.2"  # Digital Mammography X-Ray Image Storage - For Presentation


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of study: the files it is made of (`package:path`), how many objects it has, what is relabelled."""

    modality: str
    files: tuple[str, ...]
    objects: int
    sop_class: str | None = None


KINDS: tuple[Kind, ...] = (
    Kind("CT", ("pydicom:data/test_files/CT_small.dcm", "pynetdicom:tests/dicom_files/CTImageStorage.dcm"), 36),
    Kind("MG", ("pydicom:data/test_files/examples_overlay.dcm",), 8, MAMMOGRAPHY),
    Kind("MR", ("pydicom:data/test_files/MR_small_implicit.dcm", "pydicom:data/test_files/MR_small_jp2klossless.dcm"), 40),
    Kind("US", ("pydicom:data/test_files/ExplVR_BigEnd.dcm", "pydicom:data/test_files/examples_palette.dcm"), 20),
)
PACKAGES = {"pydicom": Path(str(pydicom.__file__)).parent, "pynetdicom": Path(str(pynetdicom.__file__)).parent}


@dataclass(frozen=True, slots=True)
class Image:
    """One object of a study: the file to send and what it must still be when it arrives."""

    file: Path
    sop: str
    sop_class: str
    transfer_syntax: str
    study: str
    modality: str
    sha256: str


def fresh_uid() -> str:
    """A UID from a random UUID (PS3.5 Annex B.2)."""
    return f"2.25.{uuid.uuid4().int}"


def templates(kind: Kind) -> list[Dataset]:
    """The shipped files of a kind, read once."""
    out = []
    for name in kind.files:
        package, _, path = name.partition(":")
        ds = dcmread(PACKAGES[package] / path)
        if kind.sop_class is not None:
            ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = kind.sop_class
        ds.Modality = kind.modality
        out.append(ds)
    return out


def images(kind: Kind, number: int, folder: Path) -> Iterator[Image]:
    """Writes one new study into `folder`, object by object, and yields each; `number` names its patient."""
    study, series = fresh_uid(), fresh_uid()
    made = templates(kind)
    for i in range(kind.objects):
        ds = made[i % len(made)]
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.SOPInstanceUID = study, series, fresh_uid()
        ds.PatientName, ds.PatientID, ds.InstanceNumber = f"Demo^{number}", f"DEMO-{number}", str(i + 1)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        path = folder / f"{number:05d}-{i:04d}.dcm"
        ds.save_as(path, enforce_file_format=True)
        yield Image(
            path,
            str(ds.SOPInstanceUID),
            str(ds.SOPClassUID),
            str(ds.file_meta.TransferSyntaxUID),
            study,
            kind.modality,
            hashlib.sha256(data_set_of(path)).hexdigest(),
        )


def data_set_of(path: Path) -> bytes:
    """The bytes behind the file meta group of a Part 10 file (PS3.10 §7.1): what crosses the wire."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[140:144], "little")  # (0002,0000), the length of the rest of the group
    return raw[144 + length :]
