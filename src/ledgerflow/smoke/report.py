"""Compares the figures that went into restore-smoke with those of the restored copy, and writes its page.

A module of its own because it judges and invents nothing: the statements are made in `statements`.
"""

from __future__ import annotations

import re
from typing import Any


def smoke_comparison(before: dict[str, Any], after: dict[str, Any]) -> list[dict[str, Any]]:
    """Every figure that went in beside the same of the restored copy; one that is missing on a side is not equal."""
    return [
        {
            "what": name,
            "in": before.get(name),
            "out": after.get(name),
            "equal": name in before and name in after and before[name] == after[name],
        }
        for name in [*before, *(name for name in after if name not in before)]
    ]


def smoke_markdown(figures: dict[str, Any], verdict: str) -> str:
    """What a job's summary shows: a sentence, the figures that went in and came back, what else was wanted and seen."""
    compared = figures["compared"]
    equal = sum(row["equal"] for row in compared)
    own_rows = [str(figures[f"own_rows_{moment}"]).replace("|", ", ") for moment in ("before", "after")]
    # what, wanted, seen
    checks = [
        ("rows that the same files add again", "0", str(figures["again_added"])),
        ("the ledger's own rows, before and after", *own_rows),
        ("proof of the backup", "proven", str(figures["proof"])),
        ("comparison of the restored copy", "proven", str(figures["compare"])),
        ("verdict on a backup known to be bad", "failed", str(figures["known_bad"])),
        ("large objects", "1", str(figures["large_objects"])),
    ]
    passed = sum(expected == actual for _name, expected, actual in checks)
    lines = [f"## restore-smoke: {verdict}", ""]
    lines += [f"{equal} of {len(compared)} figures came back equal, {passed} of {len(checks)} checks hold. "]
    lines[-1] += f"The proof took {figures['proof_seconds']} s after its server's start."
    lines += ["", *(f"- {failure}" for failure in figures["failures"])] if figures["failures"] else []
    lines += ["", "| figure | went in | came back |", "|:--|:--|:--|"]
    lines += [
        _table_row(row["what"], row["in"], "equal" if row["equal"] else row["out"], row["equal"]) for row in compared
    ]
    lines += ["", "| check | wanted | seen |", "|:--|:--|:--|"]
    lines += [_table_row(name, expected, actual, expected == actual) for name, expected, actual in checks]
    return "\n".join(lines) + "\n"


def _table_row(name: Any, expected: Any, actual: Any, good: bool) -> str:
    """One line of a table; what is not as wanted is bold."""
    last = _figure_text(actual, short=good)
    return f"| {_figure_text(name)} | {_figure_text(expected, short=good)} | {last if good else f'**{last}**'} |"


def _figure_text(figure: Any, short: bool = True) -> str:
    """A value for a person: thousands apart, of a checksum its first digits, no sign that ends a cell."""
    if isinstance(figure, int):
        return f"{figure:,}"
    if short and re.fullmatch("[0-9a-f]{32}", str(figure)):
        return f"`{str(figure)[:8]}…`"
    return str(figure).replace("|", "\\|")
