"""Makes a world, runs one command in it and removes it, whatever happened.

A module of its own because it alone touches the host: the worlds' directory, the namespaces, the control groups and the
program that gives a world its network.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tools.bed import layout

ROOT = Path(__file__).resolve().parents[2]
PLACES = (Path("/var/lib/ledgerflow-beds"), Path("/var/lib/docker/ledgerflow-beds"))
UNFIT = frozenset({"overlay", "overlayfs", "tmpfs", "nfs", "nfs4", "fuse", "9p", "virtiofs"})  # no upper layer there
ADMINISTRATION = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # sudo keeps a user's PATH, which has none of them
END_SECONDS = 40.0
PR_SET_PDEATHSIG = 1


class BedError(RuntimeError):
    """No world could be made here; the text says where, what and a HINT."""


@dataclass(frozen=True)
class Wish:
    """What a world is asked to be: a copy of `template` (none: empty), and what it may use."""

    argv: tuple[str, ...]
    template: Path | None = None
    engine: bool = True
    network: bool = False
    keep_as: Path | None = None  # where the stopped world is kept as a template


# --- the host -------------------------------------------------------------------------------------------------------


def filesystem(path: Path) -> str:
    """The type of the file system that a path, or its nearest parent that exists, lies on."""
    while not path.exists():
        path = path.parent
    argv = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[-1]


def worlds_directory() -> Path:
    """Where worlds lie: `LEDGERFLOW_BEDS`, else the first place whose file system can carry an upper layer."""
    configured = os.environ.get("LEDGERFLOW_BEDS")
    places = (Path(configured),) if configured else PLACES
    for place in places:
        if filesystem(place) not in UNFIT:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
            return place.resolve()
    types = ", ".join(f"{place} is on {filesystem(place)}" for place in places)
    raise BedError(
        f"test bed: no file system for it: {types}\nHINT: LEDGERFLOW_BEDS=/a/directory/on/ext4, xfs or btrfs make test"
    )


def search_path() -> str:
    """PATH with our own programs, and with the directories of administration, where dockerd and mount are."""
    parts = [str(ROOT / ".venv/bin"), *os.environ.get("PATH", "").split(os.pathsep)]
    return os.pathsep.join([*parts, *(folder for folder in ADMINISTRATION if folder not in parts)])


def image_variables(build: Path = ROOT / "build") -> dict[str, str]:
    """References of the images of template `images`, as <NAME>_IMAGE; empty before it was made."""
    try:
        references = json.loads((build / "results/images.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name.upper().replace("-", "_") + "_IMAGE": str(reference) for name, reference in references.items()}


def program_environment(build: Path = ROOT / "build") -> dict[str, str]:
    """Where programs of the tests find ours, in a world and beside one."""
    site = next(iter(sorted(ROOT.glob(".venv/lib/python3*/site-packages"))), ROOT)
    variables = {
        "PATH": search_path(),
        "ANSIBLE_COLLECTIONS_PATH": str(site),  # molecule looks elsewhere
        # Hundreds of Ansible processes: compiling each anew is a third of their start. Outside of the tree, whose
        # files are looked at for changes.
        "PYTHONPYCACHEPREFIX": str(build / "cache/pycache"),
    }
    return {**variables, **image_variables(build)}


def environment(world: Path) -> dict[str, str]:
    """What programs of a world see: the caller's environment, and where the world's own things are."""
    variables = {
        "LEDGERFLOW_BED": world.name,
        "LEDGERFLOW_BED_CGROUP": f"/{layout.CGROUP_PREFIX}{world.name}",
        "TMPDIR": "/tmp",  # noqa: S108 the world's own
        "DOCKER_HOST": "unix:///var/run/docker.sock",
    }
    return {"OUT": str(ROOT / "build/results"), **os.environ, **program_environment(), **variables}


def die_with_parent() -> None:
    """Asks Linux for SIGTERM when the parent of this process ends: the world is then removed in order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


# --- one world ------------------------------------------------------------------------------------------------------


@contextmanager
def world_directory(template: Path | None) -> Iterator[Path]:
    """A new world's directory, held by a lock while it is in use, removed at the end."""
    worlds = worlds_directory()
    world = worlds / f"w{secrets.token_hex(4)}"
    unnamed = worlds / f".{world.name}"  # a sweep knows it by its name only when it is locked
    unnamed.mkdir(mode=0o700)
    handle = os.open(unnamed, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    unnamed.rename(world)
    try:
        if template is not None:
            copy_world(template, world)
        yield world
    finally:
        remove_world(world)
        os.close(handle)


def copy_world(source: Path, target: Path) -> None:
    """Copies a stopped world; files of image layers are linked, as no engine writes to them."""
    engine = Path("root/var/lib/docker")
    layers = source / engine / "overlay2"
    names = [path.name for path in layers.iterdir()] if layers.is_dir() else []
    records = (source / engine / "image/overlay2/layerdb/mounts").glob("*/*")
    writable = [path.read_text() for path in records if path.name in {"mount-id", "init-id"}]
    shared = layout.shared_layers(names, writable)
    left_out = target / ".left-out"
    left_out.write_text("".join(f"./{engine}/overlay2/{name}\n" for name in shared) + "./work\n")
    options = ["--file=-", "--xattrs", "--xattrs-include=*", "--acls"]
    exclude = ["--no-wildcards", "--anchored", f"--exclude-from={left_out}"]
    make = ["tar", "--create", *options, f"--directory={source}", *exclude, "."]
    take = ["tar", "--extract", *options, "--same-owner", "--preserve-permissions", f"--directory={target}"]
    with subprocess.Popen(make, stdout=subprocess.PIPE) as maker:
        unpacking = subprocess.run(take, stdin=maker.stdout, check=False)
    if maker.returncode or unpacking.returncode:
        raise BedError(f"test bed: {source} could not be copied\nHINT: df -h {target} (is the disk full?)")
    left_out.unlink()
    for start in range(0, len(shared), 200):
        batch = [str(layers / name) for name in shared[start : start + 200]]
        subprocess.run(["cp", "-al", *batch, str(target / engine / "overlay2")], check=True)


def remove_world(world: Path) -> None:
    """Removes a world's files and its empty control groups."""
    end = time.monotonic() + END_SECONDS
    while world.exists() and time.monotonic() < end:
        subprocess.run(["rm", "-rf", "--one-file-system", str(world)], check=False, stderr=subprocess.DEVNULL)
        time.sleep(0.0 if not world.exists() else 0.2)
    if world.exists():
        raise BedError(f"test bed: {world} cannot be removed\nHINT: findmnt {world}; rm -rf {world}")
    for group in Path("/sys/fs/cgroup").glob(f"**/{layout.CGROUP_PREFIX}{world.name}"):
        for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                below.rmdir()
        with suppress(OSError):
            group.rmdir()


def sweep() -> list[str]:
    """Removes worlds that nobody holds: those of a run that was killed together with its keeper."""
    removed: list[str] = []
    for world in sorted(worlds_directory().glob("w*")):
        try:
            handle = os.open(world, os.O_RDONLY)
        except FileNotFoundError:  # its own keeper was faster
            continue
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
        remove_world(world)
        removed.append(world.name)
    return removed


def run(wish: Wish) -> int:
    """Runs a command in a world of its own; its exit code, and 2 where no world could be made."""
    with world_directory(wish.template) as world:
        code = run_in(world, wish)
        if code == 0 and wish.keep_as is not None:
            shutil.rmtree(world / "work", ignore_errors=True)
            wish.keep_as.parent.mkdir(exist_ok=True)
            world.rename(wish.keep_as)
        return code


def run_in(world: Path, wish: Wish) -> int:
    """Starts the world's first process, gives it a network, and waits."""
    visible = [ROOT, *(path for path in [ROOT.parent / "shared"] if path.is_dir())]
    settings = {
        "world": str(world), "worlds": str(world.parent), "shown": [str(path) for path in visible],
        "argv": list(wish.argv), "engine": wish.engine, "network": wish.network, "save": wish.keep_as is not None,
    }  # fmt: skip
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    argv = [
        "setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--propagation", "private", "--pid", "--fork",
        "--kill-child", "--mount-proc", sys.executable, "-m", "tools.bed.inside", json.dumps(settings),
        str(ready_write), str(go_read),
    ]  # fmt: skip
    child = subprocess.Popen(argv, cwd=ROOT, env=environment(world), pass_fds=[ready_write, go_read])
    os.close(ready_write)
    os.close(go_read)

    def end(number: int, _frame: object) -> None:
        with suppress(ProcessLookupError, IndexError):
            os.kill(first_process(child.pid), number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    network: subprocess.Popen[bytes] | None = None
    try:
        if os.read(ready_read, 10) == b"ready":
            if wish.network:
                network = give_network(first_process(child.pid))
            os.write(go_write, b"go")
        return child.wait()
    finally:
        os.close(go_write)
        os.close(ready_read)
        if network is not None:
            network.kill()
            network.wait()
        if child.poll() is None:
            child.kill()
            child.wait()


def first_process(pid: int) -> int:
    """The process id, as the host sees it, of a world's first process."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def give_network(pid: int) -> subprocess.Popen[bytes]:
    """A way outside for what downloads packages: through a program, so that the host's own network stays as it is."""
    program = shutil.which("slirp4netns", path=search_path())
    if program is None:
        raise BedError("test bed: slirp4netns is missing\nHINT: apt-get install slirp4netns")
    ready_read, ready_write = os.pipe()
    argv = [program, "--configure", "--mtu=1400", "--disable-host-loopback", f"--ready-fd={ready_write}", str(pid)]
    child = subprocess.Popen(
        [*argv, "tap0"], pass_fds=[ready_write], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(ready_write)
    try:
        if os.read(ready_read, 1) != b"1":
            raise BedError(f"test bed: {' '.join(argv)} ended ({child.wait()}): no network for packages")
    finally:
        os.close(ready_read)
    return child
