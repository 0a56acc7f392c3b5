"""Amounts in a table whose header does not name them: arithmetic between the columns finds their roles.

A module of its own because it looks at rows and never at names: a balance explains an amount, or of two sides each row
fills one. The person decides where the rows allow two ways.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise

from statements.reading.asking import Desk
from statements.reading.columns import Columns, example, has_negatives
from statements.reading.parsing import Record
from statements.reading.table import Profile, Table

MOST_MONEY_COLUMNS = 12
EXPLAINED = 0.6  # share of the steps that a balance must follow
SPLIT = 0.8  # share of the rows that must fill one of two sides
ZERO = Decimal(0)
Numbers = Callable[[Record, int], Decimal | None]


@dataclass(frozen=True)
class Money:
    """Column numbers from 0; nothing is set where no column holds amounts."""

    amount: int | None = None
    debit: int | None = None
    credit: int | None = None
    balance: int | None = None


def find(columns: Columns, desk: Desk, numbers: Numbers) -> Money:
    """The columns of money by their cells."""
    rows = columns.table.sample
    candidates = columns.free(_looks_like_money)[:MOST_MONEY_COLUMNS]
    candidates = [column for column in candidates if any(numbers(row, column) for row in rows)]  # not only zeros
    if len(candidates) < 2:
        return Money(amount=candidates[0]) if candidates else Money()
    sides = _complementary(rows, candidates, numbers)
    if sides is None:
        return _amount_among(columns.table, candidates, desk, numbers)
    balances = [column for column in candidates if column not in sides]
    debit, credit = _which_side(columns.table, sides, balances, desk, numbers)
    return Money(None, debit, credit, balances[0] if balances else None)


def one_of(
    columns: Columns, candidates: Sequence[int], desk: Desk, numbers: Numbers, near: tuple[int | None, int | None]
) -> int:
    """Which of several columns with an amount's name is the amount; `near` are the columns of balance and fee."""
    rows, (balance, fee) = columns.table.sample, near
    candidates = _distinct(rows, candidates, numbers)
    certain = candidates
    if len(candidates) > 1:
        certain = [column for column in candidates if _explained(rows, numbers, column, balance) > EXPLAINED]
    if len(certain) != 1:
        certain = [net for net in candidates if _is_less_fee(rows, numbers, candidates, fee, net)]
    text = "Several columns are called an amount. Which one moved this account?"
    return int(desk.decide("amount_column", _proven(certain), text, _choices(columns.table, candidates))) - 1


def is_net(columns: Columns, amount: int | None, fee: int | None, numbers: Numbers) -> bool:
    """The fee is already in the amount: another column, less the fee, is the amount."""
    if amount is None or fee is None:
        return False
    money = [column for column, profile in enumerate(columns.profiles) if profile.money > 0.5 and column != fee]
    return _is_less_fee(columns.table.sample, numbers, money, fee, amount)


def balance_of(columns: Columns, amount: int, numbers: Numbers) -> int | None:
    """A column that moves by the amount in each row is its balance, whatever its name is."""
    rows = columns.table.sample
    if len(rows) < 3:
        return None
    candidates = columns.free(lambda profile: _looks_like_money(profile) and profile.filled > 0.9)
    balances = [column for column in candidates if _explained(rows, numbers, amount, column) == 1]
    return balances[0] if len(balances) == 1 else None


def _looks_like_money(profile: Profile) -> bool:
    return profile.money > 0.9 and profile.marked >= 0.5 and profile.dates < 0.5


def _choice(column: int) -> str:
    """An answer names a column as a person counts, from 1."""
    return str(column + 1)


def _proven(columns: Sequence[int]) -> str:
    """The answer, if only one column fits."""
    return _choice(columns[0]) if len(columns) == 1 else ""


def _choices(table: Table, columns: Sequence[int]) -> dict[str, str]:
    return {_choice(column): f"column {column + 1} ({example(table, column)})" for column in columns}


def _distinct(rows: Sequence[Record], columns: Sequence[int], numbers: Numbers) -> list[int]:
    """Without the columns that only repeat one before them."""
    first: dict[tuple[Decimal | None, ...], int] = {}
    for column in columns:
        first.setdefault(tuple(numbers(row, column) for row in rows), column)
    return list(first.values())


def _is_less_fee(
    rows: Sequence[Record], numbers: Numbers, candidates: Iterable[int], fee: int | None, net: int
) -> bool:
    """In every row one of the other amounts less the fee is this one, and a row has a fee."""
    fees = _amounts(rows, fee, numbers)
    nets = _amounts(rows, net, numbers)
    gross = [number + abs(cost) for number, cost in zip(nets, fees, strict=True)]
    return any(fees) and any(_amounts(rows, column, numbers) == gross for column in candidates if column != net)


def _amounts(rows: Sequence[Record], column: int | None, numbers: Numbers) -> list[Decimal]:
    """The column's numbers, 0 where it has none."""
    return [ZERO if column is None else numbers(row, column) or ZERO for row in rows]


def _explained(rows: Sequence[Record], numbers: Numbers, amount: int, balance: int | None) -> float:
    """Share of neighbouring rows in which the balance moves by the amount, in either order of time and sign."""
    if balance is None:
        return 0.0
    cells = [(numbers(row, amount), numbers(row, balance)) for row in rows]
    steps = [
        (abs(first), abs(second), abs(after - before))
        for (first, before), (second, after) in pairwise(cells)
        if first is not None and second is not None and before is not None and after is not None and (first or second)
    ]
    down = sum(step == second for _, second, step in steps)
    up = sum(step == first for first, _, step in steps)
    return max(up, down) / max(1, len(steps))


def _complementary(rows: Sequence[Record], candidates: Sequence[int], numbers: Numbers) -> tuple[int, int] | None:
    """Two columns of which each row fills exactly one: money out and money in."""
    for pair in combinations(candidates, 2):
        sides = [sum(bool(numbers(row, column)) for column in pair) for row in rows]
        if 2 not in sides and sides.count(1) > SPLIT * len(sides):
            return pair
    return None


def _which_side(
    table: Table, sides: tuple[int, int], balances: Sequence[int], desk: Desk, numbers: Numbers
) -> tuple[int, int]:
    """(money out, money in): by their signs, else by the balance, else by asking."""
    first, second = (has_negatives(table, column) for column in sides)
    proven = ""
    if first != second:
        proven = _choice(sides[second])
    elif balances:
        proven = _side_by_balance(table.sample, sides, balances[0], numbers)
    text = "Which column is the money that left the account?"
    answer = desk.decide("money_out_column", proven, text, _choices(table, sides))
    return sides if answer == _choice(sides[0]) else (sides[1], sides[0])


def _side_by_balance(rows: Sequence[Record], sides: tuple[int, int], balance: int, numbers: Numbers) -> str:
    first, second = (_explained_sides(rows, *pair, balance, numbers) for pair in (sides, sides[::-1]))
    if first == second:
        return ""
    return _choice(sides[first < second])


def _explained_sides(rows: Sequence[Record], out: int, into: int, balance: int, numbers: Numbers) -> int:
    """How often the balance moves by money in less money out, in the better order of time."""
    moves = [
        abs(money_in) - abs(money_out)
        for money_in, money_out in zip(_amounts(rows, into, numbers), _amounts(rows, out, numbers), strict=True)
    ]
    entries = pairwise(zip((numbers(row, balance) for row in rows), moves, strict=True))
    steps = [
        (after - before, first, second)
        for (before, first), (after, second) in entries
        if before is not None and after is not None
    ]
    down = sum(step == second for step, _, second in steps)
    up = sum(-step == first for step, first, _ in steps)
    return max(down, up)


def _amount_among(table: Table, candidates: Sequence[int], desk: Desk, numbers: Numbers) -> Money:
    """The amount is the column that explains every other one; where none or several do, the person is asked."""
    balances: dict[int, int] = {}
    for column in candidates:
        rest = [balance for balance in candidates if balance != column]
        if all(_explained(table.sample, numbers, column, balance) > EXPLAINED for balance in rest):
            balances[column] = rest[-1]
    text = "Which column is the amount of the transaction?"
    amount = int(desk.decide("amount_column", _proven(list(balances)), text, _choices(table, candidates))) - 1
    return Money(amount=amount, balance=balances.get(amount))
