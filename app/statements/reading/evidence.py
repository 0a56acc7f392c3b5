"""Proofs from the rows of a file: its decimal mark, its order of dates, the sign of its amounts.

Each function returns the finding, or nothing where the rows allow both. Nothing here asks or decides for a person.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from statements.reading import words
from statements.reading.amounts import AmountText, mark_of, places_of
from statements.reading.dates import DMY, MDY, ORDERS, readings
from statements.reading.words import fold

AS_IS, FLIPPED = "as_is", "flipped"
ONE_STATEMENT_DAYS, SCATTERED_DAYS, SCATTERED_TIMES = 400, 700, 7
NEAR_DAYS, FAR_DAYS = 15, 45
LEAST_MONTHS = 4
DateCells = Sequence[Sequence[dict[str, date]]]  # of each row the readings of its date cells, the chosen column first


@dataclass(frozen=True)
class Entry:
    """One row, for the question of signs: the amount as written, the balance beside it, all its words."""

    day: date
    amount: Decimal
    plus: bool
    balance: Decimal | None
    words: str


@dataclass(frozen=True)
class Hints:
    """Signs of a file's origin, from its header and its amounts."""

    american: bool
    decimal_comma: bool
    currency: str
    foreign: bool  # the header is not English


@dataclass(frozen=True)
class Finding:
    """`decided` is what arithmetic proves and `why`; `likely` is what words suggest: the first choice of a question."""

    decided: str = ""
    why: str = ""
    likely: str = ""


def decimal_mark(amounts: Iterable[AmountText], currency: str) -> str:
    """ "." or ","; "any" if no amount depends on it; "" if it cannot be known."""
    counts = Counter(_mark(amount, currency) for amount in amounts)
    if counts["."] != counts[","]:
        return "." if counts["."] > counts[","] else ","
    return "" if counts["?"] or counts["."] else "any"


def _mark(amount: AmountText, currency: str) -> str:
    """Three places cannot be cents of a currency that has two: `1.234` is then a thousand."""
    mark = mark_of(amount.body)
    places = amount.places if amount.places is not None else places_of(currency)
    if mark == "?" and places not in (None, 3):
        return "," if "." in amount.body else "."
    return mark


# --- the order of dates ---------------------------------------------------------------------------------------------


def date_order(rows: Sequence[Sequence[str]], above: Sequence[str], texts: Sequence[str], hints: Hints) -> Finding:
    """The order of day, month and year, from rows of date cells (the chosen column first)."""
    cells = [[readings(cell) for cell in row] for row in rows]
    possible = _possible(cells)
    if len(possible) < 2:
        return Finding((possible or [DMY])[0])
    above_orders = _possible([[readings(cell) for cell in above]])
    if len(above_orders) == 1 and above_orders[0] in possible:
        return Finding(above_orders[0], "the dates above the table allow no other order")
    if all(_is_certain(cell, possible) for row in cells for cell in row):
        return Finding(possible[0])
    proofs = (*_by_span(cells, possible), *_by_gaps(cells, possible), *_by_days(cells, texts, possible))
    votes = {order: why for order, why in reversed((*proofs, *_by_mark(hints))) if order in possible}
    likely = next((order for order in _by_origin(texts, hints) if order in possible), "")
    return Finding(*next(iter(votes.items())), likely) if len(votes) == 1 else Finding(likely=likely)


def _possible(cells: DateCells) -> list[str]:
    """The orders under which most cells are dates: one odd cell is that row's problem."""
    counts = Counter(order for row in cells for cell in row for order in cell)
    best = max(counts.values(), default=0)
    return [order for order in ORDERS if counts[order] == best and best]


def _is_certain(cell: dict[str, date], possible: Sequence[str]) -> bool:
    return len({cell[order] for order in possible if order in cell}) <= 1


def _by_span(cells: DateCells, possible: Sequence[str]) -> Iterable[tuple[str, str]]:
    """One order makes a statement of the rows; the other scatters them over years."""
    spans = {order: _span(cells, order) for order in possible}
    for order, span in spans.items():
        least = max(SCATTERED_DAYS, SCATTERED_TIMES * span)
        if span < ONE_STATEMENT_DAYS and all(spans[other] > least for other in possible if other != order):
            yield order, "the other order would scatter its rows over years"


def _by_gaps(cells: DateCells, possible: Sequence[str]) -> Iterable[tuple[str, str]]:
    """The two dates of a row are days apart under one order, months under the other."""
    gaps = {order: _widest_gap(cells, order) for order in possible}
    for order, gap in gaps.items():
        if gap < NEAR_DAYS and all(gaps[other] > FAR_DAYS for other in possible if other != order):
            yield order, "its two dates are then days apart, not months"


def _by_days(cells: DateCells, texts: Sequence[str], possible: Sequence[str]) -> Iterable[tuple[str, str]]:
    """The other order puts all rows on the same day of many months."""
    if set(possible) != {DMY, MDY} or len(set(texts)) < LEAST_MONTHS:
        return
    for order, other in ((DMY, MDY), (MDY, DMY)):
        doubtful = [row[0] for row in cells if row and len(row[0]) > 1]
        if _is_same_day_of_months([cell[other] for cell in doubtful if other in cell]):
            yield order, "the other order would put every row on the same day of different months"


def _span(cells: DateCells, order: str) -> int:
    days = [row[0][order] for row in cells if row and order in row[0]]
    return (max(days) - min(days)).days if days else 0


def _widest_gap(cells: DateCells, order: str) -> int:
    """The most days between the dates of one row; 0 where a row has only one."""
    pairs = [(row[0], cell) for row in cells for cell in row[1:]]
    return max((abs((a[order] - b[order]).days) for a, b in pairs if order in a and order in b), default=0)


def _is_same_day_of_months(days: Sequence[date]) -> bool:
    """Many months, one day, and not month after month as a standing order would be."""
    months = sorted({day.month for day in days})
    if len(months) < LEAST_MONTHS or len({(day.year, day.day) for day in days}) != 1:
        return False
    return any(second - first > 1 for first, second in pairwise(months))


def _by_mark(hints: Hints) -> Iterable[tuple[str, str]]:
    if hints.decimal_comma:
        yield DMY, "nobody writes a decimal comma and the month first"


def _by_origin(texts: Sequence[str], hints: Hints) -> Iterable[str]:
    """What places, headers and currencies suggest; WA is a state of two countries, so they decide nothing."""
    places = sum(bool(words.US_PLACE.search(text)) for text in texts)
    if hints.foreign or hints.currency in words.DAY_FIRST_CURRENCIES:
        yield DMY
    if hints.american or (places >= 2 and places * 2 >= len(texts)):
        yield MDY


# --- the sign of amounts --------------------------------------------------------------------------------------------


def sign(entries: Sequence[Entry], *, card: bool) -> Finding:
    """as_is or flipped; undecided where an amount without a minus may be money out.

    Amounts without a minus are money in if they are not most of them. A balance that moves with the amounts proves no
    more than that: that of a card may be its debt. Words decide nothing, but words that contradict raise the question.
    """
    charged = [entry for entry in entries if entry.amount]
    if not charged:
        return Finding(AS_IS)
    agreeing, contradicting = _by_words(charged)
    doubtful = card or by_balance(charged) == FLIPPED
    suggests_flipped = contradicting > agreeing or (contradicting == agreeing and doubtful)
    suggestion = Finding(likely=FLIPPED if suggests_flipped else AS_IS)
    if doubtful or contradicting * 3 > agreeing:
        return suggestion
    mostly_positive = sum(entry.amount > 0 for entry in charged) * 2 > len(charged)
    return suggestion if mostly_positive and not any(entry.plus for entry in charged) else Finding(AS_IS)


def by_balance(entries: Sequence[Entry]) -> str:
    """Which sign makes the balance move by the amounts, in the file's order of time; "" if both or neither do."""
    pairs = _with_balances(entries)
    scores = {AS_IS: _explained(pairs, 1), FLIPPED: _explained(pairs, -1)}
    best = max(scores, key=lambda name: scores[name])
    is_clear = scores[best] * 2 > len(pairs) and min(scores.values()) * 3 < scores[best]
    return best if is_clear else ""


def goes_both_ways(entries: Sequence[Entry]) -> bool:
    """The amounts have no sign, and the balance shows that they go in both directions."""
    if any(entry.amount < 0 for entry in entries):
        return False
    pairs = _with_balances(entries)
    steps = [(_step(first, second), first.amount, second.amount) for first, second in pairs]
    down = [step for step, _, amount in steps if step and abs(step) == amount]
    up = [-step for step, amount, _ in steps if step and abs(step) == amount]
    explained = max(down, up, key=len)
    return len(explained) * 10 >= 8 * len(pairs) and {step > 0 for step in explained} == {True, False}


def direction_of(cell: str) -> int:
    """-1 out, 1 in, 0 where the cell does not say."""
    return words.DIRECTIONS.get(fold(cell), words.SIGN_CELLS.get(cell.strip(), 0))


def _with_balances(entries: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """Neighbours that both have a balance."""
    return [pair for pair in pairwise(entries) if all(entry.balance is not None for entry in pair)]


def _explained(pairs: Sequence[tuple[Entry, Entry]], factor: int) -> int:
    """How many balances follow from the amounts, in the order of time; in the better one if days tell none."""
    down = sum(_step(first, second) == factor * second.amount for first, second in pairs)
    up = sum(-_step(first, second) == factor * first.amount for first, second in pairs)
    rising = sum((first.day < second.day) - (first.day > second.day) for first, second in pairs)
    if rising:
        return down if rising > 0 else up
    return max(down, up)


def _step(first: Entry, second: Entry) -> Decimal:
    return (second.balance or Decimal(0)) - (first.balance or Decimal(0))


def _by_words(entries: Sequence[Entry]) -> tuple[int, int]:
    """How many rows say in words what their sign says, and how many the opposite."""
    signs = [_direction_in(entry.words) * (1 if entry.amount > 0 else -1) for entry in entries]
    return signs.count(1), signs.count(-1)


def _direction_in(text: str) -> int:
    """1 money in, -1 money out, 0 where the words say nothing or both."""
    if words.CARD_PAYMENT.search(text):
        return 1
    into = bool(words.MONEY_IN.search(text)) and not words.NOT_MONEY_IN.search(text)
    out = bool(words.MONEY_OUT.search(text))
    return int(into) - int(out)
