"""What the balance column says of each line: that the line moves it by its amount, or that the line does not move it.

A module of its own because this is arithmetic that tells a transaction from a line that only looks like one (an
authorisation, a balance, a total), whatever its words are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from statements.reading.draft import File, number_of
from statements.reading.parsing import Record

ZERO = Decimal(0)


@dataclass(frozen=True)
class Step:
    line: int
    amounts: frozenset[Decimal]  # what the balance may move by: the amount, the amount and its fee, without signs
    balance: Decimal


@dataclass
class Moves:
    """Lines that are proven to move the balance, and lines that are proven not to."""

    moving: set[int] = field(default_factory=set)
    still: set[int] = field(default_factory=set)


def proven(file: File, records: Iterable[Record], mark: str) -> Moves:
    """By the balances in either order of time; nothing where they do not add up, or add up in two ways."""
    if file.layout.balance is None:
        return Moves()
    steps = [step for record in records if (step := _step(file, record, mark))]
    orders = [moves for order in (steps, steps[::-1]) if (moves := _walk(order))]
    if not orders or any(moves.still != orders[0].still for moves in orders):
        return Moves()
    return Moves(set.intersection(*(moves.moving for moves in orders)), orders[0].still)


def _step(file: File, record: Record, mark: str) -> Step | None:
    balance = number_of(record, file.layout.balance, mark)
    numbers = [abs(number) for column in file.layout.money if (number := number_of(record, column, mark))]
    if balance is None or len(numbers) != 1:
        return None
    fee = abs(number_of(record, file.layout.fee, mark) or ZERO)
    return Step(record.line, frozenset({numbers[0], numbers[0] + fee, abs(numbers[0] - fee)}), balance)


def _walk(steps: Sequence[Step]) -> Moves | None:
    """From the oldest line to the newest; None where one balance does not follow from the one before."""
    moves = Moves()
    balance: Decimal | None = None
    for step in steps:
        if balance is None or abs(step.balance - balance) in step.amounts:
            moves.moving |= {step.line} if balance is not None else set()
            balance = step.balance
        elif step.balance == balance:
            moves.still.add(step.line)
        else:
            return None
    return moves if moves.moving else None


@dataclass(frozen=True)
class Sums:
    """Lines whose amount is the sum of others: of `some` (all above, all below, one side), or, at an end, of `all`."""

    some: frozenset[int]
    whole: frozenset[int]


LEAST_SUMMED = 3  # rows; of two the third is a sum by chance


def sums(file: File, records: Sequence[Record], mark: str) -> Sums:
    """A total is a sum in each column that it fills; at an end of the file it needs no words if all others add up."""
    some: dict[int, bool] = {}
    whole: dict[int, bool] = {}
    for column in file.layout.money:
        numbers = [number_of(record, column, mark) or ZERO for record in records]
        into, out = sum(n for n in numbers if n > 0), sum(n for n in numbers if n < 0)
        one_way = not into or not out
        several = sum(map(bool, numbers)) > LEAST_SUMMED
        above = ZERO
        for at, (record, number) in enumerate(zip(records, numbers, strict=True)):
            rest, same = into + out - number, (into if number > 0 else out) - number
            if number:
                is_end = at in (0, len(records) - 1) and several and one_way
                some[record.line] = some.get(record.line, True) and number in (above, rest, rest - above, same)
                whole[record.line] = whole.get(record.line, is_end) and is_end and number == rest
            above += number
    return Sums(_true(some), _true(whole))


def _true(lines: dict[int, bool]) -> frozenset[int]:
    return frozenset(line for line, holds in lines.items() if holds)
