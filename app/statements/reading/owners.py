"""The account of each row: a file may hold several of a person's accounts, and a row goes into the ledger under one.

A module of its own because amount and date cannot show a row's account, and because files also name other people's
accounts. A column names the own account by its header or by account numbers, or lines between the rows do
(`Account: 4711`). Another person's account is empty in some rows, differs nearly row by row, or always comes with the
same name; the own one does not.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from statements.reading import account_words
from statements.reading.layout import Layout
from statements.reading.parsing import Record, Unreadable
from statements.reading.table import Table, is_data
from statements.reading.words import CARD_MEMBER, fold

KEY, ALL = "own_account", "all"
QUESTION = "The file holds several accounts. Which account's rows are to be imported here?"
MOST = 20  # nobody keeps more accounts in one file; more values are other people's
FEW_ROWS = 6  # below it, one row for each account is no sign of other people's
LONGEST_TITLE = 100
NOT_NAMED = "(not named)"
_NUMBER = re.compile(r"(?:[*x\u2022.#]{2,}[- ]?\d{2,}|\d[\d -]{6,32}\d)", re.IGNORECASE)
_PAGE = re.compile(r"\W*\b(?:page|seite|pagina|blatt|blad|sida)\b.*", re.IGNORECASE)
_IBAN = re.compile(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}")


@dataclass(frozen=True)
class Owners:
    """`of` is the account of each line that has one; `names` are the accounts of transactions, in the file's order.

    `foreign_columns` hold several accounts that look like other people's, where no column names the own one.
    """

    of: Mapping[int, str]
    names: tuple[str, ...]
    foreign_columns: tuple[str, ...] = ()

    def expect(self, answer: str | None) -> None:
        """Without a choice the answer must be the file's own account: else the person thought of another file."""
        if answer not in (None, ALL, *self.names):
            names = ", ".join(self.names) or "none: the file names no account"
            raise Unreadable(f"the answer {KEY}={answer!r} is none of the file's accounts ({names})")


def find(table: Table, layout: Layout) -> Owners:
    """The accounts of the rows; none where the file does not say, or names other people's."""
    rows = [row for row in table.rows if is_data(row)]
    by_column = [_by_column(table, column, rows) for column in _columns(table, layout, rows)]
    # The most accounts win, as a number may tell apart two accounts of one name; the first column where as many do.
    best = max((*by_column, _by_titles(table, rows)), key=lambda of: len(_names(of, rows)))
    return Owners(best, _names(best, rows), () if best else _foreign_columns(table, rows))


def _foreign_columns(table: Table, rows: Sequence[Record]) -> tuple[str, ...]:
    """By name only: the columns with the name of an account and several values."""
    names = account_words.OWN_ACCOUNT | account_words.ACCOUNT_NUMBER | account_words.EITHERS_ACCOUNT
    columns = table.columns_named(names)
    several = [column for column in sorted(columns) if len(_different(row.cell(column) for row in rows)) > 1]
    return tuple(table.header[column].strip() for column in several)


def _names(of: Mapping[int, str], rows: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(of[row.line] for row in rows if row.line in of))


def _by_column(table: Table, column: int, rows: Sequence[Record]) -> dict[int, str]:
    """Among several accounts a transaction that names none is of yet another; a total that names none is of none."""
    spellings = {_normal(cell): cell for cell in reversed(table.cells(column))}
    of = {row.line: spellings[_normal(cell)] for row in table.rows if (cell := row.cell(column))}
    if len(_names(of, rows)) < 2:
        return of
    return of | {row.line: NOT_NAMED for row in rows if not row.cell(column)}


def _normal(cell: str) -> str:
    return " ".join(cell.split()).casefold()


def _different(cells: Iterable[str]) -> set[str]:
    return {_normal(cell) for cell in cells} - {""}


def _columns(table: Table, layout: Layout, rows: Sequence[Record]) -> Iterable[int]:
    """The columns that hold the person's own accounts."""
    if CARD_MEMBER & set(table.names):
        return
    names = table.names or ("",) * table.width
    for column in sorted(set(range(table.width)) - layout.assigned):
        cells = [row.cell(column) for row in rows]
        if any(cells) and _is_own(names[column], cells, partial(_payees, rows, layout, column)):
            yield column


def _payees(rows: Sequence[Record], layout: Layout, account: int) -> list[list[str]]:
    """Each row's description; then, as that may be a purpose and not a name, each column it may come from."""
    columns = [column for column in layout.descriptions if column != account]
    texts = [[fold(row.cell(column)) for row in rows] for column in columns]
    descriptions = [fold(next(filter(None, (row.cell(column) for column in columns)), "")) for row in rows]
    return [descriptions, *texts]


def _is_own(name: str, cells: Sequence[str], payees: Callable[[], Sequence[Sequence[str]]]) -> bool:
    """A name that says so is enough where the rows do not speak against it; without one they must speak for it."""
    accounts = _different(cells)
    if len(accounts) > MOST or (len(cells) >= FEW_ROWS and 3 * len(accounts) > 2 * len(cells)):
        return False
    if any(account_words.CATEGORIES & set(fold(account).split()[:1]) for account in accounts):
        return False
    if name in account_words.ACCOUNT_KINDS:
        return {fold(account) for account in accounts} <= account_words.KINDS_OF_ACCOUNT
    if name in account_words.OWN_ACCOUNT:
        return 2 * sum(map(bool, cells)) >= len(cells)
    if not all(cells):
        return False
    if name in account_words.ACCOUNT_NUMBER:
        return not _have_one_payee_each(cells, payees()[0])
    if 2 * len(accounts) > len(cells) or not (name in account_words.EITHERS_ACCOUNT or _has_shape(name, cells)):
        return False
    telling = [texts for texts in payees() if len(set(texts)) > 1]
    return bool(telling) and all(_have_many_payees_each(cells, texts) for texts in telling)


def _has_shape(name: str, cells: Sequence[str]) -> bool:
    """Account numbers in a column of another name, or of none."""
    shape = is_iban if name else _is_number
    return not account_words.OTHER_PARTY & set(name.split()) and all(shape(cell) for cell in cells)


def _payees_of(cells: Sequence[str], payees: Sequence[str]) -> list[set[str]]:
    """The names that come with each account which is in several rows."""
    rows: dict[str, list[str]] = defaultdict(list)
    for cell, payee in zip(cells, payees, strict=True):
        rows[_normal(cell)].append(payee)
    return [set(names) for names in rows.values() if len(names) > 1]


def _have_one_payee_each(cells: Sequence[str], payees: Sequence[str]) -> bool:
    by_account = _payees_of(cells, payees)
    return len(by_account) > 1 and len(set(payees)) > 1 and all(len(names) == 1 for names in by_account)


def _have_many_payees_each(cells: Sequence[str], payees: Sequence[str]) -> bool:
    by_account = _payees_of(cells, payees)
    return bool(by_account) and all(len(names) > 1 for names in by_account)


def _is_number(cell: str) -> bool:
    """An IBAN whose check digits are right, a masked number, or eight digits and more."""
    return bool(_NUMBER.fullmatch(cell)) or is_iban(cell)


def is_iban(cell: str) -> bool:
    text = "".join(cell.split()).upper()
    if not _IBAN.fullmatch(text):
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


# Lines between the rows


def _by_titles(table: Table, rows: Sequence[Record]) -> dict[int, str]:
    """The account each line is under; empty where no line above a transaction names one."""
    of: dict[int, str] = {}
    title, transactions = NOT_NAMED, {row.line for row in rows}
    for record in (*table.preamble, *table.rows):
        title = (record.line not in transactions and title_of(record)) or title
        of[record.line] = title
    return of if set(_names(of, rows)) - {NOT_NAMED} else {}


def title_of(record: Record) -> str:
    """`Account: 4711`, `Konto;DE02 …`: which account the rows below are of; "" if the line says something else."""
    text = _PAGE.sub("", " ".join(record.text.split()))
    tokens = fold(text).split()
    if not account_words.ACCOUNT_TITLES & set(tokens[:1]) or len(record.texts) > 3 or len(text) > LONGEST_TITLE:
        return ""
    names = len(tokens) > 1 and (":" in text or len(record.texts) > 1 or any(char.isdigit() for char in text))
    return text if names and not account_words.NOT_A_TITLE & set(tokens) else ""
