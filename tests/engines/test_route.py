"""The route process as an engine: a change is served and confirmed, or everything is as before; nothing is restarted for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gurney.compile import route as compiled
from gurney.config import reader
from gurney.disk.faults import Fault, Faults
from gurney.engines import Ground, engines
from gurney.engines.route import Route, listeners_of
from gurney.errors import EngineRefused, NotRunning
from gurney.state.folder import Folder
from tests.engines.fakes import FakeKeeper

DOCUMENT = """
gurney: 1
applications:
  pacs:
    services:
      store: {{protocol: dicom, listen: [{listen}], accept_from: [10.0.0.0/8]}}
    pools:
      archive: {{members: {{archive-1: {{address: "A1@10.0.0.1:104", weight: {weight}}}}}}}
"""


def table(weight: int = 100, listen: str = "11112") -> bytes:
    document = reader.read(DOCUMENT.format(weight=weight, listen=listen)).document
    assert document is not None
    return compiled.compile(document, "pacs").bytes


@pytest.fixture
def keeper() -> Iterator[FakeKeeper]:
    one = FakeKeeper()
    yield one
    one.close()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.prepare()
    return folder


@pytest.fixture
def route(folder: Folder, keeper: FakeKeeper) -> Route:
    return Route(Ground(folder.application, keeper))


def test_the_list_of_engines_names_each_by_its_own_name(folder: Folder, keeper: FakeKeeper) -> None:
    found = engines(Ground(folder.application, keeper))
    assert {name: engine.name for name, engine in found.items()} == {"route": "route", "haproxy": "haproxy"}
    processes = {engine.process("pacs"): name for name, engine in found.items()}
    assert processes == {"pacs": "route", "pacs.haproxy": "haproxy"}
    for process, name in processes.items():
        assert [other for other, engine in found.items() if engine.application(process) == "pacs"] == [name]


def start(route: Route, content: bytes) -> None:
    route.start("pacs", content, listeners_of(content))


def test_a_first_start_publishes_before_it_runs(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    assert route.published("pacs") == table()
    assert route.observe("pacs").generation == route.generation(table())
    assert keeper.listeners == {"pacs": ("*:11112",)}


def test_a_change_is_loaded_and_nothing_is_started(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    process, asked = keeper.routes["pacs"], list(keeper.asked)
    route.load("pacs", table(weight=50))
    assert keeper.routes["pacs"] is process and keeper.asked == asked
    assert process.generation == route.generation(table(weight=50))


def test_listening_is_the_guards_matter(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    route.listen("pacs", listeners_of(table(listen="11112, 11113")))
    assert keeper.listeners == {"pacs": ("*:11112", "*:11113")}
    keeper.taken.add(11114)
    with pytest.raises(EngineRefused, match=r"pacs: .*Address already in use"):
        route.listen("pacs", listeners_of(table(listen="11114")))
    assert keeper.listeners == {"pacs": ("*:11112", "*:11113")}


def test_a_generation_that_is_not_confirmed_is_refused_and_back_brings_the_good_one(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    keeper.routes["pacs"].refuse.add(route.generation(table(weight=1)))
    with pytest.raises(EngineRefused, match="this generation is refused"):
        route.load("pacs", table(weight=1))
    route.back("pacs", table())
    assert route.observe("pacs").generation == route.generation(table())
    assert route.published("pacs") == table()


def test_a_process_that_names_another_generation_is_not_believed(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    keeper.routes["pacs"].lie = True
    with pytest.raises(EngineRefused, match="loaded generation 000000000000"):
        route.load("pacs", table(weight=1))


def test_a_process_that_ends_again_and_again_is_not_waited_for(route: Route, keeper: FakeKeeper, folder: Folder) -> None:
    (folder.application("pacs") / "output.log").write_text("ImportError: no module\n")
    keeper.hopeless = "exit 1"
    with pytest.raises(EngineRefused, match=r"ends at once \(exit 1\)") as caught:
        start(route, table())
    assert caught.value.hint is not None and caught.value.hint.startswith("ImportError: no module")


def test_bytes_that_are_no_table_never_take_the_name(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    with pytest.raises(EngineRefused, match="not valid"):
        route.load("pacs", b"{}\n")
    assert route.published("pacs") == table()
    assert route.observe("pacs").generation == route.generation(table())


def test_a_full_disk_while_staging_is_a_refusal(folder: Folder, keeper: FakeKeeper, route: Route) -> None:
    start(route, table())
    full = Route(Ground(folder.application, keeper, Faults((Fault("config.rendered", "enospc"),))))
    with pytest.raises(EngineRefused, match="No space left"):
        full.load("pacs", table(weight=1))
    assert route.published("pacs") == table()
    route.back("pacs", table())
    assert not (folder.application("pacs") / "route.json.new").exists()


def test_back_to_nothing_stops_it(route: Route, keeper: FakeKeeper, folder: Folder) -> None:
    start(route, table())
    route.back("pacs", None)
    assert keeper.routes == {} and route.published("pacs") is None
    assert folder.application("pacs").is_dir()
    route.stop("pacs", 1.0)


def test_keeping_asks_the_guard_and_loads_nothing(route: Route, keeper: FakeKeeper) -> None:
    start(route, table())
    loads = keeper.routes["pacs"].loads
    route.keep("pacs", table())
    assert keeper.asked[-1] == ("run", "pacs")
    assert keeper.routes["pacs"].loads == loads


def test_nobody_there_is_an_observation_not_an_error(route: Route) -> None:
    seen = route.observe("pacs")
    assert (seen.running, seen.generation, seen.status) == (False, None, None)
    with pytest.raises(NotRunning):
        route.explain("pacs", "store", {})


def test_names_of_processes_and_applications(route: Route) -> None:
    assert route.application(route.process("pacs")) == "pacs"
    assert route.application("pacs.haproxy") is None
