"""Which lines of a table are transactions; the others are left out with a reason, or are a row's problem.

A module of its own because it asks what a line is; what its amount means is asked later, with all rows in sight.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from statements import account_words, amounts, dates, table, words
from statements.asking import Desk
from statements.draft import Draft, File
from statements.parsing import Problem, Record, Unreadable, shown
from statements.words import fold

DASHES = {"", "-", "--", "\u2013", "\u2014"}
LINES_NAMED = 5
NOT_A_TRANSACTION, A_BALANCE, NOT_COMPLETED = "no transaction", "a balance", "not completed"
BARE = "an amount alone"


@dataclass
class Sorted:
    """`bare` are lines of an amount with neither date nor text: `totals` decides, when all amounts are known."""

    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[tuple[Record, str]] = field(default_factory=list)
    bare: list[Record] = field(default_factory=list)


def sorted_out(file: File) -> Sorted:
    found = Sorted()
    not_done = _not_done(file)
    for record in file.table.rows:
        try:
            why = _why_not(file, record, not_done)
            if why == BARE:
                found.bare.append(record)
            elif why:
                found.left_out.append((record, why))
            else:
                found.drafts.append(_draft(file, record))
        except Unreadable as error:
            found.problems.append(Problem(record.line, error.problem.what))
    return found


def _why_not(file: File, record: Record, not_done: set[str]) -> str:
    """Why a line is no transaction; "" if it is one. Unreadable where it should be one and is not."""
    columns = file.layout
    status, day = fold(record.cell(columns.status)), record.cell(columns.day)
    if status and status in not_done:
        return NOT_COMPLETED
    empty = all(record.cell(column) in DASHES for column in columns.money)
    readable = bool(dates.readings(day))
    if not readable:
        if fold(day) in words.NOT_DONE:
            return NOT_COMPLETED
        return _undated(file, record, day, empty)
    title = fold(file.description(record))
    if words.BALANCE_ROW.fullmatch(title) or (empty and words.CARRIED_ROW.fullmatch(title)):
        return A_BALANCE
    if empty:
        raise Unreadable("the amount is empty")
    if words.CARRIED_ROW.fullmatch(title):
        return _carried(file, record)
    return ""


def _undated(file: File, record: Record, day: str, empty: bool) -> str:
    texts = [fold(cell) for cell in record.cells if cell.strip()]
    if any(words.TOTAL_ROW.fullmatch(text) or words.BALANCE_ROW.fullmatch(text) for text in texts[:2]):
        return A_BALANCE
    enough = len(texts) >= 3 and len(record.cells) >= file.table.width
    if empty and not (day and enough):
        return NOT_A_TRANSACTION
    if _is_bare(file, record):
        return BARE
    raise Unreadable(f"unreadable date {shown(day)}" if day else "the date is empty")


def _is_bare(file: File, record: Record) -> bool:
    """Nothing but amounts, besides what is the same for many rows: the currency, the account."""
    numeric = {*file.layout.money, file.layout.balance, file.layout.fee}
    same = {column for column, cell in enumerate(file.table.header) if fold(cell) in account_words.OWN_ACCOUNT}
    filled = (
        {column for column, cell in enumerate(record.cells) if cell.strip() not in DASHES}
        - same
        - {file.layout.currency}
    )
    return filled <= numeric and all(amounts.written(record.cell(column)) for column in filled)


def _carried(file: File, record: Record) -> str:
    seen = shown(file.description(record))
    text = f"Line {record.line} reads {seen}. Is it a transaction, or does it only tell a balance?"
    choices = {"skip": "only a balance: leave such rows out", "count": "a transaction: import such rows"}
    return A_BALANCE if file.desk.decide("balance_rows", "", text, choices) == "skip" else ""


def _not_done(file: File) -> set[str]:
    """The states whose rows are left out. Unknown ones are asked about, if the column tells states at all."""
    seen = {fold(cell): cell for cell in file.table.cells(file.layout.status)} if file.layout.status is not None else {}
    known = {state for state in seen if state in words.DONE or state in words.NOT_DONE}
    unknown = sorted(state for state in seen if state not in known and len(state) > 2)
    refused = {state for state in known if state in words.NOT_DONE}
    if not known or not unknown:
        return refused
    names = ", ".join(shown(seen[state]) for state in unknown[:5])
    choices = {"skip": "leave these rows out", "count": "import these rows"}
    answer = file.desk.decide("status", "", f"Rows have the state {names}. Did that money move?", choices)
    return refused | (set(unknown) if answer == "skip" else set())


def _draft(file: File, record: Record) -> Draft:
    width = file.table.width
    if any(cell.strip() for cell in record.cells[width:]):
        raise Unreadable(
            f"{len(table.filled(record))} columns instead of {width}; is a field with the delimiter unquoted?"
        )
    cells = []
    for column in file.layout.money:
        cell = record.cell(column)
        found = amounts.written(cell)
        if found is None and cell not in DASHES:
            raise Unreadable(f"unreadable amount {shown(cell)}")
        cells.append(found)
    return Draft(record, tuple(cells))


def note_left_out(desk: Desk, left_out: Sequence[tuple[Record, str]]) -> None:
    for why, count in Counter(why for _, why in left_out).items():
        lines = [str(record.line) for record, reason in left_out if reason == why]
        more = ", …" if count > LINES_NAMED else ""
        plural = "line" if count == 1 else "lines"
        desk.note(f"{count} {plural} left out, {why}: {plural} {', '.join(lines[:LINES_NAMED])}{more}")
