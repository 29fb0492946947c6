"""The one place for the conditions a route process tells of: their codes and what they mean."""

from __future__ import annotations

from collections.abc import Mapping

UNREADABLE = "unreadable_objects"
STATUS_REFUSED = "status_refused"
RECORD_FULL = "RecordFull"
RECORD_LOST = "RecordLost"
DEFECT_MET = "DefectMet"
RUNS_AS_ROOT = "RunsAsRoot"

MEANINGS: Mapping[str, str] = {
    UNREADABLE: "the head of some data sets could not be read: they went by the last rule, kept together by calling AE title",
    STATUS_REFUSED: "a member refused an object with a status that no row of the status policy names",
    RECORD_FULL: "the disk has no room for the record: objects go on, what must be written first waits",
    RECORD_LOST: "the record lacks groups that were written before: pins and ambiguities of that time are forgotten",
    RUNS_AS_ROOT: "the route process runs as root, because no uid of its own can read Gurney's program or reach the state folder",
    DEFECT_MET: "the route process met a defect of its own and went on; route.log says where",
}
