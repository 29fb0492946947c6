"""The one place for what can be answered without a control process: what is wrong with a document, a plan from what served last, an
explanation of a document alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gurney.app.machine import machines
from gurney.compile import targets
from gurney.config.overrides import Override
from gurney.control.decide import compiled, decide, granted, process_of, services_of
from gurney.control.draft import read, with_files
from gurney.control.outcome import outcome
from gurney.errors import DocumentRefused, NotFound
from gurney.state.database import Database
from gurney.state.folder import Folder
from gurney.state.last_good import LastGood
from gurney.state.overrides import Overrides
from gurney.state.revisions import Revisions


def check_offline(state: Path, text: str, file: str, folder: Path) -> dict[str, Any]:
    """Everything that is wrong with a document and the files it names; for a good one, which limits its engines are granted."""
    try:
        draft = with_files(read(text, file), folder, time.time())
    except DocumentRefused as error:
        return {"file": file, "good": False, "faults": error.faults, "granted": []}
    wanted = compiled(draft.document, draft.files, machines(state))
    given = granted({key: process_of(key, content) for key, content in wanted.items()})
    return {"file": file, "good": True, "faults": list(draft.warnings), "granted": given}


def remembers(state: Path) -> bool:
    """Whether there is a revision to go on with."""
    folder = Folder(state)
    if not folder.database.exists():
        return False
    database = Database(folder.database, read_only=True)
    try:
        return Revisions(database).newest() is not None
    finally:
        database.close()


def plan_offline(state: Path, text: str, file: str, node: str | None, folder: Path) -> dict[str, Any]:
    """The steps an apply would take from what serves, without a control process; changes nothing.

    While the guard's intents stand (`guard.json`), the last good files are what serves; after `gurney down` nothing does.
    """
    serving: dict[tuple[str, str], bytes] = {}
    overrides: tuple[Override, ...] = ()
    home = Folder(state)
    if home.database.exists():
        database = Database(home.database, read_only=True)
        try:
            if home.guard_intents.exists():
                serving = {(one.application, one.engine): one.content for one in LastGood(database).all()}
            overrides = Overrides(database).all()
        finally:
            database.close()
    draft = with_files(read(text, file), folder, time.time())
    decision = decide(draft, overrides, serving, node=node, hostname=socket.gethostname(), machine=machines(state))
    return outcome(None, decision, changed=bool(decision.steps))


def explain_offline(
    state: Path, text: str, file: str, folder: Path, application: str, service: str, facts: Mapping[str, str]
) -> Mapping[str, Any]:
    """What the document alone says: every member up, nothing pinned."""
    draft = with_files(read(text, file), folder, time.time())
    found = draft.document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'", hint=f"it has: {', '.join(draft.document.applications)}")
    if service not in services_of(found):
        raise NotFound(f"application '{application}' has no service '{service}'", hint=f"it has: {', '.join(services_of(found))}")
    wanted = compiled(draft.document, draft.files, machines(state))
    for target in targets():
        content = wanted.get((application, target.name))
        carried = target.process(content).application if content is not None else None
        if content is not None and carried is not None and service in services_of(carried):
            return target.explain(content, service, facts)
    raise NotFound(f"no engine carries '{application}/{service}'")
