"""The columns while they get their roles: no column gets two.

A module of its own because names (`layout`) and arithmetic (`unnamed`) both choose from the free columns.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from statements.reading import amounts
from statements.reading.parsing import shown
from statements.reading.table import PROFILED, Profile, Table, profile, rank


@dataclass
class Columns:
    """`assigned` are the columns that have a role."""

    table: Table
    profiles: list[Profile] = field(init=False)
    assigned: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.profiles = [profile(self.table, column) for column in range(self.table.width)]

    def named(self, role: str, fits: Callable[[Profile], float], *, at_least: float = 0.0) -> int | None:
        """The best-named free column whose cells fit; a name alone is enough if `at_least` is 0."""
        candidates = self.ranked(role)
        for floor in (0.5, 0.01, at_least):
            for column in candidates:
                if fits(self.profiles[column]) >= max(floor, at_least):
                    return column
        return None

    def ranked(self, role: str) -> list[int]:
        ranks = {column: rank(cell, role) for column, cell in enumerate(self.table.header)}
        free = [(place, column) for column, place in ranks.items() if place is not None and column not in self.assigned]
        return [column for _, column in sorted(free)]

    def take(self, column: int | None) -> int | None:
        if column is not None:
            self.assigned.add(column)
        return column

    def free(self, fits: Callable[[Profile], bool]) -> list[int]:
        return [column for column, profile in enumerate(self.profiles) if column not in self.assigned and fits(profile)]


def has_negatives(table: Table, column: int) -> bool:
    parsed = (amounts.read(cell) for cell in table.cells(column)[:PROFILED])
    return any(amount.negative for amount in parsed if amount)


def example(table: Table, column: int) -> str:
    cells = table.cells(column)
    name = table.header[column].strip() if table.header else ""
    first = ", ".join(shown(cell) for cell in cells[:3])
    return f"{name}: {first}" if name else first
