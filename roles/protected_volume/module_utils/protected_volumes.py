"""What a protected volume, its sentinel and its record are, wherever the data lies.

A module of its own because two modules make protected volumes, volume_directory on the host and volume_inside in the
engine's own volumes, and a sentinel written by one must be known by the other: its form stands here alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SENTINEL = ".ledgerflow.json"
TEMPORARY = f"{SENTINEL}.tmp"
DATA = "data"
# A new file system of its own has this directory; nobody's data is in it.
NOBODYS = frozenset({"lost+found"})
SCHEMA = 1
_DONE = {"create": "made new", "adopt": "taken over, record written", "mend": "owner and mode put right"}

_TEXT, _NUMBER = {"type": "str", "required": True}, {"type": "int", "required": True}
# Of the module's arguments, those by which volumes are declared.
DECLARATION: dict[str, Any] = {
    "state_dir": {"type": "path", "required": True},
    "stack": _TEXT,
    "environment": _TEXT,
    "volumes": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "options": {
            "name": _TEXT,
            "service": _TEXT,
            "uid": _NUMBER,
            "gid": _NUMBER,
            "mode": {"type": "str", "default": "0700"},
        },
    },
}


@dataclass(frozen=True)
class Declared:
    """One volume as declared, and the names that follow from it."""

    stack: str
    environment: str
    name: str
    service: str
    uid: int
    gid: int
    mode: int
    records: Path

    @property
    def record(self) -> Path:
        """The host's copy of the sentinel."""
        return self.records / f"{self.name}.json"

    @property
    def initialised(self) -> Path:
        """There once the service has started on the volume."""
        return self.records / f"{self.name}.initialised"

    @property
    def docker_name(self) -> str:
        """The volume's name in the engine."""
        return f"{self.stack}_{self.environment}_{self.name}"

    @property
    def identity(self) -> dict[str, str]:
        """What a sentinel says of whose it is."""
        return {"stack": self.stack, "environment": self.environment, "service": self.service, "volume": self.name}


@dataclass(frozen=True)
class Decision:
    """What to do with one volume: none, unknown, mend, create, adopt, or refuse with a message."""

    action: str
    reason: str = ""
    initialise: bool = False


def declared(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The fields of `Declared` for each volume of a module's arguments."""
    records = Path(params["state_dir"]) / "volumes"
    common = {"stack": params["stack"], "environment": params["environment"], "records": records}
    return [{**common, **volume, "mode": int(volume["mode"], 8)} for volume in params["volumes"]]


def sentinel_text(volume: Declared, identifier: str, created: str) -> str:
    """The bytes of a sentinel and of its record."""
    content = {"schema": SCHEMA, "uuid": identifier, **volume.identity, "created": created}
    return json.dumps(content, indent=2) + "\n"


def new_sentinel(volume: Declared) -> str:
    """The sentinel of a volume that is made now."""
    return sentinel_text(volume, str(uuid.uuid4()), datetime.now(UTC).isoformat(timespec="seconds"))


def parsed(text: str) -> dict[str, Any]:
    """A sentinel's content; empty where it is not a JSON object."""
    try:
        content = json.loads(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def named(text: str) -> str:
    """Whose sentinel or record a text is, for a message."""
    content = parsed(text)
    if not content:
        return f"not a sentinel ({text[:60]!r})"
    fields = ("stack", "environment", "service", "volume", "uuid")
    return ", ".join(f"{field} {content.get(field, '?')}" for field in fields)


def made(record: str) -> str:
    """When a record says that its volume was made, for a message."""
    content = parsed(record)
    return f"its record says that it was made at {content.get('created', '?')} (uuid {content['uuid']})"


def is_of(volume: Declared, text: str) -> bool:
    """Whether a sentinel or record is this volume's."""
    content = parsed(text)
    return bool(content.get("uuid")) and all(content.get(key) == expected for key, expected in volume.identity.items())


def refuse(volume: Declared, problem: str, hint: str) -> Decision:
    """A refusal that names the volume and the way out."""
    return Decision("refuse", f"volume {volume.docker_name}: {problem}\nHINT: {hint}")


def listed(entries: tuple[str, ...]) -> str:
    """How many entries, and the first of them, for a message."""
    return f"{len(entries)} entries ({', '.join(entries[:5])}{', …' if len(entries) > 5 else ''})"


def read_text(path: Path) -> str | None:
    """A file's text; None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def write_whole(path: Path, text: str, owner: int | None = None) -> None:
    """Write a file so that it is there in full or not at all, also after a power cut; `owner` is its uid and gid."""
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o444)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if owner is not None:
            os.fchown(file.fileno(), owner, owner)
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Keep a second deploy from making the same volumes at the same time."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def difference(outcomes: list[dict[str, Any]], place: str) -> dict[str, str]:
    """What --diff shows; `place` is the key under which a result says where it is."""
    lines = [f"{outcome[place]}: {_DONE[outcome['action']]}\n" for outcome in outcomes if outcome["action"] in _DONE]
    return {"before": "", "after": "".join(lines)}
