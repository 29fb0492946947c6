"""HAProxy's complaints in words of the document."""

from __future__ import annotations

from gurney.compile.haproxy.bundle import Bundle
from gurney.engines.haproxy import words
from tests.engines.haproxy.house import by_hand

PLACE = "/var/lib/gurney/apps/web/haproxy/current/haproxy.cfg"


def bundle() -> Bundle:
    return by_hand([8080], {"one": 9001})


def line_of(path: str) -> int:
    return bundle().lines.index(path) + 1


def test_a_line_becomes_its_path() -> None:
    number = line_of("applications.web.services.site.rules")
    log = (
        f"[NOTICE]   (7) : haproxy version is 2.8.25\n[ALERT]    (7) : config : parsing [{PLACE}:{number}] : unknown keyword 'x'\n"
        f"[ALERT]    (7) : config : Error(s) found in configuration file : {PLACE}\n"
        "[ALERT]    (7) : config : Fatal errors found in configuration.\n"
    )
    found = words.complaint(log, bundle(), defect=True)
    assert found == words.Complaint(
        "parsing applications.web.services.site.rules : unknown keyword 'x'", "applications.web.services.site.rules", words.DEFECT
    )


def test_names_of_ours_become_those_people_gave() -> None:
    log = "[ALERT]    (7) : config : backend 'be_00000001', server 'be_00000001/s_one' : no good\n"
    found = words.complaint(log, bundle(), defect=False)
    assert found is not None
    assert found.message == "backend 'pool portal', server 'member portal/one' : no good"
    assert found.path == "applications.web.pools.portal.members.one"


def test_too_few_descriptors_come_with_the_way_out() -> None:
    log = "[ALERT]    (7) : [haproxy.main()] Cannot raise FD limit to 20009, limit is 20000.\n"
    found = words.complaint(log, bundle(), defect=False)
    assert found is not None and found.hint is not None and "LimitNOFILE" in found.hint


def test_what_happens_while_it_runs_is_no_complaint_about_the_document() -> None:
    log = (
        "[ALERT]    (7) : backend 'be_00000001' has no server available!\n[ALERT]    (7) : Current worker (9) exited with code 139\n"
        "[WARNING]  (7) : config : something\n"
    )
    assert words.complaint(log, bundle(), defect=False) is None


def test_many_are_counted_and_a_line_beyond_the_file_is_said_as_it_is() -> None:
    log = "".join(f"[ALERT]    (7) : config : parsing [{PLACE}:{4000 + n}] : no\n" for n in range(5))
    found = words.complaint(log, bundle(), defect=True)
    assert found is not None and found.path is None
    assert found.message.startswith("parsing line 4000 of haproxy.cfg : no; ") and found.message.endswith(" (and 2 more)")
