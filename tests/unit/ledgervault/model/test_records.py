"""Strict parsing of JSON into dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ledgervault.model import (
    records,
)


@dataclass(frozen=True)
class Inner:
    number: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] | None = None
    anything: Any = None


def test_a_record_survives_json() -> None:
    record = Outer("ü", Inner(1), (Inner(2, 1.5),), {"a": Inner(3)}, {"x": [1, None]})
    assert records.from_json(Outer, records.to_json(record)) == record


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"name": "x"}, "inner: missing"),
        ({"name": "x", "inner": {"number": 1}, "extra": 1}, "extra: unknown key"),
        ({"name": 1, "inner": {"number": 1}}, "name: expected str, found int 1"),
        ({"name": "x", "inner": {"number": True}}, "inner.number: expected int"),
        ({"name": "x", "inner": 5}, "inner: expected a table of keys"),
        ({"name": "x", "inner": {"number": 1}, "many": {}}, "many: expected a list"),
        ({"name": "x", "inner": {"number": 1}, "many": [{"number": "a"}]}, "many[0].number: expected int"),
        ({"name": "x", "inner": {"number": 1}, "named": 3}, "named: expected a table of keys"),
        ([], "the document: expected a table of keys"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data: object, told: str) -> None:
    with pytest.raises(records.RecordError, match=told.replace("[", r"\[").replace("]", r"\]")):
        records.build(Outer, data)


def test_bytes_that_are_no_json_are_refused() -> None:
    for text in (b"{", b"\xff"):
        with pytest.raises(records.RecordError, match="not JSON"):
            records.from_json(Outer, text)
