"""The runtime socket is a grammar too: whatever stands in an argument or a payload, what HAProxy reads are exactly the commands meant.

`spoken` shares nothing with the product: it reads bytes as HAProxy 2.8 does (management guide §9.3): `;` and newline end a command unless
a backslash is before them, words are parted by spaces, `<<` at the end of a line begins a payload that an empty line ends.
"""

from __future__ import annotations

import random

from gurney.engines.haproxy import commands
from gurney.engines.haproxy.commands import Command, Verb
from gurney.errors import InputRefused
from tests.compile import hostile

GENERATED = 3000
SEED = 15


def spoken(data: str) -> list[tuple[list[str], list[str]]]:
    """(words, payload) of each command."""
    found: list[tuple[list[str], list[str]]] = []
    words, word, at, open_ = [], "", 0, False
    while at < len(data):
        sign = data[at]
        at += 1
        if sign == "\\" and at < len(data):
            word, open_, at = word + data[at], True, at + 1
        elif sign in " \t" or sign in ";\n":
            if open_:
                words.append(word)
            word, open_ = "", False
            if sign in ";\n":
                payload: list[str] = []
                if sign == "\n" and words and words[-1] == "<<" and data[at - 4 : at - 1] == " <<":
                    words.pop()
                    end = data.index("\n\n", at - 1) if not data.startswith("\n", at) else at
                    payload, at = data[at:end].split("\n"), end + 2
                if words:
                    found.append((words, payload))
                words = []
        else:
            word, open_ = word + sign, True
    assert not words and not open_, "a command without an end"
    return found


def meant(command: Command) -> tuple[list[str], list[str]]:
    count = command.verb.words.count("{}")
    words = [part.replace("{}", "\0") for part in command.verb.words.split()]
    arguments = iter(command.arguments[:count])
    filled = ["".join(next(arguments) if sign == "\0" else sign for sign in word) for word in words]
    return [*filled, *command.arguments[count:]], list(command.payload)


def tried(verb: Verb, arguments: list[str], payload: tuple[str, ...] = ()) -> bool:
    """Whether it was refused; what is not refused is read as it was meant, alone and between others."""
    try:
        command = Command(verb, tuple(arguments), payload)
    except InputRefused:
        return True
    assert spoken(commands.encode([command]).decode()) == [meant(command)]
    if not payload:
        other = commands.on_server(Verb.READY, "be_1", "s_1")
        assert spoken(commands.encode([other, command, other]).decode()) == [meant(other), meant(command), meant(other)]
    return False


def test_c1_no_argument_reaches_the_runtime_grammar() -> None:
    refused = tested = 0
    for verb in Verb:
        slots = verb.words.count("{}")
        for slot in range(slots):
            for text in hostile.payloads():
                arguments = ["1"] * slots
                arguments[slot] = text
                refused += tried(verb, arguments)
                tested += 1
    for text in hostile.payloads():
        refused += tried(Verb.ADD, ["be_1", "s_1", "127.0.0.1:1", "id", text])
        refused += tried(Verb.FILL_MAP, ["1", "current/maps/x.map"], ("a b", text, "c d"))
        tested += 2
    rng = random.Random(SEED)
    alphabet = [chr(n) for n in range(256)] + ["\u2028", "٣", "\ud800"]
    for _ in range(GENERATED):
        text = "".join(rng.choice(alphabet) for _ in range(rng.randint(1, 12)))
        refused += tried(Verb.ENTRY, ["1", "current/maps/x.list", text])
        refused += tried(Verb.FILL_MAP, ["1", "current/maps/x.map"], (text,))
        refused += tried(Verb.WEIGHT, ["be_1", text, "5"])
        tested += 3
    print(f"haproxy-c1-runtime tried={tested} refused={refused} differing=0")
    assert tested - refused > 1000, "nothing passed: this proves nothing"


def test_every_entry_of_printable_ascii_is_one_argument() -> None:
    for first in range(33, 127):
        for text in (chr(first), f"a{chr(first)}b", f"{chr(first)} {chr(first)}", f"{chr(first)};show info"):
            assert not tried(Verb.ENTRY, ["1", "current/maps/x.list", text])
