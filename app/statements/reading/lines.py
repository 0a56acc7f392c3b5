"""Which lines of a table are transactions; the others are left out with a reason, or are a row's problem.

A module of its own because it decides whether a line is a row; the sign of its amount is decided later, with all rows.
A line with a date and an amount is left out only where the bank's own state or balance says so, or a person does.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from statements.reading import account_words, amounts, dates, movement, sections, states, table, words, writing
from statements.reading.amounts import AmountText
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
class SortedLines:
    """`bare` are lines of an amount with neither date nor text: `totals` decides, when all amounts are known."""

    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    left_out: list[tuple[Record, str]] = field(default_factory=list)
    bare: list[Record] = field(default_factory=list)


def sort(file: File) -> SortedLines:
    """Each line of the table as a draft, a problem, a bare amount or left out."""
    lines = SortedLines()
    reasons = _reasons(file)
    for record in file.table.rows:
        try:
            _sort_line(file, record, reasons.get(record.line) or _reason(file, record), lines)
        except Unreadable as error:
            lines.problems.append(Problem(record.line, error.problem.what))
    return lines


def _sort_line(file: File, record: Record, reason: str, lines: SortedLines) -> None:
    if reason == BARE:
        lines.bare.append(record)
    elif reason:
        lines.left_out.append((record, reason))
    else:
        lines.drafts.append(_draft(file, record))


def _reasons(file: File) -> dict[int, str]:
    """Why lines with a date and an amount are no transactions. A line that the balance proves is not asked about."""
    with_amount = [row for row in file.table.rows if not file.is_without_amount(row)]
    dated = [row for row in with_amount if dates.readings(row.cell(file.layout.day))]
    mark = file.mark or writing.first_mark(file.table)
    moves = movement.proven(file, dated, mark)
    reasons = dict.fromkeys(moves.still, NOT_MOVED)
    reasons |= states.left_out(file, moves) | sections.left_out(file, moves)
    booked = [record for record in dated if record.line not in reasons]
    moving = moves.moving or movement.proven(file, booked, mark).moving
    return reasons | _balances(file, booked, movement.sums(file, booked, mark), moving)


def _reason(file: File, record: Record) -> str:
    """Why a line is no transaction; "" if it is one. Raises Unreadable where it should be one and is not."""
    day = record.cell(file.layout.day)
    if fold(day) in words.NOT_DONE:
        return NOT_COMPLETED
    if not dates.readings(day):
        return _reason_undated(file, record, day)
    if not file.is_without_amount(record):
        return ""
    if words.tells_balance(fold(file.description(record))):
        return A_BALANCE
    raise Unreadable("the amount is empty")


def _reason_undated(file: File, record: Record, day: str) -> str:
    texts = list(map(fold, record.texts))
    tells_total = any(words.tells_total(text) or words.tells_balance(text) for text in texts[:2])
    is_row = bool(day) and len(texts) >= 3 and len(record.cells) >= file.table.width
    if file.is_without_amount(record) and (tells_total or not is_row):
        return A_BALANCE if tells_total else NOT_A_TRANSACTION
    if tells_total or _is_bare(file, record):
        return BARE
    raise Unreadable(f"unreadable date {shown(day)}" if day else "the date is empty")


def _balances(file: File, records: Sequence[Record], sums: Sums, moving: Collection[int]) -> dict[int, str]:
    """Lines whose words or sums suggest a balance or a total, though they have date and amount: the person is asked.

    Not about lines that move the balance: they are transactions, whatever they are called.
    """
    titles = Counter(fold(file.description(record)) for record in records)
    doubtful: dict[str, list[Record]] = {}
    for record in records:
        title = fold(file.description(record))
        if record.line not in moving and _may_be_balance(title, record.line, sums, is_only=titles[title] == 1):
            doubtful.setdefault(title, []).append(record)
    texts = {title: _balance_text(file, alike[0]) for title, alike in doubtful.items()}
    text = f"{len(texts)} different rows read like a balance or a total. Are they transactions?"
    choices = {SKIP: "only a balance or a total: leave such rows out", COUNT: "a transaction: import such rows"}
    plain = all(words.tells_balance(title) or words.tells_total(title) for title in texts)
    answers = file.desk.decide_each("balance_rows", texts, text, choices, SKIP if plain else COUNT)
    skipped = [record for title, alike in doubtful.items() if answers[title] == SKIP for record in alike]
    return {record.line: A_BALANCE for record in skipped}


def _may_be_balance(title: str, line: int, sums: Sums, *, is_only: bool) -> bool:
    """`is_only`: no other line has this title."""
    if words.may_tell_balance(title) or (is_only and line in sums.all_others):
        return True
    return line in sums.some and words.may_tell_total(title)


def _balance_text(file: File, record: Record) -> str:
    description = shown(file.description(record))
    cells = " ".join(cell for column in file.layout.money if (cell := record.cell(column)))
    question = "Is it a transaction, or does it only tell a balance or a total?"
    return f"Line {record.line} reads {description}, {cells}. {question}"


def _is_bare(file: File, record: Record) -> bool:
    """Nothing but amounts, besides what is the same for many rows: the currency, the account."""
    numeric = {*file.layout.money, file.layout.balance, file.layout.fee}
    repeated = file.table.columns_named(account_words.OWN_ACCOUNT)
    filled = {column for column, cell in enumerate(record.cells) if cell.strip() not in DASHES}
    filled -= repeated | {file.layout.currency}
    return filled <= numeric and all(amounts.read(record.cell(column)) for column in filled)


def _draft(file: File, record: Record) -> Draft:
    width = file.table.width
    if any(cell.strip() for cell in record.cells[width:]):
        raise Unreadable(
            f"{len(table.filled(record))} columns instead of {width}; is a field with the delimiter unquoted?"
        )
    return Draft(record, tuple(_amount(record.cell(column)) for column in file.layout.money))


def _amount(cell: str) -> AmountText | None:
    amount = amounts.read(cell)
    if amount is None and cell not in DASHES:
        raise Unreadable(f"unreadable amount {shown(cell)}")
    return amount


def note_left_out(desk: Desk, left_out: Sequence[tuple[Record, str]]) -> None:
    lines: dict[str, list[str]] = {}
    for record, why in left_out:
        desk.leave_out(record, why)
        lines.setdefault(why, []).append(str(record.line))
    for why, numbers in lines.items():
        more = ", …" if len(numbers) > LINES_NAMED else ""
        plural = "line" if len(numbers) == 1 else "lines"
        first = ", ".join(numbers[:LINES_NAMED])
        desk.note(f"{len(numbers)} {plural} left out, {why}: {plural} {first}{more}")
