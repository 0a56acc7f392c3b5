"""Rows whose money did not move, by a column of states or of kinds: declined, reverted, a memo.

A module of its own because each language has its own words for them: the common ones are known, and about every other
one the person is asked.
"""

from collections.abc import Mapping, Sequence

from statements.reading import evidence, words
from statements.reading.draft import File
from statements.reading.movement import Moves
from statements.reading.parsing import Record, shown
from statements.reading.words import fold

NOT_COMPLETED = "not completed"
CHOICES = {"skip": "leave these rows out", "count": "import these rows"}


def left_out(file: File, moves: Moves) -> dict[int, str]:
    """The reason by line. An unknown state of rows that the balance proves is not asked about."""
    rows = [row for row in file.table.rows if row.line not in moves.moving | moves.still]
    refused = _lines_with(file, file.layout.status, _refused_states(file, rows))
    return dict.fromkeys(refused + _lines_with(file, file.layout.direction, _memos(file, rows)), NOT_COMPLETED)


def _lines_with(file: File, column: int | None, states: set[str]) -> list[int]:
    return [row.line for row in file.table.rows if fold(row.cell(column)) in states]


def _refused_states(file: File, rows: Sequence[Record]) -> set[str]:
    spellings = _spellings(rows, file.layout.status)
    unknown = sorted(set(spellings) - words.DONE - words.NOT_DONE)
    if len(unknown) > 1 and all(state.upper() in words.US_STATES for state in unknown):  # an address
        unknown = []
    return words.NOT_DONE | _ask_about(file, "status", {state: spellings[state] for state in unknown})


def _memos(file: File, rows: Sequence[Record]) -> set[str]:
    """In a column that says debit or credit, the kinds that say neither and read like no booking at all."""
    spellings = _spellings(rows, file.layout.direction)
    memos = {kind: cell for kind, cell in spellings.items() if kind in words.MEMO and not evidence.direction_of(kind)}
    return _ask_about(file, "memo", memos)


def _ask_about(file: File, key: str, spellings: Mapping[str, str]) -> set[str]:
    """The states that are left out. Nearly every statement has a state for booked rows: the only one is likely that."""
    names = ", ".join(shown(cell) for cell in list(spellings.values())[:5])
    texts = {state: f"Rows have the state {shown(cell)}. Did that money move?" for state, cell in spellings.items()}
    text = f"Rows have the states {names}. Did that money move?"
    answers = file.desk.decide_each(key, texts, text, CHOICES, "count" if len(spellings) == 1 else "skip")
    return {state for state, answer in answers.items() if answer == "skip"}


def _spellings(rows: Sequence[Record], column: int | None) -> dict[str, str]:
    """Each state as the file writes it first, by its folded form."""
    cells = [row.cell(column) for row in reversed(rows)]
    return {fold(cell): cell for cell in cells if fold(cell)}
