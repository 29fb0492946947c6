"""Which addresses HAProxy binds for an application."""

from __future__ import annotations

import pytest

from gurney.config.document import Application
from gurney.config.listeners import redirecting, redirects, shared
from gurney.config.reader import read
from gurney.config.served import Listen
from tests.config.documents import PORTAL, with_web


def portal(text: str = PORTAL) -> Application:
    """The application `portal` of a document without errors."""
    document = read(text).document
    assert document is not None
    return document.applications["portal"]


def test_services_that_say_the_same_address_share_it() -> None:
    found = {(listen.host, listen.port): [service.name for service in services] for listen, services in shared(portal()).items()}
    assert found == {
        ("", 443): ["web", "images"],
        ("fd00::2", 8443): ["web", "images"],
        ("", 5432): ["records"],
        ("10.0.0.2", 5433): ["plain"],
    }


@pytest.mark.parametrize(
    ("listen", "hosts"),
    [
        ("443", [""]),
        ("[443, 10.0.0.1:8443]", [""]),
        ("[10.0.0.1:443, 10.0.0.2:443, 10.0.0.1:444]", ["10.0.0.1", "10.0.0.2"]),
        ("[10.0.0.1:443, 0.0.0.0:444]", ["0.0.0.0"]),
        ('[10.0.0.1:443, "[::]:444", "[fd00::1]:443"]', ["10.0.0.1", "::"]),
    ],
)
def test_a_redirect_port_is_bound_where_the_service_listens(listen: str, hosts: list[str]) -> None:
    text = with_web("tls: {certificate: a.pem, redirect_from: 80}").replace("listen: 8080", f"listen: {listen}")
    assert redirects(portal(text).proxied["web"]) == tuple(Listen(host, 80) for host in hosts)


def test_none_without_redirect_from() -> None:
    assert redirects(portal().proxied["images"]) == ()
    assert redirects(portal().proxied["plain"]) == ()
    assert {listen: [service.name for service in services] for listen, services in redirecting(portal()).items()} == {
        Listen("", 80): ["web"]
    }
