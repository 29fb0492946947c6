"""The one place for a blueprint's document on loopback: its own words, with addresses of this machine.

10.A.B.C becomes 127.A.B.C (all of 127.0.0.0/8 is this machine) and ports become free ones: networks, hosts and rules keep their meaning.
Checks become quick and slow starts are left out, so that a test is short. Nothing else changes.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gurney.config import reader
from gurney.config.addresses import spell_target
from gurney.config.document import Application
from gurney.demo.simulators import PROGRAMS, Place
from gurney.errors import InputRefused

QUICK = {"interval": "250ms", "timeout": "1s", "rise": "1", "fall": "2"}  # a dead member is seen within half a second
PROXIED = ("http", "tcp")
_PRIVATE = re.compile(r"(?<![\d.])10\.(?=\d+\.\d+\.\d+)")


@dataclass(frozen=True, slots=True)
class Moved:
    """A document on loopback: `services` maps APP/SERVICE to its protocol, host and port, `places` APP/POOL/MEMBER to what simulates it."""

    text: str
    services: Mapping[str, tuple[str, str, int]]
    places: Mapping[str, Place]


def here(address: str) -> str:
    """An address or network as it is on loopback: 10.9.0.0/24 is 127.9.0.0/24."""
    return _PRIVATE.sub("127.", address)


def moved(text: str, file: str, folder: Path, free: Callable[[], int]) -> Moved:
    """The document of `text` on loopback; members keep their disks in `folder`, `free` gives a free port. Raises `InputRefused`."""
    reading = reader.read(text, file)
    if reading.document is None:
        raise InputRefused(f"{file} has faults", hint=f"gurney check {file}")
    mover = _Mover(folder, free)
    tree = yaml.load(text, Loader=yaml.BaseLoader)
    for name, application in reading.document.applications.items():
        mover.application(application, tree["applications"][name])
    return Moved(yaml.safe_dump(tree, sort_keys=False), mover.services, mover.places)


def _here(value: Any) -> Any:
    return [here(one) for one in value] if isinstance(value, list) else here(value)


class _Mover:
    """Rewrites the tree of a document application by application, and collects what has to be there for it."""

    def __init__(self, folder: Path, free: Callable[[], int]) -> None:
        self.folder, self.free = folder, free
        self.services: dict[str, tuple[str, str, int]] = {}
        self._ports: dict[str, int] = {}  # by what `listen` says: services that share a listener go on sharing one
        self.places: dict[str, Place] = {}

    def application(self, application: Application, tree: dict[str, Any]) -> None:
        """One application: the listeners of its services, the members of its pools."""
        for name, given in tree["services"].items():
            self._service(f"{application.name}/{name}", given)
        for name, given in tree["pools"].items():
            pool = application.proxied_pools.get(name)
            protocol = pool.protocol if pool is not None else "dicom"
            if protocol not in PROGRAMS:
                raise InputRefused(f"there is no simulator of {protocol}")
            made: dict[str, Any] = {"members": given} if isinstance(given, list) else dict(given)
            made["check"] = {**made.get("check", {}), **QUICK}
            if protocol in PROXIED:
                made["slow_start"] = "0s"
            known: Mapping[str, Any] = (pool or application.pools[name]).members
            made["members"] = self._members(f"{application.name}/{name}", protocol, made["members"], known)
            tree["pools"][name] = made

    def _service(self, path: str, given: dict[str, Any]) -> None:
        if "tls" in given:
            raise InputRefused("a blueprint is tested without TLS: its certificates are not there")
        wanted = str(given["listen"])
        port = self._ports[wanted] = self._ports.get(wanted) or self.free()
        self.services[path] = (given["protocol"], "127.0.0.1", port)
        given["listen"] = f"127.0.0.1:{port}"
        for key in ("accept_from", "accept_proxy_from", "trust_forwarded_from"):
            if key in given:
                given[key] = _here(given[key])
        for rule in given.get("rules", []):
            if "network" in rule.get("match", {}):
                rule["match"]["network"] = _here(rule["match"]["network"])

    def _members(self, path: str, protocol: str, given: Any, known: Mapping[str, Any]) -> dict[str, Any]:
        """Members in their long form; `known` are the same as the reader has them, in the order of the file."""
        written = dict(zip(known, given, strict=True)) if isinstance(given, list) else given
        made: dict[str, Any] = {}
        for name, member in known.items():
            host, port = here(member.host), self.free()
            title = getattr(member, "ae_title", None) or ""
            more = dict(written[name]) if isinstance(written[name], dict) else {}
            for key in ("port", "ae_title"):
                more.pop(key, None)
            if "check" in more:
                more["check"] = {**more["check"], **QUICK}
            made[name] = {**more, "address": f"{title}@{spell_target(host, port)}" if title else spell_target(host, port)}
            disk = self.folder / f"{path}/{name}".replace("/", "-")
            self.places[f"{path}/{name}"] = Place(f"{path}/{name}", protocol, host, port, disk, title)
        return made


class FreePorts:
    """Free ports of loopback, held until they are given back, so that no two parts of one test get the same."""

    def __init__(self) -> None:
        self._held: list[socket.socket] = []

    def __call__(self) -> int:
        """One more; free on every address of this machine at this moment."""
        held = socket.socket()
        held.bind(("", 0))
        self._held.append(held)
        return int(held.getsockname()[1])

    def give_back(self) -> None:
        """All of them, just before they are listened on."""
        for one in self._held:
            one.close()
        self._held.clear()
