"""The worlds that others are copied from: with the images, with hosts' images, with a deployed stack.

A module of its own because it decides when one is stale. A template's name ends with a hash of all it was made from, so
it is made once for each content; the last used of a kind are kept, as branches are changed back and forth.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.bed import worlds
from tools.bed.worlds import ROOT, BedError, Wish

KEPT, GENERATIONS = 4, 8
MADE = ("__pycache__", ".egg-info")  # folders that Python and its installers write between the sources
FORMAT = "3."  # of the templates themselves: counted up when a world is laid out in another way
REFERENCES = ROOT / "build/results/images.json"  # what the parts of the tests are given
NOTE = "images.json"  # how many templates of kind `images` were made from another
IMAGES = (
    "postgres", "redis", "searxng", "caddy", "adminer", "app", "vault", "app-test", "vault-test", "registry", "runner",
)  # fmt: skip
IMAGE_SOURCES = ("roles/images", "roles/host_facts", "playbooks/test_images.yml", "src/ledgerflow/stack/images.py")
# What a deployed stack is made from. A file that is missing here would leave tests on yesterday's stack.
STACK_SOURCES = (
    "ansible.cfg", "app", "filter_plugins", "images", "inventory", "playbooks", "plugins", "requirements", "roles",
    "scripts", "src", ".env.example", "tools/kit/stacks.py", "tests/deploy/template.py",
)  # fmt: skip
HOST_SOURCES = (
    "molecule/shared", "roles/docker_engine", "filter_plugins/host.py", "src/ledgerflow/host", "images",
)  # fmt: skip
HOST_RELEASES = ("trixie", "bookworm")


def digest(parts: Iterable[bytes]) -> str:
    """Twelve hex digits of a sequence of contents."""
    total = hashlib.sha256()
    for part in parts:
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()[:12]


def contents(names: Sequence[str]) -> list[bytes]:
    """Names and bytes of all files below some paths of the repository, in a fixed order."""
    places = [ROOT / name for name in names]
    files = sorted(path for place in places for path in (place.rglob("*") if place.is_dir() else [place]))
    files = [path for path in files if path.is_file() and not any(part.endswith(MADE) for part in path.parts)]
    return [part for path in files for part in (str(path.relative_to(ROOT)).encode(), path.read_bytes())]


def image_references() -> dict[str, str]:
    """What each image is called, by its content: the same rule that the role images builds by."""
    from ledgerflow.stack.images import images_plan  # loads Ansible: not for who only runs a command in a world

    options = {
        "root": str(ROOT), "source": "debian", "registry": "", "mirror": "", "security_mirror": "", "digests": "pinned",
    }  # fmt: skip
    versions = yaml.safe_load((ROOT / "images/versions.yml").read_text())
    return dict(sorted(images_plan(versions, IMAGES, options)["refs"].items()))


def templates_directory() -> Path:
    """Where templates lie, beside the worlds: files of layers can be linked only on one file system."""
    place = worlds.worlds_directory() / "templates"
    place.mkdir(exist_ok=True)
    return place


def of_kind(kind: str) -> list[Path]:
    """The templates of a kind, the last used first."""
    return sorted(templates_directory().glob(f"{kind}-{FORMAT}*"), key=last_used, reverse=True)


def use_record(template: Path) -> Path:
    """The file whose time says when a template was last used: beside it, as a template must not change under a copy."""
    return template.with_name(f".{template.name}.used")


def last_used(template: Path) -> float:
    """Seconds of the epoch; when it was made, if nothing used it since."""
    record = use_record(template)
    return (record if record.exists() else template).stat().st_mtime


def retire(kind: str) -> None:
    """Removes all but the newest templates of a kind, and all of another layout."""
    keep = of_kind(kind)[:KEPT]
    for path in templates_directory().glob(f"{kind}-*"):
        if path not in keep:
            shutil.rmtree(path, ignore_errors=True)
            use_record(path).unlink(missing_ok=True)


def make(kind: str, key: str, wish: Wish) -> Path:
    """The template of a kind and key, made if it is not there."""
    place = templates_directory() / f"{kind}-{FORMAT}{key}"
    with (templates_directory() / f".{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two parts that need it: the second waits and finds it made
        if not place.is_dir():
            build(kind, place, wish)
        use_record(place).touch()
        retire(kind)
    return place


def build(kind: str, place: Path, wish: Wish) -> None:
    """Runs the command in a new world, which becomes the template."""
    argv = [sys.executable, "-m", "tools.bed", "run", f"--keep-as={place.name}"]
    argv += [f"--from={wish.template.name}"] if wish.template else []
    argv += ["--network"] if wish.network else []
    process = subprocess.run([*argv, "--", *wish.argv], cwd=ROOT, check=False)
    if process.returncode or not place.is_dir():
        raise BedError(
            f"test bed: template {kind} could not be made (exit {process.returncode})\nHINT: see its log above"
        )


def images() -> Path:
    """A world whose engine built the images of the stack and its tests, and has the cache of that.

    Made from the newest one before it, so that a change builds only what it changed; each GENERATIONS from nothing, as
    what no image needs any more is never removed.
    """
    references = image_references()
    key = digest([reference.encode() for reference in sorted(references.values())] + contents(IMAGE_SOURCES))
    newest = next(iter(of_kind("images")), None)
    before = newest if newest and generation(newest) < GENERATIONS else None
    play = f"ENV=ci YES=1 {ROOT / 'scripts/play'} test_images -e test_images_wanted={','.join(IMAGES)}"
    # What is kept under this key has just these images: a source that changed meanwhile gives others, and no template.
    check = f"docker image inspect --format '{{{{.Id}}}}' {' '.join(references.values())}"
    place = make("images", key, Wish(("bash", "-euc", f"{play}; {check}"), template=before, network=True))
    record_generation(place)
    REFERENCES.parent.mkdir(parents=True, exist_ok=True)
    REFERENCES.write_text(json.dumps(references, indent=2) + "\n")
    return place


def read_note(template: Path) -> dict[str, Any]:
    """The note in a template; empty where there is none or a kill cut it off."""
    try:
        note: dict[str, Any] = json.loads((template / NOTE).read_text())
    except (OSError, ValueError):
        return {}
    return note


def generation(template: Path) -> int:
    """How many templates this one was made from, one after the other."""
    note = read_note(template)
    # A template is a copy: until it has a note of its own it holds its predecessor's.
    return int(note.get("generation", 0)) + (note.get("template") != template.name)


def record_generation(template: Path) -> None:
    """Writes the template's own note."""
    if read_note(template).get("template") != template.name:
        note = {"template": template.name, "generation": generation(template)}
        (template / NOTE).write_text(json.dumps(note))


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
