"""Whose rows these are: a file may hold several of a person's accounts, and a row goes into the ledger under one.

A module of its own because it is the one thing about a row that its amount and date cannot show, and because files also
name other people's accounts: what is said here keeps the two apart. A column says it by its name or by account numbers,
or lines between the rows do (`Account: 4711`). An account of somebody else is empty in some rows, differs nearly row by
row, or always comes with the same name; one's own does not.
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
    """`of` is the account of each line that has one; `values` are those of transactions, in the file's order.

    `others` are columns of several accounts that were taken for somebody else's, where none says one's own.
    """

    of: Mapping[int, str]
    values: tuple[str, ...]
    others: tuple[str, ...] = ()

    def expect(self, answer: str | None) -> None:
        """Where there is nothing to choose, an answer must be what is there: else it is another file than thought."""
        if answer not in (None, ALL, *self.values):
            seen = ", ".join(self.values) or "none: the file names no account"
            raise Unreadable(f"the answer {KEY}={answer!r} is none of the file's accounts ({seen})")


def find(table: Table, layout: Layout) -> Owners:
    """The accounts of the rows; of nothing where the file does not say, or says other people's."""
    rows = [row for row in table.rows if is_data(row)]
    found = [_by_column(table, column, rows) for column in _columns(table, layout, rows)]
    # The most values win, as a number may tell apart two accounts of one name; the first column where as many do.
    best = max((*found, _by_titles(table, rows)), key=lambda of: len(_values(of, rows)))
    return Owners(best, _values(best, rows), () if best else _others(table, rows))


def _others(table: Table, rows: Sequence[Record]) -> tuple[str, ...]:
    """By name only: what has the name of an account and several values."""
    names = account_words.OWN_ACCOUNT | account_words.ACCOUNT_NUMBER | account_words.EITHERS_ACCOUNT
    named = [column for column, cell in enumerate(table.header) if fold(cell) in names]
    return tuple(table.header[n].strip() for n in named if len({_same(row.cell(n)) for row in rows} - {""}) > 1)


def _values(of: Mapping[int, str], rows: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(of[row.line] for row in rows if row.line in of))


def _by_column(table: Table, column: int, rows: Sequence[Record]) -> dict[int, str]:
    """Among several accounts a transaction that names none is of yet another; a total that names none is of none."""
    first = {_same(cell): cell for cell in reversed(table.cells(column))}
    found = {row.line: first[_same(cell)] for row in table.rows if (cell := row.cell(column))}
    several = len(_values(found, rows)) > 1
    return found | {row.line: NOT_NAMED for row in rows if several and not row.cell(column)}


def _same(cell: str) -> str:
    return " ".join(cell.split()).casefold()


def _columns(table: Table, layout: Layout, rows: Sequence[Record]) -> Iterable[int]:
    """The columns that hold one's own accounts."""
    if CARD_MEMBER & {fold(cell) for cell in table.header}:
        return
    given = {layout.day, *layout.money, layout.balance, layout.fee, layout.currency, layout.status, layout.direction}
    for column in sorted(set(range(table.width)) - given - {layout.check, *layout.other_days}):
        name = fold(table.header[column]) if table.header else ""
        cells = [row.cell(column) for row in rows]
        if any(cells) and _is_own(name, cells, partial(_payees, rows, layout, column)):
            yield column


def _payees(rows: Sequence[Record], layout: Layout, besides: int) -> list[list[str]]:
    """What each row's description is; then, as that may be a purpose and not a name, each column it may come from."""
    columns = [column for column in layout.descriptions if column != besides]
    first = [fold(next((cell for column in columns if (cell := row.cell(column))), "")) for row in rows]
    return [first, *([fold(row.cell(column)) for row in rows] for column in columns)]


def _is_own(name: str, cells: Sequence[str], payees: Callable[[], Sequence[Sequence[str]]]) -> bool:
    """A name that says so is enough where the rows do not speak against it; without one they must speak for it."""
    values = {_same(cell) for cell in cells if cell}
    if len(values) > MOST or (len(cells) >= FEW_ROWS and 3 * len(values) > 2 * len(cells)):
        return False
    if any(account_words.CATEGORIES & set(fold(value).split()[:1]) for value in values):
        return False
    if name in account_words.ACCOUNT_KINDS:
        return {fold(value) for value in values} <= account_words.KINDS_OF_ACCOUNT
    if name in account_words.OWN_ACCOUNT:
        return 2 * sum(map(bool, cells)) >= len(cells)
    if not all(cells):
        return False
    if name in account_words.ACCOUNT_NUMBER:
        return not _with_one_payee(cells, payees()[0])
    likely = name in account_words.EITHERS_ACCOUNT or _has_shape(name, cells)
    if not likely or 2 * len(values) > len(cells):
        return False
    telling = [texts for texts in payees() if len(set(texts)) > 1]
    return bool(telling) and all(_with_many_payees(cells, texts) for texts in telling)


def _has_shape(name: str, cells: Sequence[str]) -> bool:
    """Account numbers in a column of another name, or of none."""
    shape = is_iban if name else _is_number
    return not account_words.OTHER_PARTY & set(name.split()) and all(shape(cell) for cell in cells)


def _payees_of(cells: Sequence[str], payees: Sequence[str]) -> list[set[str]]:
    """The names that come with each account which is in several rows."""
    rows: dict[str, list[str]] = defaultdict(list)
    for cell, payee in zip(cells, payees, strict=True):
        rows[_same(cell)].append(payee)
    return [set(names) for names in rows.values() if len(names) > 1]


def _with_one_payee(cells: Sequence[str], payees: Sequence[str]) -> bool:
    found = _payees_of(cells, payees)
    return len(found) > 1 and len(set(payees)) > 1 and all(len(names) == 1 for names in found)


def _with_many_payees(cells: Sequence[str], payees: Sequence[str]) -> bool:
    found = _payees_of(cells, payees)
    return bool(found) and all(len(names) > 1 for names in found)


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
    """The account each line stands under; of nothing where no line above a transaction names one."""
    found: dict[int, str] = {}
    title, transactions = NOT_NAMED, {row.line for row in rows}
    for record in (*table.preamble, *table.rows):
        title = (record.line not in transactions and title_of(record)) or title
        found[record.line] = title
    return found if set(_values(found, rows)) - {NOT_NAMED} else {}


def title_of(record: Record) -> str:
    """`Account: 4711`, `Konto;DE02 …`: which account the rows below are of; "" if the line says something else."""
    cells = [cell.strip() for cell in record.cells if cell.strip()]
    text = _PAGE.sub("", " ".join(" ".join(cells).split()))
    tokens = fold(text).split()
    if not tokens or len(cells) > 3 or len(text) > LONGEST_TITLE or tokens[0] not in account_words.ACCOUNT_TITLES:
        return ""
    names = len(tokens) > 1 and (":" in text or len(cells) > 1 or any(char.isdigit() for char in text))
    return text if names and not account_words.NOT_A_TITLE & set(tokens) else ""
