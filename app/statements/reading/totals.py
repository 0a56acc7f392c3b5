"""A line of amounts with neither date nor text: a total or a balance if the rows prove it, else a row's error.

A module of its own because nothing in such a line says what it is: only arithmetic tells a total, to be left out, from
a transaction whose date and text were lost.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import accumulate

from statements.reading import amounts, signs, words
from statements.reading.draft import File
from statements.reading.lines import A_BALANCE
from statements.reading.parsing import Problem, Record, Row, Unreadable, money, shown
from statements.reading.words import fold

A_TOTAL = "a total"
ZERO = Decimal(0)


def judged(file: File, bare: Sequence[Record], rows: Sequence[Row]) -> tuple[list[tuple[Record, str]], list[Problem]]:
    """(lines that are proven to be totals or balances, the others as problems)."""
    sums = _Sums(file, rows)
    ends = _ends(file, bare, sums)
    left_out: list[tuple[Record, str]] = []
    problems: list[Problem] = []
    since = 0
    for record in bare:
        here = sums.before(record)
        if record in ends:
            left_out.append((record, A_BALANCE))
        elif _is_proven(sums, record, ((0, len(rows)), (0, here), (since, here))) or _is_none(file, record):
            left_out.append((record, A_TOTAL))
        else:
            problems.append(Problem(record.line, _what(file, record, sums)))
        since = here
    return left_out, problems


def _is_proven(sums: "_Sums", record: Record, reaches: Iterable[tuple[int, int]]) -> bool:
    return any(sums.explain(record, *reach) for reach in reaches)


def _is_none(file: File, record: Record) -> bool:
    """A line with the words of a total or a balance, which the rows do not prove: the person is asked."""
    text = next((cell for cell in record.cells if words.tells_balance(fold(cell)) or words.tells_total(fold(cell))), "")
    if not text:
        return False
    question = f"Line {record.line} reads {shown(text)} and has no date. What is it?"
    choices = {"skip": "a total or a balance: leave such lines out", "stop": "a transaction: nothing is to be imported"}
    return file.desk.decide("undated_rows", "", question, choices) == "skip"


@dataclass(frozen=True)
class _Sums:
    """Of any run of rows, given as first and behind the last; each costs the same however long the run is."""

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
            (max(row.amount, ZERO), min(row.amount, ZERO), *(found.get(column, ZERO) for column in self._columns))
            for row, found in zip(self.rows, self.numbers, strict=True)
        ]
        start = (ZERO,) * (2 + len(self._columns))
        return list(
            accumulate(steps, lambda one, two: tuple(a + b for a, b in zip(one, two, strict=True)), initial=start)
        )

    def before(self, record: Record) -> int:
        return bisect_left(self.rows, record.line, key=lambda row: row.line)

    def total(self) -> Decimal:
        into, out, *_ = self._running[-1]
        return into + out

    def explain(self, record: Record, first: int, behind: int) -> bool:
        """But for signs, each amount is the sum of its column; one alone also of a side, of all rows, or a balance."""
        found = _numbers(self.file, record)
        if first == behind or not found:
            return False
        into, out, *columns = (b - a for a, b in zip(self._running[first], self._running[behind], strict=True))
        common = {abs(into), abs(out), abs(into + out), *self._balances(first, behind)}
        sides = {column: abs(total) for column, total in zip(self._columns, columns, strict=True)}
        alone = len(found.keys() & set(self.file.layout.money)) == 1
        return all(
            abs(number) == sides[column] or ((alone or column == self.file.layout.balance) and abs(number) in common)
            for column, number in found.items()
        )

    def _balances(self, first: int, behind: int) -> set[Decimal]:
        """Opening and closing ones, whichever end of the file is the newest."""
        found: set[Decimal] = set()
        for at in (first, behind - 1):
            balance = self.numbers[at].get(self.file.layout.balance) if self.file.layout.balance is not None else None
            found |= {abs(balance), abs(balance - self.rows[at].amount)} if balance is not None else set()
        return found


def _columns(file: File) -> tuple[int, ...]:
    known = (*file.layout.money, file.layout.balance, file.layout.fee)
    return tuple(column for column in known if column is not None)


def _numbers(file: File, record: Record) -> dict[int, Decimal]:
    """The line's amounts by column; none at all where one cannot be read."""
    found: dict[int, Decimal] = {}
    for column in _columns(file):
        written = amounts.written(record.cell(column))
        if written:
            try:
                found[column] = signs.worth(file, written)
            except Unreadable:
                return {}
    return found


def _ends(file: File, bare: Sequence[Record], sums: _Sums) -> Sequence[Record]:
    """The first and the last line, if one is the balance before and the other the one after all rows."""
    if len(bare) < 2 or not sums.rows or sums.before(bare[0]) != 0 or sums.before(bare[-1]) != len(sums.rows):
        return ()
    first, last = (_numbers(file, record) for record in (bare[0], bare[-1]))
    if len(first) != 1 or first.keys() != last.keys():
        return ()
    step = sum(last.values()) - sum(first.values())
    return (bare[0], bare[-1]) if abs(step) == abs(sums.total()) else ()


def _what(file: File, record: Record, sums: _Sums) -> str:
    seen = " and ".join(repr(cell) for column in file.layout.money if (cell := record.cell(column)))
    total = money(sums.total())
    return f"an amount without date and text, {seen}: no total of the other rows (their sum is {total}) and no balance"
