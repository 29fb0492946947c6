"""The one place for a machine with a real systemd: namespaces of its own over an overlay of this machine's files, Gurney in /opt/gurney.

Nothing it does reaches this machine: its files lie in memory, its processes, network and mounts are its own, and all of it ends with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import site
import subprocess
import sys
from pathlib import Path

from .processes import ROOT
from .wait import until

SYSTEMD = "/lib/systemd/systemd"
PYTHON = "/usr/bin/python3"
TARGET = "gurney-test.target"
CGROUPS = Path("/sys/fs/cgroup")
DEVICES = "null zero full random urandom tty"
MASKED = """systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-clean.timer systemd-sysctl.service
    systemd-udevd.service systemd-udev-trigger.service systemd-logind.service systemd-modules-load.service systemd-remount-fs.service
    systemd-binfmt.service systemd-random-seed.service systemd-hwdb-update.service getty.target"""
PROGRAM = """#!/opt/gurney/.venv/bin/python
import sys
from gurney.cli.main import main
sys.exit(main())
"""


class Unable(Exception):
    """No such machine here, and why."""


class Machine:
    """A machine that has booted; `run` types a command there as root."""

    def __init__(self, folder: Path) -> None:
        """Raises Unable."""
        if os.geteuid() != 0 or not Path(SYSTEMD).exists() or shutil.which("unshare") is None:
            raise Unable("needs root, systemd and unshare")
        self.folder = folder / "machine"
        self.folder.mkdir()
        self.log = folder / "machine.log"
        self.cgroups = [top / f"gurney-test-{os.getpid()}" for top in _hierarchies(CGROUPS).values()]
        try:
            for one in self.cgroups:
                one.mkdir()
        except OSError as problem:
            raise Unable(f"no cgroup of its own: {problem.strerror}") from problem
        argv = [sys.executable, "-m", "tests.live.harness.machine", str(self.folder), *map(str, self.cgroups)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT, start_new_session=True)
        self.pid = 0
        try:
            until(self._booted, 60, "the machine boots")
        except AssertionError as problem:
            self.close()
            raise Unable(f"it does not boot: {self.log.read_text(errors='replace')[-2000:]}") from problem

    def _booted(self) -> bool:
        assert self.process.poll() is None, "it ended"
        if not self.pid:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            self.pid = int(children[0]) if children else 0
        if not self.pid or Path(f"/proc/{self.pid}/comm").read_text().strip() != "systemd":
            return False
        return self.run("systemctl", "is-active", TARGET).stdout.strip() == "active"

    def argv(self, *words: str) -> list[str]:
        """What types a command there."""
        return ["nsenter", "-t", str(self.pid), "-a", *words]

    def run(self, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """One command there."""
        return subprocess.run(self.argv(*words), capture_output=True, text=True, timeout=timeout, check=False, env={"PATH": os.defpath})

    def root(self, path: str) -> Path:
        """A file of it as seen from here."""
        return Path(f"/proc/{self.pid}/root") / path.lstrip("/")

    def processes(self, user: str) -> dict[int, tuple[str, str]]:
        """pid there -> (argv, effective capabilities) of a user's processes."""
        found = {}
        for pid in self.run("pgrep", "-u", user).stdout.split():
            argv = self.run("cat", f"/proc/{pid}/cmdline").stdout.replace("\0", " ").strip()
            status = self.run("cat", f"/proc/{pid}/status").stdout
            if argv and "CapEff" in status:
                found[int(pid)] = (argv, status.split("CapEff:", 1)[1].split()[0])
        return found

    def close(self) -> None:
        """Power off: its first process takes all of it along."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        for one in self.cgroups:
            until(lambda one=one: _removed(one), 10, f"{one} is empty")  # type: ignore[misc]


def _removed(cgroup: Path) -> bool:
    for folder in sorted((one for one in cgroup.rglob("*") if one.is_dir()), key=lambda one: -len(one.parts)):
        try:
            folder.rmdir()
        except OSError:
            return False
    try:
        cgroup.rmdir()
    except OSError:
        return not cgroup.exists()
    return True


def _hierarchies(top: Path) -> dict[str, Path]:
    """What systemd needs of the cgroup hierarchies: the unified one alone, or that one beside its own named one (a hybrid set-up)."""
    return {"": top} if (top / "cgroup.procs").exists() else {name: top / name for name in ("systemd", "unified")}


# ---- inside, before systemd


def main(folder: Path, cgroups: list[Path]) -> None:
    """First outside the namespaces (into its cgroups, then `unshare`), then inside them: make the root, become systemd."""
    if os.environ.get("GURNEY_TEST_INSIDE") is None:
        for one in cgroups:
            (one / "cgroup.procs").write_text(str(os.getpid()))
        words = "unshare -m -p -u -i -n -C --fork --kill-child --propagation private".split()
        argv = [*words, sys.executable, "-m", "tests.live.harness.machine", str(folder)]
        os.execvpe(argv[0], argv, {**os.environ, "GURNEY_TEST_INSIDE": "1"})
    os.chdir("/")
    root = _root(folder)
    _units(root / "etc/systemd/system")
    _install(root / "opt/gurney")
    call("ip", "link", "set", "lo", "up")
    os.chdir(root)
    call("pivot_root", ".", "mnt")
    call("umount", "-l", "/mnt")
    os.execve(SYSTEMD, [SYSTEMD, "--system", f"--unit={TARGET}", "--log-target=console"], {"container": "test", "PATH": os.defpath})


def call(*words: str) -> None:
    """A command that must succeed."""
    subprocess.run(words, check=True)


def mount(kind: str, where: Path, options: str = "", source: str = "") -> None:
    """Mount something new."""
    where.mkdir(parents=True, exist_ok=True)
    call("mount", "-t", kind, *(["-o", options] if options else []), source or kind, str(where))


def _root(folder: Path) -> Path:
    mount("tmpfs", folder)
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    root = folder / "root"
    mount("overlay", root, f"lowerdir=/,upperdir={folder}/upper,workdir={folder}/work")
    mount("proc", root / "proc")
    mount("sysfs", root / "sys", "ro")
    hierarchies = _hierarchies(CGROUPS)
    if "" in hierarchies:
        mount("cgroup2", root / "sys/fs/cgroup")
    else:
        mount("tmpfs", root / "sys/fs/cgroup", "mode=755")
        mount("cgroup", root / "sys/fs/cgroup/systemd", "none,name=systemd")
        mount("cgroup2", root / "sys/fs/cgroup/unified")
    for name in ("run", "dev", "tmp"):
        mount("tmpfs", root / name, "mode=1777" if name == "tmp" else "mode=755")
    for name in DEVICES.split():
        call("cp", "-a", f"/dev/{name}", f"{root}/dev/{name}")
    (root / "dev/fd").symlink_to("/proc/self/fd")
    (root / "dev/ptmx").symlink_to("pts/ptmx")
    mount("devpts", root / "dev/pts", "newinstance,ptmxmode=0666")
    mount("tmpfs", root / "dev/shm", "mode=1777")
    return root


def _units(folder: Path) -> None:
    """Nothing but what a machine needs to be up: no service of this machine starts there."""
    for place in (folder, *folder.parents[1].glob("rc?.d"), folder.parents[1] / "init.d"):
        if place.is_dir():
            shutil.rmtree(place)
    folder.mkdir(parents=True)
    for name in MASKED.split():
        (folder / name).symlink_to("/dev/null")
    (folder / TARGET).write_text("[Unit]\nDescription=up\nRequires=basic.target\nAfter=basic.target\n")
    (folder.parents[1] / "fstab").write_text("")


def _install(folder: Path) -> None:
    """Gurney as docs/guides/systemd.md has it, with this working tree's code and packages in place of a wheel's."""
    binaries = folder / ".venv/bin"
    packages = folder / ".venv/lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for place in (binaries, packages, folder / "packages", folder / "src"):
        place.mkdir(parents=True)
    (folder / ".venv/pyvenv.cfg").write_text(f"home = {Path(PYTHON).parent}\ninclude-system-site-packages = false\n")
    (binaries / "python").symlink_to(PYTHON)
    (binaries / "gurney").write_text(PROGRAM)
    (binaries / "gurney").chmod(0o755)
    (packages / "gurney.pth").write_text("/opt/gurney/src\n/opt/gurney/packages\n")
    call("mount", "--bind", site.getsitepackages()[0], str(folder / "packages"))
    call("mount", "--bind", str(ROOT / "src"), str(folder / "src"))
    etc = folder.parents[1] / "etc"
    for unit in (ROOT / "packaging/systemd").glob("*.service"):
        shutil.copy(unit, etc / "systemd/system")
    (etc / "sysusers.d").mkdir(exist_ok=True)
    shutil.copy(ROOT / "packaging/sysusers/gurney.conf", etc / "sysusers.d")


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]])
