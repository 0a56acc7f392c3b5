"""Every CSV that explains itself: by a header's names, by its cells, or by a person's answers.

What is decided from evidence is written into the statement's notes; what is left out, too.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cached_property
from itertools import pairwise

from statements import amounts, dates, evidence, layout, parsing, table, words
from statements.asking import Desk
from statements.evidence import AS_IS, FLIPPED, Hints, Seen
from statements.layout import Layout
from statements.parsing import Problem, Record, Row, Statement, Unreadable, shown
from statements.table import Table
from statements.words import fold

SOURCE = "csv"
NO_DESCRIPTION = "(no description)"
HUNDREDTHS = {"cent", "cents", "pence", "centimes", "centavos"}
DASHES = {"", "-", "--", "\u2013", "\u2014"}
LINES_NAMED = 5
WORDS_OF = 2000  # rows whose words are weighed: more would not say more
ENGLISH = {"date", "description", "amount", "debit", "credit", "balance", "payee", "merchant", "details", "narrative"}
NOT_A_TRANSACTION, A_BALANCE, NOT_COMPLETED = "no transaction", "a balance", "not completed"


@dataclass(frozen=True)
class Draft:
    """A row that has a date and an amount; what they are worth is decided with all rows in sight."""

    record: Record
    cells: tuple[amounts.Written | None, ...]  # as Layout.money


@dataclass(frozen=True)
class File:
    """One file on its way: what is known of it so far."""

    table: Table
    layout: Layout
    desk: Desk
    mark: str = "."

    @cached_property
    def hundredths(self) -> bool:
        """`amount_cents`: whole numbers, of which a hundred are one."""
        money = self.layout.money
        named = any(HUNDREDTHS & set(_header_words(self, column)) for column in money)
        return named and not any(set(".,") & set(cell) for column in money for cell in self.table.cells(column))

    def number(self, record: Record, column: int | None) -> Decimal | None:
        return _number(record, column, self.mark)


def read(content: str, desk: Desk) -> Statement:
    """The statement with its rows and problems. What the desk was asked meanwhile stands in `desk.questions`."""
    found, delimiter = table.find(content)
    alike = _layout_id(found, delimiter)
    if not found.rows:
        return Statement(SOURCE, (), (), ("the file holds a header and no transactions",), layout=alike)
    mark = _first_mark(found)
    columns = layout.find(found, desk, lambda record, column: _number(record, column, mark))
    if columns is None:
        raise parsing.unreadable_as(found.rows, table.EXPECTED)
    return replace(_read(File(found, columns, desk)), layout=alike)


def _layout_id(found: Table, delimiter: str) -> str:
    """The same for all files of one bank's export."""
    names = [fold(cell) for cell in found.header] if found.header else [str(found.width)]
    return hashlib.sha256("\x1f".join([delimiter, *names]).encode()).hexdigest()


def _read(file: File) -> Statement:
    drafts, problems, left_out = _sorted_out(file)
    if file.hundredths:
        file.desk.note("the amounts are in hundredths, as their column's name says")
    code = _currency(file, drafts)
    if file.layout.currency is not None and code and file.desk.answers.get("currency") == code:
        left_out += [(draft.record, f"not in {code}") for draft in drafts if not _is_in(file, draft, code)]
        drafts = [draft for draft in drafts if _is_in(file, draft, code)]
    file = replace(file, mark=_mark(file, drafts, code))
    order = _order(file, drafts, code)
    values, wrong = _values(file, drafts, order)
    rows: list[Row] = []
    for draft in drafts:
        try:
            if draft.record.line in wrong:
                raise Unreadable(wrong[draft.record.line])
            rows.append(_row(file, draft, order, values[draft.record.line]))
        except Unreadable as error:
            problems.append(Problem(draft.record.line, error.problem.what))
    _note_left_out(file.desk, left_out)
    if not rows and not problems:
        file.desk.note("the file holds no transactions")
    problems.sort(key=lambda problem: problem.line)
    return Statement(SOURCE, tuple(rows), tuple(problems), tuple(file.desk.notes), code)


# Which lines are transactions


def _sorted_out(file: File) -> tuple[list[Draft], list[Problem], list[tuple[Record, str]]]:
    drafts: list[Draft] = []
    problems: list[Problem] = []
    left_out: list[tuple[Record, str]] = []
    not_done = _not_done(file)
    for record in file.table.rows:
        try:
            why = _why_not(file, record, not_done)
            if why:
                left_out.append((record, why))
            else:
                drafts.append(_draft(file, record))
        except Unreadable as error:
            problems.append(Problem(record.line, error.problem.what))
    return drafts, problems, left_out


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
    title = fold(_description(file, record))
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
    raise Unreadable(f"unreadable date {shown(day)}" if day else "the date is empty")


def _carried(file: File, record: Record) -> str:
    seen = shown(_description(file, record))
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


def _note_left_out(desk: Desk, left_out: Sequence[tuple[Record, str]]) -> None:
    for why, count in Counter(why for _, why in left_out).items():
        lines = [str(record.line) for record, reason in left_out if reason == why]
        more = ", …" if count > LINES_NAMED else ""
        plural = "line" if count == 1 else "lines"
        desk.note(f"{count} {plural} left out, {why}: {plural} {', '.join(lines[:LINES_NAMED])}{more}")


# What the cells mean


def _number(record: Record, column: int | None, mark: str) -> Decimal | None:
    found = amounts.written(record.cell(column))
    number = amounts.value(found.body, mark) if found else None
    return -number if number and found and found.negative else number


def _first_mark(found: Table) -> str:
    """Good enough to tell columns apart by; the amounts' own columns decide later."""
    cells = (cell for record in found.rows[: table.PROFILED] for cell in record.cells if not dates.readings(cell))
    written = (amounts.written(cell) for cell in cells)
    mark = evidence.decimal_mark((one for one in written if one and table.is_marked(one)), "")
    return mark if mark in (".", ",") else "."


def _mark(file: File, drafts: Sequence[Draft], code: str) -> str:
    others = [column for column in (file.layout.balance, file.layout.fee) if column is not None]
    written = [one for draft in drafts for one in draft.cells if one]
    more = [amounts.written(draft.record.cell(column)) for draft in drafts for column in others]
    found = evidence.decimal_mark([*written, *(one for one in more if one)], code)
    example = next((one.body for one in written if amounts.mark_of(one.body) == "?"), "")
    choices = {".": "the point: 1,234.50 is a bit over a thousand", ",": "the comma: 1.234,50 is a bit over a thousand"}
    text = f"Which is the decimal mark? An amount reads {example!r}." if example else "Which is the decimal mark?"
    return file.desk.decide("decimal_mark", "." if found == "any" else found, text, choices)


def _currency(file: File, drafts: Sequence[Draft]) -> str:
    """The code of the file's currency; "" if it does not say."""
    column = file.layout.currency
    if column is None:
        symbols = {one.currency for draft in drafts for one in draft.cells if one and one.currency}
        codes = {amounts.SYMBOLS.get(symbol, symbol.upper()) for symbol in symbols}
        return codes.pop() if len(codes) == 1 and codes <= set(amounts.PLACES) else _header_currency(file)
    seen = Counter(draft.record.cell(column).upper() for draft in drafts)
    codes = {amounts.SYMBOLS.get(code.casefold(), code) for code in seen if code}
    if len(codes) < 2:
        return codes.pop() if codes and codes <= set(amounts.PLACES) else ""
    choices = {code: f"only {code} ({seen[code]} rows)" for code in sorted(codes)}
    choices["all"] = "all rows: the amounts are in the account's currency"
    text = "The file holds several currencies. Which does this account hold?"
    answer = file.desk.decide("currency", "", text, choices)
    return "" if answer == "all" else answer


def _header_currency(file: File) -> str:
    names = {token.upper() for column in file.layout.money for token in _header_words(file, column)}
    codes = names & set(amounts.PLACES)
    return codes.pop() if len(codes) == 1 else ""


def _header_words(file: File, column: int) -> list[str]:
    return fold(file.table.header[column]).split() if file.table.header else []


def _is_in(file: File, draft: Draft, code: str) -> bool:
    seen = draft.record.cell(file.layout.currency)
    return amounts.SYMBOLS.get(seen.casefold(), seen.upper()) == code


def _order(file: File, drafts: Sequence[Draft], code: str) -> str:
    """Lines that are no transactions have dates too, and so has what stands above the table."""
    columns = (file.layout.day, *file.layout.other_days)
    rows = [[record.cell(column) for column in columns] for record in file.table.rows]
    above = [found for record in file.table.preamble for cell in record.cells for found in dates.inside(cell)]
    header = {token for cell in file.table.header for token in fold(cell).split()}
    hints = Hints(
        american=file.layout.american,
        decimal_comma=file.mark == ",",
        currency=code,
        foreign=bool(header) and not header & ENGLISH,
    )
    texts = [_description(file, draft.record) for draft in drafts]
    found, why = evidence.date_order(rows, above, texts, hints)
    if why:
        file.desk.note(f"dates read as {_ORDERS[found]}: {why}")
    example = next((row[0] for row in rows if not dates.certain(row[0])), "")
    seen = {order: day for order, day in dates.readings(example).items()}
    choices = {
        order: f"{name}: {example} is {seen[order].day} {seen[order]:%B %Y}"
        for order, name in _ORDERS.items()
        if order in seen
    }
    return file.desk.decide("date_order", found, "In which order do the dates name day and month?", choices or _ORDERS)


_ORDERS = {dates.DMY: "day/month/year", dates.MDY: "month/day/year", dates.YMD: "year/month/day"}


# Which amounts are money out


def _values(file: File, drafts: Sequence[Draft], order: str) -> tuple[dict[int, Decimal], dict[int, str]]:
    """(the signed amount of each line, what is wrong with the others)."""
    raw: dict[int, tuple[Decimal, ...]] = {}
    wrong: dict[int, str] = {}
    for draft in drafts:
        try:
            raw[draft.record.line] = tuple(_worth(file, one, draft) for one in draft.cells)
        except Unreadable as error:
            wrong[draft.record.line] = error.problem.what
    good = [draft for draft in drafts if draft.record.line in raw]
    if file.layout.amount is None:
        values = _of_sides(file, good, raw, wrong, order)
    else:
        values = _of_amount(file, good, {line: worth[0] for line, worth in raw.items()}, wrong, order)
    return _less_fees(file, good, values, order), wrong


def _worth(file: File, one: amounts.Written | None, draft: Draft) -> Decimal:
    if one is None:
        return Decimal(0)
    number = amounts.value(one.body, file.mark)
    if number is None:
        raise Unreadable(f"unreadable amount {shown(one.body)}: the other rows' decimal mark is {file.mark!r}")
    if amounts.too_long(number):
        raise Unreadable(f"amount {shown(one.body)} has more digits than the ledger keeps (16 and 4 after the mark)")
    number = number / 100 if file.hundredths else number
    return -number if one.negative and number else number


def _of_amount(
    file: File, drafts: Sequence[Draft], raw: dict[int, Decimal], wrong: dict[int, str], order: str
) -> dict[int, Decimal]:
    if _has_direction(file, raw):
        return _by_direction(file, drafts, raw, wrong)
    seen = _seen(file, drafts, raw, order)
    if evidence.both_ways(seen):
        what = "the amounts have no sign, but the balance goes up and down by them"
        raise Unreadable(f"{what}: export the file with signed amounts, or with a column for each direction")
    found, why = evidence.sign(seen, card=file.layout.card)
    answer = _ask_sign(file, drafts, found)
    if answer == FLIPPED and why:
        file.desk.note(f"signs turned round, so that money out is negative: {why}")
    return {line: -value if answer == FLIPPED and value else value for line, value in raw.items()}


def _ask_sign(file: File, drafts: Sequence[Draft], found: str) -> str:
    example = next(
        (draft for draft in drafts if draft.cells[0] and not draft.cells[0].negative), drafts[0] if drafts else None
    )
    seen = f" An example: {shown(_description(file, example.record))}, {_money_cell(file, example)}." if example else ""
    choices = {AS_IS: "money that came in", FLIPPED: "money that went out (charges)"}
    return file.desk.decide("amount_sign", found, f"What are the amounts without a minus sign?{seen}", choices)


def _money_cell(file: File, draft: Draft) -> str:
    return draft.record.cell(file.layout.amount)


def _by_direction(
    file: File, drafts: Sequence[Draft], raw: dict[int, Decimal], wrong: dict[int, str]
) -> dict[int, Decimal]:
    """The column that says debit or credit gives the sign, or tells what the signs mean."""
    side = {draft.record.line: evidence.direction_of(draft.record.cell(file.layout.direction)) for draft in drafts}
    if all(value >= 0 for value in raw.values()):
        missing = "the amount has no sign, and nothing says whether it is debit or credit"
        wrong.update((line, missing) for line in raw if not side[line])
        return {line: side[line] * value for line, value in raw.items() if side[line]}
    agree = sum((value > 0) == (side[line] > 0) for line, value in raw.items() if value and side[line])
    count = sum(bool(value and side[line]) for line, value in raw.items())
    found = AS_IS if agree >= 0.9 * count else FLIPPED if agree <= 0.1 * count else ""
    answer = _ask_sign(file, drafts, found)
    return {line: -value if answer == FLIPPED and value else value for line, value in raw.items()}


def _has_direction(file: File, raw: dict[int, Decimal]) -> bool:
    """One value for all rows says nothing about amounts that have signs: it may be the kind of the account."""
    if file.layout.direction is None:
        return False
    sides = {evidence.direction_of(cell) for cell in file.table.cells(file.layout.direction)}
    return len(sides) > 1 or all(value >= 0 for value in raw.values())


def _of_sides(
    file: File, drafts: Sequence[Draft], raw: dict[int, tuple[Decimal, ...]], wrong: dict[int, str], order: str
) -> dict[int, Decimal]:
    """Money in less money out. Either column may write its amounts with a minus sign."""
    columns = file.layout.money
    pairs: dict[int, tuple[Decimal, Decimal]] = {}
    for line, worth in raw.items():
        by_column = dict(zip(columns, worth, strict=True))
        out = by_column.get(file.layout.debit, Decimal(0)) if file.layout.debit is not None else Decimal(0)
        into = by_column.get(file.layout.credit, Decimal(0)) if file.layout.credit is not None else Decimal(0)
        if out and into:
            wrong[line] = f"both sides are filled: {shown(str(out))} out and {shown(str(into))} in"
        else:
            pairs[line] = (out, into)
    plain = {line: abs(into) - abs(out) for line, (out, into) in pairs.items()}
    usual = [_usual_sign([pair[side] for pair in pairs.values()]) for side in (0, 1)]
    turned = {line: into * usual[1] - out * usual[0] for line, (out, into) in pairs.items()}
    if turned == plain:
        return plain
    good = [draft for draft in drafts if draft.record.line in pairs]
    return turned if _reversals(file, good, plain, turned, order) else plain


def _usual_sign(numbers: Sequence[Decimal]) -> int:
    return -1 if sum(number < 0 for number in numbers) > sum(number > 0 for number in numbers) else 1


def _reversals(
    file: File, drafts: Sequence[Draft], plain: dict[int, Decimal], turned: dict[int, Decimal], order: str
) -> bool:
    scores = [bool(evidence.by_balance(_seen(file, drafts, values, order)) == AS_IS) for values in (turned, plain)]
    found = "" if scores[0] == scores[1] else "reversal" if scores[0] else "ignore"
    odd = next(draft for draft in drafts if plain[draft.record.line] != turned[draft.record.line])
    text = f"Line {odd.record.line} has the other sign than most of its column. What does it mean?"
    choices = {"reversal": "the opposite: money came back", "ignore": "nothing: the column says which way it went"}
    return file.desk.decide("mixed_signs", found, text, choices) == "reversal"


def _less_fees(file: File, drafts: Sequence[Draft], values: dict[int, Decimal], order: str) -> dict[int, Decimal]:
    """A fee beside the amount is part of what left the account, if the balance or the person says so."""
    fees = {draft.record.line: abs(file.number(draft.record, file.layout.fee) or Decimal(0)) for draft in drafts}
    if file.layout.fee is None or not any(fees.values()):
        return values
    net = {line: value - fees.get(line, Decimal(0)) for line, value in values.items()}
    good = [draft for draft in drafts if draft.record.line in values]
    scores = [_moves(_seen(file, good, one, order)) for one in (net, values)]
    found = "" if scores[0] == scores[1] else "deduct" if scores[0] > scores[1] else "included"
    choices = {"deduct": "on top: the account paid amount and fee", "included": "already part of the amount"}
    answer = file.desk.decide("fee", found, "The file has fees. How do they relate to the amounts?", choices)
    if answer == "deduct":
        file.desk.note("fees are deducted from the amounts")
    return net if answer == "deduct" else values


def _moves(rows: Sequence[Seen]) -> int:
    """How many balances the amounts explain."""
    known = [row for row in rows if row.balance is not None]
    down = up = 0
    for first, second in pairwise(known):
        step = (second.balance or Decimal(0)) - (first.balance or Decimal(0))
        down, up = down + (step == second.amount), up + (-step == first.amount)
    return max(down, up)


def _seen(file: File, drafts: Sequence[Draft], values: dict[int, Decimal], order: str) -> list[Seen]:
    return [
        Seen(
            day=_day(draft.record.cell(file.layout.day), order) or date.min,
            amount=values[draft.record.line],
            plus=any(one.plus for one in draft.cells if one),
            balance=file.number(draft.record, file.layout.balance),
            words=_words(draft.record) if number < WORDS_OF else "",
        )
        for number, draft in enumerate(drafts)
    ]


def _words(record: Record) -> str:
    return " / ".join(fold(cell[:200]) for cell in record.cells if not amounts.written(cell))


# One row


def _day(cell: str, order: str) -> date | None:
    return dates.readings(cell).get(order)


def _row(file: File, draft: Draft, order: str, amount: Decimal) -> Row:
    record = draft.record
    cell = record.cell(file.layout.day)
    day = _day(cell, order)
    if day is None:
        raise Unreadable(f"unreadable date {shown(cell)}: the other rows are {_ORDERS[order]}")
    check = parsing.text_cell(record.cell(file.layout.check), "the check number", parsing.MAX_CHECK_NUMBER)
    description = parsing.text_cell(_description(file, record), "the description", parsing.MAX_DESCRIPTION)
    return Row(record.line, record.cells, day, amount, check, description or NO_DESCRIPTION)


def _description(file: File, record: Record) -> str:
    return next((cell for column in file.layout.descriptions if (cell := record.cell(column))), "")
