"""Which amounts are money out: by their signs, a column for each side, a column of directions, the balance; less fees.

A module of its own because no row can be decided alone: each rule looks at all rows of the account.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

from statements.reading import amounts, evidence, words
from statements.reading.columns import example
from statements.reading.draft import Draft, File
from statements.reading.evidence import AS_IS, FLIPPED, Finding, Seen
from statements.reading.layout import MOST_KINDS
from statements.reading.parsing import Record, Unreadable, shown
from statements.reading.words import fold

BY_COLUMN, NEITHER = "column:", "neither"
WORDS_OF = 2000  # rows whose words are weighed: more would not say more


def of_all(file: File, drafts: Sequence[Draft]) -> str:
    """The sign that the rows of all accounts prove, for an account whose own prove nothing; "" if they do not."""
    if file.layout.amount is None or file.layout.direction is not None:
        return ""
    raw, _ = _raw(file, drafts)
    good = [draft for draft in drafts if draft.record.line in raw]
    seen = _seen(file, good, {line: worth[0] for line, worth in raw.items()})
    return evidence.sign(seen, card=file.layout.card).decided


def values(file: File, drafts: Sequence[Draft]) -> tuple[dict[int, Decimal], dict[int, str]]:
    """(the signed amount of each line, what is wrong with the others)."""
    raw, wrong = _raw(file, drafts)
    good = [draft for draft in drafts if draft.record.line in raw]
    if file.layout.amount is None:
        values = _of_sides(file, good, raw, wrong)
    else:
        values = _of_amount(file, good, {line: worth[0] for line, worth in raw.items()}, wrong)
    return _less_fees(file, good, values), wrong


def _raw(file: File, drafts: Sequence[Draft]) -> tuple[dict[int, tuple[Decimal, ...]], dict[int, str]]:
    """(the numbers of each line as Layout.money, as written; what is wrong with the others)."""
    raw: dict[int, tuple[Decimal, ...]] = {}
    wrong: dict[int, str] = {}
    for draft in drafts:
        try:
            raw[draft.record.line] = tuple(worth(file, one) for one in draft.cells)
        except Unreadable as error:
            wrong[draft.record.line] = error.problem.what
    return raw, wrong


def worth(file: File, one: amounts.Written | None) -> Decimal:
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
    file: File, drafts: Sequence[Draft], raw: dict[int, Decimal], wrong: dict[int, str]
) -> dict[int, Decimal]:
    if _has_direction(file, raw):
        return _by_direction(file, drafts, raw, wrong)
    seen = _seen(file, drafts, raw)
    if evidence.both_ways(seen):
        what = "the amounts have no sign, but the balance goes up and down by them"
        raise Unreadable(f"{what}: export the file with signed amounts, or with a column for each direction")
    found = evidence.sign(seen, card=file.layout.card)
    answer = _ask_sign(file, drafts, replace(found, decided=found.decided or file.sign), raw.values())
    if answer.startswith(BY_COLUMN):
        column = int(answer.removeprefix(BY_COLUMN)) - 1
        return _by_direction(replace(file, layout=replace(file.layout, direction=column)), drafts, raw, wrong)
    if answer == NEITHER:
        what = "some amounts without a sign came in and some went out, and nothing says which"
        raise Unreadable(f"{what}: export the file with signed amounts, or with a column for each direction")
    return {line: -value if answer == FLIPPED and value else value for line, value in raw.items()}


def _ask_sign(file: File, drafts: Sequence[Draft], found: Finding, values: Iterable[Decimal]) -> str:
    example = next(
        (draft for draft in drafts if draft.cells[0] and not draft.cells[0].negative), drafts[0] if drafts else None
    )
    seen = f" An example: {shown(file.description(example.record))}, {_money_cell(file, example)}." if example else ""
    choices = {AS_IS: "money that came in", FLIPPED: "money that went out (charges)"}
    if all(value >= 0 for value in values):
        choices |= _kinds(file) | {NEITHER: "some of them came in and some went out"}
    text = f"What are the amounts without a minus sign?{seen}"
    return file.desk.decide("amount_sign", found.decided, text, choices, likely=found.likely)


def _kinds(file: File) -> dict[str, str]:
    """The columns of a few words each, of which one may say which way each amount went."""
    given = {file.layout.day, *file.layout.money, file.layout.balance, file.layout.fee, file.layout.currency}
    offers: dict[str, str] = {}
    for column in sorted(set(range(file.table.width)) - given - set(file.layout.other_days)):
        cells = [fold(cell) for cell in file.table.cells(column)]
        if 1 < len(set(cells)) <= MOST_KINDS and 2 * len(cells) > len(file.table.rows):
            offers[f"{BY_COLUMN}{column + 1}"] = f"column {column + 1} says which way ({example(file.table, column)})"
    return offers


def _money_cell(file: File, draft: Draft) -> str:
    return draft.record.cell(file.layout.amount)


def _by_direction(
    file: File, drafts: Sequence[Draft], raw: dict[int, Decimal], wrong: dict[int, str]
) -> dict[int, Decimal]:
    """The column that says debit or credit gives the sign, or tells what the signs mean."""
    cells = {draft.record.line: draft.record.cell(file.layout.direction) for draft in drafts}
    side = {line: evidence.direction_of(cell) for line, cell in cells.items()}
    if all(value >= 0 for value in raw.values()):
        meant = _directions(file, {cells[line]: None for line in raw if cells[line] and not side[line]})
        side |= {line: meant[fold(cell)] for line, cell in cells.items() if fold(cell) in meant and not side[line]}
        missing = "the amount has no sign, and nothing says whether it is debit or credit"
        wrong.update((line, missing) for line in raw if not side[line])
        return {line: side[line] * value for line, value in raw.items() if side[line]}
    agree = sum((value > 0) == (side[line] > 0) for line, value in raw.items() if value and side[line])
    count = sum(bool(value and side[line]) for line, value in raw.items())
    found = AS_IS if agree >= 0.9 * count else FLIPPED if agree <= 0.1 * count else ""
    answer = _ask_sign(file, drafts, Finding(found), raw.values())
    return {line: -value if answer == FLIPPED and value else value for line, value in raw.items()}


def _directions(file: File, unknown: Iterable[str]) -> dict[str, int]:
    """What a person says of the values that are neither debit nor credit, such as *Fee*, by their folded form."""
    meant: dict[str, int] = {}
    for cell in dict.fromkeys(unknown):
        likely = words.LIKELY_DIRECTIONS.get(fold(cell), -1)
        choices = {"out": "money that went out", "in": "money that came in"}
        text = f"Rows say {shown(cell)} and their amounts have no sign. Which way did that money go?"
        suggestion = "in" if likely > 0 else "out"
        answer = file.desk.decide(f"direction:{fold(cell)}", "", text, choices, likely=suggestion)
        meant[fold(cell)] = 1 if answer == "in" else -1
    return meant


def _has_direction(file: File, raw: dict[int, Decimal]) -> bool:
    """One value for all rows says nothing about amounts that have signs: it may be the kind of the account."""
    if file.layout.direction is None:
        return False
    sides = {evidence.direction_of(cell) for cell in file.table.cells(file.layout.direction)}
    return {-1, 1} <= sides or all(value >= 0 for value in raw.values())


def _of_sides(
    file: File, drafts: Sequence[Draft], raw: dict[int, tuple[Decimal, ...]], wrong: dict[int, str]
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
    return turned if _reversals(file, good, plain, turned) else plain


def _usual_sign(numbers: Sequence[Decimal]) -> int:
    return -1 if sum(number < 0 for number in numbers) > sum(number > 0 for number in numbers) else 1


def _reversals(file: File, drafts: Sequence[Draft], plain: dict[int, Decimal], turned: dict[int, Decimal]) -> bool:
    scores = [bool(evidence.by_balance(_seen(file, drafts, values)) == AS_IS) for values in (turned, plain)]
    found = "" if scores[0] == scores[1] else "reversal" if scores[0] else "ignore"
    odd = next(draft for draft in drafts if plain[draft.record.line] != turned[draft.record.line])
    text = f"Line {odd.record.line} has the other sign than most of its column. What does it mean?"
    choices = {"reversal": "the opposite: money came back", "ignore": "nothing: the column says which way it went"}
    return file.desk.decide("mixed_signs", found, text, choices) == "reversal"


def _less_fees(file: File, drafts: Sequence[Draft], values: dict[int, Decimal]) -> dict[int, Decimal]:
    """A fee beside the amount is part of what left the account, if the balance or the person says so."""
    fees = {draft.record.line: abs(file.number(draft.record, file.layout.fee) or Decimal(0)) for draft in drafts}
    if file.layout.fee is None or not any(fees.values()):
        return values
    net = {line: value - fees.get(line, Decimal(0)) for line, value in values.items()}
    good = [draft for draft in drafts if draft.record.line in values]
    scores = [_moves(_seen(file, good, one)) for one in (net, values)]
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


def _seen(file: File, drafts: Sequence[Draft], values: dict[int, Decimal]) -> list[Seen]:
    return [
        Seen(
            day=file.day(draft.record) or date.min,
            amount=values[draft.record.line],
            plus=any(one.plus for one in draft.cells if one),
            balance=file.number(draft.record, file.layout.balance),
            words=_words(draft.record) if number < WORDS_OF else "",
        )
        for number, draft in enumerate(drafts)
    ]


def _words(record: Record) -> str:
    return " / ".join(fold(cell[:200]) for cell in record.cells if not amounts.written(cell))
