"""One address and port has one listener on a node; the port alone takes every address.

Services of http in one application share a listener by host and path, those of tcp by host: which of them may is judged elsewhere. A port
that redirects to https is a listener too, which services may share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gurney.config.addresses import spell_target
from gurney.config.document import Application, Document, Service
from gurney.config.lint.complaint import Complaint, Marks, services
from gurney.config.listeners import redirects
from gurney.config.proxied import ProxyService
from gurney.config.served import Listen

_EVERY = ("", "0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class _Binding:
    """An address a service has bound: what for is its protocol, or `redirect`."""

    application: str
    service: str
    path: str
    listen: Listen
    purpose: str

    def may_share(self, other: _Binding) -> bool:
        """Whether both can be one listener of HAProxy."""
        same = self.application == other.application and self.listen == other.listen and self.purpose == other.purpose
        return same and self.purpose != "dicom" and self.path != other.path


def look(document: Document, marks: Marks) -> Iterator[Complaint]:
    """Complains about the later of two listeners that cannot both be bound."""
    taken: dict[tuple[int, str], _Binding] = {}
    for application, service in sorted(services(document), key=lambda pair: marks.get(pair[1].path, (0, 0))):
        for binding in _bindings(application, service):
            other = next((taken[key] for key in _excludes(binding.listen) if key in taken), None)
            if other is None:
                taken.update((key, binding) for key in _takes(binding.listen))
            elif not binding.may_share(other):
                yield _complaint(binding, other)


def _bindings(application: Application, service: Service | ProxyService) -> Iterator[_Binding]:
    for listen in service.listen:
        yield _Binding(application.name, service.name, service.path, listen, service.protocol)
    for listen in redirects(service) if isinstance(service, ProxyService) else ():
        yield _Binding(application.name, service.name, service.path, listen, "redirect")


def _complaint(late: _Binding, early: _Binding) -> Complaint:
    listen = late.listen
    where = spell_target(listen.host, listen.port) if listen.host else f"port {listen.port}"
    does = "cannot redirect from" if late.purpose == "redirect" else "cannot listen on"
    owner = "this service" if early.path == late.path else f"service '{early.application}/{early.service}'"
    already = "redirects from there" if early.purpose == "redirect" and late.purpose != "redirect" else "does already"
    if late.purpose == "redirect" and early.purpose != "redirect":
        already = "listens there"
    key = "tls.redirect_from" if late.purpose == "redirect" else "listen"
    message = f"service '{late.application}/{late.service}' {does} {where}: {owner} {already}"
    return Complaint("GRN-L004", f"{late.path}.{key}", message, _hint(late, early), (f"{early.path}.listen",))


def _hint(late: _Binding, early: _Binding) -> str:
    if late.path == early.path or late.application != early.application or "dicom" in (late.purpose, early.purpose):
        return "another port, or another address of the node"
    if late.purpose != early.purpose:
        return f"{late.purpose} and {early.purpose} cannot share a listener: another port, or another address of the node"
    return f"to share a listener both say the same address: {spell_target(early.listen.host or '*', early.listen.port)}"


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
