"""The root-owned declarations, `/etc/ledgerguard/volumes.json`: which volumes are protected and who may hold them.

A module of its own because it is a contract with the roles (docs/guard-declarations.schema.json): read strictly here,
written whole, and nothing else of the guard is configuration of what may be done.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from ledgerguard.declarations.model import (
    NAME,
    SCHEMA,
    UNDESCRIBED,
    Allowance,
    DeclarationError,
    Declarations,
    Declared,
    Grant,
    OtherMount,
    Pattern,
)
from ledgerguard.model import PROFILES

IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


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
    data = _object(value, where, set(Pattern.__dataclass_fields__), {"argv"})
    argv = _texts(data["argv"], f"{where}.argv")
    if not argv or argv[0] in ("*", "**"):
        raise _refuse(f"{where}.argv", f"the first word has to be a program, found {list(argv[:1])}")
    if "**" in argv[:-1]:
        raise _refuse(f"{where}.argv", "'**' can only be the last word")
    environment = _texts(data.get("environment", []), f"{where}.environment")
    typed = {key: _bool(data.get(key, False), f"{where}.{key}") for key in ("tty", "input")}
    return Pattern(argv, _maybe_text(data.get("user"), f"{where}.user"), environment, **typed)


def _undescribed(pattern: Pattern) -> Pattern:
    """Schema 1 said nothing of terminals and input: its commands go on as they did until they are declared again."""
    return replace(pattern, tty=True, input=True)


def _other_mount(value: Any, where: str) -> OtherMount:
    data = _object(value, where, {"source", "target", "read_only"}, {"source", "target"})
    source, target = _text(data["source"], f"{where}.source"), _absolute(data["target"], f"{where}.target")
    return OtherMount(source, target, _bool(data.get("read_only", False), f"{where}.read_only"))


_GRANT = set(Grant.__dataclass_fields__)
_DESCRIBED = {"host", "config", "values", "networks"}


def _images(value: Any, where: str) -> tuple[str, ...]:
    images = _texts(value, where)
    for image in images:
        if not IMAGE_ID.fullmatch(image):
            raise _refuse(where, f"expected an image id (sha256:…), found {image!r}")
    return images


def _container_name(value: Any, where: str) -> str:
    name = _text(value, where)
    if not NAME.fullmatch(name):
        raise _refuse(where, f"not a container's name: {name!r}")
    return name


def _json_object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refuse(where, f"expected an object, found {value!r}")
    return value


def _networks(value: Any, where: str) -> dict[str, tuple[str, ...]]:
    return {name: _texts(names, f"{where}.{name}") for name, names in _json_object(value, where).items()}


def _member(value: Any, where: str) -> Grant:
    if isinstance(value, dict) and value.get("target"):
        raise _refuse(f"{where}.target", "a member holds no protected volume: it has no target")
    return _grant({**value, "target": "/"} if isinstance(value, dict) else value, where, SCHEMA, target="")


def _grant(value: Any, where: str, schema: int, target: str | None = None) -> Grant:
    known = _GRANT if schema > UNDESCRIBED else _GRANT - _DESCRIBED
    data = _object(value, where, known, {"container", "images", "target"})
    patterns = tuple(_pattern(one, f"{where}.exec[{i}]") for i, one in enumerate(data.get("exec", [])))
    host = data.get("host", {}) if schema > UNDESCRIBED else None
    return Grant(
        container=_container_name(data["container"], f"{where}.container"),
        images=_images(data["images"], f"{where}.images"),
        target=_absolute(data["target"], f"{where}.target") if target is None else target,
        read_only=_bool(data.get("read_only", False), f"{where}.read_only"),
        entrypoint=_maybe_texts(data.get("entrypoint"), f"{where}.entrypoint"),
        command=_maybe_texts(data.get("command"), f"{where}.command"),
        user=_maybe_text(data.get("user"), f"{where}.user"),
        working_dir=_maybe_text(data.get("working_dir"), f"{where}.working_dir"),
        healthcheck=_maybe_texts(data.get("healthcheck"), f"{where}.healthcheck"),
        environment=_texts(data.get("environment", []), f"{where}.environment"),
        mounts=tuple(_other_mount(one, f"{where}.mounts[{i}]") for i, one in enumerate(data.get("mounts", []))),
        exec=patterns if schema > UNDESCRIBED else tuple(map(_undescribed, patterns)),
        host=None if host is None else _json_object(host, f"{where}.host"),
        config=_json_object(data.get("config", {}), f"{where}.config"),
        values=_map(data.get("values", {}), f"{where}.values"),
        networks=_networks(data.get("networks", {}), f"{where}.networks"),
    )


def _exception(value: Any, where: str) -> Allowance:
    data = _object(value, where, set(Allowance.__dataclass_fields__), set(Allowance.__dataclass_fields__))
    name = _container_name(data["container"], f"{where}.container")
    return Allowance(name, _images(data["images"], f"{where}.images"), _texts(data["things"], f"{where}.things"))


_DECLARED = set(Declared.__dataclass_fields__) - {"name"}


def _declared(name: str, value: Any, schema: int) -> Declared:
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
        grants=tuple(_grant(one, f"{where}.grants[{i}]", schema) for i, one in enumerate(data.get("grants", []))),
    )


def read(text: str) -> Declarations:
    """Declarations of a document, or a DeclarationError that names the key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"not JSON: {error}") from None
    schema = value.get("schema") if isinstance(value, dict) else None
    beside = {"networks", "members", "exceptions"} if schema == SCHEMA else set()
    data = _object(value, "the document", {"schema", "volumes", *beside}, {"schema", "volumes"})
    if schema not in (UNDESCRIBED, SCHEMA) or isinstance(schema, bool):
        raise _refuse("schema", f"expected {SCHEMA} (or {UNDESCRIBED}), found {schema!r}")
    if not isinstance(data["volumes"], dict):
        raise _refuse("volumes", "expected an object, by volume name")
    return Declarations(
        {name: _declared(name, one, schema) for name, one in data["volumes"].items()},
        frozenset(_texts(data.get("networks", []), "networks")),
        tuple(_member(one, f"members[{i}]") for i, one in enumerate(data.get("members", []))),
        tuple(_exception(one, f"exceptions[{i}]") for i, one in enumerate(data.get("exceptions", []))),
    )
