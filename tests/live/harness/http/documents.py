"""The one place for the documents that the live tests of HTTP and TCP apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CHECK = "{kind: http, path: /check, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}"
TCP_CHECK = "{kind: tcp, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}"


def service(name: str, port: int | str, *, protocol: str = "http", rules: Sequence[str] = (), **keys: str) -> list[str]:
    """The lines of one service; `keys` are further keys in flow style (`tls="{certificate: a.pem}"`)."""
    listen = f"127.0.0.1:{port}" if isinstance(port, int) else port
    lines = [f"{name}:", f"  protocol: {protocol}", f"  listen: {listen}", *(f"  {k}: {v}" for k, v in keys.items())]
    return lines + (["  rules:", *(f"    - {r}" for r in rules)] if rules else [])


def pool(name: str, members: Mapping[str, int | str], *, check: str = CHECK, **keys: str) -> list[str]:
    """The lines of one pool; a member is a port of 127.0.0.1 or what stands behind its name."""
    own = [f"    {m}: {f'127.0.0.1:{v}' if isinstance(v, int) else v}" for m, v in members.items()]
    return [f"{name}:", *([f"  check: {check}"] if check else []), *(f"  {k}: {v}" for k, v in keys.items()), "  members:", *own]


def application(name: str, services: Sequence[Sequence[str]], pools: Sequence[Sequence[str]]) -> list[str]:
    out = [f"  {name}:", "    services:"]
    out += [f"      {line}" for s in services for line in s]
    out += ["    pools:"]
    return out + [f"      {line}" for p in pools for line in p]


def document(*applications: Sequence[str]) -> str:
    return "\n".join(["gurney: 1", "applications:", *(line for a in applications for line in a)]) + "\n"


def web(port: int, members: Mapping[str, int | str], *, check: str = CHECK, more: Mapping[str, str] | None = None, **keys: str) -> str:
    """One application `web` with one service `site` and one pool `servers`; `keys` are the pool's, `more` the service's."""
    return document(application("web", [service("site", port, **(more or {}))], [pool("servers", members, check=check, **keys)]))
