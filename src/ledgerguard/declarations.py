"""The root-owned declarations, `/etc/ledgerguard/volumes.json`: which volumes are protected and who may hold them.

A module of its own because it is a contract with the roles (docs/guard-declarations.schema.json): read strictly here,
written whole, and nothing else of the guard is configuration of what may be done.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ledgerguard.model import PROFILES, Volume

SCHEMA = 1
KEPT_IMAGES = 5
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


class DeclarationError(ValueError):
    """`place: what is wrong, with the value seen`."""


@dataclass(frozen=True)
class Pattern:
    """A command that may be run inside an owner. In `argv`, `*` stands for one word that is no option, and `**` as the
    last word for any number of words. `user` None: the container's own."""

    argv: tuple[str, ...]
    user: str | None = None
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class OtherMount:
    """What else the owner mounts: a host path or an unprotected volume."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Grant:
    """One container that may hold the volume, exactly described. None: as its image says."""

    container: str
    images: tuple[str, ...]
    target: str
    read_only: bool = False
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    healthcheck: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    mounts: tuple[OtherMount, ...] = ()
    exec: tuple[Pattern, ...] = ()


@dataclass(frozen=True)
class Declared:
    """One protected volume."""

    name: str
    environment: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    profile: str = "standard"
    grants: tuple[Grant, ...] = ()

    @property
    def device(self) -> str:
        return self.options.get("device", "")


@dataclass(frozen=True)
class Declarations:
    """All of them, by name."""

    volumes: Mapping[str, Declared] = field(default_factory=dict)

    @property
    def profile(self) -> str:
        """The engine's: strict as soon as one volume is."""
        return "strict" if any(one.profile == "strict" for one in self.volumes.values()) else "standard"

    def protected(self, known: Mapping[str, Volume]) -> frozenset[str]:
        """Names of all protected volumes: the declared ones, and those that carry the label."""
        return frozenset(self.volumes) | {name for name, volume in known.items() if volume.labelled}

    def grants_of(self, container: str) -> dict[str, Grant]:
        """volume → grant of the container with this name."""
        return {
            name: grant
            for name, declared in self.volumes.items()
            for grant in declared.grants
            if grant.container == container
        }


# --- reading ----------------------------------------------------------------------------------------------------------


def _refuse(where: str, what: str) -> DeclarationError:
    return DeclarationError(f"{where}: {what}")


def _object(value: Any, where: str, known: set[str], needed: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(where, f"expected an object, found {type(value).__name__}")
    if unknown := sorted(set(value) - known):
        raise _refuse(where, f"unknown key {unknown[0]!r} (known: {', '.join(sorted(known))})")
    if missing := sorted(needed - set(value)):
        raise _refuse(where, f"key {missing[0]!r} is missing")
    return value


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _refuse(where, f"expected text, found {value!r}")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise _refuse(where, f"expected a list of texts, found {value!r}")
    return tuple(_text(item, where) for item in value)


def _maybe_text(value: Any, where: str) -> str | None:
    return None if value is None else _text(value, where)


def _maybe_texts(value: Any, where: str) -> tuple[str, ...] | None:
    return None if value is None else _texts(value, where)


def _map(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _refuse(where, f"expected an object of texts, found {value!r}")
    return {key: _text(item, f"{where}.{key}") for key, item in value.items()}


def _bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise _refuse(where, f"expected true or false, found {value!r}")
    return value


def _absolute(value: Any, where: str) -> str:
    path = _text(value, where)
    if not path.startswith("/"):
        raise _refuse(where, f"expected an absolute path, found {path!r}")
    return path


def _pattern(value: Any, where: str) -> Pattern:
    data = _object(value, where, {"argv", "user", "environment"}, {"argv"})
    argv = _texts(data["argv"], f"{where}.argv")
    if not argv or argv[0] in ("*", "**"):
        raise _refuse(f"{where}.argv", f"the first word has to be a program, found {list(argv[:1])}")
    if "**" in argv[:-1]:
        raise _refuse(f"{where}.argv", "'**' can only be the last word")
    environment = _texts(data.get("environment", []), f"{where}.environment")
    return Pattern(argv, _maybe_text(data.get("user"), f"{where}.user"), environment)


def _other_mount(value: Any, where: str) -> OtherMount:
    data = _object(value, where, {"source", "target", "read_only"}, {"source", "target"})
    source, target = _text(data["source"], f"{where}.source"), _absolute(data["target"], f"{where}.target")
    return OtherMount(source, target, _bool(data.get("read_only", False), f"{where}.read_only"))


_GRANT = set(Grant.__dataclass_fields__)


def _grant(value: Any, where: str) -> Grant:
    data = _object(value, where, _GRANT, {"container", "images", "target"})
    images = _texts(data["images"], f"{where}.images")
    for image in images:
        if not IMAGE_ID.fullmatch(image):
            raise _refuse(f"{where}.images", f"expected an image id (sha256:…), found {image!r}")
    name = _text(data["container"], f"{where}.container")
    if not NAME.fullmatch(name):
        raise _refuse(f"{where}.container", f"not a container's name: {name!r}")
    return Grant(
        container=name,
        images=images,
        target=_absolute(data["target"], f"{where}.target"),
        read_only=_bool(data.get("read_only", False), f"{where}.read_only"),
        entrypoint=_maybe_texts(data.get("entrypoint"), f"{where}.entrypoint"),
        command=_maybe_texts(data.get("command"), f"{where}.command"),
        user=_maybe_text(data.get("user"), f"{where}.user"),
        working_dir=_maybe_text(data.get("working_dir"), f"{where}.working_dir"),
        healthcheck=_maybe_texts(data.get("healthcheck"), f"{where}.healthcheck"),
        environment=_texts(data.get("environment", []), f"{where}.environment"),
        mounts=tuple(_other_mount(one, f"{where}.mounts[{i}]") for i, one in enumerate(data.get("mounts", []))),
        exec=tuple(_pattern(one, f"{where}.exec[{i}]") for i, one in enumerate(data.get("exec", []))),
    )


_DECLARED = set(Declared.__dataclass_fields__) - {"name"}


def _declared(name: str, value: Any) -> Declared:
    where = f"volumes.{name}"
    if not NAME.fullmatch(name):
        raise _refuse("volumes", f"not a volume's name: {name!r}")
    data = _object(value, where, _DECLARED, {"environment"})
    profile = _text(data.get("profile", "standard"), f"{where}.profile")
    if profile not in PROFILES:
        raise _refuse(f"{where}.profile", f"expected one of {', '.join(PROFILES)}, found {profile!r}")
    return Declared(
        name=name,
        environment=_text(data["environment"], f"{where}.environment"),
        driver=_text(data.get("driver", "local"), f"{where}.driver"),
        options=_map(data.get("options", {}), f"{where}.options"),
        labels=_map(data.get("labels", {}), f"{where}.labels"),
        profile=profile,
        grants=tuple(_grant(one, f"{where}.grants[{i}]") for i, one in enumerate(data.get("grants", []))),
    )


def read(text: str) -> Declarations:
    """Declarations of a document, or a DeclarationError that names the key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"not JSON: {error}") from None
    data = _object(value, "the document", {"schema", "volumes"}, {"schema", "volumes"})
    if data["schema"] != SCHEMA:
        raise _refuse("schema", f"expected {SCHEMA}, found {data['schema']!r}")
    if not isinstance(data["volumes"], dict):
        raise _refuse("volumes", "expected an object, by volume name")
    return Declarations({name: _declared(name, one) for name, one in data["volumes"].items()})


def load(file: Path) -> Declarations:
    """The declarations of a file; a file that is not there declares nothing."""
    try:
        return read(file.read_text())
    except FileNotFoundError:
        return Declarations()
    except DeclarationError as error:
        raise DeclarationError(f"{file}: {error}") from None


# --- writing ----------------------------------------------------------------------------------------------------------


def to_json(declarations: Declarations) -> str:
    volumes = {name: asdict(one) for name, one in declarations.volumes.items()}
    for one in volumes.values():
        del one["name"]
    return json.dumps({"schema": SCHEMA, "volumes": volumes}, indent=1, sort_keys=True) + "\n"


def merged(known: Declarations, new: Declarations) -> Declarations:
    """`new` over `known`: a volume is replaced whole, but earlier image ids stay until five newer ones have come."""
    return Declarations({**known.volumes, **{name: _with_history(known, one) for name, one in new.volumes.items()}})


def joined(documents: Sequence[Declarations]) -> Declarations:
    """All documents as one. What a volume is, one of them says; the others repeat it or leave it out, and add grants.
    Of a grant others may add commands. Raises DeclarationError where two disagree."""
    volumes: dict[str, Declared] = {}
    for document in documents:
        for name, one in document.volumes.items():
            volumes[name] = _both(volumes[name], one) if name in volumes else one
    return Declarations(volumes)


def _both(first: Declared, second: Declared) -> Declared:
    where = f"volumes.{first.name}"
    if first.environment != second.environment:
        raise _refuse(f"{where}.environment", f"{first.environment!r} and {second.environment!r}")
    left_out = Declared(first.name, first.environment)
    said = {}
    for key in ("driver", "options", "labels", "profile"):
        values = [getattr(one, key) for one in (first, second) if getattr(one, key) != getattr(left_out, key)]
        if len(values) > 1 and values[0] != values[1]:
            raise _refuse(f"{where}.{key}", f"declared twice: {values[0]!r} and {values[1]!r}")
        said[key] = values[0] if values else getattr(left_out, key)
    grants = {grant.container: grant for grant in first.grants}
    for grant in second.grants:
        known = grants.get(grant.container)
        grants[grant.container] = _one_grant(known, grant, where) if known else grant
    return replace(first, grants=tuple(grants.values()), **said)


def _one_grant(first: Grant, second: Grant, where: str) -> Grant:
    if replace(first, exec=()) != replace(second, exec=()):
        raise _refuse(f"{where}.grants", f"container {first.container!r} is granted in two ways")
    return replace(first, exec=tuple(dict.fromkeys([*first.exec, *second.exec])))


def _with_history(known: Declarations, new: Declared) -> Declared:
    before = known.volumes.get(new.name)
    if before is None:
        return new
    history = {(grant.container, grant.target): grant.images for grant in before.grants}
    grants = tuple(_newest(grant, history.get((grant.container, grant.target), ())) for grant in new.grants)
    return Declared(**{**new.__dict__, "grants": grants})


def _newest(grant: Grant, before: tuple[str, ...]) -> Grant:
    images = tuple(dict.fromkeys([*grant.images, *before]))[: max(KEPT_IMAGES, len(grant.images))]
    return Grant(**{**grant.__dict__, "images": images})
