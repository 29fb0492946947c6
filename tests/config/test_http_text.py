"""Single values of http and tcp: what each field takes, and that nothing that passes could end a text in an engine's file."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.config import http_text
from gurney.config.faults import Unfit

PARSERS: dict[str, Callable[[str], object]] = {
    "host_glob": http_text.host_glob,
    "host": http_text.host,
    "server_name": http_text.server_name,
    "path": http_text.path,
    "base": http_text.base,
    "path_glob": http_text.path_glob,
    "match_host": http_text.match_host,
    "method_glob": http_text.method_glob,
    "header_glob": http_text.header_glob,
    "header_name": http_text.header_name,
    "file_name": http_text.file_name,
    "percent": http_text.percent,
    "statuses": http_text.statuses,
    "network": http_text.network,
}


def code(parse: Callable[[str], object], value: str) -> str | None:
    """The code a parser refuses a value with, or None."""
    try:
        parse(value)
    except Unfit as unfit:
        return unfit.code
    return None


@pytest.mark.parametrize(
    ("parser", "value", "found"),
    [
        ("host_glob", "*", "*"),
        ("host_glob", "Portal.Example.org", "portal.example.org"),
        ("host_glob", "*.example.org", "*.example.org"),
        ("host_glob", "10.0.0.5", "10.0.0.5"),
        ("host", "Portal.Example.org", "portal.example.org"),
        ("host", "10.0.0.5", "10.0.0.5"),
        ("server_name", "FHIR.internal", "fhir.internal"),
        ("path", "/", "/"),
        ("path", "/a/b//c/", "/a/b//c/"),
        ("path", "/a;b=c,d:e@f!$&()*+~._-%20%C3%A4", "/a;b=c,d:e@f!$&()*+~._-%20%C3%A4"),
        ("base", "/", "/"),
        ("base", "/fhir/r4", "/fhir/r4"),
        ("base", "/.well-known", "/.well-known"),
        ("path_glob", "*", "*"),
        ("path_glob", "?x", "?x"),
        ("path_glob", "/a/*.js?n", "/a/*.js?n"),
        ("match_host", "*.Example.ORG", "*.example.org"),
        ("method_glob", "get", "GET"),
        ("method_glob", "p*", "P*"),
        ("header_glob", 'a "b" \\ #;{}', 'a "b" \\ #;{}'),
        ("header_name", "X-Tenant", "x-tenant"),
        ("file_name", "tls/portal 1 (old).pem", "tls/portal 1 (old).pem"),
        ("file_name", "..a/b..pem", "..a/b..pem"),
        ("percent", "0%", 0),
        ("percent", "100%", 100),
        ("statuses", "204", (204, 204)),
        ("statuses", "2xx", (200, 299)),
        ("statuses", "200-399", (200, 399)),
        ("network", "fd00::/8", "fd00::/8"),
    ],
)
def test_what_a_value_means(parser: str, value: str, found: object) -> None:
    assert PARSERS[parser](value) == found


@pytest.mark.parametrize(
    ("parser", "refused", "values"),
    [
        ("host_glob", "GRN-S035", ["", "**", "*.", "*.*.a", "a*", "a.*", "*a.b", "-a", "a_b", "a..b", "a.", "10.0.0.256", "a:80", "ä"]),
        ("host", "GRN-S035", ["fd00::1", "::"]),
        ("host", "GRN-S017", ["", "*", "a_b", "a:80", "[fd00::1]"]),
        ("server_name", "GRN-S035", ["", "*", "*.a.b", "10.0.0.1", "a_b", "fd00::1"]),
        (
            "path",
            "GRN-S033",
            ["", "a", "//\n", "/a?b", "/a#b", "/a b", "/'", '/"', "/\\", "/%", "/%0", "/%00", "/%zz", "/ä", "/{a}", "/x\n"],
        ),
        ("base", "GRN-S033", ["", "/a/", "//", "/a//b", "/.", "/..", "/a/../b", "/%2e", "/%2E%2e/a"]),
        ("path_glob", "GRN-S022", ["", "a", "a*", "/ ", "/'", "/%00", "/%", "/[a]", "/a\n"]),
        ("match_host", "GRN-S022", ["", "a_b", "a b", "a:1", "a\n", "'"]),
        ("method_glob", "GRN-S022", ["", "G T", "GET\n", "'", '"', "(", "é"]),
        ("header_glob", "GRN-S022", ["", " a", "a ", "'", "a\n", "\t", "ä", "\x7f"]),
        ("header_name", "GRN-S034", ["", "a b", "a_b", "a:", "ä", "a\n", "x" * 65]),
        ("file_name", "GRN-S036", ["", "/a", "~a", "a/", "/", "a//b", "..", "../a", "a/..", ".", "-f", "a/-f", "a\\b", "a'b", "$a", "a\n"]),
        ("percent", "GRN-S038", ["", "%", "30", "101%", "1000%", "-1%", "3 %", "1.5%", "٣%", "30%\n"]),
        ("statuses", "GRN-S037", ["", "99", "600", "0xx", "6xx", "2XX", "200-", "-200", "300-200", "200-600", "٢٠٠", "200\n"]),
    ],
)
def test_what_is_refused(parser: str, refused: str, values: list[str]) -> None:
    assert [value for value in values if code(PARSERS[parser], value) != refused] == []


@given(st.sampled_from(sorted(PARSERS)), st.text(max_size=30))
def test_no_parser_lets_through_what_could_end_a_text(name: str, value: str) -> None:
    try:
        found = PARSERS[name](value)
    except Unfit as unfit:
        assert unfit.message and unfit.code.startswith("GRN-")
        return
    assert value.isascii() and value.isprintable() and "'" not in value
    if isinstance(found, str) and name not in ("network", "host"):  # those have a canonical form
        assert found.lower() == value.lower()


@given(st.from_regex(r"[/%?#'\"\\ a-c{}$.;*]{0,12}", fullmatch=True))
def test_a_path_that_passes_is_one_word_of_a_file(value: str) -> None:
    for parse in (http_text.path, http_text.base, http_text.path_glob):
        if code(parse, value) is None:
            assert not set(value) & set("'\"\\ #{}\t") and "%00" not in value and value[0] in "/*?"
