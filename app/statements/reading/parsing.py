"""From a bank's bytes to rows: pure, without Django or a database.

Shapes shared by all formats live here; each format is a module beside this one (wells_fargo, and generic for every CSV
that explains itself). A row that cannot be read is a `Problem` with its line and the value seen; it is never skipped
and an amount never becomes 0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

MAX_DESCRIPTION = 1000
MAX_CHECK_NUMBER = 50
MAX_WHOLE_DIGITS = 16
SHOWN = 80

_AMOUNT = re.compile(r"^(?P<sign>[-+]?)\$?(?P<whole>\d{1,3}(,\d{3})+|\d+)?(\.(?P<part>\d{1,4}))?$", re.ASCII)


@dataclass(frozen=True)
class Record:
    """One line of the file as cells; `line` is where it starts, counted from 1."""

    line: int
    cells: tuple[str, ...]

    def cell(self, column: int | None) -> str:
        """Without blanks around it; empty where the record has no such column."""
        return self.cells[column].strip() if column is not None and column < len(self.cells) else ""

    @property
    def texts(self) -> list[str]:
        """The cells that are not blank, without blanks around them."""
        return [text for cell in self.cells if (text := cell.strip())]

    @property
    def text(self) -> str:
        """The whole line as a person reads it."""
        return " ".join(self.texts)


@dataclass(frozen=True)
class Row:
    line: int
    cells: tuple[str, ...]
    date: date
    amount: Decimal
    check_number: str
    description: str


@dataclass(frozen=True)
class Problem:
    line: int
    what: str  # also the name in the command's JSON

    def at(self, filename: str) -> str:
        return f"{filename}:{self.line}: {self.what}" if self.line else f"{filename}: {self.what}"


@dataclass(frozen=True)
class LeftOut:
    """A line of the file that is no transaction, and why."""

    line: int
    why: str
    text: str

    def at(self, filename: str) -> str:
        return f"{filename}:{self.line}: left out, {self.why}: {shown(self.text)}"


@dataclass(frozen=True)
class Statement:
    """`notes` name each decision and its evidence; `currency` is empty where the file names none,
    and so is `own_account`, the account as the file calls it. `left_out` has every line that is no row.

    Files with the same `layout` are written in the same way: answers given for one hold for the others, if they are
    about the same `subjects`.
    """

    source: str
    rows: tuple[Row, ...]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...] = ()
    currency: str = ""
    layout: str = ""
    own_account: str = ""
    left_out: tuple[LeftOut, ...] = ()
    subjects: Mapping[str, str] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum((row.amount for row in self.rows), Decimal(0))


class Unreadable(Exception):
    """The file as a whole, or one cell of it, cannot be understood."""

    def __init__(self, problem: str, line: int = 0) -> None:
        self.problem = Problem(line, problem)
        super().__init__(problem)


def amount(cell: str) -> Decimal:
    """`-1,234.50`, `$5`, `(45.20)`, `+.99`. Anything else is unreadable."""
    text = cell.strip()
    negative = text.startswith("(") and text.endswith(")")
    match = _AMOUNT.match(text[1:-1].strip() if negative else text)
    if not match or not (match["whole"] or match["part"]) or (negative and match["sign"]):
        raise Unreadable(f"unreadable amount {shown(cell)}")
    digits = (match["whole"] or "0").replace(",", "").lstrip("0") or "0"
    if len(digits) > MAX_WHOLE_DIGITS:
        raise Unreadable(f"amount {shown(cell)} has more than {MAX_WHOLE_DIGITS} digits")
    number = Decimal(f"{digits}.{match['part'] or '0'}")
    return -number if number and (negative or match["sign"] == "-") else number


def us_date(cell: str) -> date:
    match = re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", cell.strip(), re.ASCII)
    try:
        month, day, year = (int(part) for part in match.groups()) if match else (0, 0, 0)
        return date(year, month, day)
    except ValueError:
        raise Unreadable(f"unreadable date {shown(cell)}, expected MM/DD/YYYY") from None


def text_cell(cell: str, name: str, longest: int) -> str:
    text = cell.strip()
    if len(text) > longest:
        raise Unreadable(f"{name} has {len(text)} characters, at most {longest} fit")
    return text


def money(amount: Decimal) -> str:
    """Cents always; more places only where there are more."""
    return f"{amount:.2f}" if amount == round(amount, 2) else f"{amount:f}"


def counted(count: int, noun: str) -> str:
    """`1 row`, `2 rows`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def shown(cell: str) -> str:
    return repr(cell if len(cell) <= SHOWN else f"{cell[:SHOWN]}…")


def unreadable_as(records: Sequence[Record], expected: str) -> Unreadable:
    if not records:
        return Unreadable("the file holds no rows")
    first = shown(",".join(records[0].cells))
    return Unreadable(f"not a statement we know ({expected}); the first line has {first}", records[0].line)
