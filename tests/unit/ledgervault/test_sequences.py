"""How a sequence is judged: ascending or descending, with or without CYCLE, used or not, owned by a column or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgervault.model import comparison
from ledgervault.model.content import Sequence, SequenceValue
from ledgervault.model.proof import Check


def judged(before: Sequence, dumped: tuple[int, bool], after: Sequence | None = None) -> Check:
    """`after` None: the copy has what the dump sets."""
    value = SequenceValue(*dumped)
    restored = after or replace(before, last_value=value.last_value, is_called=value.is_called)
    (check,) = comparison.compare_sequences({"s": before}, {"s": value}, {"s": restored})
    return check


@pytest.mark.parametrize(
    ("increment", "cycle", "before", "dumped", "result"),
    [
        (1, False, (5, True), (5, True), "ok"),
        (1, False, (5, True), (6, True), "ok"),
        (1, False, (5, True), (4, True), "failed"),
        (1, False, (5, True), (5, False), "failed"),
        (1, False, (5, False), (5, True), "ok"),
        (1, False, (5, False), (5, False), "ok"),
        (7, False, (5, True), (12, True), "ok"),
        (7, False, (5, True), (4, True), "failed"),
        (-1, False, (-5, True), (-5, True), "ok"),
        (-1, False, (-5, True), (-6, True), "ok"),
        (-1, False, (-5, True), (-4, True), "failed"),
        (-1, False, (-5, True), (-5, False), "failed"),
        (-1, False, (-1, False), (-1, True), "ok"),
        (-3, False, (9, True), (6, True), "ok"),
        (-3, False, (9, True), (12, True), "failed"),
        (1, True, (9, True), (1, True), "ok"),
        (1, True, (9, True), (1, False), "ok"),
        (-1, True, (-9, True), (-1, True), "ok"),
        (-1, True, (1, True), (9, True), "ok"),
    ],
)
def test_a_sequence_only_moves_on_in_its_own_direction_unless_it_cycles(
    increment: int, cycle: bool, before: tuple[int, bool], dumped: tuple[int, bool], result: str
) -> None:
    check = judged(Sequence(*before, increment, cycle), dumped)
    assert check.result == result, check.text
    if result == "failed":
        assert "in the dump, already" in check.text


@pytest.mark.parametrize("increment", [1, -1])
@pytest.mark.parametrize("cycle", [True, False])
@pytest.mark.parametrize("restored", [(4, True), (6, True), (5, False)])
def test_the_copy_has_exactly_what_the_dump_sets_also_where_it_cycles(
    increment: int, cycle: bool, restored: tuple[int, bool]
) -> None:
    before = Sequence(5, True, increment, cycle)
    check = judged(before, (5, True), replace(before, last_value=restored[0], is_called=restored[1]))
    assert check.result == "failed"
    assert "the dump holds 5" in check.text


@pytest.mark.parametrize(
    ("increment", "cycle", "value", "owned", "result"),
    [
        (1, False, (5, True), 5, "ok"),
        (1, False, (5, True), 6, "failed"),
        (1, False, (5, False), 4, "ok"),
        (1, False, (5, False), 5, "failed"),
        (-1, False, (-5, True), -5, "ok"),
        (-1, False, (-5, True), -4, "ok"),
        (-1, False, (-5, True), -6, "failed"),
        (-1, False, (-5, False), -4, "ok"),
        (-1, False, (-5, False), -5, "failed"),
        (1, True, (5, True), 9, "ok"),
        (-1, True, (-5, True), -9, "ok"),
        (1, False, (5, True), None, "ok"),
    ],
)
def test_the_next_value_collides_with_no_row_unless_it_did_in_the_source(
    increment: int, cycle: bool, value: tuple[int, bool], owned: int | None, result: str
) -> None:
    after = Sequence(*value, increment, cycle, "t.id", owned)
    clean = replace(after, owned_max=None)
    assert judged(clean, value, after).result == result
    source = judged(after, value, after)
    assert source.result == ("note" if result == "failed" else "ok")
    if result == "failed":
        assert f"is behind {owned} in t.id" in judged(clean, value, after).text
        assert "as it was in the source" in source.text


def test_a_sequence_that_was_well_in_the_source_is_no_note() -> None:
    before = Sequence(9, True, 1, False, "t.id", 9)
    assert judged(before, (9, True), replace(before, owned_max=10)).result == "failed"


@pytest.mark.parametrize(
    ("value", "text"), [((5, True), "sequence s: 5"), ((5, False), "sequence s: 5 (not yet used)")]
)
def test_a_value_says_whether_it_was_used(value: tuple[int, bool], text: str) -> None:
    assert judged(Sequence(*value), value).text == text


def test_what_is_missing_on_either_side_is_named() -> None:
    one, value = Sequence(5, True), SequenceValue(5, True)
    for before, dumped, after, told in (
        ({}, {}, {"s": one}, "restored, not in the manifest"),
        ({"s": one}, {"s": value}, {}, "missing"),
        ({"s": one}, {}, {"s": one}, "the dump sets no value"),
    ):
        (check,) = comparison.compare_sequences(before, dumped, after)
        assert check.result == "failed"
        assert told in check.text
