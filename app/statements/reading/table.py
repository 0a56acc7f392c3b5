"""Which delimiter, which line is the header, where the rows begin. Then what each column is like, by its cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from statements.reading import amounts, dates, text, words
from statements.reading.parsing import Record, Unreadable, shown, unreadable_as
from statements.reading.words import AMOUNT, CREDIT, DATE, DEBIT, fold

HEADER_WITHIN = 100
PROFILED = 300
EXPECTED = "a header that names date and amount, or rows that hold a date and an amount"


@dataclass(frozen=True)
class Table:
    """`header` is empty where the file has none; `preamble` are the lines before it, `again` those that repeat it."""

    header: tuple[str, ...]
    preamble: tuple[Record, ...]
    rows: tuple[Record, ...]
    again: tuple[Record, ...] = ()

    @cached_property
    def width(self) -> int:
        if self.header:
            return len(self.header)
        return Counter(len(row.cells) for row in self.rows).most_common(1)[0][0] if self.rows else 0

    @cached_property
    def sample(self) -> tuple[Record, ...]:
        """The rows that say what columns are like: totals and remarks leave most of theirs empty."""
        data = tuple(islice((row for row in self.rows if is_data(row)), PROFILED))
        return data or self.rows[:PROFILED]

    def cells(self, column: int) -> list[str]:
        return [cell for row in self.rows if (cell := row.cell(column))]


@dataclass(frozen=True)
class Profile:
    """What share of a column's filled cells look like what; `filled` is the share of rows with anything in it."""

    filled: float
    dates: float
    money: float
    marked: float  # amounts with a part, a sign or a currency: an account number has none
    letters: float  # letters per filled cell
    distinct: float


def find(content: str) -> tuple[Table, str]:
    """(table, delimiter). Refused where no delimiter makes a statement of it."""
    content, named = text.without_separator_line(content)
    best, score = ",", (0, 0, 0)
    for delimiter in named or text.DELIMITERS:
        found = _score(text.sample(content, delimiter))
        if found > score:
            best, score = delimiter, found
    records = list(text.records(content, named or best))
    at = _header_at(records)
    if at is not None:
        header = records[at].cells
        _refuse_second_table(records[at + 1 :], records[at].cells)
        rows = tuple(record for record in records[at + 1 :] if not same_header(record.cells, header))
        again = tuple(record for record in records[at + 1 :] if same_header(record.cells, header))
        return Table(header, tuple(records[:at]), rows, again), named or best
    first = next((n for n, record in enumerate(records) if is_data(record)), None)
    if first is not None:
        return _headerless(records, first), named or best
    if len(records) == 1 and header_words(records[0].cells) >= 2:
        return Table(records[0].cells, (), ()), named or best
    raise unreadable_as(records, EXPECTED)


def profile(table: Table, column: int) -> Profile:
    rows = table.sample
    cells = [cell for row in rows if (cell := row.cell(column))]
    if not cells:
        return Profile(0, 0, 0, 0, 0, 0)
    money = [amount for cell in cells if (amount := amounts.written(cell))]
    count = len(cells)
    worth = [amount for amount in money if amount.body.strip("0.,")]  # a lone 0 says nothing of how amounts look
    return Profile(
        filled=count / len(rows),
        dates=sum(bool(dates.readings(cell)) for cell in cells) / count,
        money=len(money) / count,
        marked=sum(is_marked(amount) for amount in worth) / max(1, len(worth)),
        letters=sum(sum(char.isalpha() for char in cell[:200]) for cell in cells) / count,
        distinct=len(set(cells)) / count,
    )


def is_marked(amount: amounts.Written) -> bool:
    return not amount.body.isdigit() or amount.negative or amount.plus or bool(amount.currency)


def is_data(record: Record) -> bool:
    """A date in one cell and an amount in another."""
    day = money = False
    for cell in record.cells[:40]:
        if dates.readings(cell):
            day = True
        elif amounts.written(cell):
            money = True
        if day and money:
            return True
    return False


def header_words(cells: Sequence[str]) -> int:
    """How many cells are names of columns that banks use."""
    return sum(any(fold(cell) in names for names in words.HEADERS.values()) for cell in cells)


def header_roles(cells: Sequence[str]) -> set[str]:
    return {role for cell in cells for role in words.HEADERS if rank(cell, role) is not None}


def rank(cell: str, role: str) -> float | None:
    """How good a header's cell is for a role (0 is best); None if it is not a name for it."""
    name = fold(cell)
    if not name:
        return None
    whole = words.HEADERS[role].get(name)
    if whole is not None:
        return whole
    tokens = name.split()
    core = " ".join(token for token in tokens if token not in words.FILLER)
    if core != name and core in words.HEADERS[role]:
        return words.HEADERS[role][core] + 0.3
    found = words.CONTAINED.get(role, set()).intersection(tokens)
    if found and not words.NOT_CONTAINED.intersection(tokens) and len(tokens) <= 6:
        return 3.5
    return None


def same_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    return [fold(cell) for cell in cells] == [fold(cell) for cell in header]


def filled(record: Record) -> tuple[str, ...]:
    """The cells without the empty ones at the end."""
    cells = record.cells
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def is_header(record: Record) -> bool:
    """It names a date and an amount (or a side of it), and holds neither."""
    cells = [cell for cell in record.cells if cell.strip()]
    if len(cells) < 2 or any(dates.readings(cell) or amounts.written(cell) for cell in cells):
        return False
    roles = header_roles(cells)
    return DATE in roles and bool(roles & {AMOUNT, DEBIT, CREDIT}) and header_words(cells) >= 2


def _header_at(records: Sequence[Record]) -> int | None:
    for at, record in enumerate(records[:HEADER_WITHIN]):
        if is_header(record):
            return at
        if is_data(record) and not _summary(record):
            return None
    return None


def _summary(record: Record) -> bool:
    """`Opening balance;01.01.2024;1.000,00` before the header is no row."""
    first = fold(next(cell for cell in record.cells if cell.strip()))
    return any(char.isalpha() for char in first) and len(filled(record)) <= 4


def _score(records: Sequence[Record]) -> tuple[int, int, int]:
    """Rows that hold date and amount, then headers, then names of columns; wider is better where all are equal."""
    data = sum(is_data(record) for record in records[:PROFILED])
    named = max((header_words(record.cells) for record in records[:HEADER_WITHIN]), default=0)
    width = Counter(len(record.cells) for record in records).most_common(1)[0][0] if records else 0
    return (2 * data + (named >= 2), named, width) if width > 1 or named > 1 else (0, 0, 0)


def _headerless(records: Sequence[Record], first: int) -> Table:
    """Lines before the first row are a preamble, unless one is a row with a fault; the last may name the columns."""
    table = Table((), tuple(records[:first]), tuple(records[first:]))
    data = sum(is_data(row) for row in table.rows)
    if table.width < 2 or data * 2 < len(table.rows):
        raise unreadable_as(records, EXPECTED)
    faulty = next((at for at, record in enumerate(records[:first]) if _like_row(record, records[first])), first)
    table = Table((), tuple(records[:faulty]), tuple(records[faulty:]))
    above = table.preamble[-1].cells if table.preamble else ()
    named = sum(bool(cell.strip()) for cell in above)
    return Table(above, table.preamble, table.rows) if len(above) == table.width and named > 1 else table


def _like_row(record: Record, row: Record) -> bool:
    """It has a digit where the row has its date, or is as wide and has one where the row has an amount."""
    days = [n for n, cell in enumerate(row.cells) if dates.readings(cell)]
    money = [n for n, cell in enumerate(row.cells) if amounts.written(cell) and n not in days]
    telling = days + (money if len(record.cells) == len(row.cells) else [])
    several = sum(bool(cell.strip()) for cell in record.cells) > 1
    return several and any(any(char.isdigit() for char in record.cell(column)) for column in telling)


def _refuse_second_table(records: Sequence[Record], header: Sequence[str]) -> None:
    for record in records:
        if is_header(record) and not same_header(record.cells, header):
            what = f"a second table with other columns begins here ({shown(','.join(record.cells))})"
            raise Unreadable(f"{what}; save each table as a file of its own", record.line)
