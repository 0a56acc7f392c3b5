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
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.bed import worlds
from tools.bed.worlds import ROOT, BedError, Wish

KEPT, GENERATIONS = 3, 8
FORMAT = "3."  # of the templates themselves: counted up when a world is laid out in another way
REFERENCES = ROOT / "build/results/images.json"  # what the parts of the tests are given
NOTE = "images.json"  # in each template of kind `images`
IMAGES = (
    "postgres", "redis", "searxng", "caddy", "adminer", "app", "vault", "app-test", "vault-test", "registry", "runner",
)  # fmt: skip
IMAGE_SOURCES = ("roles/images", "roles/host_facts", "playbooks/test_images.yml", "filter_plugins/images.py")
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
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:12]


def contents(names: Sequence[str]) -> list[bytes]:
    """Names and bytes of all files below some paths of the repository, in a fixed order."""
    places = [ROOT / name for name in names]
    files = sorted(path for place in places for path in (place.rglob("*") if place.is_dir() else [place]))
    files = [path for path in files if path.is_file() and "__pycache__" not in path.parts]
    return [part for path in files for part in (str(path.relative_to(ROOT)).encode(), path.read_bytes())]


def image_references() -> list[str]:
    """What the images would be called, by their content: the same rule that the role images builds by."""
    from filter_plugins.images import images_plan  # loads Ansible: not for who only runs a command in a world

    options = {
        "root": str(ROOT), "source": "debian", "registry": "", "mirror": "", "security_mirror": "", "digests": "pinned",
    }  # fmt: skip
    versions = yaml.safe_load((ROOT / "images/versions.yml").read_text())
    return sorted(images_plan(versions, IMAGES, options)["refs"].values())


def templates_directory() -> Path:
    """Where templates lie, beside the worlds: files of layers can be linked only on one file system."""
    place = worlds.worlds_directory() / "templates"
    place.mkdir(exist_ok=True)
    return place


def of_kind(kind: str) -> list[Path]:
    """The templates of a kind, the newest first."""
    made = templates_directory().glob(f"{kind}-{FORMAT}*")
    return sorted(made, key=lambda path: path.stat().st_mtime, reverse=True)


def retire(kind: str) -> None:
    """Removes all but the newest templates of a kind, and all of another layout."""
    keep = of_kind(kind)[:KEPT]
    for path in templates_directory().glob(f"{kind}-*"):
        if path not in keep:
            shutil.rmtree(path, ignore_errors=True)


def make(kind: str, key: str, wish: Wish) -> Path:
    """The template of a kind and key, made if it is not there."""
    place = templates_directory() / f"{kind}-{FORMAT}{key}"
    with (templates_directory() / f".{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two parts that need it: the second waits and finds it made
        if not place.is_dir() or (kind == "images" and not image_note(place)):
            shutil.rmtree(place, ignore_errors=True)  # without its note: a run was killed before it wrote one
            build(kind, place, wish)
            if kind == "images":
                write_image_note(place, wish.template)
            os.utime(place)  # a copy may have its predecessor's time, and the newest are kept
            retire(kind)
        os.utime(place)
    return place


def build(kind: str, place: Path, wish: Wish) -> None:
    """Runs the command in a new world, which becomes the template."""
    argv = [sys.executable, "-m", "tools.bed", "run", f"--keep-as={place.name}"]
    argv += [f"--from={wish.template.name}"] if wish.template else []
    argv += ["--network"] if wish.network else []
    done = subprocess.run([*argv, "--", *wish.argv], cwd=ROOT, check=False)
    if done.returncode or not place.is_dir():
        raise BedError(f"test bed: template {kind} could not be made (exit {done.returncode})\nHINT: see its log above")


def images() -> Path:
    """A world whose engine built the images of the stack and its tests, and has the cache of that.

    Made from the newest one before it, so that a change builds only what it changed; each GENERATIONS from nothing, as
    what no image needs any more is never removed.
    """
    key = digest([each.encode() for each in image_references()] + contents(IMAGE_SOURCES))
    before = next((path for path in of_kind("images") if image_note(path)), None)
    before = before if before and generation(before) < GENERATIONS else None
    play = [str(ROOT / "scripts/play"), "test_images", "-e", f"test_images_wanted={','.join(IMAGES)}"]
    place = make("images", key, Wish(("env", "ENV=ci", "YES=1", *play), template=before, network=True))
    REFERENCES.parent.mkdir(parents=True, exist_ok=True)
    REFERENCES.write_text(json.dumps(image_note(place)["images"], indent=2, sort_keys=True) + "\n")
    return place


def write_image_note(place: Path, before: Path | None) -> None:
    """Records in a new template which images its engine holds; the play has just written their references."""
    note = {
        "template": place.name,
        "generation": generation(before) + 1 if before else 1,
        "images": json.loads(REFERENCES.read_text()),
    }
    (place / NOTE).write_text(json.dumps(note))


def image_note(place: Path) -> dict[str, Any]:
    """The template's own note; empty without one. A template is a copy and holds its predecessor's note at first."""
    try:
        note: dict[str, Any] = json.loads((place / NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return note if note.get("template") == place.name else {}


def generation(template: Path) -> int:
    """How many templates this one was made from, one after the other."""
    return int(image_note(template)["generation"])


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


KINDS: Mapping[str, Callable[[], Path]] = {"images": images, "hosts": hosts, "stack": stack}
