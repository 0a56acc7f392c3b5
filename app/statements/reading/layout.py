"""Which column is what. A header's names come first and its cells must bear them out; without names the cells decide.

What several columns could be is not guessed: arithmetic between them (a balance explains an amount) decides, or the
person does.
"""

from dataclasses import dataclass

from statements.reading import amounts, unnamed, words
from statements.reading.account_words import OWN_ACCOUNT
from statements.reading.asking import Desk
from statements.reading.columns import Columns, has_negatives
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
    def assigned(self) -> set[int | None]:
        """All columns with a role of their own; a description may be anything."""
        roles = {self.day, self.balance, self.fee, self.currency, self.status, self.check, self.direction}
        return roles | {*self.money, *self.other_days}

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
    balance = columns.take(columns.named(BALANCE, _money_share, at_least=0.01))
    fee = columns.take(columns.named(FEE, _money_share, at_least=0.01))
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
    status = columns.take(columns.named(STATUS, lambda profile: float(profile.letters > 0), at_least=0.5))
    check = columns.take(columns.named(CHECK, lambda profile: 1.0))
    return Layout(
        day=day,
        other_days=tuple(columns.free(lambda profile: profile.dates > 0.9 and profile.filled > 0.5)),
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
        card=bool(CARD & set(table.names)),
        american=bool(words.US_HEADERS & set(table.names)),
    )


def _is_word(profile: Profile) -> float:
    return float(1 <= profile.letters <= 5 and not profile.dates)


def _money_share(profile: Profile) -> float:
    return profile.money


def _day(columns: Columns) -> int | None:
    by_name = columns.named(DATE, lambda profile: profile.dates)
    if by_name is not None:
        return by_name
    candidates = columns.free(lambda profile: profile.dates >= 0.7 and profile.filled >= 0.7)
    return candidates[0] if candidates else None


def _code_column(columns: Columns) -> int | None:
    """A column of nothing but currency codes says so itself."""
    for column in columns.free(lambda profile: profile.filled > 0.9 and profile.letters == 3):
        if all(cell.strip().upper() in amounts.PLACES for cell in columns.table.cells(column)):
            return column
    return None


def _sides(columns: Columns, desk: Desk, numbers: Numbers, near: tuple[int | None, int | None]) -> Money:
    """The columns of money by name. An amount that fills every row and has signs beats the two sides."""
    amount, debit, credit = (
        columns.named(role, _money_share, at_least=0.01) for role in (AMOUNT, DEBIT, CREDIT)
    )  # fmt: skip
    debit, credit = _with_empty_side(columns, debit, credit)
    if (amount, debit, credit) == (None, None, None):
        amount = _empty_amount(columns)
    if amount is not None and (None in (debit, credit) or has_negatives(columns.table, amount)):
        return Money(unnamed.one_of(columns, _amounts(columns, amount), desk, numbers, near))
    if debit is None and credit is None:
        return Money(amount)
    return Money(None, debit, credit)


def _empty_amount(columns: Columns) -> int | None:
    """The column with the best name of an amount, in a file without a single amount."""
    ranked = columns.ranked(AMOUNT)
    return ranked[0] if ranked and not columns.profiles[ranked[0]].filled else None


def _amounts(columns: Columns, best: int) -> list[int]:
    """The columns whose names make them the amount, the best name first."""
    ranked = [column for column in columns.ranked(AMOUNT) if columns.profiles[column].money >= 0.5]
    return list(dict.fromkeys([best, *ranked]))


def _with_empty_side(columns: Columns, debit: int | None, credit: int | None) -> tuple[int | None, int | None]:
    """A month without money in leaves that column empty; it is still the other side."""
    if debit is None and credit is not None:
        debit = next((column for column in columns.ranked(DEBIT) if column != credit), None)
    if credit is None and debit is not None:
        credit = next((column for column in columns.ranked(CREDIT) if column != debit), None)
    return debit, credit


MOST_KINDS = 8  # more values than these are no directions


def _direction(columns: Columns) -> int | None:
    """A column that says debit or credit, in any of its spellings; where several do, the one with nothing else."""
    unclear: dict[int, int] = {}  # column -> how many of its values say neither
    for column in columns.free(lambda profile: profile.filled >= 0.9):
        kinds = {fold(cell) or cell for cell in columns.table.cells(column)}
        directions = [DIRECTIONS.get(kind, SIGN_CELLS.get(kind, 0)) for kind in kinds]
        says_both = {-1, 1} <= set(directions) and len(kinds) <= MOST_KINDS
        if says_both or (0 not in directions and _names_direction(columns.table, column)):
            unclear[column] = directions.count(0)
    return min(unclear, key=lambda column: unclear[column], default=None)


def _names_direction(table: Table, column: int) -> bool:
    """A column with one value for all rows may as well name the kind of account or card."""
    return column in table.columns_named(words.DIRECTION_HEADERS)


def _descriptions(columns: Columns) -> tuple[int, ...]:
    """The columns to take the text from, best first: by name, else the one with the most letters."""
    ranked = [column for column in columns.ranked(DESCRIPTION) if columns.profiles[column].filled]
    texts = columns.free(lambda profile: profile.letters > 2 and profile.dates < 0.5 and profile.money < 0.5)
    texts.sort(key=lambda column: -columns.profiles[column].letters * columns.profiles[column].distinct)
    wordy = [column for column in ranked if columns.profiles[column].letters > 0]
    accounts = columns.table.columns_named(OWN_ACCOUNT)  # the last to describe a row
    texts = [column for column in texts if column not in accounts]
    return tuple(dict.fromkeys([*wordy, *texts, *ranked, *sorted(accounts - columns.assigned)]))
