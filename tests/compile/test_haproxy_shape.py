"""What needs a reload and what does not: `shape` is equal for every change that is made at run time, and different for every other one."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy import bundle as bundles
from gurney.compile.haproxy.bundle import Bundle
from gurney.compile.target import Ground, Machine
from gurney.config import materials
from gurney.config.overrides import Override, lay
from gurney.config.proxied import Material
from gurney.config.reader import read

DOCUMENT = """
gurney: 1
applications:
  web:
    services:
      portal:
        protocol: http
        listen: 8080
        hosts: [portal.example.org, "*.clinic.example.org"]
        accept_from: [10.0.0.0/8]
        trust_forwarded_from: [10.9.0.5]
        limits: {body: 10MiB}
        rules:
          - {match: {path: ["/a/*", "/b/*"], "header:x": north}, pool: api}
          - {match: {network: 10.1.0.0/16}, pool: api}
          - {pool: web}
      safe:
        protocol: http
        listen: 8443
        tls: {certificate: portal.pem, client_ca: clients.pem, crl: revoked.pem, hsts: 30d}
        rules: [{pool: web}]
      raw: {protocol: tcp, listen: 9000, rules: [{pool: raw}]}
    pools:
      web: {persist: cookie, members: {one: "10.0.2.1:8080", two: "10.0.2.2:8080", three: "10.0.2.3:8080", four: "10.0.2.4:8080"}}
      api: {fallback: {page: sorry.html}, members: {a: "10.0.3.1:8080", b: "10.0.3.2:8080"}}
      raw: {balance: failover, members: {x: "10.0.4.1:9000", y: "10.0.4.2:9000"}}
"""

AT_RUN_TIME = {
    "member added": ('two: "10.0.2.2:8080"', 'two: "10.0.2.2:8080", five: "10.0.2.5:8080"'),
    "member removed": (', four: "10.0.2.4:8080"', ""),
    "first member removed": ('{one: "10.0.2.1:8080", two', "{two"),
    "members in another order": ('a: "10.0.3.1:8080", b: "10.0.3.2:8080"', 'b: "10.0.3.2:8080", a: "10.0.3.1:8080"'),
    "member renamed": ("three:", "drei:"),
    "address": ("10.0.2.3:8080", "10.0.2.33:8080"),
    "port": ("10.0.2.3:8080", "10.0.2.3:8081"),
    "weight": ('two: "10.0.2.2:8080"', 'two: {address: "10.0.2.2:8080", weight: 7}'),
    "weight in a failover pool": ('y: "10.0.4.2:9000"', 'y: {address: "10.0.4.2:9000", weight: 7}'),
    "limit": ("api: {", "api: {max_in_flight: 50, "),
    "value of a rule": ('"/b/*"', '"/c/*", "/d/*"'),
    "value of a header": ("north", "south"),
    "network of a rule": ("10.1.0.0/16", "10.2.0.0/16"),
    "host": ("portal.example.org,", "portal.example.org, www.example.org,"),
    "accept_from": ("[10.0.0.0/8]", "[10.0.0.0/8, 192.0.2.0/24]"),
    "trusted network": ("10.9.0.5", "10.9.0.6"),
    "pool of a rule": ("10.1.0.0/16}, pool: api", "10.1.0.0/16}, pool: web"),
}
BY_RELOAD = {
    "listener": ("listen: 8080", "listen: 8081"),
    "listener added": ("listen: 8080", "listen: [8080, 8081]"),
    "service added": ("      raw: {protocol", "      more: {protocol: http, listen: 8082, rules: [{pool: web}]}\n      raw: {protocol"),
    "rule added": ("          - {pool: web}\n", "          - {match: {method: POST}, pool: api}\n          - {pool: web}\n"),
    "way of matching": ('"/b/*"', '"*/b/*"'),
    "fact": ('"header:x"', '"header:y"'),
    "balance": ("web: {persist", "web: {balance: round-robin, persist"),
    "persist": ("persist: cookie", "persist: source"),
    "persist for": ("persist: cookie", "persist: {by: cookie, for: 1h}"),
    "queue": ("api: {", "api: {queue: {most: 10}, "),
    "slow start": ("api: {", "api: {slow_start: 1s, "),
    "panic off": ("api: {", "api: {panic: 0%, "),
    "no limit at all": ("api: {", "api: {max_in_flight: none, "),
    "fallback": ("{page: sorry.html}", "web"),
    "check path": ("web: {", "web: {check: {path: /ready}, "),
    "check interval": ("web: {", "web: {check: {interval: 1s}, "),
    "check of one member": ('two: "10.0.2.2:8080"', 'two: {address: "10.0.2.2:8080", check: {path: /ready}}'),
    "proxy of one member": ('two: "10.0.2.2:8080"', 'two: {address: "10.0.2.2:8080", proxy: v2}'),
    "tls towards members": ("api: {", "api: {tls: {server_name: in.example.org}, "),
    "member by name": ("10.0.2.3:8080", "three.example.org:8080"),
    "failover member added": ('y: "10.0.4.2:9000"', 'y: "10.0.4.2:9000", z: "10.0.4.3:9000"'),
    "failover order": ('x: "10.0.4.1:9000", y: "10.0.4.2:9000"', 'y: "10.0.4.2:9000", x: "10.0.4.1:9000"'),
    "idle": ("{body: 10MiB}", "{body: 10MiB, idle: 5m}"),
    "body": ("10MiB", "11MiB"),
    "connections": ("{body: 10MiB}", "{body: 10MiB, connections: 10}"),
    "base": ("hosts: [portal", "base: /app\n        hosts: [portal"),
    "hsts": ("30d", "31d"),
    "client certificate": ("crl: revoked.pem", "crl: revoked.pem, client: optional"),
    "certificate added": ("certificate: portal.pem", "certificate: [portal.pem, other.pem]"),
    "redirect": ("hsts: 30d", "hsts: 30d, redirect_from: 80"),
    "accept_from gone": ("        accept_from: [10.0.0.0/8]\n", ""),
    "proxy from": ("listen: 9000", "listen: 9000, accept_proxy_from: [10.9.0.0/24]"),
}
OVERRIDES = {
    "drained": {"web/web/two": "drain"},
    "disabled": {"web/web/two": "disable"},
    "weighted": {"web/web/two": "weight=3"},
    "drained in failover": {"web/raw/x": "drain"},
    "all drained": {f"web/web/{name}": "drain" for name in ("one", "two", "three", "four")},
}
MATERIALS = {"another certificate": "portal.pem", "another CA": "clients.pem", "another CRL": "revoked.pem"}


def made(
    text: str = DOCUMENT, overrides: Mapping[str, str] | None = None, changed: str | None = None, machine: Machine | None = None
) -> Bundle:
    """The bundle of a document; `changed`: a file that holds something else."""
    reading = read(text)
    assert reading.document is not None, [str(fault) for fault in reading.faults]
    document = lay(reading.document, [Override(at, word, None, None, "test", 0.0) for at, word in (overrides or {}).items()])
    held = {
        one.name: Material(one.kind, ("f" if one.name == changed else "0") * 64, ("portal.example.org",))
        for one in materials.wanted(document)
    }
    content = haproxy.TARGET.compile(document, "web", Ground(machine or Machine(), held))
    assert content is not None
    return bundles.load(content)


BEFORE = made()


def changed(change: tuple[str, str]) -> Bundle:
    assert DOCUMENT.count(change[0]) >= 1, change
    return made(DOCUMENT.replace(change[0], change[1], 1))


@pytest.mark.parametrize("name", AT_RUN_TIME)
def test_a_change_at_run_time_leaves_the_shape(name: str) -> None:
    after = changed(AT_RUN_TIME[name])
    assert after.shape == BEFORE.shape
    assert bundles.dump(after) != bundles.dump(BEFORE)


@pytest.mark.parametrize("name", OVERRIDES)
def test_an_override_leaves_the_shape(name: str) -> None:
    after = made(overrides=OVERRIDES[name])
    assert after.shape == BEFORE.shape
    assert after.backends != BEFORE.backends


@pytest.mark.parametrize("name", MATERIALS)
def test_another_content_of_a_file_leaves_the_shape(name: str) -> None:
    after = made(changed=MATERIALS[name])
    assert after.shape == BEFORE.shape
    assert after.materials != BEFORE.materials


@pytest.mark.parametrize("name", BY_RELOAD)
def test_every_other_change_is_another_shape(name: str) -> None:
    assert changed(BY_RELOAD[name]).shape != BEFORE.shape


def test_another_page_is_another_shape() -> None:
    """A page is read once, when HAProxy starts."""
    assert made(changed="sorry.html").shape != BEFORE.shape


def test_another_user_or_limit_of_the_machine_is_another_shape() -> None:
    assert made(machine=Machine(uid=1000)).shape != BEFORE.shape
    assert made(machine=Machine(nofile=2_000)).shape != BEFORE.shape


def test_one_more_member_does_not_change_the_limit_granted() -> None:
    """At the edge of the descriptors too: room for members is kept in powers of two."""
    few = Machine(nofile=1_024)
    assert made(machine=few).shape == made(changed_text("member added"), machine=few).shape


def changed_text(name: str) -> str:
    return DOCUMENT.replace(*AT_RUN_TIME[name], 1)


def test_the_shape_stands_in_the_configuration_once() -> None:
    text = BEFORE.files[bundles.CONFIGURATION]
    assert text.count(BEFORE.shape) == 1
    assert f"    description {BEFORE.shape}\n" in text


def test_a_pool_whose_members_differ_cannot_be_resized() -> None:
    after = changed(BY_RELOAD["proxy of one member"])
    resizable = {back.name: back.resizable for back in after.backends if back.pool == "web"}
    assert set(resizable.values()) == {False}
    assert all(back.resizable for back in BEFORE.backends if back.pool == "web")


def test_names_and_ids_survive_order_and_neighbours() -> None:
    """What sticks to a server (cookies, hashes, tables) stays with it when others come and go."""
    after = changed(AT_RUN_TIME["first member removed"])
    before = {server.member: (server.name, server.arguments) for back in BEFORE.backends for server in back.servers}
    kept = {server.member: (server.name, server.arguments) for back in after.backends for server in back.servers}
    assert {member: made_of for member, made_of in before.items() if member != "web/one"} == kept


def test_a_bundle_reads_back_and_nothing_else_does() -> None:
    content = bundles.dump(BEFORE)
    assert bundles.load(content) == BEFORE
    assert bundles.dump(dataclasses.replace(BEFORE, shape="0" * 64)) != content
