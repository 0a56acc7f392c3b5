"""Ages that do not trust the clock, computed from the journal's lines.

The clock may have been set wrong, and the host may have been off. So an age counts working hours only: at most
`_COUNTED` between two lines, and nothing where the later line has the earlier time. A clock that was a year ahead, or
three days without power, make no backup older.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledgervault.model.journal import Line

_COUNTED = timedelta(hours=3)  # the schedule writes a line each hour
_FORWARD = timedelta(hours=20)
_BACK = timedelta(seconds=60)
_DOUBT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Jump:
    """Two neighbouring lines whose times do not follow each other. `later` is None for the current time."""

    earlier: Line
    later: Line | None
    by: timedelta

    def text(self) -> str:
        place = f"line {self.later.seq} of the journal" if self.later else "now"
        direction = "after" if self.by > timedelta(0) else "before"
        return f"{place} is {_hours(abs(self.by))} {direction} line {self.earlier.seq} ({self.earlier.time})"


def ages(lines: Sequence[Line], now: datetime) -> dict[int, timedelta]:
    """How long the vault has worked since each line, by the line's number."""
    age, age_by_line = timedelta(0), {}
    times = [*(datetime.fromisoformat(line.time) for line in lines), now]
    for line, time, after in reversed([*zip(lines, times[:-1], times[1:], strict=True)]):
        age += min(max(after - time, timedelta(0)), _COUNTED)
        age_by_line[line.seq] = age
    return age_by_line


def find_step_back(lines: Sequence[Line], now: datetime) -> Jump | None:
    """The current time is before the newest line: the clock is wrong now or was wrong then."""
    jumps = [*_jumps(lines[-1:], now)]
    return jumps[0] if jumps and jumps[0].by < timedelta(0) else None


def find_doubtful_jump(lines: Sequence[Line], now: datetime) -> Jump | None:
    """The newest jump of a day or more, until the vault has worked for a day after it."""
    at_work = ages(lines, now)
    for jump in reversed([*_jumps(lines, now)]):
        if jump.later is None or at_work[jump.later.seq] < _DOUBT:
            return jump
    return None


def _jumps(lines: Sequence[Line], now: datetime) -> Iterator[Jump]:
    for earlier, later in zip(lines, [*lines[1:], None], strict=False):
        time = datetime.fromisoformat(later.time) if later else now
        by = time - datetime.fromisoformat(earlier.time)
        if by >= _FORWARD or by < -_BACK:
            yield Jump(earlier, later, by)


def _hours(by: timedelta) -> str:
    return f"{by / timedelta(days=1):.0f} days" if by >= timedelta(days=3) else f"{by / timedelta(hours=1):.1f} h"
