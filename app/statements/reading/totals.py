"""A line of amounts with neither date nor text: a total or a balance if the rows prove it, else a row's error.

A module of its own because no cell of such a line names it: only arithmetic separates a total, to be left out, from
a transaction whose date and text were lost.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from operator import add, sub

from statements.reading import amounts, signs, words
from statements.reading.draft import File
from statements.reading.lines import A_BALANCE
from statements.reading.parsing import Problem, Record, Row, Unreadable, money, shown
from statements.reading.words import fold

A_TOTAL = "a total"
ZERO = Decimal(0)


def sort(file: File, bare: Sequence[Record], rows: Sequence[Row]) -> tuple[list[tuple[Record, str]], list[Problem]]:
    """(lines that are proven to be totals or balances, the others as problems)."""
    sums = _Sums(file, rows)
    ends = _opening_and_closing(file, bare, sums)
    left_out: list[tuple[Record, str]] = []
    problems: list[Problem] = []
    start = 0  # behind the last bare line
    for record in bare:
        position = sums.position(record)
        runs = ((0, len(rows)), (0, position), (start, position))
        if record in ends:
            left_out.append((record, A_BALANCE))
        elif any(sums.explain(record, *run) for run in runs) or _ask_left_out(file, record):
            left_out.append((record, A_TOTAL))
        else:
            problems.append(Problem(record.line, _fault(file, record, sums)))
        start = position
    return left_out, problems


def _ask_left_out(file: File, record: Record) -> bool:
    """A line with the words of a total or a balance that the rows do not prove: the person decides."""
    text = next((cell for cell in record.cells if words.tells_balance(fold(cell)) or words.tells_total(fold(cell))), "")
    if not text:
        return False
    question = f"Line {record.line} reads {shown(text)} and has no date. What is it?"
    choices = {"skip": "a total or a balance: leave such lines out", "stop": "a transaction: nothing is to be imported"}
    return file.desk.decide("undated_rows", "", question, choices) == "skip"


@dataclass(frozen=True)
class _Sums:
    """Of any run of rows, as its first and the one behind its last; each costs the same however long the run is."""

    file: File
    rows: Sequence[Row]

    @cached_property
    def numbers(self) -> list[dict[int, Decimal]]:
        return [_numbers(self.file, Record(row.line, row.cells)) for row in self.rows]

    @cached_property
    def _columns(self) -> tuple[int, ...]:
        return _columns(self.file)

    @cached_property
    def _running(self) -> list[tuple[Decimal, ...]]:
        """Before each row and after the last: money in, money out, then each column as written."""
        steps = [
            (max(row.amount, ZERO), min(row.amount, ZERO), *(cells.get(column, ZERO) for column in self._columns))
            for row, cells in zip(self.rows, self.numbers, strict=True)
        ]
        return list(accumulate(steps, _added, initial=(ZERO,) * (2 + len(self._columns))))

    def position(self, record: Record) -> int:
        """How many rows are above the line."""
        return bisect_left(self.rows, record.line, key=lambda row: row.line)

    def total(self) -> Decimal:
        into, out, *_ = self._running[-1]
        return into + out

    def explain(self, record: Record, first: int, end: int) -> bool:
        """But for signs, each amount is the sum of its column; one alone also of a side, of all rows, or a balance."""
        numbers = _numbers(self.file, record)
        if first == end or not numbers:
            return False
        into, out, *sums = map(sub, self._running[end], self._running[first])
        of_rows = {abs(into), abs(out), abs(into + out), *self._balances(first, end)}
        by_column = dict(zip(self._columns, map(abs, sums), strict=True))
        is_alone = len(numbers.keys() & set(self.file.layout.money)) == 1
        for column, number in numbers.items():
            may_be_of_rows = is_alone or column == self.file.layout.balance
            if abs(number) not in {by_column[column], *(of_rows if may_be_of_rows else ())}:
                return False
        return True

    def _balances(self, first: int, end: int) -> set[Decimal]:
        """Opening and closing ones, whichever end of the file is the newest."""
        column = self.file.layout.balance
        ends = [(self.numbers[position], self.rows[position].amount) for position in (first, end - 1)]
        pairs = [(cells[column], amount) for cells, amount in ends if column is not None and column in cells]
        return {abs(number) for balance, amount in pairs for number in (balance, balance - amount)}


def _added(first: tuple[Decimal, ...], second: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
    return tuple(map(add, first, second))


def _columns(file: File) -> tuple[int, ...]:
    columns = (*file.layout.money, file.layout.balance, file.layout.fee)
    return tuple(column for column in columns if column is not None)


def _numbers(file: File, record: Record) -> dict[int, Decimal]:
    """The line's amounts by column; none at all where one cannot be read."""
    cells = {column: amounts.read(record.cell(column)) for column in _columns(file)}
    try:
        return {column: signs.number(file, amount) for column, amount in cells.items() if amount}
    except Unreadable:
        return {}


def _opening_and_closing(file: File, bare: Sequence[Record], sums: _Sums) -> Sequence[Record]:
    """The first and the last line, if one is the balance before and the other the one after all rows."""
    if len(bare) < 2 or not sums.rows or sums.position(bare[0]) != 0 or sums.position(bare[-1]) != len(sums.rows):
        return ()
    first, last = (_numbers(file, record) for record in (bare[0], bare[-1]))
    if len(first) != 1 or first.keys() != last.keys():
        return ()
    step = sum(last.values()) - sum(first.values())
    return (bare[0], bare[-1]) if abs(step) == abs(sums.total()) else ()


def _fault(file: File, record: Record, sums: _Sums) -> str:
    cells = " and ".join(repr(cell) for column in file.layout.money if (cell := record.cell(column)))
    total = money(sums.total())
    return f"an amount without date and text, {cells}: no total of the other rows (their sum is {total}) and no balance"
