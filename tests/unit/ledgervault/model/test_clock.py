"""Ages and doubts about the clock, read from the journal's lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledgervault.model import clock
from ledgervault.model.journal import Line

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


YEAR = 365 * 24


def lines(*hours: float) -> list[Line]:
    """Lines at these hours after noon."""
    return [
        Line(seq, (NOON + timedelta(hours=hour)).isoformat(), "backup", f"f{seq}", None, "")
        for seq, hour in enumerate(hours, 1)
    ]


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def ages(times: list[float], now: float) -> list[float]:
    return [age / timedelta(hours=1) for age in clock.ages(lines(*times), at(now)).values()][::-1]


@pytest.mark.parametrize(
    ("times", "now", "expected"),
    [
        ([0, 1, 2], 3, [3, 2, 1]),
        ([0, 3, 6], 6, [6, 3, 0]),
        ([0, 3.5], 3.5, [3, 0]),
        ([0, 1, 73], 74, [5, 4, 1]),
        ([0, 1], 73, [4, 3]),
        ([0, 1, YEAR, YEAR + 1], 3, [5, 4, 1, 0]),
        ([0, 1, YEAR, YEAR + 1, 3, 4], 5, [7, 6, 3, 2, 2, 1]),
        ([0, 1, -YEAR, 2], 3, [5, 4, 4, 1]),
        ([], 1, []),
    ],
    ids=[
        "each hour", "three hours count whole", "no more than three count", "three days off",
        "three days off until now", "the clock is right again, nothing since", "ahead for two lines",
        "a year back for one line", "no line",
    ],
)  # fmt: skip
def test_an_age_counts_the_hours_at_work_and_no_jump(times: list[float], now: float, expected: list[float]) -> None:
    assert ages(times, now) == expected


@pytest.mark.parametrize(
    ("last", "now", "by"),
    [(0, -1, -1), (YEAR, 1, 1 - YEAR), (0, 0, None), (0, -1 / 60, None), (0, 21, None), (0, 90, None)],
)
def test_a_clock_that_stands_before_the_newest_line_is_noticed(last: float, now: float, by: float | None) -> None:
    jump = clock.find_step_back(lines(-5, last), at(now))
    assert (jump.by if jump else None) == (timedelta(hours=by) if by is not None else None)


def test_one_line_of_the_future_is_no_doubt_once_a_later_one_has_the_right_time() -> None:
    assert clock.find_step_back(lines(0, YEAR, 1), at(2)) is None
    assert clock.find_step_back([], at(2)) is None


@pytest.mark.parametrize(
    ("times", "now", "in_doubt"),
    [
        ([0, 1, 2], 3, False),
        ([0, 19.9], 20, False),
        ([0, 20], 20.5, True),
        ([0, 24], 25, True),
        ([0], 24, True),
        ([0, 1, 0.9], 1, True),
        ([0, 1, 0.99], 1, False),
        ([0, YEAR, 1], 2, True),
        ([0, 72, *range(73, 96)], 96, False),
        ([0, 72, *range(73, 95)], 95, True),
        ([0, 72, 200, *range(201, 225)], 225, False),
    ],
)
def test_a_jump_is_in_doubt_for_a_day_at_work(times: list[float], now: float, in_doubt: bool) -> None:
    assert (clock.find_doubtful_jump(lines(*times), at(now)) is not None) is in_doubt


def test_the_newest_jump_is_named_with_its_direction() -> None:
    jump = clock.find_doubtful_jump(lines(0, 72, 71), at(71))
    assert jump is not None
    assert jump.text() == "line 3 of the journal is 1.0 h before line 2 (2025-04-25T12:00:00+00:00)"
    ahead = clock.find_doubtful_jump(lines(0), at(72))
    assert ahead is not None
    assert ahead.text() == "now is 3 days after line 1 (2025-04-22T12:00:00+00:00)"


def test_a_minute_back_is_no_jump_and_more_is() -> None:
    second = 1 / 3600
    assert clock.find_step_back(lines(0), at(-60 * second)) is None
    jump = clock.find_step_back(lines(0), at(-60.5 * second))
    assert jump is not None
    assert jump.later is None


def test_twenty_hours_ahead_are_after() -> None:
    jump = clock.find_doubtful_jump(lines(0), at(20))
    assert jump is not None
    assert jump.text() == "now is 20.0 h after line 1 (2025-04-22T12:00:00+00:00)"
