"""Proofs from the balance column: a line moves the balance by its amount, or it does not move it at all.

A module of its own because this arithmetic separates a transaction from a line that only looks like one (an
authorisation, a balance, a total), whatever its words are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate

from statements.reading.draft import File, number_of
from statements.reading.parsing import Record

ZERO = Decimal(0)
LEAST_SUMMED = 3  # rows; of two the third is a sum by chance


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
    balance = steps[0].balance if steps else ZERO
    for step in steps[1:]:
        if abs(step.balance - balance) in step.amounts:
            moves.moving.add(step.line)
            balance = step.balance
        elif step.balance == balance:
            moves.still.add(step.line)
        else:
            return None
    return moves if moves.moving else None


@dataclass(frozen=True)
class Sums:
    """Lines whose amount is the sum of others: of `some` (all above, all below, one side), or, at an end, of all."""

    some: frozenset[int]
    all_others: frozenset[int]


def sums(file: File, records: Sequence[Record], mark: str) -> Sums:
    """A total is a sum in each column that it fills; at an end of the file it needs no words if all others add up."""
    lines = [record.line for record in records]
    some, all_others = set(lines), {*lines[:1], *lines[-1:]}
    filled: set[int] = set()
    for column in file.layout.money:
        numbers = [number_of(record, column, mark) or ZERO for record in records]
        filled_here = {line for line, number in zip(lines, numbers, strict=True) if number}
        some -= filled_here - _sums_of_some(lines, numbers)
        all_others -= filled_here - _sums_of_all_others(lines, numbers)
        filled |= filled_here
    return Sums(frozenset(some & filled), frozenset(all_others & filled))


def _sums_of_some(lines: Sequence[int], numbers: Sequence[Decimal]) -> set[int]:
    """Lines whose number is the sum of all above, of all below, of both, or of all others with its sign."""
    into, out = _sides(numbers)
    above = accumulate(numbers, initial=ZERO)
    return {
        line
        for line, number, before in zip(lines, numbers, above, strict=False)
        if number in (before, into + out - number, into + out - number - before, (into if number > 0 else out) - number)
    }


def _sums_of_all_others(lines: Sequence[int], numbers: Sequence[Decimal]) -> set[int]:
    """Lines whose number is the sum of all others, where there are enough of them and all have one sign."""
    into, out = _sides(numbers)
    if (into and out) or sum(map(bool, numbers)) <= LEAST_SUMMED:
        return set()
    return {line for line, number in zip(lines, numbers, strict=True) if number == into + out - number}


def _sides(numbers: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """(the sum of those above zero, the sum of those below)."""
    return sum((max(number, ZERO) for number in numbers), ZERO), sum((min(number, ZERO) for number in numbers), ZERO)
