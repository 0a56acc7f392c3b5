"""Which delimiter, which line is the header, where the rows begin. Then what each column is like, by its cells."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice

from statements.reading import amounts, dates, text, words
from statements.reading.parsing import Record, Unreadable, shown, unreadable_as
from statements.reading.words import AMOUNT, CREDIT, DATE, DEBIT, fold

HEADER_WITHIN = 100
PROFILED = 300
MOST_LOOKED_AT = 40  # cells of a row
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
        if self.header or not self.rows:
            return len(self.header)
        return _usual_width(self.rows)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The header's cells, folded."""
        return tuple(map(fold, self.header))

    def columns_named(self, names: Collection[str]) -> set[int]:
        return {column for column, name in enumerate(self.names) if name in names}

    @cached_property
    def sample(self) -> tuple[Record, ...]:
        """The rows that say what columns are like: totals and remarks leave most of theirs empty."""
        dated = tuple(islice((row for row in self.rows if is_data(row)), PROFILED))
        return dated or self.rows[:PROFILED]

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
    content, delimiter = text.without_separator_line(content)
    delimiter = delimiter or _best_delimiter(content)
    return _table(list(text.records(content, delimiter))), delimiter


def _best_delimiter(content: str) -> str:
    scores = {delimiter: _score(text.sample(content, delimiter)) for delimiter in text.DELIMITERS}
    return max(scores, key=lambda delimiter: scores[delimiter])


def _table(records: Sequence[Record]) -> Table:
    position = _header_at(records)
    if position is not None:
        return _with_header(records, position)
    first = next((position for position, record in enumerate(records) if is_data(record)), None)
    if first is not None:
        return _headerless(records, first)
    if len(records) == 1 and header_words(records[0].cells) >= 2:
        return Table(records[0].cells, (), ())
    raise unreadable_as(records, EXPECTED)


def _with_header(records: Sequence[Record], position: int) -> Table:
    header, below = records[position].cells, records[position + 1 :]
    _refuse_second_table(below, header)
    is_again = {record.line: same_header(record.cells, header) for record in below}
    rows = tuple(record for record in below if not is_again[record.line])
    again = tuple(record for record in below if is_again[record.line])
    return Table(header, tuple(records[:position]), rows, again)


def profile(table: Table, column: int) -> Profile:
    rows = table.sample
    cells = [cell for row in rows if (cell := row.cell(column))]
    if not cells:
        return Profile(0, 0, 0, 0, 0, 0)
    money = [amount for cell in cells if (amount := amounts.read(cell))]
    count = len(cells)
    nonzero = [amount for amount in money if amount.body.strip("0.,")]  # a lone 0 says nothing of how amounts look
    return Profile(
        filled=count / len(rows),
        dates=sum(bool(dates.readings(cell)) for cell in cells) / count,
        money=len(money) / count,
        marked=sum(amount.is_marked for amount in nonzero) / max(1, len(nonzero)),
        letters=sum(sum(char.isalpha() for char in cell[:200]) for cell in cells) / count,
        distinct=len(set(cells)) / count,
    )


def is_data(record: Record) -> bool:
    """A date in one cell and an amount in another."""
    cells = record.cells[:MOST_LOOKED_AT]
    days = [cell for cell in cells if dates.readings(cell)]
    return bool(days) and any(amounts.read(cell) for cell in cells if not dates.readings(cell))


def header_words(cells: Sequence[str]) -> int:
    """How many cells are names of columns that banks use."""
    return sum(any(fold(cell) in names for names in words.HEADERS.values()) for cell in cells)


def header_roles(cells: Sequence[str]) -> set[str]:
    return {role for cell in cells for role in words.HEADERS if rank(cell, role) is not None}


def rank(cell: str, role: str) -> float | None:
    """How good a header's cell is for a role (0 is best); None if it is not a name for it."""
    ranks, name = words.HEADERS[role], fold(cell)
    if not name or name in ranks:
        return ranks.get(name)
    tokens = name.split()
    core = " ".join(token for token in tokens if token not in words.FILLER)
    if core in ranks:
        return ranks[core] + 0.3
    contained = words.CONTAINED.get(role, set()).intersection(tokens)
    is_name = contained and not words.NOT_CONTAINED.intersection(tokens) and len(tokens) <= 6
    return 3.5 if is_name else None


def same_header(cells: Sequence[str], header: Sequence[str]) -> bool:
    return list(map(fold, cells)) == list(map(fold, header))


def filled(record: Record) -> tuple[str, ...]:
    """The cells without the empty ones at the end."""
    cells = record.cells
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    return cells


def is_header(record: Record) -> bool:
    """It names a date and an amount (or a side of it), and holds neither."""
    cells = record.texts
    if len(cells) < 2 or any(dates.readings(cell) or amounts.read(cell) for cell in cells):
        return False
    roles = header_roles(cells)
    return DATE in roles and bool(roles & {AMOUNT, DEBIT, CREDIT}) and header_words(cells) >= 2


def _header_at(records: Sequence[Record]) -> int | None:
    for position, record in enumerate(records[:HEADER_WITHIN]):
        if is_header(record):
            return position
        if is_data(record) and not _is_summary(record):
            return None
    return None


def _is_summary(record: Record) -> bool:
    """`Opening balance;01.01.2024;1.000,00` before the header is not a row."""
    first = fold(record.texts[0])
    return any(char.isalpha() for char in first) and len(filled(record)) <= 4


def _score(records: Sequence[Record]) -> tuple[int, int, int]:
    """Rows that hold date and amount, then headers, then names of columns; wider is better where all are equal."""
    if not records:
        return 0, 0, 0
    rows = sum(is_data(record) for record in records[:PROFILED])
    names = max(header_words(record.cells) for record in records[:HEADER_WITHIN])
    width = _usual_width(records)
    return (2 * rows + (names >= 2), names, width) if max(width, names) > 1 else (0, 0, 0)


def _usual_width(records: Sequence[Record]) -> int:
    return Counter(len(record.cells) for record in records).most_common(1)[0][0]


def _headerless(records: Sequence[Record], first: int) -> Table:
    """Lines before the first row are a preamble, unless one is a row with a fault; the last may name the columns."""
    rows = records[first:]
    if _usual_width(rows) < 2 or sum(is_data(row) for row in rows) * 2 < len(rows):
        raise unreadable_as(records, EXPECTED)
    above = records[:first]
    faulty = next((position for position, record in enumerate(above) if _is_like_row(record, rows[0])), first)
    table = Table((), tuple(records[:faulty]), tuple(records[faulty:]))
    names = table.preamble[-1].cells if table.preamble else ()
    has_names = len(names) == table.width and sum(bool(cell.strip()) for cell in names) > 1
    return replace(table, header=names) if has_names else table


def _is_like_row(record: Record, row: Record) -> bool:
    """It has a digit where the row has its date, or is as wide and has one where the row has an amount."""
    if len(record.texts) < 2:
        return False
    columns = {column for column, cell in enumerate(row.cells) if dates.readings(cell)}
    if len(record.cells) == len(row.cells):
        columns |= {column for column, cell in enumerate(row.cells) if amounts.read(cell)}
    return any(char.isdigit() for column in columns for char in record.cell(column))


def _refuse_second_table(records: Sequence[Record], header: Sequence[str]) -> None:
    for record in records:
        if is_header(record) and not same_header(record.cells, header):
            begin = f"a second table with other columns begins here ({shown(','.join(record.cells))})"
            raise Unreadable(f"{begin}; save each table as a file of its own", record.line)
