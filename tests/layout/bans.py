"""The one place for what code must not do: impurity in pure rooms, shells, socket timeouts, coroutines on the traffic path, mocks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.layout.tree import PURE_ROOMS, Source

# What a pure room may not import: whatever reads a clock, a socket, a file, a thread or chance, or writes anywhere.
IMPURE_MODULES = frozenset(
    """time os socket threading asyncio random subprocess select selectors ssl multiprocessing secrets tempfile shutil glob fcntl
    signal queue sched concurrent logging urllib http sqlite3 apsw httpx uvloop uvicorn fastapi structlog importlib pkgutil mmap
    socketserver io getpass pwd platform""".split()
)
IMPURE_ATTRIBUTES = frozenset({"sys.stdout", "sys.stderr", "sys.stdin", "sys.argv", "sys.exit", "sys.path"})
IMPURE_NAMES = frozenset({"open", "print", "input", "__import__", "breakpoint"})
CLOCKS = frozenset({"now", "utcnow", "today"})
PATH_READERS = frozenset({"Path", "PosixPath", "WindowsPath"})  # PurePath and PurePosixPath only compute
SHELL_CALLS = frozenset(
    """os.system os.popen subprocess.getoutput subprocess.getstatusoutput asyncio.create_subprocess_shell pty.spawn
    yaml.unsafe_load yaml.unsafe_load_all yaml.full_load yaml.full_load_all""".split()
)
CODE_FROM_DATA = frozenset({"pickle", "cPickle", "marshal", "shelve", "dill", "jsonpickle"})
SAFE_LOADER = re.compile(r"(Safe|Base)Loader$")
NO_TIMEOUT_ROOMS = frozenset({"net", "intake", "deliver"})  # reliability §3: deadlines are `now` in the core


def dotted(node: ast.AST) -> str:
    """`os.path.join` of an attribute chain, "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def imported(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """(line, module, name or "") of every import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)


def impure(item: Source) -> list[str]:
    """In a pure room: a module, a clock or a call that touches the world."""
    if item.room not in PURE_ROOMS:
        return []
    found = []
    for line, module, name in imported(item.tree):
        if module.split(".")[0] in IMPURE_MODULES or (module == "pathlib" and name in (PATH_READERS | {""})):
            found.append(f"{item.path}:{line}: a pure room imports {module} {name}".rstrip())
    for node in ast.walk(item.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in IMPURE_NAMES:
            found.append(f"{item.path}:{node.lineno}: a pure room calls {node.func.id}()")
        elif isinstance(node, ast.Attribute) and node.attr in CLOCKS and dotted(node.value).split(".")[-1] in {"datetime", "date"}:
            found.append(f"{item.path}:{node.lineno}: a pure room reads the clock ({dotted(node)})")
        elif isinstance(node, ast.Attribute) and dotted(node) in IMPURE_ATTRIBUTES:
            found.append(f"{item.path}:{node.lineno}: a pure room uses {dotted(node)}")
        elif isinstance(node, ast.AsyncFunctionDef):
            found.append(f"{item.path}:{node.lineno}: a pure room has a coroutine")
    return found


def shell(item: Source) -> list[str]:
    """A shell, code from text or data, an unsafe YAML loader (reliability C3)."""
    found = [
        f"{item.path}:{line}: {module} makes code of data"
        for line, module, _ in imported(item.tree)
        if module.split(".")[0] in CODE_FROM_DATA
    ]
    renamed = _renamed(item.tree)
    for node in ast.walk(item.tree):
        if isinstance(node, ast.Call):
            found += [f"{item.path}:{node.lineno}: {word}" for word in _shell_call(node, renamed)]
    return found


def _renamed(tree: ast.Module) -> dict[str, str]:
    """What `from os import system as run` calls by another name: {"run": "os.system"}."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
    return names


def _shell_call(node: ast.Call, renamed: dict[str, str]) -> Iterator[str]:
    head, _, rest = dotted(node.func).partition(".")
    name = renamed.get(head, head) + (f".{rest}" if rest else "")
    if name in {"eval", "exec"} or name in SHELL_CALLS:
        yield f"{name}() is banned"
    if name in {"yaml.load", "yaml.load_all"}:
        loader = next((word.value for word in node.keywords if word.arg == "Loader"), node.args[1] if len(node.args) > 1 else None)
        if loader is None or not SAFE_LOADER.search(dotted(loader)):
            yield f"{name}() without a safe or base loader"
    for word in node.keywords:
        if word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False):
            yield "shell= is banned"


def socket_timeouts(item: Source) -> list[str]:
    """`settimeout` where deadlines belong to the core (reliability §3)."""
    if item.room not in NO_TIMEOUT_ROOMS:
        return []
    return [
        f"{item.path}:{node.lineno}: {node.attr} is banned here"
        for node in ast.walk(item.tree)
        if isinstance(node, ast.Attribute) and node.attr in {"settimeout", "setdefaulttimeout"}
    ]


def coroutines(item: Source) -> list[str]:
    """`async def` on the traffic path (architecture §6: plain callbacks)."""
    if item.room not in NO_TIMEOUT_ROOMS:
        return []
    return [f"{item.path}:{n.lineno}: async def {n.name}" for n in ast.walk(item.tree) if isinstance(n, ast.AsyncFunctionDef)]


def mocks(item: Source) -> list[str]:
    """`unittest.mock` (architecture §9: fakes are small and real)."""
    return [
        f"{item.path}:{line}: unittest.mock is banned"
        for line, module, name in imported(item.tree)
        if module.startswith("unittest.mock") or module == "mock" or (module == "unittest" and name == "mock")
    ]


def changing_globals(item: Source) -> list[str]:
    """A `global` statement in the product (architecture §8: no globals)."""
    if not item.path.startswith("src/"):
        return []
    return [f"{item.path}:{node.lineno}: global {', '.join(node.names)}" for node in ast.walk(item.tree) if isinstance(node, ast.Global)]
