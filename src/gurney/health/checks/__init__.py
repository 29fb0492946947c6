"""Check kinds, one file each: cores without I/O that `net/prober.py` runs. A new kind is a file and a line in `CHECKS`."""

from __future__ import annotations

from collections.abc import Mapping

from gurney.health.checks.core import Check
from gurney.health.checks.dicom_associate import DicomAssociate
from gurney.health.checks.dicom_echo import DicomEcho
from gurney.health.checks.tcp import Tcp

CHECKS: Mapping[str, type[Check]] = {"tcp": Tcp, "dicom-associate": DicomAssociate, "dicom-echo": DicomEcho}
