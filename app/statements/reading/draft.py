"""One file while it is read: its table, its columns' roles, how it is written; and its rows that have an amount.

A module of its own because every step of reading needs the same of a row: its number, its day, its text.
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

DASHES = {"", "-", "--", "\u2013", "\u2014"}
HUNDREDTHS = {"cent", "cents", "pence", "centimes", "centavos"}


@dataclass(frozen=True)
class Draft:
    """A row that has a date and an amount; their values are decided with all rows in sight."""

    record: Record
    cells: tuple[amounts.AmountText | None, ...]  # as Layout.money

    @property
    def line(self) -> int:
        return self.record.line


@dataclass(frozen=True)
class File:
    """One file while it is read; `mark` and `order` are empty until they are decided.

    Where `table` holds the rows of one account, `full_table` is the file's, and `sign` is what all its rows prove.
    """

    table: Table
    layout: Layout
    desk: Desk
    mark: str = ""
    order: str = ""
    full_table: Table | None = None
    sign: str = ""

    @cached_property
    def hundredths(self) -> bool:
        """`amount_cents`: whole numbers, of which a hundred are one."""
        money, table = self.layout.money, self.full_table or self.table
        if not any(HUNDREDTHS & set(self.header_words(column)) for column in money):
            return False
        return not any(set(".,") & set(cell) for column in money for cell in table.cells(column))

    def header_words(self, column: int) -> list[str]:
        return self.table.names[column].split() if self.table.names else []

    def number(self, record: Record, column: int | None) -> Decimal | None:
        return number_of(record, column, self.mark)

    def is_without_amount(self, record: Record) -> bool:
        return all(record.cell(column) in DASHES for column in self.layout.money)

    def day(self, record: Record) -> date | None:
        return dates.readings(record.cell(self.layout.day)).get(self.order)

    def description(self, record: Record) -> str:
        return next((cell for column in self.layout.descriptions if (cell := record.cell(column))), "")


def number_of(record: Record, column: int | None, mark: str) -> Decimal | None:
    amount = amounts.read(record.cell(column))
    if amount is None:
        return None
    number = amounts.number(amount.body, mark)
    return -number if number and amount.negative else number
