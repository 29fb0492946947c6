"""The one place for the files a document names: which there are, and what is wrong with one as a fault with its line.

Nothing is read here: who reads them (at apply) says what was found as `Trouble`s. Names are relative to the document's folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gurney.config.document import Document, Pool, Service
from gurney.config.faults import Fault, Reading, printable, shown
from gurney.config.proxied import ListenerTls, Material, MemberTls, ProxyPool, ProxyService, ServiceTls

KINDS = ("certificate", "ca", "crl", "page")
CALLED = {"certificate": "certificate", "ca": "CA", "crl": "revocation list", "page": "page"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file the document names: `name` as written, `kind` one of `KINDS`, `path` the document path of the key that names it."""

    name: str
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a file: `problem` is a key of `PROBLEMS`, `detail` more about it (an errno's words, a date)."""

    wanted: Wanted
    problem: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """How a trouble is said: `words` follow what the file is called."""

    code: str
    words: str
    hint: str | None = None
    severity: str = "error"


PROBLEMS: Mapping[str, Problem] = {
    "missing": Problem("GRN-F001", "is not there", "file names are relative to the document's folder"),
    "unreadable": Problem("GRN-F002", "cannot be read", "the user Gurney runs as needs to read it"),
    "outside": Problem("GRN-F002", "leads out of the document's folder", "a file in the document's folder, not a link out of it"),
    "no-pem": Problem("GRN-F003", "holds no certificate in PEM form", "it begins with -----BEGIN CERTIFICATE-----"),
    "no-key": Problem("GRN-F004", "holds no private key", "certificate, chain and key in one file, the key without a passphrase"),
    "encrypted": Problem("GRN-F004", "has a key with a passphrase", "openssl pkey -in KEY -out KEY.plain"),
    "key-misfit": Problem("GRN-F005", "has a key that does not fit its first certificate", "the server's own certificate comes first"),
    "expired": Problem("GRN-F006", "has expired", "clients that verify will refuse it", "warning"),
    "not-yet": Problem("GRN-F006", "is not valid yet", "clients that verify will refuse it", "warning"),
    "no-ca": Problem("GRN-F007", "holds no certificate of a CA", "the authority's own certificate, with the CA basic constraint"),
    "too-large": Problem("GRN-F008", "is too large"),
    "no-crl": Problem("GRN-F009", "holds no revocation list in PEM form", "it begins with -----BEGIN X509 CRL-----"),
    "uncovered": Problem("GRN-F010", "is for none of the names of", "clients that verify will refuse it", "warning"),
}


def wanted(document: Document) -> tuple[Wanted, ...]:
    """The files the document names, in its order; a file that several members of a pool share stands there once a pool."""
    found: dict[tuple[str, str, str], Wanted] = {}
    for application in document.applications.values():
        services: list[ProxyService | Service] = [*application.proxied.values(), *application.services.values()]
        pools: list[ProxyPool | Pool] = [*application.proxied_pools.values(), *application.pools.values()]
        for owner, one in _named_by(services, pools):
            found.setdefault((owner, one.kind, one.name), one)
    return tuple(found.values())


def of_route(services: Iterable[Service], pools: Iterable[Pool]) -> tuple[Wanted, ...]:
    """The files that services and pools of the route process name, each once a kind."""
    found: dict[tuple[str, str], Wanted] = {}
    for _, one in _named_by(services, pools):
        found.setdefault((one.kind, one.name), one)
    return tuple(found.values())


def _named_by(services: Iterable[ProxyService | Service], pools: Iterable[ProxyPool | Pool]) -> Iterator[tuple[str, Wanted]]:
    """Each with the document path of the service or pool it belongs to."""
    for service in services:
        for one in _of_listener(service.tls, f"{service.path}.tls"):
            yield service.path, one
    for pool in pools:
        for one in _of_pool(pool):
            yield pool.path, one


def _of_listener(tls: ServiceTls | ListenerTls | None, path: str) -> Iterator[Wanted]:
    if tls is None:
        return
    for name in tls.certificates:
        yield Wanted(name, "certificate", f"{path}.certificate")
    if tls.client_ca is not None:
        yield Wanted(tls.client_ca, "ca", f"{path}.client_ca")
    if tls.crl is not None:
        yield Wanted(tls.crl, "crl", f"{path}.crl")


def _of_pool(pool: ProxyPool | Pool) -> Iterator[Wanted]:
    if isinstance(pool, ProxyPool) and pool.fallback_page is not None:
        yield Wanted(pool.fallback_page, "page", f"{pool.path}.fallback.page")
    for member in pool.members.values():
        yield from _of_member(member.tls, f"{member.path}.tls")


def _of_member(tls: MemberTls | None, path: str) -> Iterator[Wanted]:
    if tls is not None and tls.ca != "system":
        yield Wanted(tls.ca, "ca", f"{path}.ca")
    if tls is not None and tls.certificate is not None:
        yield Wanted(tls.certificate, "certificate", f"{path}.certificate")


def uncovered(document: Document, materials: Mapping[str, Material]) -> tuple[Trouble, ...]:
    """A trouble for each service with a host that none of its certificates is for; a file that could not be read says nothing."""
    found = []
    for application in document.applications.values():
        for service in application.proxied.values():
            if service.tls is None or any(name not in materials for name in service.tls.certificates):
                continue
            names = {dns.lower() for name in service.tls.certificates for dns in materials[name].names}
            bare = [host for host in service.hosts if host != "*" and not _covered(host, names)]
            if bare and service.tls.certificates:
                file = Wanted(service.tls.certificates[0], "certificate", f"{service.path}.tls.certificate")
                found.append(Trouble(file, "uncovered", f"'{service.name}': {', '.join(bare[:5])}"))
    return tuple(found)


def _covered(host: str, names: set[str]) -> bool:
    """Whether a certificate's names hold a host, or the wildcard one label up (RFC 9525 §6.3)."""
    return host in names or f"*.{host.partition('.')[2]}" in names


def with_troubles(reading: Reading, troubles: Iterable[Trouble], file: str = "gurney.yaml") -> Reading:
    """The reading with what is wrong with the files it names among its faults; without a document when one of them is an error."""
    more = faults_of(reading, troubles, file)
    every = sorted((*reading.faults, *more), key=lambda fault: (fault.line, fault.column, fault.code, fault.message))
    refused = any(fault.severity == "error" for fault in every)
    return Reading(None if refused else reading.document, tuple(every), reading.marks)


def faults_of(reading: Reading, troubles: Iterable[Trouble], file: str = "gurney.yaml") -> tuple[Fault, ...]:
    """Each trouble as a fault at the key that names the file; `file` is what faults call the document."""
    return tuple(_fault(reading.marks, trouble, file) for trouble in troubles)


def _fault(marks: Mapping[str, tuple[int, int]], trouble: Trouble, file: str) -> Fault:
    problem, about = PROBLEMS[trouble.problem], trouble.wanted
    line, column = _place(about.path, marks)
    said = f"{CALLED[about.kind]} {shown(about.name)} {problem.words}"
    if trouble.detail:
        said += f" {printable(trouble.detail)}" if trouble.problem == "uncovered" else f": {printable(trouble.detail)}"
    return Fault(file, line, column, problem.severity, problem.code, said, problem.hint)


def _place(path: str, marks: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Where a path stands: there, else under the same key of the pool whose members share it, else at what is around it."""
    if path not in marks and ".members." in path:
        pool, _, rest = path.partition(".members.")
        shared = f"{pool}.tls.{rest.rpartition('.')[2]}"
        path = shared if shared in marks else path
    while path not in marks and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return marks.get(path, (1, 1))
