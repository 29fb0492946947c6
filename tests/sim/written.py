"""A drawn document as a person would write it: gurney.yaml."""

from __future__ import annotations

from collections.abc import Mapping

from gurney.config.document import Listen
from tests.sim.drawn import SERVICES, Drawn, World

POOLS = {"dicom": "archive", "http": "portal", "tcp": "plain"}


def text(world: World) -> str:
    """One application after the other."""
    lines = ["gurney: 1", "applications:"]
    for number, (name, drawn) in enumerate(world.items(), 1):
        lines += [f"  {name}:", "    services:", *_services(drawn), "    pools:", *_pools(drawn, number)]
    return "\n".join(lines) + "\n"


def _services(drawn: Drawn) -> list[str]:
    lines = []
    for name, one in drawn.services.items():
        protocol = dict(SERVICES)[name]
        pool, fact = POOLS[protocol], {"dicom": "modality", "http": "path", "tcp": "network"}[protocol]
        value = {"dicom": f"M{one.rules}", "http": f"/r{one.rules}/*", "tcp": f"10.{one.rules}.0.0/16"}[protocol]
        lines += [f"      {name}:", f"        protocol: {protocol}", f"        listen: [{', '.join(map(_listen, one.listen))}]"]
        lines += [f"        hosts: [{name}.example]"] if protocol == "http" else []
        lines += ["        rules:", f"          - {{match: {{{fact}: {value}}}, pool: {pool}}}", f"          - {{pool: {pool}}}"]
    return lines


def _listen(one: Listen) -> str:
    return f'"{one.host}:{one.port}"' if one.host else str(one.port)


def _pools(drawn: Drawn, number: int) -> list[str]:
    lines = []
    for protocol in dict.fromkeys(dict(SERVICES)[name] for name in drawn.services):
        lines += [f"      {POOLS[protocol]}:", "        members:", *_members(protocol, drawn.members, number)]
    return lines


def _members(protocol: str, weights: Mapping[str, int], number: int) -> list[str]:
    host = {"dicom": f"AE@10.1.{number}", "http": f"10.2.{number}", "tcp": f"10.3.{number}"}[protocol]
    return [f'          {name}: {{address: "{host}.{name[1:]}:104", weight: {weight}}}' for name, weight in weights.items()]
