"""What a table may lose.

`verify-data` and `prove` share these rules: otherwise the alarm of one would be silenced by the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledgervault.model.config import TableConfig
from ledgervault.model.row_comparison import Figures

_KEYS_IN_TEXT = 5
ACCEPT = "was it meant? back up, then: make accept FILE=newest REASON=…; else restore what is missing"


def fixed_columns(tables: Sequence[TableConfig]) -> dict[str, tuple[str, ...]]:
    return {table.name: table.fixed_columns for table in tables}


def kept_problem(table: TableConfig, figures: Figures | None) -> str | None:
    """The loss of a table whose rows must stay and whose fixed columns must not change. One row is enough."""
    if figures is None:
        return "gone"
    dropped = [name for name in table.fixed_columns if name in figures.dropped_columns]
    parts = [
        count_with_keys(figures.missing, "missing", figures.missing_keys),
        count_with_keys(figures.changed_fixed, "changed in a fixed column", figures.changed_fixed_keys),
        f"fixed column dropped: {', '.join(dropped)}" if dropped else "",
    ]
    return ", ".join(part for part in parts if part) or None


def describe(table: TableConfig, figures: Figures) -> str:
    """All changes of a table's rows, with keys."""
    other_changes = figures.changed - figures.changed_fixed
    fixed, dropped = (
        ", ".join(name for name in figures.dropped_columns if (name in table.fixed_columns) == is_fixed)
        for is_fixed in (True, False)
    )
    parts = [
        count_with_keys(figures.missing, "missing", figures.missing_keys),
        count_with_keys(figures.changed_fixed, "changed in a fixed column", figures.changed_fixed_keys),
        count_with_keys(other_changes, "changed", figures.changed_keys),
        count_with_keys(figures.added, "added", figures.added_keys),
        f"fixed column dropped: {fixed}" if fixed else "",
        f"dropped since: {dropped}" if dropped else "",
    ]
    return ", ".join(part for part in parts if part) or "all as they were"


def count_with_keys(number: int, change: str, keys: Sequence[str]) -> str:
    if not number:
        return ""
    listed_keys = "; ".join(keys[:_KEYS_IN_TEXT])
    more = number - min(number, len(keys), _KEYS_IN_TEXT)
    return f"{number} {change} ({listed_keys}{f' and {more} more' if more else ''})"


def has_shrunken(before: int, after: int, allowed_percent: int) -> bool:
    """The shrink limit: fewer rows than before, by more than the allowed percentage."""
    return after < before * (100 - allowed_percent) / 100
