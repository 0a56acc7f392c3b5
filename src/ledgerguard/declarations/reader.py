"""The root-owned declarations, `/etc/ledgerguard/volumes.json`: which volumes are protected and who may hold them.

A module of its own because it is a contract with the roles (docs/guard-declarations.schema.json): read strictly here,
written whole, and nothing else of the guard is configuration of what may be done.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any, TypeVar

from ledgerguard.declarations.model import (
    NAME,
    SCHEMA,
    SCHEMA_WITHOUT_HOST,
    Allowance,
    DeclarationError,
    Declarations,
    DeclaredVolume,
    Grant,
    OtherMount,
    Pattern,
)
from ledgerguard.model import PROFILES

T = TypeVar("T")
IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")


def _error(path: str, problem: str) -> DeclarationError:
    return DeclarationError(f"{path}: {problem}")


def _object(value: Any, path: str, known_keys: set[str], required_keys: set[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(path, f"expected an object, found {type(value).__name__}")
    if unknown := sorted(set(value) - known_keys):
        raise _error(path, f"unknown key {unknown[0]!r} (known: {', '.join(sorted(known_keys))})")
    if missing := sorted(required_keys - set(value)):
        raise _error(path, f"key {missing[0]!r} is missing")
    return value


def _typed(value: Any, path: str, kind: type[T], expected: str) -> T:
    if not isinstance(value, kind):
        raise _error(path, f"expected {expected}, found {value!r}")
    return value


def _text(value: Any, path: str) -> str:
    return _typed(value, path, str, "text")


def _texts(value: Any, path: str) -> tuple[str, ...]:
    return tuple(_text(element, path) for element in _typed(value, path, list, "a list of texts"))


def _maybe_text(value: Any, path: str) -> str | None:
    return None if value is None else _text(value, path)


def _maybe_texts(value: Any, path: str) -> tuple[str, ...] | None:
    return None if value is None else _texts(value, path)


def _map(value: Any, path: str) -> dict[str, str]:
    texts = _typed(value, path, dict, "an object of texts")
    return {key: _text(content, f"{path}.{key}") for key, content in texts.items()}


def _bool(value: Any, path: str) -> bool:
    return _typed(value, path, bool, "true or false")


def _absolute(value: Any, path: str) -> str:
    text = _text(value, path)
    if not text.startswith("/"):
        raise _error(path, f"expected an absolute path, found {text!r}")
    return text


def _pattern(value: Any, path: str) -> Pattern:
    fields = _object(value, path, set(Pattern.__dataclass_fields__), {"argv"})
    argv = _texts(fields["argv"], f"{path}.argv")
    if not argv or argv[0] in ("*", "**"):
        raise _error(f"{path}.argv", f"the first word has to be a program, found {list(argv[:1])}")
    if "**" in argv[:-1]:
        raise _error(f"{path}.argv", "'**' can only be the last word")
    environment = _texts(fields.get("environment", []), f"{path}.environment")
    typed = {key: _bool(fields.get(key, False), f"{path}.{key}") for key in ("tty", "input")}
    return Pattern(argv, _maybe_text(fields.get("user"), f"{path}.user"), environment, **typed)


def _with_terminal_and_input(pattern: Pattern) -> Pattern:
    """Schema 1 said nothing of terminals and input: its commands go on as they did until they are declared again."""
    return replace(pattern, tty=True, input=True)


def _other_mount(value: Any, path: str) -> OtherMount:
    fields = _object(value, path, {"source", "target", "read_only"}, {"source", "target"})
    source, target = _text(fields["source"], f"{path}.source"), _absolute(fields["target"], f"{path}.target")
    return OtherMount(source, target, _bool(fields.get("read_only", False), f"{path}.read_only"))


_GRANT_KEYS = set(Grant.__dataclass_fields__)
_DESCRIBED = {"host", "config", "values", "networks"}


def _images(value: Any, path: str) -> tuple[str, ...]:
    images = _texts(value, path)
    for image in images:
        if not IMAGE_ID.fullmatch(image):
            raise _error(path, f"expected an image id (sha256:…), found {image!r}")
    return images


def _container_name(value: Any, path: str) -> str:
    name = _text(value, path)
    if not NAME.fullmatch(name):
        raise _error(path, f"not a container's name: {name!r}")
    return name


def _json_object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _error(path, f"expected an object, found {value!r}")
    return value


def _networks(value: Any, path: str) -> dict[str, tuple[str, ...]]:
    return {name: _texts(names, f"{path}.{name}") for name, names in _json_object(value, path).items()}


def _member(value: Any, path: str) -> Grant:
    if isinstance(value, dict) and value.get("target"):
        raise _error(f"{path}.target", "a member holds no protected volume: it has no target")
    return _grant({**value, "target": "/"} if isinstance(value, dict) else value, path, SCHEMA, target="")


def _grant(value: Any, path: str, schema: int, target: str | None = None) -> Grant:
    known_keys = _GRANT_KEYS if schema > SCHEMA_WITHOUT_HOST else _GRANT_KEYS - _DESCRIBED
    fields = _object(value, path, known_keys, {"container", "images", "target"})
    patterns = tuple(_pattern(pattern, f"{path}.exec[{index}]") for index, pattern in enumerate(fields.get("exec", [])))
    host = fields.get("host", {}) if schema > SCHEMA_WITHOUT_HOST else None
    return Grant(
        container=_container_name(fields["container"], f"{path}.container"),
        images=_images(fields["images"], f"{path}.images"),
        target=_absolute(fields["target"], f"{path}.target") if target is None else target,
        read_only=_bool(fields.get("read_only", False), f"{path}.read_only"),
        entrypoint=_maybe_texts(fields.get("entrypoint"), f"{path}.entrypoint"),
        command=_maybe_texts(fields.get("command"), f"{path}.command"),
        user=_maybe_text(fields.get("user"), f"{path}.user"),
        working_dir=_maybe_text(fields.get("working_dir"), f"{path}.working_dir"),
        healthcheck=_maybe_texts(fields.get("healthcheck"), f"{path}.healthcheck"),
        environment=_texts(fields.get("environment", []), f"{path}.environment"),
        mounts=tuple(
            _other_mount(mount, f"{path}.mounts[{index}]") for index, mount in enumerate(fields.get("mounts", []))
        ),
        exec=patterns if schema > SCHEMA_WITHOUT_HOST else tuple(map(_with_terminal_and_input, patterns)),
        host=None if host is None else _json_object(host, f"{path}.host"),
        config=_json_object(fields.get("config", {}), f"{path}.config"),
        values=_map(fields.get("values", {}), f"{path}.values"),
        networks=_networks(fields.get("networks", {}), f"{path}.networks"),
    )


def _allowance(value: Any, path: str) -> Allowance:
    fields = _object(value, path, set(Allowance.__dataclass_fields__), set(Allowance.__dataclass_fields__))
    name = _container_name(fields["container"], f"{path}.container")
    return Allowance(name, _images(fields["images"], f"{path}.images"), _texts(fields["things"], f"{path}.things"))


_VOLUME_KEYS = set(DeclaredVolume.__dataclass_fields__) - {"name"}


def _declared_volume(name: str, value: Any, schema: int) -> DeclaredVolume:
    path = f"volumes.{name}"
    if not NAME.fullmatch(name):
        raise _error("volumes", f"not a volume's name: {name!r}")
    fields = _object(value, path, _VOLUME_KEYS, {"environment"})
    profile = _text(fields.get("profile", "standard"), f"{path}.profile")
    if profile not in PROFILES:
        raise _error(f"{path}.profile", f"expected one of {', '.join(PROFILES)}, found {profile!r}")
    return DeclaredVolume(
        name=name,
        environment=_text(fields["environment"], f"{path}.environment"),
        driver=_text(fields.get("driver", "local"), f"{path}.driver"),
        options=_map(fields.get("options", {}), f"{path}.options"),
        labels=_map(fields.get("labels", {}), f"{path}.labels"),
        profile=profile,
        grants=tuple(
            _grant(grant, f"{path}.grants[{index}]", schema) for index, grant in enumerate(fields.get("grants", []))
        ),
    )


def parse_declarations(text: str) -> Declarations:
    """Declarations of a document, or a DeclarationError that names the key."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"not JSON: {error}") from None
    schema = value.get("schema") if isinstance(value, dict) else None
    more_keys = {"networks", "members", "exceptions"} if schema == SCHEMA else set()
    document = _object(value, "the document", {"schema", "volumes", *more_keys}, {"schema", "volumes"})
    if schema not in (SCHEMA_WITHOUT_HOST, SCHEMA) or isinstance(schema, bool):
        raise _error("schema", f"expected {SCHEMA} (or {SCHEMA_WITHOUT_HOST}), found {schema!r}")
    if not isinstance(document["volumes"], dict):
        raise _error("volumes", "expected an object, by volume name")
    return Declarations(
        {name: _declared_volume(name, volume, schema) for name, volume in document["volumes"].items()},
        frozenset(_texts(document.get("networks", []), "networks")),
        tuple(_member(member, f"members[{index}]") for index, member in enumerate(document.get("members", []))),
        tuple(
            _allowance(allowance, f"exceptions[{index}]")
            for index, allowance in enumerate(document.get("exceptions", []))
        ),
    )
