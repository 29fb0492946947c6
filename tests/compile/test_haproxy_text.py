"""The tree holds no free text, the writer lets nothing out of its place, and a reader that shares nothing with it reads the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gurney.compile.haproxy import globs, names, reading, tainted, text, tree
from gurney.compile.haproxy.tree import (
    Acl,
    Address,
    Call,
    Cookie,
    Digest,
    File,
    Format,
    Header,
    Host,
    HostPort,
    Int,
    Ip,
    Line,
    Listed,
    LogFields,
    Made,
    MapKey,
    Milliseconds,
    Network,
    Pattern,
    Quoted,
    Sample,
    Span,
    Term,
    Tracked,
    UrlPath,
    Word,
    call,
    sample,
    words,
)  # fmt: skip
from gurney.config.glob import fits
from gurney.errors import LocalError

HOSTILE = (
    "", " ", "a b", "a\nb", "a\r", "a\tb", "\x00", "a\x85b", "a\u2028b", "a\u2029b", "\u202ea", "e\u0301", "\ud800", "a'b", "'", "a'",
    '"', "\\", "a\\ b", "%[env(HOME)]", "${HOME}", "$HOME", "#x", "a #b", "{ a }", "a;b", "-f /etc/passwd", "-m", "--", "٣", "x\n", "*:80",
    "x)", "x(", "x,y", "a" * 65_536,
)  # fmt: skip
TYPED: dict[str, Any] = {
    "Word": Word, "Host": Host, "Ip": Ip, "Network": Network, "Header": Header, "UrlPath": UrlPath, "Made": Made, "File": File,
    "Digest": Digest, "Cookie": Cookie, "Pattern": Pattern, "LogFields": LogFields, "address": lambda value: Address(value, 80),
    "host and port": lambda value: HostPort(value, 80), "number": lambda value: Int(value), "time": lambda value: Milliseconds(value),
    "span": lambda value: Span(value, value), "call": lambda value: Call(Word("str"), (value,)), "sample": lambda value: Sample((value,)),
    "format": lambda value: Format((value,)), "list": lambda value: Listed((value,)), "term": lambda value: Term(value),
    "acl": lambda value: Acl(value), "key": lambda value: MapKey(value, path=value), "tracked": lambda value: Tracked(value, value),
    "line": lambda value: Line((Word("bind"), value)), "line alone": lambda value: Line((value,)),
    "word of a line": lambda value: Line(value),
}  # fmt: skip
TEXTS_THEY_HOLD = {
    "Word": {"", "-m"},
    "Header": {"-m", "--"},
    "Pattern": {'"', "\\", "$HOME", "${HOME}", "%[env(HOME)]", "a;b", "-m", "--", "*:80", "x)", "x(", "x,y"},
    "address": {""},
}


@pytest.mark.parametrize("kind", TYPED)
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_a_leaf_holds_nothing_that_is_not_its_kind(kind: str, value: str) -> None:
    if value in TEXTS_THEY_HOLD.get(kind, ()):
        return
    with pytest.raises(LocalError):
        TYPED[kind](value)


@pytest.mark.parametrize("value", ["x", 1, None, b"x", ("x",), Word("bind"), True])
def test_a_bare_value_is_no_leaf(value: object) -> None:
    with pytest.raises(LocalError):
        Line((Word("bind"), value if not isinstance(value, Word) else (value,)))  # type: ignore[arg-type]
    with pytest.raises(LocalError):
        text.word(value if not isinstance(value, Word) else value.word)  # type: ignore[arg-type]


def test_a_subclass_is_no_leaf() -> None:
    """What says it is a word and is none does not get in."""

    class Free(Word):
        def __post_init__(self) -> None:
            pass

    with pytest.raises(LocalError):
        Line((Word("bind"), Free("anything goes")))


@pytest.mark.parametrize("value", ["a'b", "a\nb", "a\u2028b", "\ud800", "e\u0301"])
def test_what_got_past_a_leaf_is_refused_when_it_is_written(value: str) -> None:
    """The second door: a leaf that was changed after it was made."""
    for leaf, field in ((Quoted("x"), "text"), (Host("x"), "name"), (Pattern("x"), "entry"), (Made("v_00000000"), "name")):
        object.__setattr__(leaf, field, value)
        if value == "a'b" and not isinstance(leaf, Quoted):
            continue
        with pytest.raises(LocalError):
            text.entry(leaf) if isinstance(leaf, Pattern) else text.line(Line((Word("bind"), leaf)))


@given(st.text(max_size=40))
def test_quoted_text_is_read_as_it_was_given(value: str) -> None:
    try:
        line = text.line(Line((Word("bind"), Quoted(value), Int(1))))
    except LocalError:
        assert "'" in value or tainted.fault(value) is not None
        return
    (read,) = reading.lines(line)
    assert [word.text for word in read.words] == ["bind", value, "1"]
    assert not read.comment and not read.open and not any(word.active for word in read.words)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="'"), min_size=1, max_size=40))
def test_a_percent_in_a_format_expands_nothing(value: str) -> None:
    line = text.line(Line((Word("bind"), Format((Quoted(value), sample(call("src")))))))
    (read,) = reading.lines(line)
    whole = read.words[1].text
    assert whole.endswith("%[src]")
    assert whole.removesuffix("%[src]").replace("%%", "").count("%") == 0
    assert whole.removesuffix("%[src]").replace("%%", "%") == value


def test_values_of_a_condition_stand_behind_two_dashes() -> None:
    term = Term(sample(call("var", Word("txn.service"))), words("-m str"), (Made("v_00000000"),))
    assert text.word(term) == "{ var(txn.service) -m str -- v_00000000 }"


@pytest.mark.parametrize("value", ["a;b", "a<b", "a#b", 'a"b', "a\\b", "a'b"])
def test_a_command_has_no_sign_that_ends_it(value: str) -> None:
    with pytest.raises(LocalError):
        text.words((UrlPath("/" + value) if value[1] in ";#" else Quoted(value),))


@given(
    st.text(st.sampled_from('ab*?/.;#\\ "$'), min_size=1, max_size=9),
    st.lists(st.text(st.sampled_from('ab/.;#\\ "$'), max_size=9), min_size=1, max_size=6),
    st.sampled_from(["", "/base"]),
)
def test_a_glob_becomes_what_fits_the_same(glob: str, values: list[str], before: str) -> None:
    """Each way of HAProxy's, done here in Python, beside `config.glob`; regexes are of what PCRE and Python have alike."""
    ways = globs.patterns([glob], before)
    for value in values:
        path = before + value
        wanted = fits(glob, value) or (bool(before) and value == "" and fits(glob, "/"))
        assert any(_matches(way, entry.entry, path) for way in ways for entry in ways[way] or (Pattern("x"),)) == wanted, (glob, path, ways)


def _matches(way: str, entry: str, value: str) -> bool:
    return {
        "found": lambda: True,
        "str": lambda: value == entry,
        "beg": lambda: value.startswith(entry),
        "end": lambda: value.endswith(entry),
        "sub": lambda: entry in value,
        "reg": lambda: re.search(entry, value) is not None,
    }[way]()


def test_a_glob_with_many_stars_takes_no_time() -> None:
    """Atomic groups: the engine tries each place once."""
    (entry,) = globs.patterns(["*a*a*a*a*a*a*a*a*a*a*b?c"])["reg"]
    assert re.search(entry.entry, "a" * 20_000) is None


def test_names_are_equal_for_equal_paths_and_never_meet() -> None:
    one, two = names.Names(), names.Names()
    paths = [f"applications.web.pools.p{at}" for at in range(2_000)]
    made = [one.made("be", path).name for path in paths]
    assert len(set(made)) == len(paths)
    assert made == [two.made("be", path).name for path in paths]
    assert one.paths[made[7]] == paths[7]


def test_ids_are_probed_upwards_and_stay() -> None:
    ids = names.Ids()
    assert len({ids.made(f"m{at}") for at in range(5_000)}) == 5_000
    assert names.Ids().made("same") == names.Ids().made("same")
    again = names.Ids()
    first = again.made("same")
    assert again.made("same") == first % (names.IDS - 1) + 1


DURATIONS = [(0, "0ms"), (1, "1ms"), (1_500, "1500ms"), (2_000, "2s"), (90_000, "90s"), (60_000, "1m"), (43_200_000, "12h")]


@pytest.mark.parametrize(("ms", "said"), DURATIONS)
def test_durations_have_the_largest_unit_that_fits(ms: int, said: str) -> None:
    assert text.word(Milliseconds(ms)) == said


@pytest.mark.parametrize("value", ["plain", "é", "日本"])
def test_what_is_clean_is_clean(value: str) -> None:
    assert tainted.fault(value) is None


def test_every_leaf_has_a_spelling() -> None:
    assert set(tree.LEAVES) == set(text._SPELLED)
