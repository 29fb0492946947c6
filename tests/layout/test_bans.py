"""What no file of the project does, and that each ban bites."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.layout import bans
from tests.layout.tree import PURE_ROOMS, TOP, Source, source, sources, tracked

Checker = Callable[[Source], list[str]]

CHECKERS = {
    "pure": bans.impure,
    "shell": bans.shell,
    "timeout": bans.socket_timeouts,
    "coroutine": bans.coroutines,
    "mock": bans.mocks,
    "global": bans.changing_globals,
}

BAD = {
    "pure": [
        "import time",
        "import os.path",
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.utcnow()",
        "import datetime as d\nx = d.date.today()",
        "from socket import socket",
        "def f():\n    import threading",
        "import asyncio",
        "from random import choice",
        "import subprocess",
        "import select",
        "from pathlib import Path",
        "import pathlib",
        "x = open('y')",
        "print('x')",
        "async def f(): ...",
        "import importlib.resources",
        "import sys\nsys.stdout.write('x')",
    ],
    "shell": [
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "f(shell=word)",
        "import os\nos.system('ls')",
        "from os import system as run\nrun('ls')",
        "import os as o\no.popen('ls')",
        "eval('1')",
        "exec('x = 1')",
        "import pickle",
        "from marshal import loads",
        "import yaml\nyaml.load(text)",
        "import yaml\nyaml.load(text, Loader=yaml.Loader)",
        "import yaml as y\ny.load(text, y.FullLoader)",
        "import yaml\nyaml.unsafe_load(text)",
        "import asyncio\nasyncio.create_subprocess_shell('ls')",
    ],
    "timeout": ["sock.settimeout(3)", "import socket\nsocket.setdefaulttimeout(1)"],
    "coroutine": ["async def f(): ...", "class A:\n    async def f(self): ..."],
    "mock": ["from unittest import mock", "import unittest.mock", "from unittest.mock import Mock"],
    "global": ["def f():\n    global x\n    x = 1"],
}
GOOD = {
    "pure": [
        "from datetime import datetime, timedelta\nx = datetime.fromtimestamp(now)",
        "from pathlib import PurePosixPath",
        "import hashlib, hmac, json, zlib, re, struct, ipaddress",
        "from gurney.config import words",
    ],
    "shell": [
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import yaml\nyaml.load(text, Loader=yaml.CBaseLoader)",
        "import yaml\nyaml.safe_load(text)",
        "import re\nre.compile('x')",
        "import os\nos.execv(a, b)",
    ],
    "timeout": ["sock.setblocking(False)"],
    "coroutine": ["def f(): ..."],
    "mock": ["import unittest"],
    "global": ["x = 1"],
}
ROOM_OF = {"timeout": "net", "coroutine": "intake"}


@pytest.mark.parametrize("kind", CHECKERS)
def test_no_file_does_it(kind: str) -> None:
    assert [finding for item in sources() for finding in CHECKERS[kind](item)] == []


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in BAD.items() for text in texts])
def test_the_ban_bites(kind: str, text: str) -> None:
    assert CHECKERS[kind](source(text, f"src/gurney/{ROOM_OF.get(kind, 'wire')}/example.py"))


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in GOOD.items() for text in texts])
def test_the_ban_lets_pass_what_is_fine(kind: str, text: str) -> None:
    assert CHECKERS[kind](source(text, f"src/gurney/{ROOM_OF.get(kind, 'wire')}/example.py")) == []


def test_the_bans_know_their_rooms() -> None:
    assert all(bans.impure(source("import time", f"src/gurney/{room}/x.py")) for room in PURE_ROOMS)
    assert bans.impure(source("import time", "src/gurney/errors.py"))
    assert not bans.impure(source("import time", "src/gurney/net/x.py"))
    assert not bans.socket_timeouts(source("s.settimeout(1)", "src/gurney/cli/x.py"))


# Written in two halves, so that this file does not hold what it looks for.
HOSTS = [
    "pypi" + ".org", "python" + "hosted", "npm" + "js", "crates" + ".io", "deb." + "debian", "proxy." + "golang", "registry" + ".yarn",
]  # fmt: skip
UNFINISHED = ["TO" + "DO", "FIX" + "ME", "XX" + "X:"]


def words_found(words: list[str], text: str) -> list[str]:
    """Which of the words stand in the text."""
    return [word for word in words if word in text]


def texts() -> list[tuple[str, str]]:
    """(path, text) of every tracked file that is text."""
    found = []
    for path in tracked():
        try:
            found.append((path, (TOP / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_no_registry_is_named() -> None:
    assert [(path, word) for path, text in texts() for word in words_found(HOSTS, text)] == []
    assert words_found(HOSTS, "--index-url https://files.python" + "hosted.example") == ["python" + "hosted"]


def test_nothing_is_left_unfinished() -> None:
    assert [(path, word) for path, text in texts() if path != "LICENSE" for word in words_found(UNFINISHED, text)] == []
    assert words_found(UNFINISHED, "# TO" + "DO later") == ["TO" + "DO"]
