"""The judge of configurations: every file of ours passes, whatever is put into one is refused, wherever it came from."""

from __future__ import annotations

import pytest

from gurney.compile.haproxy import keywords, reading
from tests.golden.proxied import HAPROXY, NAMES

GOOD = (HAPROXY / "rules" / "haproxy.cfg").read_text("ascii")
TLS = (HAPROXY / "tls" / "haproxy.cfg").read_text("ascii")
LINES = {  # by section: what must never stand there (reliability §5)
    "global": (
        "lua-load /tmp/x.lua",
        "lua-load-per-thread x",
        "lua-prepend-path x",
        "insecure-fork-wanted",
        "insecure-setuid-wanted",
        "external-check",
        "ssl-engine x",
        "ssl-provider x",
        "ssl-provider-path x",
        "setenv A b",
        "presetenv A b",
        "unsetenv A",
        "resetenv",
        "h1-accept-payload-with-any-method",
        "h1-case-adjust a A",
        "chroot /",
        "user root",
        "group root",
        "stats socket /tmp/x level admin",
        "tune.lua.forced-yield 1",
        "expose-experimental-directives",
        "log 127.0.0.1 local0",
        "httpclient.ssl.verify none",
        "pidfile /tmp/x",
        "unix-bind mode 777",
    ),
    "defaults http": (
        "option accept-invalid-http-request",
        "option accept-invalid-http-response",
        "accept-unsafe-violations-in-http-request",
        "option external-check",
        "errorfile 503 /etc/passwd",
        "errorfiles x",
        "monitor-uri /x",
        "stats enable",
        "log stdout",
        "default_backend x",
        "load-server-state-from-file local",
        "option http-use-htx",
        "option forwardfor except 0.0.0.0/0 header X",
    ),
    "frontend fe_": (
        "bind quic4@:443 ssl crt x",
        "bind quic6@:443",
        "bind *:80 interface eth0",
        "bind /tmp/x.sock",
        "bind :1 ssl crt /etc/shadow",
        "bind :1 ssl crt-list /etc/passwd",
        "bind :1 ssl crt-list current/lists/x.txt verify none",
        "bind :1 ssl ca-file /etc/shadow",
        "http-request lua.x",
        "http-request use-service lua.x",
        "http-request use-service prometheus-exporter",
        "http-request capture req.hdr(a) len 1",
        "http-request return status 200 content-type text/plain file /etc/passwd",
        "http-request set-header X %[env(HOME)]",
        "http-request set-header X '%[env(HOME)]'",
        'http-request set-header X "%[env(HOME)]"',
        "http-request set-header X ${HOME}",
        "http-request set-var(txn.x) req.body,json_query('$.a')",
        "http-request set-var(proc.x) src",
        "http-request del-map(x) y",
        "http-request set-map(current/maps/a.map) x y",
        "http-request deny deny_status 200 hdr A %[lua.x]",
        "http-request do-resolve(txn.a,x) src",
        "filter spoe engine x config y",
        "filter fcgi-app x",
        "acl a path -m str -f /etc/passwd",
        "acl a path -f current/../../x",
        "use_backend x if { path,map(/etc/passwd) -m found }",
        "use_backend x if { env(HOME) -m found }",
        "capture request header A len 1",
        "tcp-request content lua.x",
        "tcp-request inspect-delay 5s",
        "stats uri /x",
        "http-response set-header A b",
        "redirect location http://evil",
    ),
    "backend be_": (
        "server x 192.0.2.1:80 check agent-check agent-port 1",
        "server x 192.0.2.1:443 ssl verify none",
        "server x 192.0.2.1:443 ssl verify",
        "server x 192.0.2.1:80 source 10.0.0.1",
        "server x 192.0.2.1:80 proto fcgi",
        "server x 192.0.2.1:443 ssl ca-file /etc/shadow",
        "server x 192.0.2.1:80 on-marked-up shutdown-backup-sessions",
        "server x 192.0.2.1:80 namespace x",
        "use-fcgi-app x",
        "server-template x 1-9 example.org:80",
        "dispatch 192.0.2.1:80",
        "option external-check",
        "external-check command /bin/sh",
        "http-check send meth GET uri-lf '%[env(HOME)]'",
        "http-check connect port 1",
        "http-check set-var(check.a) env(HOME)",
        "http-error status 503 content-type text/html file /etc/passwd",
        "http-error status 503 content-type text/html lf-file current/pages/x.txt",
        "cookie x insert domain evil.example",
        "option httpclose",
        "email-alert to a@b",
        "balance url_param x",
        "transparent",
        "balance lua.x",
    ),
}
NEW_SECTIONS = (
    "program evil\n    command /bin/true",
    "fcgi-app x\n    docroot /",
    "userlist x\n    user a password b",
    "mailers x",
    "cache x",
    "listen x\n    bind :1",
)
FORMS = (".if defined(X)", ".endif", ".notice x", "# a comment", "'an open quote", 'a "double" quote', "a\\ b", "$HOME")


def planted(text: str, section: str, line: str) -> str:
    """The text with a line put at the end of the first section that begins so."""
    at = text.index(f"\n{section}" if not text.startswith(section) else section)
    end = text.find("\n\n", at)
    return f"{text[:end]}\n    {line}{text[end:]}"


@pytest.mark.parametrize("name", NAMES)
def test_every_golden_file_passes(name: str) -> None:
    assert keywords.judge("haproxy.cfg", (HAPROXY / name / "haproxy.cfg").read_text("ascii")) == ()


@pytest.mark.parametrize(("section", "line"), [(section, line) for section, lines in LINES.items() for line in lines])
def test_a_planted_line_is_refused_with_its_number(section: str, line: str) -> None:
    text = planted(GOOD, section, line)
    faults = keywords.judge("x.cfg", text)
    number = next(at for at, found in enumerate(text.split("\n"), 1) if found.strip() == line)
    assert faults and all(fault.startswith(f"x.cfg:{number}: ") for fault in faults), faults


@pytest.mark.parametrize("text", NEW_SECTIONS)
def test_a_foreign_section_is_refused(text: str) -> None:
    assert keywords.judge("x.cfg", f"{GOOD}\n{text}\n")


@pytest.mark.parametrize("line", FORMS)
def test_what_haproxy_would_expand_or_skip_is_refused(line: str) -> None:
    assert keywords.judge("x.cfg", planted(GOOD, "global", f"description {line}" if not line.startswith(".") else line))


@pytest.mark.parametrize(
    ("old", "new"),
    [("verify optional", "verify none"), ("ssl-server-verify required", "ssl-server-verify none"), ("verify required", "verify")],
)
def test_what_verifies_nothing_is_refused(old: str, new: str) -> None:
    assert old in TLS
    assert keywords.judge("x.cfg", TLS.replace(old, new, 1))


def test_a_value_is_never_said() -> None:
    assert not any("secret" in fault for fault in keywords.judge("x.cfg", planted(GOOD, "global", "setenv secret secret")))


def test_a_text_before_any_section_is_refused() -> None:
    assert keywords.judge("x.cfg", f"maxconn 1\n{GOOD}") == ("x.cfg:1: stands in no section",)


def test_a_tainted_file_is_refused() -> None:
    assert keywords.judge("x.cfg", GOOD.replace("global", "global\u2028", 1))
    assert keywords.judge("x.cfg", GOOD.replace("global\n", "global\r\n", 1))


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("a b  c\td", ["a", "b", "c", "d"]),
        ("a 'b c' d", ["a", "b c", "d"]),
        ("a b'c d'e", ["a", "bc de"]),
        ("a '' b", ["a", "", "b"]),
        ("a 'b#c' # d", ["a", "b#c"]),
        ("a 'b\\' c", ["a", "b\\", "c"]),
        ('a "b c" d', ["a", "b c", "d"]),
        ('a "b\\"c" d', ["a", 'b\\"c', "d"]),
        ("a b\\ c d", ["a", "b\\ c", "d"]),
        ("a '%[src] ${X}'", ["a", "%[src] ${X}"]),
    ],
)
def test_lines_are_read_by_haproxys_rules(line: str, wanted: list[str]) -> None:
    (read,) = reading.lines(line)
    assert [word.text for word in read.words] == wanted
