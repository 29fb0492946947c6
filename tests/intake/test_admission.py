"""Who may connect and how many: proven and unproven connections counted apart (dicom.md §8)."""

from __future__ import annotations

from dataclasses import replace

from gurney.config.document import Peer
from gurney.config.reader import read
from gurney.intake.dicom.admission import CALLED, CALLER, LIMIT, Admission, source_of

DOCUMENT = """\
gurney: 1
applications:
  pacs:
    services:
      store: {protocol: dicom, listen: 11112}
    pools:
      archive: [A@127.0.0.1:11113]
"""


class Waiting:
    """An unproven connection."""

    def __init__(self, source: str, since: float) -> None:
        self.source, self.since, self.closed = source, since, False

    def shed(self) -> None:
        self.closed = True


def service():  # type: ignore[no-untyped-def]
    document = read(DOCUMENT).document
    assert document is not None
    return document.applications["pacs"].services["store"]


def test_sources() -> None:
    assert source_of("::ffff:10.0.0.1") == "10.0.0.1" == source_of("10.0.0.1")
    assert source_of("2001:db8::1") == source_of("2001:db8::ffff") != source_of("2001:db8:0:1::1")


def test_the_oldest_over_a_second_old_goes() -> None:
    limits = replace(service().limits, unassociated=3, unassociated_per_address=2)
    admission = Admission()
    first, second, third = Waiting("a", 0.0), Waiting("a", 0.5), Waiting("a", 0.9)
    assert admission.connected(first, limits, 0.0) and admission.connected(second, limits, 0.5)
    assert not admission.connected(third, limits, 0.9)
    assert admission.connected(third, limits, 1.1) and first.closed and not second.closed
    other = Waiting("b", 1.2)
    assert admission.connected(other, limits, 1.2)
    assert admission.connected(Waiting("c", 2.0), limits, 2.0) and second.closed
    assert admission.unproven == 3


def test_who_is_refused_and_how() -> None:
    spec = replace(service(), ae_title="PACS", accept_from=(Peer("CT*", "10.0.0.0/8"),))
    admission = Admission()
    assert admission.asks(spec, "10.0.0.1", "10.0.0.1", "CT1", "OTHER") == CALLED
    assert admission.asks(spec, "10.0.0.1", "10.0.0.1", "MR1", "PACS") == CALLER
    assert admission.asks(spec, "11.0.0.1", "11.0.0.1", "CT1", "PACS") == CALLER
    assert admission.asks(spec, "10.0.0.1", "10.0.0.1", "CT1", "PACS") is None
    limits = replace(spec.limits, associations=3, associations_per_address=2, associations_per_ae=1)
    spec = replace(spec, limits=limits)
    admission.associated("10.0.0.1", "CT1")
    assert admission.asks(spec, "10.0.0.2", "10.0.0.2", "CT1", "PACS") == LIMIT
    admission.ended("10.0.0.1", "CT1")
    assert admission.asks(spec, "10.0.0.2", "10.0.0.2", "CT1", "PACS") is None
    assert admission.associations == 0
