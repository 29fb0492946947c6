"""What may be said to the runtime socket, and telling its answers apart."""

from __future__ import annotations

import pytest

from gurney.engines.haproxy import commands
from gurney.engines.haproxy.commands import Command, Verb
from gurney.errors import InputRefused

HOSTILE = [
    "", " ", "a b", "a;b", ";", "a\nb", "a\rb", "a\tb", "\n", "a\x00b", "a\\;b", "\\", "<<", "<<x", "a'b", 'a"b', "#1", "a|b",
    "$(x)", "${X}",
    "%[env(X)]", "a\x7fb", "a\x85b", "a\u2028b", "é", "٣", "a" * 600, "a\n\nshutdown sessions server x/y",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_could_end_a_command_is_an_argument(text: str) -> None:
    for arguments in ((text, "s_1", "5"), ("be_1", text, "5"), ("be_1", "s_1", text)):
        with pytest.raises(InputRefused):
            Command(Verb.WEIGHT, arguments)
    with pytest.raises(InputRefused):
        commands.on_server(Verb.READY, "be_1", text)
    with pytest.raises(InputRefused):
        commands.add("be_1", "s_1", text, "check")


@pytest.mark.parametrize("text", ["", "a\nb", "a\x00", "\x1b[0m", "a\r"])
def test_a_payload_is_lines(text: str) -> None:
    with pytest.raises(InputRefused):
        Command(Verb.FILL_MAP, ("1", "current/maps/x.map"), ("fine", text))


def test_a_payload_line_may_hold_what_a_map_may() -> None:
    made = Command(Verb.FILL_MAP, ("1", "current/maps/x.map"), ("^a;b.*\\.c$ d # e",))
    assert commands.encode([made]) == b"add map @1 current/maps/x.map <<\n^a;b.*\\.c$ d # e\n\n"


def test_the_entry_of_a_list_is_one_argument_whatever_it_holds() -> None:
    made = Command(Verb.ENTRY, ("1", "current/maps/x.list", "a b;c\\d <<"))
    assert made.text == "add acl @1 current/maps/x.list a\\ b\\;c\\\\d\\ \\<\\<"
    for text in ("", "a\nb", "a\x00", "é", "x" * 2001):
        with pytest.raises(InputRefused):
            Command(Verb.ENTRY, ("1", "current/maps/x.list", text))
    with pytest.raises(InputRefused):
        Command(Verb.ENTRY, ("1", "a;b", "fine"))


@pytest.mark.parametrize(
    "arguments",
    ["lua x", "check; shutdown", "init-addr none", "tcp-ut 15s", "check inter", "resolvers none", "check inter 1s source 1.2.3.4 x"],
)
def test_only_options_of_the_table_are_added(arguments: str) -> None:
    with pytest.raises(InputRefused):
        commands.add("be_1", "s_1", "127.0.0.1:80", arguments)


def test_an_added_server_begins_in_maintenance_whatever_its_line_says() -> None:
    made = commands.add("be_1", "s_1", "[::1]:80", "id 7 check inter 2s disabled sni str(a.example) ca-file current/c.pem")
    assert made.text == "add server be_1/s_1 [::1]:80 id 7 check inter 2s sni str(a.example) ca-file current/c.pem"


def test_too_few_and_too_many_arguments() -> None:
    for arguments in ((), ("a",), ("a", "b"), ("a", "b", "1", "2")):
        with pytest.raises(InputRefused):
            Command(Verb.WEIGHT, arguments)


def test_too_long_for_its_buffer() -> None:
    with pytest.raises(InputRefused):
        Command(Verb.FILL_MAP, ("1", "x"), ("k" * 15_001,))


def test_batches_fit_a_line_and_keep_their_order() -> None:
    many = [commands.on_server(Verb.WEIGHT, "be_1", f"s_{n}", n % 257) for n in range(1000)]
    payload = Command(Verb.FILL_MAP, ("1", "x"), ("k v",))
    groups = list(commands.batches([*many[:500], payload, *many[500:]]))
    assert [one for group in groups for one in group] == [*many[:500], payload, *many[500:]]
    assert (payload,) in groups
    assert all(len(commands.encode(group)) <= commands.LINE_LIMIT + 1 for group in groups if group != (payload,))


def test_answers_are_told_apart() -> None:
    assert commands.answers("\nNo such server.\n\n\n", 3) == ("", "No such server.", "")
    assert commands.answers("New server registered.\n\n\n\n", 3) == ("New server registered.", "", "")
    assert commands.answers("A\nB\n\n\n", 2) == ("A\nB", "")
    assert commands.answers("\n", 2) is None  # cut off: one is missing
    assert commands.answers("\n\n\n", 2) is None
    assert commands.answers("words without an end", 2) is None


@pytest.mark.parametrize(
    "verb, answer, good",
    [
        (Verb.WEIGHT, "\n", True),
        (Verb.WEIGHT, "No such server.\n\n", False),
        (Verb.WEIGHT, "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n\n", False),
        (Verb.ADDRESS, "no need to change the addr, no need to change the port by 'stats socket command'\n\n", True),
        (Verb.ADDRESS, "IP changed from '127.0.0.1' to '::1', no need to change the port by 'stats socket command'\n\n", True),
        (Verb.ADDRESS, "Invalid addr 'foo' by 'stats socket command'\n\n", False),
        (Verb.ADD, "New server registered.\n\n", True),
        (Verb.ADD, "Already exists a server with the same name in backend.\n\n", False),
        (Verb.ADD, "'tcp-ut' option is not accepted for dynamic server\n\n", False),
        (Verb.DELETE, "Server deleted.\n\n", True),
        (Verb.DELETE, "Only servers in maintenance mode can be deleted.\n\n", False),
        (Verb.DELETE, "Server still has connections attached to it, cannot remove it.\n\n", False),
        (Verb.HEALTH, "Health check was not configured on this server, cannot enable.\n\n", False),
        (Verb.PREPARE_MAP, "New version created: 12\n\n", True),
        (Verb.PREPARE_MAP, "Unknown map identifier. Please use #<id> or <file>.\n\n", False),
        (Verb.COMMIT_MAP, "Version number out of range.\n\n", False),
        (Verb.FILL_MAP, "\n\n", True),
        (Verb.FILL_MAP, "Missing value for key 'onlykey'.\n\n\n", False),
        (Verb.SHOW_MAP, "0x6a631c0 k1 v1\n0x6a63210 k2 v2\n\n", True),
        (Verb.SHOW_MAP, "\n", True),
        (Verb.SHOW_MAP, "Unknown map identifier. Please use #<id> or <file>.\n\n", False),
        (Verb.SET_CERTIFICATE, "Transaction created for certificate current/c.pem!\n\n\n", True),
        (Verb.SET_CERTIFICATE, "unable to load certificate from file 'c.pem': no start line.\nCan't load the payload\n\n", False),
        (Verb.COMMIT_CERTIFICATE, "Committing current/c.pem.\nSuccess!\n\n", True),
        (Verb.COMMIT_CERTIFICATE, "inconsistencies between private key and certificate loaded 'c.pem'.\nCan't commit c.pem!\n\n", False),
    ],
)
def test_what_an_answer_says(verb: Verb, answer: str, good: bool) -> None:
    """Answers recorded from HAProxy 2.8.25."""
    made = Command(verb, ("1",) * verb.words.count("{}"))
    assert made.did(answer) is good
