"""The one place for the documents that live tests apply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CHECK = "{kind: dicom-echo, interval: 500ms, timeout: 500ms, rise: 1, fall: 2}"


def pacs(
    port: int,
    pools: Mapping[str, Mapping[str, str]],
    *,
    rules: Sequence[str] = (),
    service: str = "",
    pool: str = "",
    check: str = CHECK,
    more: str = "",
) -> str:
    """One application `pacs` with one service `store`.

    `pools`: name -> member -> what stands behind the member's name (`STORE@127.0.0.1:21112`, or a flow mapping). `rules` are flow
    mappings; `service` and `pool` are further lines, `more` is a further service.
    """
    lines = ["gurney: 1", "applications:", "  pacs:", "    services:", "      store:", "        protocol: dicom"]
    lines += [f"        listen: 127.0.0.1:{port}"]
    lines += [f"        {x}" for x in service.splitlines()]
    if rules:
        lines += ["        rules:"] + [f"          - {r}" for r in rules]
    lines += [f"      {x}" for x in more.splitlines()]
    lines += ["    pools:"]
    for name, members in pools.items():
        lines += [f"      {name}:", f"        check: {check}"]
        lines += [f"        {x}" for x in pool.splitlines()]
        lines += ["        members:"] + [f"          {m}: {v}" for m, v in members.items()]
    return "\n".join(lines) + "\n"


def at(port: int, title: str = "STORE") -> str:
    return f"{title}@127.0.0.1:{port}"
