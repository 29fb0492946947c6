"""The one place for the route table: what a route process knows of its application, as typed data and as canonical JSON.

`route.json` is this table written by `dump`; its sha256 is the generation. `load` validates the whole of it and raises
`InputRefused` naming the path of the first thing that is wrong. Members, pools, rules and checks are the document's own types:
one vocabulary from the operator's file to the traffic path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gurney.config.document import Pool, Service

FORMAT = 1  # of route.json; a newer one is refused


@dataclass(frozen=True, slots=True)
class Table:
    """One application as its route process sees it: services with rules, pools with members, overrides merged in."""

    application: str
    services: Mapping[str, Service]
    pools: Mapping[str, Pool]
