"""Amounts in a table whose header does not name them: arithmetic between the columns tells which is which.

A module of its own because it looks at rows and never at names: a balance explains an amount, or of two sides each row
fills one. What the rows allow in two ways is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from statements.reading.asking import Desk
from statements.reading.columns import Columns, example, signed
from statements.reading.parsing import Record
from statements.reading.table import Table

MOST_MONEY_COLUMNS = 12
Numbers = Callable[[Record, int], Decimal | None]


@dataclass(frozen=True)
class Money:
    """Column numbers from 0; nothing is set where no column holds amounts."""

    amount: int | None = None
    debit: int | None = None
    credit: int | None = None
    balance: int | None = None


def find(columns: Columns, desk: Desk, numbers: Numbers) -> Money:
    """The columns of money by what the cells are like."""
    rows = columns.table.sample
    found = columns.free(lambda one: one.money > 0.9 and one.marked >= 0.5 and one.dates < 0.5)[:MOST_MONEY_COLUMNS]
    found = [column for column in found if any(numbers(row, column) for row in rows)]  # not only zeros
    if not found:
        return Money()
    if len(found) == 1:
        return Money(amount=found[0])
    pair = _complementary(rows, found, numbers)
    if pair:
        others = [column for column in found if column not in pair]
        debit, credit = _which_side(columns.table, pair, others, desk, numbers)
        return Money(None, debit, credit, others[0] if others else None)
    return _amount_among(columns.table, found, desk, numbers)


def one_of(
    columns: Columns, found: Sequence[int], desk: Desk, numbers: Numbers, near: tuple[int | None, int | None]
) -> int:
    """Which of several columns with an amount's name is the amount; `near` are the columns of balance and fee."""
    rows, (balance, fee) = columns.table.sample, near
    found = _different(rows, found, numbers)
    proven = [column for column in found if balance is not None and _explained(rows, numbers, column, balance) > 0.6]
    nets = [one for one in found if any(_less_fee(rows, numbers, other, fee, one) for other in found if other != one)]
    certain = found if len(found) == 1 else proven if len(proven) == 1 else nets
    choices = {str(column + 1): f"column {column + 1} ({example(columns.table, column)})" for column in found}
    text = "Several columns are called an amount. Which one moved this account?"
    answer = desk.decide("amount_column", str(certain[0] + 1) if len(certain) == 1 else "", text, choices)
    return int(answer) - 1


def is_net(columns: Columns, amount: int | None, fee: int | None, numbers: Numbers) -> bool:
    """The fee is already in the amount: another column, less the fee, is the amount."""
    if amount is None or fee is None:
        return False
    others = [n for n, one in enumerate(columns.profiles) if one.money > 0.5 and n not in (amount, fee)]
    return any(_less_fee(columns.table.sample, numbers, other, fee, amount) for other in others)


def balance_of(columns: Columns, amount: int, numbers: Numbers) -> int | None:
    """A column that moves by the amount in each row is its balance, whatever its name is."""
    rows = columns.table.sample
    likely = columns.free(lambda one: one.money > 0.9 and one.filled > 0.9 and one.marked >= 0.5 and one.dates < 0.5)
    steps = len(rows) - 1
    found = [n for n in likely if steps > 1 and _explained(rows, numbers, amount, n) == 1]
    return found[0] if len(found) == 1 else None


def _different(rows: Sequence[Record], found: Sequence[int], numbers: Numbers) -> list[int]:
    """Without the columns that only repeat one before them."""
    kept: dict[tuple[Decimal | None, ...], int] = {}
    for column in found:
        kept.setdefault(tuple(numbers(row, column) for row in rows), column)
    return list(kept.values())


def _less_fee(rows: Sequence[Record], numbers: Numbers, gross: int, fee: int | None, net: int) -> bool:
    """In every row the one amount less the fee is the other, and they differ somewhere."""
    zero = Decimal(0)
    cells = [[numbers(row, column) or zero for column in (gross, net)] for row in rows]
    fees = [abs(numbers(row, fee) or zero) if fee is not None else zero for row in rows]
    adds_up = all(net == gross - cost for (gross, net), cost in zip(cells, fees, strict=True))
    return adds_up and any(fees)


def _explained(rows: Sequence[Record], numbers: Numbers, amount: int, balance: int) -> float:
    """Share of neighbouring rows in which the balance moves by the amount, in either order of time and sign."""
    known = [(numbers(row, amount), numbers(row, balance)) for row in rows]
    pairs = [
        (a, b, c, d)
        for (a, b), (c, d) in pairwise(known)
        if a is not None and b is not None and c is not None and d is not None and (a or c)
    ]
    if not pairs:
        return 0.0
    down = sum(abs(d - b) == abs(c) for _, b, c, d in pairs)
    up = sum(abs(b - d) == abs(a) for a, b, _, d in pairs)
    return max(up, down) / len(pairs)


def _complementary(rows: Sequence[Record], found: Sequence[int], numbers: Numbers) -> tuple[int, int] | None:
    """Two columns of which each row fills exactly one: money out and money in."""
    for at, left in enumerate(found):
        for right in found[at + 1 :]:
            sides = [(bool(numbers(row, left)), bool(numbers(row, right))) for row in rows]
            if not any(a and b for a, b in sides) and sum(a or b for a, b in sides) > 0.8 * len(sides):
                return left, right
    return None


def _which_side(
    table: Table, pair: tuple[int, int], others: Sequence[int], desk: Desk, numbers: Numbers
) -> tuple[int, int]:
    """(money out, money in): by their signs, else by the balance, else by asking."""
    negative = [signed(table, column) for column in pair]
    found = ""
    if negative[0] != negative[1]:
        found = str(pair[0] + 1) if negative[0] else str(pair[1] + 1)
    elif others:
        found = _side_by_balance(table.sample, pair, others[0], numbers)
    choices = {str(column + 1): f"column {column + 1} ({example(table, column)})" for column in pair}
    answer = desk.decide("money_out_column", found, "Which column is the money that left the account?", choices)
    return (pair[0], pair[1]) if answer == str(pair[0] + 1) else (pair[1], pair[0])


def _side_by_balance(rows: Sequence[Record], pair: tuple[int, int], balance: int, numbers: Numbers) -> str:
    first = _explained_sides(rows, *pair, balance, numbers)
    second = _explained_sides(rows, *pair[::-1], balance, numbers)
    if first == second:
        return ""
    return str(pair[0] + 1) if first > second else str(pair[1] + 1)


def _explained_sides(rows: Sequence[Record], out: int, into: int, balance: int, numbers: Numbers) -> int:
    """How often the balance moves by money in less money out, in the better order of time."""
    zero, down, up = Decimal(0), 0, 0
    for first, second in pairwise(rows):
        before, after = numbers(first, balance), numbers(second, balance)
        if before is not None and after is not None:
            moves = [abs(numbers(row, into) or zero) - abs(numbers(row, out) or zero) for row in (first, second)]
            down, up = down + (after - before == moves[1]), up + (before - after == moves[0])
    return max(down, up)


def _amount_among(table: Table, found: Sequence[int], desk: Desk, numbers: Numbers) -> Money:
    """The amount is the column that explains every other one; where none or several do, the person is asked."""
    rows = table.sample
    candidates: dict[int, int] = {}
    for column in found:
        balances = [other for other in found if other != column and _explained(rows, numbers, column, other) > 0.6]
        left = [other for other in found if other != column and other not in balances]
        if balances and not left:
            candidates[column] = balances[-1]
    choices = {str(column + 1): f"column {column + 1} ({example(table, column)})" for column in found}
    certain = str(next(iter(candidates)) + 1) if len(candidates) == 1 else ""
    answer = int(desk.decide("amount_column", certain, "Which column is the amount of the transaction?", choices)) - 1
    return Money(amount=answer, balance=candidates.get(answer))
