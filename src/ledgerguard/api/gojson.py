"""JSON as the engine's decoder reads it, made strict: a module of its own because the difference between two readers
of one body is how requests are smuggled.

Go matches a struct's keys without regard to case (by Unicode folding), merges duplicates and takes what comes last.
Here a duplicate is refused, and keys are read folded. Bodies are bounded in size and depth.
"""

from __future__ import annotations

import json
from typing import Any

from ledgerguard.refusal import Refusal

MAX_BYTES, MAX_DEPTH = 1 << 20, 100
Json = Any
NOTHING: tuple[Json, ...] = (None, False, 0, "", [], {})


def split_keys(text: str) -> frozenset[str]:
    """Folded keys, written as one text."""
    return frozenset(text.split())


def _pairs(fields: list[tuple[str, Json]]) -> dict[str, Json]:
    parsed = dict(fields)
    if len(parsed) != len(fields):
        raise Refusal("the body has a key twice", "send each key once")
    return parsed


def parse(body: bytes) -> Json:
    """The body's value. Refuses what is too long, too deep, not UTF-8, not JSON, or has a key twice."""
    if len(body) > MAX_BYTES:
        raise Refusal(f"the body has {len(body)} bytes, more than {MAX_BYTES} are not read")
    try:
        read = json.loads(body.decode("utf-8"), object_pairs_hook=_pairs)
    except RecursionError:
        raise Refusal("the body is nested too deeply") from None
    except ValueError as error:  # not UTF-8, not JSON, junk after it, a number without end
        raise Refusal(f"the body is not JSON: {str(error)[:100]}") from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _deeper_than(read, MAX_DEPTH):
        raise Refusal("the body is nested too deeply")
    return read


def _deeper_than(value: Json, limit: int) -> bool:
    """Level by level: Python's own limit differs between versions."""
    level = [value]
    for _ in range(limit):
        level = [child for container in level for child in _children(container)]
    return bool(level)


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _empty_or_refuse(value: Json, field: str, empty: Any, expected: str) -> Any:
    """What stands for null, as in Go; refuses a value of another type."""
    if value is not None:
        raise Refusal(f"{field}: expected {expected}, found {type(value).__name__}")
    return empty


def struct(value: Json, field: str) -> dict[str, Json]:
    """The object's fields by folded key; null is an empty object."""
    fields = mapping(value, field)
    folded = {key.casefold(): content for key, content in fields.items()}
    if len(folded) != len(fields):
        raise Refusal(f"{field}: a key is there twice, in different case", "send each key once")
    return folded


def mapping(value: Json, field: str) -> dict[str, Json]:
    """A Go map: its keys stay as they are."""
    return value if isinstance(value, dict) else dict(_empty_or_refuse(value, field, {}, "an object"))


def text(value: Json, field: str) -> str:
    return value if isinstance(value, str) else str(_empty_or_refuse(value, field, "", "text"))


def flag(value: Json, field: str) -> bool:
    return value if isinstance(value, bool) else bool(_empty_or_refuse(value, field, False, "true or false"))


def items(value: Json, field: str) -> list[Json]:
    return value if isinstance(value, list) else list(_empty_or_refuse(value, field, [], "a list"))


def texts(value: Json, field: str) -> tuple[str, ...]:
    return tuple(text(element, field) for element in items(value, field))


def words(value: Json, field: str) -> tuple[str, ...]:
    """Go's StrSlice: one text stands for a list of one."""
    return (value,) if isinstance(value, str) else texts(value, field)


def text_map(value: Json, field: str) -> dict[str, str]:
    return {key: text(content, field) for key, content in mapping(value, field).items()}
