"""Two versions of rows compared by key, or by their content where there is no key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgervault.model.digests import SINGLE
from ledgervault.model.row_comparison import Shape
from tests.unit.ledgervault.examples import KEYED, compare_rows


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([b"1\t1\tx", b"2\t2\ty"], (0, 0, 0, 0)),
        ([b"1\t1\tx"], (1, 0, 0, 0)),
        ([b"1\t1\tx", b"2\t3\ty"], (1, 0, 0, 1)),
        ([b"1\t1\tx", b"9\t2\ty"], (0, 1, 1, 0)),
        ([b"1\t1\tx", b"2\t2\tz"], (0, 1, 0, 0)),
        ([b"1\t1\tx", b"\\N\t2\ty"], (0, 1, 1, 0)),
        ([], (2, 0, 0, 0)),
    ],
    ids=["same", "missing", "another key", "fixed column", "other column", "null", "all missing"],
)
def test_rows_are_compared_by_key(after: list[bytes], expected: tuple[int, ...]) -> None:
    figures = compare_rows([b"1\t1\tx", b"2\t2\ty"], after, KEYED)
    assert (figures.missing, figures.changed, figures.changed_fixed, figures.added) == expected


def test_columns_in_another_order_are_the_same_rows_and_values_do_not_change_places() -> None:
    assert compare_rows([b"x\t1\t7"], [b"1\t7\tx"], KEYED, ("note", "amount", "id")).is_same
    assert compare_rows([b"a\t1\tb"], [b"b\t1\ta"], replace(KEYED, fixed=())).changed == 1


def test_rows_without_a_key_count_as_often_as_they_are_there() -> None:
    shape = Shape(("a",), (), (), SINGLE)
    figures = compare_rows([b"x", b"x", b"x", b"y"], [b"x", b"x", b"z"], shape)
    assert (figures.missing, figures.added, figures.missing_keys) == (2, 1, ["a=x", "a=y"])
    assert compare_rows([b"x"], [b"x", b"x", b"x"], shape).added == 2
    assert compare_rows([b"x", b"x"], [b"x", b"x"], shape).is_same
