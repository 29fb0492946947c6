"""The one place for documents that differ from each other on purpose: by what HAProxy needs a reload for, and by what it does not."""

from __future__ import annotations

from collections.abc import Mapping

from .documents import CHECK, TCP_CHECK, application, document, pool, service


def shaped(i: int, port: int, members: Mapping[str, int | str], *, lines: Mapping[int, Mapping[str, int | str]] | None = None) -> str:
    """The i-th document of which each needs a reload: a rule comes and goes, an idle limit changes. `lines`: TCP services by port."""
    rules = ["{name: all, pool: servers}"]
    if i % 2:
        rules.insert(0, f"{{name: r{i}, match: {{method: PUT, path: /never{i}/*}}, pool: servers}}")
    services = [service("site", port, rules=rules, limits=f"{{idle: {60 + i % 7}s}}")]
    pools = [pool("servers", members)]
    for n, (listen, own) in enumerate((lines or {}).items()):
        services.append(service(f"line{n}", listen, protocol="tcp", rules=[f"{{pool: line{n}}}"]))
        pools.append(pool(f"line{n}", own, check=TCP_CHECK))
    return document(application("web", services, pools))


def staffed(port: int, members: Mapping[str, int | str], **keys: str) -> str:
    """A document whose pool has exactly these members: what changes here needs no reload."""
    return document(application("web", [service("site", port)], [pool("servers", members, check=CHECK, **keys)]))


def weighed(port: int, weight: int) -> str:
    """A member with a weight."""
    return f"{{address: 127.0.0.1:{port}, weight: {weight}}}"
