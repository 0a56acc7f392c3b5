"""JSON as the engine's decoder reads it, made strict: a module of its own because the difference between two readers
of one body is how requests are smuggled.

Go matches a struct's keys without regard to case (by Unicode folding), merges duplicates and takes what comes last.
Here a duplicate is refused, and keys are read folded. Bodies are bounded in size and depth.
"""

from __future__ import annotations

import json
from typing import Any

from ledgerguard.refusal import Refused

MAX_BYTES, MAX_DEPTH = 1 << 20, 100
Json = Any
NOTHING: tuple[Json, ...] = (None, False, 0, "", [], {})


def keys(text: str) -> frozenset[str]:
    """Folded keys, written as one text."""
    return frozenset(text.split())


def _pairs(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Refused("the body has a key twice", "send each key once")
    return made


def parse(body: bytes) -> Json:
    """The body's value. Refuses what is too long, too deep, not UTF-8, not JSON, or has a key twice."""
    if len(body) > MAX_BYTES:
        raise Refused(f"the body has {len(body)} bytes, more than {MAX_BYTES} are not read")
    try:
        read = json.loads(body.decode("utf-8"), object_pairs_hook=_pairs)
    except RecursionError:
        raise Refused("the body is nested too deeply") from None
    except ValueError as error:  # not UTF-8, not JSON, junk after it, a number without end
        raise Refused(f"the body is not JSON: {str(error)[:100]}") from None
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _deeper_than(read, MAX_DEPTH):
        raise Refused("the body is nested too deeply")
    return read


def _deeper_than(value: Json, limit: int) -> bool:
    """Level by level: Python's own limit differs between versions."""
    level = [value]
    for _ in range(limit):
        inner = [list(one.values()) if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [item for items_of in inner for item in items_of]
    return bool(level)


def struct(value: Json, where: str) -> dict[str, Json]:
    """The object's fields by folded key; null is an empty object, as in Go."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{where}: expected an object, found {type(value).__name__}")
    folded = {key.casefold(): item for key, item in value.items()}
    if len(folded) != len(value):
        raise Refused(f"{where}: a key is there twice, in different case", "send each key once")
    return folded


def mapping(value: Json, where: str) -> dict[str, Json]:
    """A Go map: its keys stay as they are."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Refused(f"{where}: expected an object, found {type(value).__name__}")
    return value


def text(value: Json, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused(f"{where}: expected text, found {type(value).__name__}")
    return value


def flag(value: Json, where: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise Refused(f"{where}: expected true or false, found {type(value).__name__}")
    return value


def items(value: Json, where: str) -> list[Json]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(f"{where}: expected a list, found {type(value).__name__}")
    return value


def texts(value: Json, where: str) -> tuple[str, ...]:
    return tuple(text(item, where) for item in items(value, where))


def words(value: Json, where: str) -> tuple[str, ...]:
    """Go's StrSlice: one text stands for a list of one."""
    return (value,) if isinstance(value, str) else texts(value, where)


def text_map(value: Json, where: str) -> dict[str, str]:
    return {key: text(item, where) for key, item in mapping(value, where).items()}
