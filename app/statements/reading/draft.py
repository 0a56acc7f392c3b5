"""One file on its way: its table, what each column is, how it is written; and those of its rows that have an amount.

A module of its own because every step of reading asks the same of a row: its number, its day, its text.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property

from statements.reading import amounts, dates
from statements.reading.asking import Desk
from statements.reading.layout import Layout
from statements.reading.parsing import Record
from statements.reading.table import Table
from statements.reading.words import fold

DASHES = {"", "-", "--", "\u2013", "\u2014"}
HUNDREDTHS = {"cent", "cents", "pence", "centimes", "centavos"}


@dataclass(frozen=True)
class Draft:
    """A row that has a date and an amount; what they are worth is decided with all rows in sight."""

    record: Record
    cells: tuple[amounts.Written | None, ...]  # as Layout.money


@dataclass(frozen=True)
class File:
    """One file on its way: what is known of it so far; `mark` and `order` are empty until they are.

    Where `table` holds the rows of one account, `whole` is the file's, and `sign` what all its rows prove.
    """

    table: Table
    layout: Layout
    desk: Desk
    mark: str = ""
    order: str = ""
    whole: Table | None = None
    sign: str = ""

    @cached_property
    def hundredths(self) -> bool:
        """`amount_cents`: whole numbers, of which a hundred are one."""
        money = self.layout.money
        named = any(HUNDREDTHS & set(self.header_words(column)) for column in money)
        whole = self.whole or self.table
        return named and not any(set(".,") & set(cell) for column in money for cell in whole.cells(column))

    def header_words(self, column: int) -> list[str]:
        return fold(self.table.header[column]).split() if self.table.header else []

    def number(self, record: Record, column: int | None) -> Decimal | None:
        return number_of(record, column, self.mark)

    def day(self, record: Record) -> date | None:
        return dates.readings(record.cell(self.layout.day)).get(self.order)

    def description(self, record: Record) -> str:
        return next((cell for column in self.layout.descriptions if (cell := record.cell(column))), "")


def number_of(record: Record, column: int | None, mark: str) -> Decimal | None:
    found = amounts.written(record.cell(column))
    number = amounts.value(found.body, mark) if found else None
    return -number if number and found and found.negative else number
