"""The one place for what can be answered without a control process: a plan from what served last, an explanation of a document alone."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gurney.balance import explain, members
from gurney.balance.table import Table
from gurney.config.overrides import Override
from gurney.control.decide import decide, read
from gurney.errors import NotFound
from gurney.state.database import Database
from gurney.state.folder import Folder
from gurney.state.last_good import LastGood
from gurney.state.overrides import Overrides


def plan_offline(state: Path, text: str, file: str, node: str | None) -> dict[str, Any]:
    """The steps an apply would take from what serves, without a control process; changes nothing.

    While the guard's intents stand (`guard.json`), the last good files are what serves; after `gurney down` nothing does.
    """
    serving: dict[tuple[str, str], bytes] = {}
    overrides: tuple[Override, ...] = ()
    folder = Folder(state)
    if folder.database.exists():
        database = Database(folder.database, read_only=True)
        try:
            if folder.guard_intents.exists():
                serving = {(one.application, one.engine): one.content for one in LastGood(database).all()}
            overrides = Overrides(database).all()
        finally:
            database.close()
    decision = decide(text, file, overrides, serving, node=node, hostname=socket.gethostname())
    return {
        "revision": None,
        "changed": bool(decision.steps),
        "steps": decision.steps_as_json(),
        "warnings": list(decision.warnings),
        "granted": decision.granted(),
        "pending_until": None,
    }


def explain_offline(text: str, file: str, application: str, service: str, facts: Mapping[str, str]) -> dict[str, Any]:
    """What the document alone says: every member up, nothing pinned."""
    document = read(text, file).document
    found = document.applications.get(application)
    if found is None:
        raise NotFound(f"the document has no application '{application}'", hint=f"it has: {', '.join(document.applications)}")
    views = {
        pool.name: {member.name: members.View(member, cap=member.max_associations) for member in pool.members.values()}
        for pool in found.pools.values()
    }
    table = Table(found.name, found.services, found.pools)
    return explain.explain(table, service, facts, views).as_json()
