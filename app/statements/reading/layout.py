"""Which column is what. A header's names come first and its cells must bear them out; without names the cells decide.

What several columns could be is not guessed: arithmetic between them (a balance explains an amount) decides, or the
person does.
"""

from dataclasses import dataclass

from statements.reading import amounts, unnamed, words
from statements.reading.account_words import OWN_ACCOUNT
from statements.reading.asking import Desk
from statements.reading.columns import Columns, signed
from statements.reading.table import Profile, Table
from statements.reading.unnamed import Money, Numbers
from statements.reading.words import (
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


def find(table: Table, desk: Desk, numbers: Numbers) -> Layout | None:
    """The columns' roles; None where no column can be the date or the amount."""
    columns = Columns(table)
    day = columns.take(_day(columns))
    if day is None:
        return None
    currency = columns.take(columns.named(CURRENCY, _is_word, at_least=0.5))
    if currency is None:
        currency = columns.take(_code_column(columns))
    balance = columns.take(columns.named(BALANCE, lambda one: one.money, at_least=0.01))
    fee = columns.take(columns.named(FEE, lambda one: one.money, at_least=0.01))
    money = _sides(columns, desk, numbers, (balance, fee))
    if money == Money():
        money = unnamed.find(columns, desk, numbers)
        balance = money.balance if balance is None else balance
    if money == Money():
        return None
    for column in (money.amount, money.debit, money.credit, balance):
        columns.take(column)
    if balance is None and money.amount is not None:
        balance = columns.take(unnamed.balance_of(columns, money.amount, numbers))
    direction = columns.take(_direction(columns)) if money.amount is not None else None
    status = columns.take(columns.named(STATUS, lambda one: 1.0 if one.letters else 0.0, at_least=0.5))
    check = columns.take(columns.named(CHECK, lambda one: 1.0))
    return Layout(
        day=day,
        other_days=tuple(columns.free(lambda one: one.dates > 0.9 and one.filled > 0.5)),
        descriptions=_descriptions(columns),
        amount=money.amount,
        debit=money.debit,
        credit=money.credit,
        balance=balance,
        fee=None if unnamed.is_net(columns, money.amount, fee, numbers) else fee,
        currency=currency,
        status=status,
        check=check,
        direction=direction,
        card=any(fold(cell) in CARD for cell in table.header),
        american=any(fold(cell) in words.US_HEADERS for cell in table.header),
    )


def _is_word(one: Profile) -> float:
    return 1.0 if 1 <= one.letters <= 5 and not one.dates else 0.0


def _day(columns: Columns) -> int | None:
    named = columns.named(DATE, lambda one: one.dates)
    if named is not None:
        return named
    found = columns.free(lambda one: one.dates >= 0.7 and one.filled >= 0.7)
    return found[0] if found else None


def _code_column(columns: Columns) -> int | None:
    """A column of nothing but currency codes says so itself."""
    for column in columns.free(lambda one: one.filled > 0.9 and one.letters == 3):
        if all(cell.strip().upper() in amounts.PLACES for cell in columns.table.cells(column)):
            return column
    return None


def _sides(columns: Columns, desk: Desk, numbers: Numbers, near: tuple[int | None, int | None]) -> Money:
    """The columns of money by name. An amount that fills every row and has signs beats the two sides."""

    def money(one: Profile) -> float:
        return one.money

    amount = columns.named(AMOUNT, money, at_least=0.01)
    debit = columns.named(DEBIT, money, at_least=0.01)
    credit = columns.named(CREDIT, money, at_least=0.01)
    debit, credit = _both_named(columns, debit, credit)
    if debit is None and credit is None and amount is None:
        ranked = columns.ranked(AMOUNT)
        amount = ranked[0] if ranked and not columns.profiles[ranked[0]].filled else None
    if amount is not None and (debit is None or credit is None or signed(columns.table, amount)):
        return Money(unnamed.one_of(columns, _amounts(columns, amount), desk, numbers, near))
    return Money(None, debit, credit) if debit is not None or credit is not None else Money(amount)


def _amounts(columns: Columns, best: int) -> list[int]:
    """The columns whose names make them the amount, the best name first."""
    others = [column for column in columns.ranked(AMOUNT) if columns.profiles[column].money >= 0.5]
    return list(dict.fromkeys([best, *others]))


def _both_named(columns: Columns, debit: int | None, credit: int | None) -> tuple[int | None, int | None]:
    """A month without money in leaves that column empty; it is still the other side."""
    if debit is None and credit is not None:
        debit = next((column for column in columns.ranked(DEBIT) if column != credit), None)
    if credit is None and debit is not None:
        credit = next((column for column in columns.ranked(CREDIT) if column != debit), None)
    return debit, credit


MOST_KINDS = 8  # more values than these are no directions


def _direction(columns: Columns) -> int | None:
    """A column that says debit or credit, in any of its spellings; where several do, the one with nothing else."""
    found: list[tuple[int, int]] = []
    for column in range(columns.table.width):
        if column in columns.taken or columns.profiles[column].filled < 0.9:
            continue
        seen = {fold(cell) or cell for cell in columns.table.cells(column)}
        known = [DIRECTIONS.get(one, SIGN_CELLS.get(one, 0)) for one in seen]
        both = {-1, 1} <= set(known) and len(seen) <= MOST_KINDS
        if both or (0 not in known and _names_direction(columns.table, column)):
            found.append((known.count(0), column))
    return min(found)[1] if found else None


def _names_direction(table: Table, column: int) -> bool:
    """A column with one value for all rows may as well tell the kind of account or card."""
    return bool(table.header) and fold(table.header[column]) in words.DIRECTION_HEADERS


def _descriptions(columns: Columns) -> tuple[int, ...]:
    """The columns to take the text from, best first: by name, else the one with the most letters."""
    named = [column for column in columns.ranked(DESCRIPTION) if columns.profiles[column].filled]
    texts = columns.free(lambda one: one.letters > 2 and one.dates < 0.5 and one.money < 0.5)
    texts.sort(key=lambda column: -columns.profiles[column].letters * columns.profiles[column].distinct)
    wordy = [column for column in named if columns.profiles[column].letters > 0]
    header = columns.table.header
    accounts = {column for column, cell in enumerate(header) if fold(cell) in OWN_ACCOUNT}  # the last to describe a row
    texts = [column for column in texts if column not in accounts]
    return tuple(dict.fromkeys([*wordy, *texts, *named, *sorted(accounts - columns.taken)]))
