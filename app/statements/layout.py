"""Which column is what. A header's names come first and its cells must bear them out; without names the cells decide.

What several columns could be is not guessed: arithmetic between them (a balance explains an amount) decides, or the
person does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise

from statements import amounts, words
from statements.asking import Desk
from statements.parsing import Record, shown
from statements.table import PROFILED, Profile, Table, profile, rank
from statements.words import (
    AMOUNT,
    BALANCE,
    CARD,
    CHECK,
    CREDIT,
    CURRENCY,
    DATE,
    DEBIT,
    DESCRIPTION,
    DIRECTIONS,
    FEE,
    SIGN_CELLS,
    STATUS,
    fold,
)

MOST_MONEY_COLUMNS = 12
Numbers = Callable[[Record, int], Decimal | None]


@dataclass(frozen=True)
class Layout:
    """Column numbers from 0; `amount` or a side of it is set. `card`: only a card's export has such a header."""

    day: int
    other_days: tuple[int, ...] = ()
    descriptions: tuple[int, ...] = ()
    amount: int | None = None
    debit: int | None = None
    credit: int | None = None
    balance: int | None = None
    fee: int | None = None
    currency: int | None = None
    status: int | None = None
    check: int | None = None
    direction: int | None = None
    card: bool = False
    american: bool = False

    @property
    def money(self) -> tuple[int, ...]:
        return tuple(column for column in (self.amount, self.debit, self.credit) if column is not None)


@dataclass
class _Columns:
    """The columns while they are being given out: no column gets two roles."""

    table: Table
    profiles: list[Profile]
    taken: set[int] = field(default_factory=set)

    def named(self, role: str, fits: Callable[[Profile], float], *, at_least: float = 0.0) -> int | None:
        """The best-named free column whose cells fit; a name alone is enough if `at_least` is 0."""
        found = self.ranked(role)
        for floor in (0.5, 0.01, at_least):
            for column in found:
                if fits(self.profiles[column]) >= max(floor, at_least):
                    return column
        return None

    def ranked(self, role: str) -> list[int]:
        ranks = {column: rank(cell, role) for column, cell in enumerate(self.table.header)}
        free = [(place, column) for column, place in ranks.items() if place is not None and column not in self.taken]
        return [column for _, column in sorted(free)]

    def take(self, column: int | None) -> int | None:
        if column is not None:
            self.taken.add(column)
        return column

    def free(self, fits: Callable[[Profile], bool]) -> list[int]:
        return [n for n, one in enumerate(self.profiles) if n not in self.taken and fits(one)]


def find(table: Table, desk: Desk, numbers: Numbers) -> Layout | None:
    """The columns' roles; None where no column can be the date or the amount."""
    columns = _Columns(table, [profile(table, column) for column in range(table.width)])
    day = columns.take(_day(columns))
    if day is None:
        return None
    currency = columns.take(columns.named(CURRENCY, _is_word, at_least=0.5))
    if currency is None:
        currency = columns.take(_code_column(columns))
    balance = columns.take(columns.named(BALANCE, lambda one: one.money, at_least=0.01))
    fee = columns.take(columns.named(FEE, lambda one: one.money, at_least=0.01))
    amount, debit, credit = _sides(columns)
    if amount is debit is credit is None:
        amount, debit, credit, found = _unnamed_money(columns, desk, numbers)
        balance = found if balance is None else balance
    if amount is debit is credit is None:
        return None
    columns.taken.update(column for column in (amount, debit, credit, balance) if column is not None)
    direction = columns.take(_direction(columns)) if amount is not None else None
    status = columns.take(columns.named(STATUS, lambda one: 1.0 if one.letters > 1 else 0.0, at_least=0.5))
    check = columns.take(columns.named(CHECK, lambda one: 1.0))
    return Layout(
        day=day,
        other_days=tuple(columns.free(lambda one: one.dates > 0.9 and one.filled > 0.5)),
        descriptions=_descriptions(columns),
        amount=amount,
        debit=debit,
        credit=credit,
        balance=balance,
        fee=None if _is_net(table, amount) else fee,
        currency=currency,
        status=status,
        check=check,
        direction=direction,
        card=any(fold(cell) in CARD for cell in table.header),
        american=any(fold(cell) in words.US_HEADERS for cell in table.header),
    )


def explained(rows: Sequence[Record], numbers: Numbers, amount: int, balance: int) -> float:
    """Share of neighbouring rows in which the balance moves by the amount, in either order of time and sign."""
    known = [(numbers(row, amount), numbers(row, balance)) for row in rows[:PROFILED]]
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


def _is_word(one: Profile) -> float:
    return 1.0 if 1 <= one.letters <= 5 and not one.dates else 0.0


def _day(columns: _Columns) -> int | None:
    named = columns.named(DATE, lambda one: one.dates)
    if named is not None:
        return named
    found = columns.free(lambda one: one.dates >= 0.7 and one.filled >= 0.7)
    return found[0] if found else None


def _code_column(columns: _Columns) -> int | None:
    """A column of nothing but currency codes says so itself."""
    for column in columns.free(lambda one: one.filled > 0.9 and one.letters == 3):
        if all(cell.strip().upper() in amounts.PLACES for cell in columns.table.cells(column)):
            return column
    return None


def _sides(columns: _Columns) -> tuple[int | None, int | None, int | None]:
    """(amount, debit, credit) by name. An amount that fills every row and has signs beats the two sides."""

    def money(one: Profile) -> float:
        return one.money

    amount = columns.named(AMOUNT, money, at_least=0.01)
    debit = columns.named(DEBIT, money, at_least=0.01)
    credit = columns.named(CREDIT, money, at_least=0.01)
    debit, credit = _both_named(columns, debit, credit)
    if debit is None and credit is None and amount is None:
        ranked = columns.ranked(AMOUNT)
        amount = ranked[0] if ranked and not columns.profiles[ranked[0]].filled else None
    if amount is not None and (debit is None or credit is None or _signed(columns.table, amount)):
        return amount, None, None
    return (None, debit, credit) if debit is not None or credit is not None else (amount, None, None)


def _both_named(columns: _Columns, debit: int | None, credit: int | None) -> tuple[int | None, int | None]:
    """A month without money in leaves that column empty; it is still the other side."""
    if debit is None and credit is not None:
        debit = next((column for column in columns.ranked(DEBIT) if column != credit), None)
    if credit is None and debit is not None:
        credit = next((column for column in columns.ranked(CREDIT) if column != debit), None)
    return debit, credit


def _signed(table: Table, column: int) -> bool:
    found = [amounts.written(cell) for cell in table.cells(column)[:PROFILED]]
    return any(one.negative for one in found if one)


def _is_net(table: Table, amount: int | None) -> bool:
    return (
        amount is not None and bool(table.header) and bool({"net", "netto"} & set(fold(table.header[amount]).split()))
    )


def _unnamed_money(
    columns: _Columns, desk: Desk, numbers: Numbers
) -> tuple[int | None, int | None, int | None, int | None]:
    """(amount, debit, credit, balance) by what the cells are like."""
    rows = columns.table.rows
    found = columns.free(lambda one: one.money > 0.9 and one.marked >= 0.5 and one.dates < 0.5)[:MOST_MONEY_COLUMNS]
    found = [column for column in found if any(numbers(row, column) for row in rows[:PROFILED])]  # not only zeros
    if not found:
        return None, None, None, None
    if len(found) == 1:
        return found[0], None, None, None
    pair = _complementary(rows, found, numbers)
    if pair:
        others = [column for column in found if column not in pair]
        debit, credit = _which_side(columns.table, pair, others, desk, numbers)
        return None, debit, credit, others[0] if others else None
    return _amount_among(columns.table, found, desk, numbers)


def _complementary(rows: Sequence[Record], found: Sequence[int], numbers: Numbers) -> tuple[int, int] | None:
    """Two columns of which each row fills exactly one: money out and money in."""
    for at, left in enumerate(found):
        for right in found[at + 1 :]:
            sides = [(bool(numbers(row, left)), bool(numbers(row, right))) for row in rows[:PROFILED]]
            if not any(a and b for a, b in sides) and sum(a or b for a, b in sides) > 0.8 * len(sides):
                return left, right
    return None


def _which_side(
    table: Table, pair: tuple[int, int], others: Sequence[int], desk: Desk, numbers: Numbers
) -> tuple[int, int]:
    """(money out, money in): by their signs, else by the balance, else by asking."""
    negative = [_signed(table, column) for column in pair]
    found = ""
    if negative[0] != negative[1]:
        found = str(pair[0] + 1) if negative[0] else str(pair[1] + 1)
    elif others:
        found = _side_by_balance(table.rows, pair, others[0], numbers)
    choices = {str(column + 1): f"column {column + 1} ({_example(table, column)})" for column in pair}
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
    for first, second in pairwise(rows[:PROFILED]):
        before, after = numbers(first, balance), numbers(second, balance)
        if before is not None and after is not None:
            moves = [abs(numbers(row, into) or zero) - abs(numbers(row, out) or zero) for row in (first, second)]
            down, up = down + (after - before == moves[1]), up + (before - after == moves[0])
    return max(down, up)


def _amount_among(
    table: Table, found: Sequence[int], desk: Desk, numbers: Numbers
) -> tuple[int | None, int | None, int | None, int | None]:
    """The amount is the column that explains every other one; where none or several do, the person is asked."""
    rows = table.rows[:PROFILED]
    candidates: dict[int, int] = {}
    for column in found:
        balances = [other for other in found if other != column and explained(rows, numbers, column, other) > 0.6]
        left = [other for other in found if other != column and other not in balances]
        if balances and not left:
            candidates[column] = balances[-1]
    choices = {str(column + 1): f"column {column + 1} ({_example(table, column)})" for column in found}
    certain = str(next(iter(candidates)) + 1) if len(candidates) == 1 else ""
    answer = int(desk.decide("amount_column", certain, "Which column is the amount of the transaction?", choices)) - 1
    return answer, None, None, candidates.get(answer)


def _direction(columns: _Columns) -> int | None:
    """A column that says nothing but debit or credit, in any of its spellings."""
    for column in range(columns.table.width):
        if column in columns.taken or columns.profiles[column].filled < 0.9:
            continue
        seen = {fold(cell) or cell for cell in columns.table.cells(column)}
        known = {DIRECTIONS.get(one, SIGN_CELLS.get(one, 0)) for one in seen}
        if 0 not in known and (len(known) == 2 or _names_direction(columns.table, column)):
            return column
    return None


def _names_direction(table: Table, column: int) -> bool:
    """A column with one value for all rows may as well tell the kind of account or card."""
    return bool(table.header) and fold(table.header[column]) in words.DIRECTION_HEADERS


def _descriptions(columns: _Columns) -> tuple[int, ...]:
    """The columns to take the text from, best first: by name, else the one with the most letters."""
    named = [column for column in columns.ranked(DESCRIPTION) if columns.profiles[column].filled]
    texts = columns.free(lambda one: one.letters > 2 and one.dates < 0.5 and one.money < 0.5)
    texts.sort(key=lambda column: -columns.profiles[column].letters * columns.profiles[column].distinct)
    wordy = [column for column in named if columns.profiles[column].letters > 0]
    return tuple(dict.fromkeys([*wordy, *texts, *named]))


def _example(table: Table, column: int) -> str:
    cells = table.cells(column)
    name = table.header[column].strip() if table.header else ""
    seen = ", ".join(shown(cell) for cell in cells[:3])
    return f"{name}: {seen}" if name else seen
