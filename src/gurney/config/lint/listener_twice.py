"""One address and port has one listener on a node; the port alone takes every address."""

from __future__ import annotations

from collections.abc import Iterator

from gurney.config.addresses import spell_target
from gurney.config.document import Document, Listen, Service
from gurney.config.lint.complaint import Complaint, Marks

_EVERY = ("", "0.0.0.0", "::")


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two listeners that cannot both be bound."""
    taken: dict[tuple[int, str], Service] = {}
    for application in document.applications.values():
        for service in application.services.values():
            for listen in service.listen:
                other = next((taken[key] for key in _excludes(listen) if key in taken), None)
                if other is None:
                    taken.update((key, service) for key in _takes(listen))
                    continue
                name = spell_target(listen.host, listen.port) if listen.host else f"port {listen.port}"
                owner = "this service" if other is service else f"service '{_short(other)}'"
                message = f"service '{application.name}/{service.name}' cannot listen on {name}: {owner} does already"
                yield Complaint("GRN-L004", f"{service.path}.listen", message, "another port, or another address of the node")


def _family(listen: Listen) -> str:
    return "any 6" if ":" in listen.host else "any 4"


def _takes(listen: Listen) -> tuple[tuple[int, str], ...]:
    """What is gone once this is bound: itself, and that some address of its family (of both, for every address) is in use."""
    families = ("any 4", "any 6") if listen.host == "" else (_family(listen),)
    return tuple((listen.port, key) for key in (listen.host, *families))


def _excludes(listen: Listen) -> tuple[tuple[int, str], ...]:
    """What must not be taken before: for every address anything, for one address itself and every address of its family."""
    if listen.host == "":
        keys: tuple[str, ...] = ("", "any 4", "any 6")
    elif listen.host in _EVERY:
        keys = ("", _family(listen))
    else:
        keys = ("", "::" if ":" in listen.host else "0.0.0.0", listen.host)
    return tuple((listen.port, key) for key in keys)


def _short(service: Service) -> str:
    parts = service.path.split(".")
    return f"{parts[1]}/{parts[3]}"
