"""The columns while their roles are being given out: no column gets two.

A module of its own because names (`layout`) and arithmetic (`unnamed`) both take from what is left.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from statements.reading import amounts
from statements.reading.parsing import shown
from statements.reading.table import PROFILED, Profile, Table, profile, rank


@dataclass
class Columns:
    """`taken` are the columns that have a role."""

    table: Table
    profiles: list[Profile] = field(init=False)
    taken: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.profiles = [profile(self.table, column) for column in range(self.table.width)]

    def named(self, role: str, fits: Callable[[Profile], float], *, at_least: float = 0.0) -> int | None:
        """The best-named free column whose cells fit; a name alone is enough if `at_least` is 0."""
        found = self.ranked(role)
        for floor in (0.5, 0.01, at_least):
            for column in found:
                if fits(self.profiles[column]) >= max(floor, at_least):
                    return column
        return None

    def ranked(self, role: str) -> list[int]:
        ranks = {column: rank(cell, role) for column, cell in enumerate(self.table.header)}
        free = [(place, column) for column, place in ranks.items() if place is not None and column not in self.taken]
        return [column for _, column in sorted(free)]

    def take(self, column: int | None) -> int | None:
        if column is not None:
            self.taken.add(column)
        return column

    def free(self, fits: Callable[[Profile], bool]) -> list[int]:
        return [n for n, one in enumerate(self.profiles) if n not in self.taken and fits(one)]


def signed(table: Table, column: int) -> bool:
    found = [amounts.written(cell) for cell in table.cells(column)[:PROFILED]]
    return any(one.negative for one in found if one)


def example(table: Table, column: int) -> str:
    cells = table.cells(column)
    name = table.header[column].strip() if table.header else ""
    seen = ", ".join(shown(cell) for cell in cells[:3])
    return f"{name}: {seen}" if name else seen
