"""Small documents for the tests of the pure rooms: one application, as many pools and members as asked for."""

from __future__ import annotations

from collections.abc import Mapping

from gurney.balance.members import View
from gurney.balance.table import Table
from gurney.config.document import Check, Limits, Listen, Member, Pool, Rule, Service

CHECK = Check("dicom-echo", 2_000, 2_000, 2, 3)
LIMITS = Limits(256, 64, 32, 512, 32, None)


def member(
    name: str, *, weight: int = 100, override: str | None = None, check: Check = CHECK, port: int = 104, caller: str | None = None
) -> Member:
    path = f"applications.pacs.pools.archive.members.{name}"
    return Member(name, path, "10.0.0.11", port, name.upper(), caller, weight, 8, 256 << 20, None, None, check, override)


def pool(
    *members: Member, name: str = "archive", balance: str = "study", keep: str = "study", statuses: Mapping[str, str] | None = None
) -> Pool:
    return Pool(name, f"applications.pacs.pools.{name}", balance, keep, None, {item.name: item for item in members}, statuses or {})


def rule(name: str, match: Mapping[str, tuple[str, ...]] | None = None, to: str = "archive") -> Rule:
    return Rule(name, f"applications.pacs.services.store.rules[{name}]", match or {}, to)


def service(*rules: Rule, name: str = "store", listen: tuple[Listen, ...] = (Listen("", 11112),)) -> Service:
    path = f"applications.pacs.services.{name}"
    return Service(
        name,
        path,
        "dicom",
        listen,
        "PACS",
        (),
        "relay",
        rules or (rule("rest"),),
        "local",
        (),
        "balance",
        "forward",
        "none",
        64 << 20,
        LIMITS,
    )


def table(*services: Service, pools: tuple[Pool, ...] = ()) -> Table:
    found = services or (service(),)
    return Table("pacs", {item.name: item for item in found}, {item.name: item for item in pools or (pool(member("a"), member("b")),)})


def views(pool: Pool, **changed: View) -> dict[str, View]:
    """Every member up and idle, but for those given."""
    return {name: changed.get(name, View(item)) for name, item in pool.members.items()}
