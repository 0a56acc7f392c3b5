"""Strict parsing of JSON and TOML into frozen dataclasses.

The configuration, the manifest, the proof and the journal refuse the same things: unknown keys, missing keys and values
of another type.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import types
from collections.abc import Hashable, Mapping
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


class RecordError(ValueError):
    """`path: what is wrong`; the caller names the file."""


class NewerError(RecordError):
    """A later version of this program wrote this, so it cannot be judged here."""


def build(kind: type[T], data: object, path: str = "") -> T:
    """Returns a `kind` built from `data`, or raises RecordError with the key."""
    if not isinstance(data, Mapping):
        raise RecordError(f"{path or 'the document'}: expected a table of keys, found {_seen(data)}")
    hints, fields = _described(cast(Hashable, kind))
    for key in data:
        if key not in fields:
            raise RecordError(f"{_join(path, str(key))}: unknown key (known: {', '.join(fields)})")
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], _join(path, name))
        elif _is_required(field):
            raise RecordError(f"{_join(path, name)}: missing")
    return kind(**values)


def plain(record: object) -> Any:
    """The opposite of `build`: values that json can write."""
    return dataclasses.asdict(record)  # type: ignore[call-overload]


def to_json(record: object) -> bytes:
    """The bytes that are written, hashed and compared: stable order, UTF-8, one newline at the end."""
    return (json.dumps(plain(record), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def to_line(record: object) -> bytes:
    return json.dumps(plain(record), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def from_json(kind: type[T], text: bytes, newest: int | None = None) -> T:
    """`newest` is the latest schema this program reads. The key `schema` is checked before all others."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:  # also for bytes that are not UTF-8
        raise RecordError(f"not JSON: {error}") from error
    if newest is not None and isinstance(data, dict):
        refuse_newer(data.get("schema", 1), newest)
    return build(kind, data)


def refuse_newer(schema: object, newest: int) -> None:
    if isinstance(schema, int) and schema > newest:
        raise NewerError(f"written by a newer ledgervault: schema {schema}, this version reads up to {newest}")


def json_schema(kind: type[Any], title: str) -> dict[str, Any]:
    """The JSON Schema of what `build` accepts, for other programs."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_schema_of(kind)}


def _schema_of(hint: Any) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin in (Union, types.UnionType):
        inner = _schema_of(next(a for a in arguments if a is not type(None)))
        return {"anyOf": [inner, {"type": "null"}]}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema_of(arguments[1])}
    if origin is tuple:
        return {"type": "array", "items": _schema_of(arguments[0])}
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint)
        fields = dataclasses.fields(hint)
        properties = {field.name: _schema_of(hints[field.name]) for field in fields}
        required = [field.name for field in fields if _is_required(field)]  # files of an older schema lack the others
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"type": {str: "string", int: "integer", float: "number", bool: "boolean"}[hint]}


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@functools.cache
def _described(kind: Any) -> tuple[dict[str, Any], dict[str, dataclasses.Field[Any]]]:
    """Cached, because a journal has a line for every hour of years."""
    return get_type_hints(kind), {field.name: field for field in dataclasses.fields(kind)}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _seen(value: object) -> str:
    text = repr(value)
    return f"{type(value).__name__} {text if len(text) < 60 else text[:57] + '...'}"


def _value(hint: Any, value: object, path: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else _value(next(a for a in arguments if a is not type(None)), value, path)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise RecordError(f"{path}: expected a table of keys, found {_seen(value)}")
        return {str(key): _value(arguments[1], item, _join(path, str(key))) for key, item in value.items()}
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise RecordError(f"{path}: expected a list, found {_seen(value)}")
        return tuple(_value(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return build(hint, value, path)  # type: ignore[arg-type]
    return _scalar(hint, value, path)


def _scalar(hint: type[Any], value: object, path: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise RecordError(f"{path}: expected {hint.__name__}, found {_seen(value)}")
    return value
