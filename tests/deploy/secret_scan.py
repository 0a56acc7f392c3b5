"""Looks for secrets, in every form they could have taken, wherever a stack leaves something that others can read.

A module of its own because the scan has to be shown to fail: the same functions look at a stack and at what a test
planted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.kit.stacks import REPOSITORY, Stack


@dataclass(frozen=True, order=True)
class Finding:
    """A secret seen: where, which one, and in which form. Never its value."""

    where: str
    secret: str
    form: str


Source = tuple[str, bytes]  # where, and what is there


def forms(value: str) -> dict[str, bytes]:
    """The value as it may have been written; base64 also as a part of something longer, in all three alignments."""
    raw = value.encode()
    found = {
        "as it is": raw,
        "quoted for a URL": urllib.parse.quote(value, safe="").encode(),
        "reversed": raw[::-1],
        "hex": raw.hex().encode(),
        "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest().encode(),
        "sha256": hashlib.sha256(raw).hexdigest().encode(),
    }
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        found[f"base64 after {shift} bytes"] = whole[-(-shift * 8 // 6) : len(raw) * 8 // 6 - 3]
    return found


def search(secrets: Mapping[str, str], sources: Iterable[Source]) -> set[Finding]:
    """Every secret in every source."""
    needles = [(name, form, text) for name, value in secrets.items() for form, text in forms(value).items()]
    return {Finding(where, name, form) for where, content in sources for name, form, text in needles if text in content}


# --- sources --------------------------------------------------------------------------------------------------------


def engine_sources(stack: Stack) -> Iterator[Source]:
    """What the engine tells of the stack's containers, their logs, images, volumes and networks."""
    names = stack.docker("ps", "-a", "--filter", f"name=^{stack.id}-", "--format", "{{.Names}}").split()
    assert names, "nothing to look at"
    for name in names:
        yield f"docker inspect {name}", stack.docker("inspect", name).encode()
        yield f"docker logs {name}", logs(stack, name)
        yield f"docker top {name}", stack.docker("top", name, "-eo", "pid,args").encode()
    for image in {item["Image"] for item in json.loads(stack.docker("inspect", *names))}:
        yield f"docker image inspect {image}", stack.docker("image", "inspect", image).encode()
        yield f"docker history {image}", stack.docker("history", "--no-trunc", image).encode()
    for kind, prefix in (("volume", f"{stack.name}_{stack.environment}_"), ("network", f"{stack.id}-")):
        named = stack.docker(kind, "ls", "--filter", f"name=^{prefix}", "--format", "{{.Name}}").split()
        assert named, f"no {kind} to look at"
        yield f"docker {kind} inspect", stack.docker(kind, "inspect", *named).encode()


def logs(stack: Stack, name: str) -> bytes:
    """Both streams of a container's log."""
    with closing(stack.client()) as client:
        content = client.containers.get(name).logs()
    assert isinstance(content, bytes)
    return content


def environment_sources(stack: Stack) -> Iterator[Source]:
    """The environment of every process in the stack's containers."""
    for name in stack.docker("ps", "--filter", f"name=^{stack.id}-", "--format", "{{.Names}}").split():
        for pid in stack.docker("top", name, "-eo", "pid").split()[1:]:
            yield f"environment in {name}", read(Path(f"/proc/{pid}/environ"))


def process_sources() -> Iterator[Source]:
    """The command line of every process of the host."""
    for place in Path("/proc").glob("[0-9]*"):
        yield f"command line of {place.name}", read(place / "cmdline").replace(b"\0", b" ")


def file_sources(*roots: Path) -> Iterator[Source]:
    """Every file below the roots, its path included."""
    for root in roots:
        for path in sorted(root.rglob("*")):
            yield str(path), str(path).encode() + (read(path) if path.is_file() else b"")


def read(path: Path) -> bytes:
    """The file's bytes; none where it or its process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def stack_files(stack: Stack) -> Iterator[Source]:
    """Everything below the stack's configuration that is no secret file by its place."""
    for where, content in file_sources(stack.config):
        if "secrets" not in Path(where).relative_to(stack.config).parts[:2]:
            yield where, content


def run_files(stack: Stack) -> Iterator[Source]:
    """What runs leave behind: logs, results, cached facts, settings."""
    yield from file_sources(*(REPOSITORY / "build" / name for name in ("logs", "results", "facts")), stack.directory)


@contextmanager
def processes_watched(secrets: Mapping[str, str]) -> Iterator[set[Finding]]:
    """Looks at all command lines again and again until the block ends; the findings grow meanwhile."""
    found: set[Finding] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            lines = list(process_sources())
            if search(secrets, [("all", b"\n".join(line for _where, line in lines))]):
                found.update(search(secrets, lines))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
