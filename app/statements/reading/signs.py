"""Which amounts are money out: by their signs, a column for each side, a column of directions, the balance; less fees.

A module of its own because no row can be decided alone: each rule looks at all rows of the account.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

from statements.reading import amounts, evidence, words
from statements.reading.amounts import AmountText
from statements.reading.columns import example
from statements.reading.draft import Draft, File
from statements.reading.evidence import AS_IS, FLIPPED, Entry, Finding
from statements.reading.layout import MOST_KINDS
from statements.reading.parsing import Record, Unreadable, shown
from statements.reading.words import fold

BY_COLUMN, NEITHER = "column:", "neither"
WORDS_OF = 2000  # rows whose words are weighed: more would not say more
ZERO = Decimal(0)
EXPORT_WITH_SIGNS = "export the file with signed amounts, or with a column for each direction"
Numbers = dict[int, Decimal]  # of each line
Sides = dict[int, tuple[Decimal, Decimal]]  # of each line: money out, money in
Faults = dict[int, str]  # of each line that cannot be read: the reason


def of_all(file: File, drafts: Sequence[Draft]) -> str:
    """The sign that the rows of all accounts prove, for an account whose own prove nothing; "" if they do not."""
    if file.layout.amount is None or file.layout.direction is not None:
        return ""
    numbers, _ = _numbers(file, drafts)
    single = {line: row[0] for line, row in numbers.items()}
    return evidence.sign(_entries(file, drafts, single), card=file.layout.card).decided


def signed(file: File, drafts: Sequence[Draft]) -> tuple[Numbers, Faults]:
    """(the signed amount of each line, the faults of the others)."""
    numbers, faults = _numbers(file, drafts)
    drafts = _with_numbers(drafts, numbers)
    if file.layout.amount is None:
        plain = _of_sides(file, drafts, numbers, faults)
    else:
        plain = _of_amount(file, drafts, {line: row[0] for line, row in numbers.items()}, faults)
    return _less_fees(file, drafts, plain), faults


def _numbers(file: File, drafts: Sequence[Draft]) -> tuple[dict[int, tuple[Decimal, ...]], Faults]:
    """(the numbers of each line as Layout.money, as written; the faults of the others)."""
    numbers: dict[int, tuple[Decimal, ...]] = {}
    faults: Faults = {}
    for draft in drafts:
        try:
            numbers[draft.line] = tuple(number(file, cell) for cell in draft.cells)
        except Unreadable as error:
            faults[draft.line] = error.problem.what
    return numbers, faults


def number(file: File, amount: AmountText | None) -> Decimal:
    """The number by the file's decimal mark; 0 for an empty cell."""
    if amount is None:
        return ZERO
    number = amounts.number(amount.body, file.mark)
    if number is None:
        raise Unreadable(f"unreadable amount {shown(amount.body)}: the other rows' decimal mark is {file.mark!r}")
    if amounts.is_too_long(number):
        raise Unreadable(f"amount {shown(amount.body)} has more digits than the ledger keeps (16 and 4 after the mark)")
    number = number / 100 if file.hundredths else number
    return -number if amount.negative and number else number


# --- one column of amounts ------------------------------------------------------------------------------------------


def _of_amount(file: File, drafts: Sequence[Draft], numbers: Numbers, faults: Faults) -> Numbers:
    if _has_direction(file, numbers):
        return _by_direction(file, drafts, numbers, faults)
    entries = _entries(file, drafts, numbers)
    if evidence.goes_both_ways(entries):
        fault = "the amounts have no sign, but the balance goes up and down by them"
        raise Unreadable(f"{fault}: {EXPORT_WITH_SIGNS}")
    finding = evidence.sign(entries, card=file.layout.card)
    finding = replace(finding, decided=finding.decided or file.sign)
    answer = _ask_sign(file, drafts, finding, numbers.values())
    if answer.startswith(BY_COLUMN):
        column = int(answer.removeprefix(BY_COLUMN)) - 1
        return _by_direction(replace(file, layout=replace(file.layout, direction=column)), drafts, numbers, faults)
    if answer == NEITHER:
        fault = "some amounts without a sign came in and some went out, and nothing says which"
        raise Unreadable(f"{fault}: {EXPORT_WITH_SIGNS}")
    return _turned(numbers, answer)


def _turned(numbers: Numbers, sign: str) -> Numbers:
    """The amounts with the other sign, if they are flipped; a zero has none."""
    factor = -1 if sign == FLIPPED else 1
    return {line: number and factor * number for line, number in numbers.items()}


def _ask_sign(file: File, drafts: Sequence[Draft], finding: Finding, numbers: Iterable[Decimal]) -> str:
    positive = (draft for draft in drafts if draft.cells[0] and not draft.cells[0].negative)
    draft = next(positive, drafts[0] if drafts else None)
    choices = {AS_IS: "money that came in", FLIPPED: "money that went out (charges)"}
    if all(number >= 0 for number in numbers):
        choices |= _direction_offers(file) | {NEITHER: "some of them came in and some went out"}
    text = f"What are the amounts without a minus sign?{_example(file, draft)}"
    return file.desk.decide("amount_sign", finding.decided, text, choices, likely=finding.likely)


def _example(file: File, draft: Draft | None) -> str:
    if draft is None:
        return ""
    cell = draft.record.cell(file.layout.amount)
    return f" An example: {shown(file.description(draft.record))}, {cell}."


def _direction_offers(file: File) -> dict[str, str]:
    """The columns of a few words each, of which one may say which way each amount went."""
    layout = file.layout
    assigned = {layout.day, *layout.money, layout.balance, layout.fee, layout.currency, *layout.other_days}
    offers: dict[str, str] = {}
    for column in sorted(set(range(file.table.width)) - assigned):
        cells = [fold(cell) for cell in file.table.cells(column)]
        if 1 < len(set(cells)) <= MOST_KINDS and 2 * len(cells) > len(file.table.rows):
            offers[f"{BY_COLUMN}{column + 1}"] = f"column {column + 1} says which way ({example(file.table, column)})"
    return offers


# --- a column that says debit or credit -----------------------------------------------------------------------------


def _has_direction(file: File, numbers: Numbers) -> bool:
    """One value for all rows says nothing about amounts that have signs: it may be the kind of the account."""
    if file.layout.direction is None:
        return False
    sides = {evidence.direction_of(cell) for cell in file.table.cells(file.layout.direction)}
    return {-1, 1} <= sides or all(number >= 0 for number in numbers.values())


def _by_direction(file: File, drafts: Sequence[Draft], numbers: Numbers, faults: Faults) -> Numbers:
    """The column that says debit or credit gives the sign, or shows what the signs mean."""
    cells = {draft.line: draft.record.cell(file.layout.direction) for draft in drafts}
    sides = {line: evidence.direction_of(cell) for line, cell in cells.items()}
    if all(number >= 0 for number in numbers.values()):
        sides = _with_asked_sides(file, cells, sides)
        missing = "the amount has no sign, and nothing says whether it is debit or credit"
        faults.update((line, missing) for line, side in sides.items() if not side)
        return {line: side * numbers[line] for line, side in sides.items() if side}
    agreeing = [(number > 0) == (sides[line] > 0) for line, number in numbers.items() if number and sides[line]]
    answer = _ask_sign(file, drafts, Finding(_sign_of_most(agreeing)), numbers.values())
    return _turned(numbers, answer)


def _sign_of_most(agreeing: Sequence[bool]) -> str:
    """One row in ten may have another sign than its direction says."""
    agree, count = sum(agreeing), len(agreeing)
    if agree >= 0.9 * count:
        return AS_IS
    return FLIPPED if agree <= 0.1 * count else ""


def _with_asked_sides(file: File, cells: Mapping[int, str], sides: Mapping[int, int]) -> dict[int, int]:
    """The sides, with a person's answers about words that are neither debit nor credit, such as *Fee*."""
    unknown = dict.fromkeys(cell for line, cell in cells.items() if cell and not sides[line])
    answers = {fold(cell): _ask_direction(file, cell) for cell in unknown}
    return {line: side or answers.get(fold(cells[line]), 0) for line, side in sides.items()}


def _ask_direction(file: File, cell: str) -> int:
    choices = {"out": "money that went out", "in": "money that came in"}
    text = f"Rows say {shown(cell)} and their amounts have no sign. Which way did that money go?"
    likely = "in" if words.LIKELY_DIRECTIONS.get(fold(cell), -1) > 0 else "out"
    answer = file.desk.decide(f"direction:{fold(cell)}", "", text, choices, likely=likely)
    return 1 if answer == "in" else -1


# --- a column for each side -----------------------------------------------------------------------------------------


def _of_sides(
    file: File, drafts: Sequence[Draft], numbers: Mapping[int, tuple[Decimal, ...]], faults: Faults
) -> Numbers:
    """Money in less money out. Either column may write its amounts with a minus sign."""
    sides: Sides = {}
    for line, row in numbers.items():
        by_column: dict[int | None, Decimal] = dict(zip(file.layout.money, row, strict=True))
        out, into = (by_column.get(column, ZERO) for column in (file.layout.debit, file.layout.credit))
        if out and into:
            faults[line] = f"both sides are filled: {shown(str(out))} out and {shown(str(into))} in"
        else:
            sides[line] = (out, into)
    plain = {line: abs(into) - abs(out) for line, (out, into) in sides.items()}
    usual_out, usual_in = (_usual_sign([pair[side] for pair in sides.values()]) for side in (0, 1))
    turned = {line: into * usual_in - out * usual_out for line, (out, into) in sides.items()}
    if turned == plain or not _ask_reversals(file, _with_numbers(drafts, sides), plain, turned):
        return plain
    return turned


def _better(first: int, second: int, *, names: tuple[str, str]) -> str:
    """The name of the higher score; "" if they are equal."""
    if first == second:
        return ""
    return names[first < second]


def _usual_sign(numbers: Sequence[Decimal]) -> int:
    return -1 if sum((number > 0) - (number < 0) for number in numbers) < 0 else 1


def _ask_reversals(file: File, drafts: Sequence[Draft], plain: Numbers, turned: Numbers) -> bool:
    """Whether the few amounts with the other sign than their column are money that came back."""
    fits = [evidence.by_balance(_entries(file, drafts, numbers)) == AS_IS for numbers in (turned, plain)]
    proven = _better(*fits, names=("reversal", "ignore"))
    odd = next(draft for draft in drafts if plain[draft.line] != turned[draft.line])
    text = f"Line {odd.line} has the other sign than most of its column. What does it mean?"
    choices = {"reversal": "the opposite: money came back", "ignore": "nothing: the column says which way it went"}
    return file.desk.decide("mixed_signs", proven, text, choices) == "reversal"


# --- fees -----------------------------------------------------------------------------------------------------------


def _less_fees(file: File, drafts: Sequence[Draft], numbers: Numbers) -> Numbers:
    """A fee beside the amount is part of what left the account, if the balance or the person says so."""
    fees = {draft.line: abs(file.number(draft.record, file.layout.fee) or ZERO) for draft in drafts}
    if file.layout.fee is None or not any(fees.values()):
        return numbers
    net = {line: number - fees.get(line, ZERO) for line, number in numbers.items()}
    explained = [_explained(_entries(file, drafts, signed_amounts)) for signed_amounts in (net, numbers)]
    proven = _better(*explained, names=("deduct", "included"))
    choices = {"deduct": "on top: the account paid amount and fee", "included": "already part of the amount"}
    text = "The file has fees. How do they relate to the amounts?"
    if file.desk.decide("fee", proven, text, choices) == "included":
        return numbers
    file.desk.note("fees are deducted from the amounts")
    return net


def _explained(entries: Sequence[Entry]) -> int:
    """How many balances the amounts explain."""
    pairs = list(pairwise(entry for entry in entries if entry.balance is not None))
    steps = [((second.balance or ZERO) - (first.balance or ZERO)) for first, second in pairs]
    down = sum(step == second.amount for step, (_, second) in zip(steps, pairs, strict=True))
    up = sum(-step == first.amount for step, (first, _) in zip(steps, pairs, strict=True))
    return max(down, up)


# --- rows for evidence ----------------------------------------------------------------------------------------------


def _with_numbers(drafts: Sequence[Draft], numbers: Mapping[int, object]) -> list[Draft]:
    return [draft for draft in drafts if draft.line in numbers]


def _entries(file: File, drafts: Sequence[Draft], numbers: Numbers) -> list[Entry]:
    return [
        Entry(
            day=file.day(draft.record) or date.min,
            amount=numbers[draft.line],
            plus=any(cell.plus for cell in draft.cells if cell),
            balance=file.number(draft.record, file.layout.balance),
            words=_words(draft.record) if position < WORDS_OF else "",
        )
        for position, draft in enumerate(_with_numbers(drafts, numbers))
    ]


def _words(record: Record) -> str:
    return " / ".join(fold(cell[:200]) for cell in record.cells if not amounts.read(cell))
