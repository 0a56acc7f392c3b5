"""Which lines of a table are transactions; the others are left out with a reason, or are a row's problem.

A module of its own because it asks what a line is; what its amount means is asked later, with all rows in sight. A line
with a date and an amount is left out only where the bank's own state or balance says so, or a person does.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from statements.reading import account_words, amounts, dates, movement, sections, states, table, words, writing
from statements.reading.asking import Desk
from statements.reading.draft import DASHES, Draft, File
from statements.reading.movement import Sums
from statements.reading.parsing import Problem, Record, Unreadable, shown
from statements.reading.words import fold

LINES_NAMED = 5
NOT_A_TRANSACTION, A_BALANCE, NOT_COMPLETED = "no transaction", "a balance", "not completed"
NOT_MOVED = "the balance does not move by it"
BARE = "an amount alone"
COUNT, SKIP = "count", "skip"


@dataclass
class Sorted:
    """`bare` are lines of an amount with neither date nor text: `totals` decides, when all amounts are known."""

    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[tuple[Record, str]] = field(default_factory=list)
    bare: list[Record] = field(default_factory=list)


def sorted_out(file: File) -> Sorted:
    found = Sorted()
    reasons = _reasons(file)
    for record in file.table.rows:
        try:
            why = reasons.get(record.line) or _why_not(file, record)
            if why == BARE:
                found.bare.append(record)
            elif why:
                found.left_out.append((record, why))
            else:
                found.drafts.append(_draft(file, record))
        except Unreadable as error:
            found.problems.append(Problem(record.line, error.problem.what))
    return found


def _reasons(file: File) -> dict[int, str]:
    """Why lines with a date and an amount are no transactions. What the balance proves of a line is not asked about."""
    dated = [row for row in file.table.rows if dates.readings(row.cell(file.layout.day)) and not _is_empty(file, row)]
    mark = file.mark or writing.first_mark(file.table)
    moves = movement.proven(file, dated, mark)
    reasons = dict.fromkeys(moves.still, NOT_MOVED)
    reasons |= states.left_out(file, moves) | sections.left_out(file, moves)
    booked = [record for record in dated if record.line not in reasons]
    moving = moves.moving or movement.proven(file, booked, mark).moving
    return reasons | _balances(file, booked, movement.sums(file, booked, mark), moving)


def _why_not(file: File, record: Record) -> str:
    """Why a line is no transaction; "" if it is one. Unreadable where it should be one and is not."""
    day = record.cell(file.layout.day)
    empty = _is_empty(file, record)
    if not dates.readings(day):
        return NOT_COMPLETED if fold(day) in words.NOT_DONE else _undated(file, record, day, empty)
    if not empty:
        return ""
    if words.tells_balance(fold(file.description(record))):
        return A_BALANCE
    raise Unreadable("the amount is empty")


def _is_empty(file: File, record: Record) -> bool:
    return all(record.cell(column) in DASHES for column in file.layout.money)


def _undated(file: File, record: Record, day: str, empty: bool) -> str:
    texts = [fold(cell) for cell in record.cells if cell.strip()]
    named = any(words.tells_total(text) or words.tells_balance(text) for text in texts[:2])
    enough = len(texts) >= 3 and len(record.cells) >= file.table.width
    if empty and not (day and enough and not named):
        return A_BALANCE if named else NOT_A_TRANSACTION
    if named or _is_bare(file, record):
        return BARE
    raise Unreadable(f"unreadable date {shown(day)}" if day else "the date is empty")


def _balances(file: File, records: Sequence[Record], sums: Sums, moving: Collection[int]) -> dict[int, str]:
    """Lines whose words or sums tell a balance or a total, though they have a date and an amount: the person is asked.

    Not about those that move the balance: they are transactions, whatever they are called.
    """
    alike: dict[str, list[Record]] = {}
    titles = Counter(fold(file.description(record)) for record in records)
    for record in records:
        title, line = fold(file.description(record)), record.line
        worded = words.may_tell_balance(title) or (line in sums.some and words.may_tell_total(title))
        if line not in moving and (worded or (line in sums.whole and titles[title] == 1)):
            alike.setdefault(title, []).append(record)
    texts = {title: _balance_text(file, found[0]) for title, found in alike.items()}
    text = f"{len(texts)} different rows read like a balance or a total. Are they transactions?"
    choices = {SKIP: "only a balance or a total: leave such rows out", COUNT: "a transaction: import such rows"}
    plain = all(words.tells_balance(title) or words.tells_total(title) for title in texts)
    answers = file.desk.decide_each("balance_rows", texts, text, choices, SKIP if plain else COUNT)
    return {record.line: A_BALANCE for title, found in alike.items() if answers[title] == SKIP for record in found}


def _balance_text(file: File, record: Record) -> str:
    seen = shown(file.description(record))
    cells = " ".join(cell for column in file.layout.money if (cell := record.cell(column)))
    return f"Line {record.line} reads {seen}, {cells}. Is it a transaction, or does it only tell a balance or a total?"


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
    for record, why in left_out:
        desk.leave_out(record, why)
    for why, count in Counter(why for _, why in left_out).items():
        lines = [str(record.line) for record, reason in left_out if reason == why]
        more = ", …" if count > LINES_NAMED else ""
        plural = "line" if count == 1 else "lines"
        desk.note(f"{count} {plural} left out, {why}: {plural} {', '.join(lines[:LINES_NAMED])}{more}")
