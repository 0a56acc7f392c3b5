"""An engine of the test's own with the guard in it: 26.1 and 20.10, with a tiny image made of this host's files.

A module of its own because it alone starts and stops them. The plugins' directory is hidden behind a tmpfs of the
engine's own mount namespace: engines share it otherwise, and would wait for each other's guards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import zipapp
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tools.kit.engines import Engine, EngineError

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build/cache"
OLD_PACKAGE = "docker.io=20.10*"
PROGRAMS = ("sh", "cat", "rm", "sleep", "true", "ls", "touch", "ln", "mkdir", "id", "tar", "find", "chmod")
PLUGINS = "/run/docker/plugins"
SYSTEM_PYTHON = "/usr/bin/python3"
STARTER = "import sys\nfrom ledgerguard.cli import main\nsys.exit(main(sys.argv[1:]))\n"


def old_engine() -> Path:
    """The directory of programs of engine 20.10, unpacked from Debian 12's package; fetched once."""
    place = CACHE / "engine-20.10"
    if not (place / "usr/sbin/dockerd").exists():
        with tempfile.TemporaryDirectory(dir=_make_folder(CACHE)) as aside:
            subprocess.run(["apt-get", "download", "-qq", OLD_PACKAGE], cwd=aside, check=True, capture_output=True)
            (package,) = Path(aside).glob("docker.io_*.deb")
            unpacked = Path(aside, "unpacked")
            subprocess.run(["dpkg", "-x", str(package), str(unpacked)], check=True)
            shutil.rmtree(place, ignore_errors=True)
            unpacked.rename(place)
    return place


def has_old_engine() -> bool:
    """Whether 20.10 is there or could be fetched: only Debian 12's package sources have it."""
    if (CACHE / "engine-20.10/usr/sbin/dockerd").exists():
        return True
    if shutil.which("apt-cache") is None:
        return False
    listing = subprocess.run(["apt-cache", "madison", "docker.io"], capture_output=True, text=True, check=False)
    return "| 20.10." in listing.stdout


def _make_folder(place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    return place


def pack_guard() -> Path:
    """The guard as it is installed: one file, run by the system's Python in isolated mode."""
    archive = Path(tempfile.mkdtemp(prefix="lf-guard-pyz-")) / "ledgerguard.pyz"
    with tempfile.TemporaryDirectory() as aside:
        shutil.copytree(
            ROOT / "src/ledgerguard", Path(aside, "ledgerguard"), ignore=shutil.ignore_patterns("__pycache__")
        )
        Path(aside, "__main__.py").write_text(STARTER)
        zipapp.create_archive(aside, archive)
    return archive


def rootfs(file: Path) -> None:
    """A tar archive of a shell and a few programs of this host with the libraries they need."""
    programs = [Path(os.path.realpath(str(shutil.which(name)))) for name in PROGRAMS]
    told = subprocess.run(["ldd", *map(str, programs)], capture_output=True, text=True, check=True).stdout
    libraries = {path for path in re.findall(r"(/[^\s:]+\.so[^\s:]*)", told)}
    with tarfile.open(file, "w") as archive:
        for name, path in zip(PROGRAMS, programs, strict=True):
            archive.add(path, arcname=f"bin/{name}")
        for library in sorted(libraries):
            archive.add(os.path.realpath(library), arcname=library.lstrip("/"))


@dataclass
class GuardedEngine(Engine):
    """One dockerd, with the guard in `daemon.json` unless `profile` is empty."""

    version: str = "26.1"
    profile: str = ""
    mode: str = "enforce"
    runner: tuple[str, ...] = ()
    guard_options: tuple[str, ...] = ()
    in_daemon_json: bool = True
    _guard: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def name(self) -> str:
        return f"{self.version}, {self.profile or 'no guard'}"

    @property
    def data_root(self) -> Path:
        return self.place / "data"

    @property
    def config(self) -> Path:
        return self.place / "etc/volumes.json"

    @property
    def guard_socket(self) -> str:
        return f"{PLUGINS}/ledgerguard.sock"

    def guard_arguments(self) -> list[str]:
        """What every command of the guard is given to find this engine."""
        return [
            f"--config={self.config}", f"--state-dir={self.place / 'state'}", f"--socket={self.guard_socket}",
            f"--audit-file={self.place / 'log/audit.jsonl'}", f"--engine=unix://{self.socket}",
            f"--data-root={self.data_root}", f"--profile={self.profile or 'standard'}",
        ]  # fmt: skip

    def guard(self, command: str, *arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
        """A command of the guard, inside the engine's namespaces."""
        argv = [*self._inside(), SYSTEM_PYTHON, "-I", self.runner[-1], command, *self.guard_arguments(), *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False, **more)  # type: ignore[call-overload,no-any-return]

    def start(self, *options: str) -> None:
        if self._namespaces is None:
            self._namespaces = self._new_namespaces()
            self.run_inside("mount", "-t", "tmpfs", "-o", "mode=0700", "tmpfs", PLUGINS)
            daemon_options = {"authorization-plugins": ["ledgerguard"]} if self.profile and self.in_daemon_json else {}
            (self.place / "daemon.json").write_text(json.dumps(daemon_options))
        if self.profile and self._guard is None:
            self.start_guard()
        super().start(*options)

    def reload(self, plugins: list[str] | None = None) -> None:
        """SIGHUP; with `plugins` as what daemon.json says from now on."""
        if plugins is not None:
            (self.place / "daemon.json").write_text(json.dumps({"authorization-plugins": plugins}))
        before = self._reloads()
        subprocess.run([*self._inside(), "kill", "-HUP", (self.place / "dockerd.pid").read_text()], check=True)
        self._wait_for(lambda: self._reloads() > before, "the engine did not reload")

    def _reloads(self) -> int:
        return (self.place / "dockerd.log").read_text(errors="replace").count("Reloaded configuration")

    def start_guard(self) -> None:
        serve = ["serve", *self.guard_arguments(), f"--mode={self.mode}", *self.guard_options]
        with (self.place / "guard.log").open("ab") as log:
            self._guard = subprocess.Popen([*self._inside(), *self.runner, *serve], stdout=log, stderr=log)
        self._wait_for(self._guard_answers, "the guard does not answer: " + (self.place / "guard.log").read_text())

    def guard_pid(self) -> int:
        """The guard's process as this host sees it (nsenter becomes it, unless it had to fork for a pid namespace)."""
        assert self._guard is not None
        children = Path(f"/proc/{self._guard.pid}/task/{self._guard.pid}/children").read_text().split()
        return int(children[0]) if children else self._guard.pid

    def kill_guard(self, number: int = 9) -> None:
        assert self._guard is not None
        os.kill(self.guard_pid(), number)
        self._guard.send_signal(signal.SIGCONT)  # nsenter stops with what it started
        self._guard.wait(30)
        self._guard = None

    def hang_guard(self, hung: bool) -> None:
        os.kill(self.guard_pid(), signal.SIGSTOP if hung else signal.SIGCONT)
        if not hung:
            assert self._guard is not None
            self._guard.send_signal(signal.SIGCONT)

    def _guard_answers(self) -> bool:
        assert self._guard is not None
        if self._guard.poll() is not None:
            raise EngineError("the guard ended: " + (self.place / "guard.log").read_text())
        return self.guard("status").returncode in (0, 1)

    def _inside(self) -> list[str]:
        path = os.environ["PATH"]
        if self.version == "20.10":
            place = old_engine()
            path = f"{place}/usr/sbin:{place}/usr/bin:{path}"
        return [*super()._inside(), "env", f"PATH={path}"]

    def run_inside(self, *argv: str) -> None:
        """A program of the host that sees what the engine sees."""
        subprocess.run([*self._inside(), *argv], check=True)

    def remove(self) -> None:
        try:
            if self._guard is not None and self._guard.poll() is None:
                self.kill_guard()
        finally:
            super().remove()


@contextmanager
def guarded_engine(version: str, profile: str, runner: Sequence[str] = (), **more: object) -> Iterator[GuardedEngine]:
    """A running engine with the tiny image in it as `tiny`; removed whatever happened."""
    place = Path(tempfile.mkdtemp(prefix="lf-guard-"))
    archive = None if runner else pack_guard()
    command = tuple(runner) or (SYSTEM_PYTHON, "-I", str(archive))
    guarded = GuardedEngine(place, version=version, profile=profile, runner=command, **more)  # type: ignore[arg-type]
    try:
        guarded.start()
        rootfs(place / "rootfs.tar")
        guarded.docker("import", "--change", 'CMD ["sleep", "100000"]', str(place / "rootfs.tar"), "tiny")
        yield guarded
    finally:
        guarded.remove()
        if archive:
            shutil.rmtree(archive.parent)


def wait_until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.1)
