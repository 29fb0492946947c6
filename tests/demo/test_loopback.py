"""A blueprint's document on loopback keeps its words and its meaning; only addresses and the pace of checks are others."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from gurney.config import reader
from gurney.demo.loopback import FreePorts, here, moved
from gurney.errors import InputRefused

DOCUMENT = """
gurney: 1
applications:
  pacs:
    services:
      store:
        protocol: dicom
        listen: [11112, 11113]
        accept_from: [CT*@10.0.0.0/16, 10.9.0.0/24]
        rules:
          - {match: {network: 10.9.0.0/24}, pool: named}
          - pool: listed
    pools:
      named:
        check: {kind: dicom-echo, interval: 20s}
        members:
          one: {address: ONE@10.0.0.11:104, weight: 50}
      listed: [TWO@10.0.0.12:104, THREE@10.0.0.13:104]
"""


def test_addresses_become_ones_of_this_machine(tmp_path: Path) -> None:
    ports = iter(range(30000, 30010))
    result = moved(DOCUMENT, "gurney.yaml", tmp_path, lambda: next(ports))
    document = reader.read(result.text).document
    assert document is not None
    service = document.applications["pacs"].services["store"]
    assert [(one.host, one.port) for one in service.listen] == [("127.0.0.1", 30000)]
    assert [one.network for one in service.accept_from] == ["127.0.0.0/16", "127.9.0.0/24"]
    assert service.rules[0].match == {"network": ("127.9.0.0/24",)}
    pools = document.applications["pacs"].pools
    (one,) = pools["named"].members.values()
    assert (one.ae_title, one.host, one.port, one.weight, one.check.interval_ms) == ("ONE", "127.0.0.11", 30001, 50, 250)
    assert [(name, m.host) for name, m in pools["listed"].members.items()] == [("TWO", "127.0.0.12"), ("THREE", "127.0.0.13")]
    assert result.services == {"pacs/store": ("dicom", "127.0.0.1", 30000)}
    assert sorted(result.places) == ["pacs/listed/THREE", "pacs/listed/TWO", "pacs/named/one"]
    assert (result.places["pacs/listed/TWO"].ae_title, result.places["pacs/listed/TWO"].port) == ("TWO", 30002)


def test_only_private_addresses_are_moved() -> None:
    assert here("10.9.0.0/24") == "127.9.0.0/24"
    assert here("CT*@10.0.0.0/16") == "CT*@127.0.0.0/16"
    assert here("192.168.10.1") == "192.168.10.1" and here("1.10.0.0.0") == "1.10.0.0.0"


def test_services_that_share_a_listener_go_on_sharing_one(tmp_path: Path) -> None:
    ports = iter(range(30000, 30010))
    text = """
gurney: 1
applications:
  clinic:
    services:
      portal: {protocol: http, listen: 8080, hosts: portal.example.org, rules: [{pool: one}]}
      other: {protocol: http, listen: 8080, hosts: other.example.org, rules: [{pool: two}]}
      apart: {protocol: http, listen: 8081, rules: [{pool: two}]}
    pools:
      one: [10.0.1.11:8080]
      two: [10.0.1.12:8080]
"""
    result = moved(text, "gurney.yaml", tmp_path, lambda: next(ports))
    assert [port for _, _, port in result.services.values()] == [30000, 30000, 30001]
    assert reader.read(result.text).faults == ()


def test_a_faulty_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused):
        moved(DOCUMENT.replace("pool: listed", "pool: lsted"), "gurney.yaml", tmp_path, lambda: 1)


def test_free_ports_are_held_and_given_back() -> None:
    ports = FreePorts()
    port = ports()
    with pytest.raises(OSError):
        socket.create_server(("127.0.0.1", port), reuse_port=False).close()
    ports.give_back()
    socket.create_server(("127.0.0.1", port)).close()
