"""Rows whose money did not move, by a column of states or of kinds: declined, reverted, a memo.

A module of its own because each language has its own words for them: the common ones are known, and about every other
one the person is asked.
"""

from collections.abc import Iterable, Sequence

from statements.reading import evidence, words
from statements.reading.draft import File
from statements.reading.movement import Moves
from statements.reading.parsing import Record, shown
from statements.reading.words import fold

NOT_COMPLETED = "not completed"
CHOICES = {"skip": "leave these rows out", "count": "import these rows"}


def left_out(file: File, moves: Moves) -> dict[int, str]:
    """Why, by line. An unknown state of rows that the balance proves is not asked about."""
    rows = [row for row in file.table.rows if row.line not in moves.moving | moves.still]
    refused = _of_column(file, file.layout.status, _refused_states(file, rows))
    return refused | _of_column(file, file.layout.direction, _memos(file, rows))


def _of_column(file: File, column: int | None, refused: set[str]) -> dict[int, str]:
    lines = (row for row in file.table.rows if fold(row.cell(column)) in refused)
    return dict.fromkeys((row.line for row in lines), NOT_COMPLETED)


def _refused_states(file: File, rows: Sequence[Record]) -> set[str]:
    seen = _values(rows, file.layout.status)
    unknown = sorted(state for state in seen if state not in words.DONE and state not in words.NOT_DONE)
    if len(unknown) > 1 and all(state.upper() in words.US_STATES for state in unknown):  # an address
        unknown = []
    return words.NOT_DONE | _asked_about(file, "status", {state: seen[state] for state in unknown})


def _memos(file: File, rows: Sequence[Record]) -> set[str]:
    """In a column that says debit or credit, what says neither and reads like no booking at all."""
    seen = _values(rows, file.layout.direction)
    kinds = {kind: seen[kind] for kind in seen if kind in words.MEMO and not evidence.direction_of(kind)}
    return _asked_about(file, "memo", kinds)


def _asked_about(file: File, key: str, seen: dict[str, str]) -> set[str]:
    names = ", ".join(shown(cell) for cell in list(seen.values())[:5])
    texts = {state: f"Rows have the state {shown(cell)}. Did that money move?" for state, cell in seen.items()}
    text = f"Rows have the states {names}. Did that money move?"
    answers = file.desk.decide_each(key, texts, text, CHOICES, "count" if _likely_done(seen) else "skip")
    return {state for state, answer in answers.items() if answer == "skip"}


def _likely_done(seen: Iterable[str]) -> bool:
    """Nearly every statement has a state for what was booked: the only one is likely that."""
    return len(list(seen)) == 1


def _values(rows: Sequence[Record], column: int | None) -> dict[str, str]:
    """Each state as the file writes it first, by its folded form."""
    cells = [row.cell(column) for row in reversed(rows)]
    return {fold(cell): cell for cell in cells if fold(cell)}
