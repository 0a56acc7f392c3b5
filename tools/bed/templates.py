"""The worlds that others are copied from: with the images, with hosts' images, with a deployed stack.

A module of its own because it decides when one is stale. A template's name ends with a hash of all it was made from, so
it is made once for each content; the newest three of a kind are kept, as branches are changed back and forth.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.bed import worlds
from tools.bed.worlds import ROOT, BedError, Wish

KEPT = 3
FORMAT = "2"  # of the templates themselves: counted up when a world is laid out in another way
# What a deployed stack is made from. A file that is missing here would leave tests on yesterday's stack.
STACK_SOURCES = (
    "ansible.cfg", "app", "filter_plugins", "images", "inventory", "playbooks", "plugins", "requirements", "roles",
    "scripts", "src", ".env.example", "tests/deploy/stacks.py", "tests/deploy/template.py",
)  # fmt: skip
HOST_SOURCES = (
    "molecule/shared", "roles/docker_engine", "filter_plugins/engine.py", "filter_plugins/apt_suites.py", "images",
)  # fmt: skip
HOST_RELEASES = ("trixie", "bookworm")


def digest(parts: Iterable[bytes]) -> str:
    """Twelve hex digits of a sequence of contents."""
    whole = hashlib.sha256(FORMAT.encode())
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:12]


def contents(names: Sequence[str]) -> list[bytes]:
    """Names and bytes of all files below some paths of the repository, in a fixed order."""
    places = [ROOT / name for name in names]
    files = sorted(path for place in places for path in (place.rglob("*") if place.is_dir() else [place]))
    files = [path for path in files if path.is_file() and "__pycache__" not in path.parts]
    return [part for path in files for part in (str(path.relative_to(ROOT)).encode(), path.read_bytes())]


def image_ids(references: Sequence[str]) -> list[str]:
    """The ids of images of the machine's engine; an image that is not there is an error."""
    argv = ["docker", "image", "inspect", "--format={{.Id}}", *references]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BedError(f"test bed: {done.stderr.strip()}\nHINT: make test ONLY=images")
    return done.stdout.split()


def references() -> list[str]:
    """References of the images that the part `images` made."""
    try:
        made = json.loads((ROOT / "build/results/images.json").read_text())
    except (OSError, ValueError) as error:
        raise BedError(f"test bed: build/results/images.json: {error}\nHINT: make test ONLY=images") from None
    return sorted(set(map(str, made.values())))


def templates_directory() -> Path:
    """Where templates lie, beside the worlds: files of layers can be linked only on one file system."""
    place = worlds.worlds_directory() / "templates"
    place.mkdir(exist_ok=True)
    return place


def retire(kind: str) -> None:
    """Removes all but the newest templates of a kind."""
    made = sorted(templates_directory().glob(f"{kind}-*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in made[KEPT:]:
        shutil.rmtree(path, ignore_errors=True)


def make(kind: str, key: str, wish: Wish, stdin: Sequence[str] = ()) -> Path:
    """The template of a kind and key, made if it is not there; `stdin` is a command whose output the world reads."""
    place = templates_directory() / f"{kind}-{key}"
    with (templates_directory() / f".{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two parts that need it: the second waits and finds it made
        if place.is_dir():
            os.utime(place)
        else:
            build(kind, place, wish, stdin)
            retire(kind)
    return place


def build(kind: str, place: Path, wish: Wish, stdin: Sequence[str]) -> None:
    """Runs the command in a new world, which becomes the template."""
    argv = [sys.executable, "-m", "tools.bed", "run", f"--keep-as={place.name}"]
    argv += [f"--from={wish.template.name}"] if wish.template else []
    argv += ["--network"] if wish.network else []
    source = subprocess.Popen(stdin, stdout=subprocess.PIPE) if stdin else None
    done = subprocess.run([*argv, "--", *wish.argv], cwd=ROOT, stdin=source.stdout if source else None, check=False)
    if source is not None and source.stdout is not None:
        source.stdout.close()
        if source.wait():
            raise BedError(f"test bed: {' '.join(stdin[:3])} … exited {source.returncode}")
    if done.returncode or not place.is_dir():
        raise BedError(f"test bed: template {kind} could not be made (exit {done.returncode})\nHINT: see its log above")


def images() -> Path:
    """A world whose engine has the machine's images of the stack and its tests, and nothing else."""
    wanted = references()
    key = digest(each.encode() for each in [*wanted, *image_ids(wanted)])
    return make("images", key, Wish(("docker", "load", "--quiet")), stdin=("docker", "save", *wanted))


def hosts() -> Path:
    """The same with the images of hosts that boot systemd, with and without an engine."""
    base = images()
    key = digest([base.name.encode(), *contents(HOST_SOURCES)])
    releases = " ".join(HOST_RELEASES)
    script = f"for release in {releases}; do molecule/shared/hosts.py build --release $release --engine; done"
    return make("hosts", key, Wish(("bash", "-euc", script), template=base, network=True))


def stack() -> Path:
    """The same as `images` with a deployed stack, stopped in order: what most tests of a deployed stack start from."""
    base = images()
    key = digest([base.name.encode(), *contents(STACK_SOURCES)])
    return make("stack", key, Wish((sys.executable, "-m", "tests.deploy.template"), template=base))


KINDS = {"images": images, "hosts": hosts, "stack": stack}
