"""What the rows of a file prove about how it is written: decimal mark, order of dates, sign of amounts.

Each function returns the finding, or nothing where the rows allow both. Nothing here asks or decides for a person.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from statements.reading import words
from statements.reading.amounts import Written, mark_of
from statements.reading.dates import DMY, MDY, ORDERS, readings
from statements.reading.words import fold

AS_IS, FLIPPED = "as_is", "flipped"


@dataclass(frozen=True)
class Seen:
    """One row, for the question of signs: the amount as written, the balance beside it, all its words."""

    day: date
    amount: Decimal
    plus: bool
    balance: Decimal | None
    words: str


def decimal_mark(found: Iterable[Written], currency: str) -> str:
    """ "." or ","; "any" if no amount depends on it; "" if it cannot be known."""
    seen, doubtful = Counter[str](), False
    for one in found:
        mark = mark_of(one.body)
        places = one.places if one.places is not None else Written("", False, False, currency).places
        if mark == "?" and places is not None and places != 3:  # three places cannot be cents: it is a thousand
            mark = "," if "." in one.body else "."
        doubtful = doubtful or mark == "?"
        seen[mark] += 1
    if seen["."] != seen[","]:
        return "." if seen["."] > seen[","] else ","
    return "" if doubtful or seen["."] else "any"


@dataclass(frozen=True)
class Hints:
    """What the rest of the file says about where it comes from."""

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


def date_order(rows: Sequence[Sequence[str]], above: Sequence[str], texts: Sequence[str], hints: Hints) -> Finding:
    """The order of day, month and year, from rows of date cells (the chosen column first)."""
    found = [[readings(cell) for cell in row] for row in rows]
    possible = _possible(found)
    decided = _possible([[readings(cell) for cell in above]])
    if len(decided) == 1 and len(possible) > 1 and decided[0] in possible:
        return Finding(decided[0], "the dates above the table allow no other order")
    if len(possible) == 1 or not possible:
        return Finding((possible or [DMY])[0])
    if all(len({one[order] for order in possible if order in one}) <= 1 for row in found for one in row):
        return Finding(possible[0])
    votes: dict[str, str] = {}
    for order, why in (*_by_pattern(found, texts, possible), *_by_mark(hints)):
        if order in possible:
            votes.setdefault(order, why)
    likely = next((order for order in _by_origin(texts, hints) if order in possible), "")
    return Finding(*next(iter(votes.items())), likely) if len(votes) == 1 else Finding(likely=likely)


def sign(rows: Sequence[Seen], *, card: bool) -> Finding:
    """as_is or flipped; undecided where an amount without a minus may be money out.

    Amounts without a minus are money in if they are not most of them. A balance that moves with the amounts proves no
    more than that: that of a card may be its debt. Words decide nothing, but words that contradict raise the question.
    """
    charged = [row for row in rows if row.amount]
    if not charged:
        return Finding(AS_IS)
    normal, flipped = _by_words(charged)
    chain = by_balance(charged)
    likely = FLIPPED if flipped > normal or (flipped == normal and (card or chain == FLIPPED)) else AS_IS
    if card or chain == FLIPPED or flipped * 3 > normal:
        return Finding(likely=likely)
    if sum(row.amount > 0 for row in charged) * 2 > len(charged) and not any(row.plus for row in charged):
        return Finding(likely=likely)
    return Finding(AS_IS)


def by_balance(rows: Sequence[Seen]) -> str:
    """Which sign makes the balance move by the amounts, in the file's order of time; "" if both or neither do."""
    pairs = [(a, b) for a, b in pairwise(rows) if a.balance is not None and b.balance is not None]
    falling = sum(a.day > b.day for a, b in pairs)
    rising = sum(a.day < b.day for a, b in pairs)
    scores = {AS_IS: 0, FLIPPED: 0}
    for factor, name in ((1, AS_IS), (-1, FLIPPED)):
        down = sum(_step(a, b) == factor * b.amount for a, b in pairs)
        up = sum(-_step(a, b) == factor * a.amount for a, b in pairs)
        scores[name] = down if rising > falling else up if falling > rising else max(down, up)
    best = max(scores, key=lambda name: scores[name])
    other = min(scores.values())
    return best if scores[best] * 2 > len(pairs) and other * 3 < scores[best] else ""


def both_ways(rows: Sequence[Seen]) -> bool:
    """The amounts have no sign, and the balance shows that they go in both directions."""
    if any(row.amount < 0 for row in rows):
        return False
    pairs = [(a, b) for a, b in pairwise(rows) if a.balance is not None and b.balance is not None]
    down = [_step(a, b) for a, b in pairs if b.amount and abs(_step(a, b)) == b.amount]
    up = [-_step(a, b) for a, b in pairs if a.amount and abs(_step(a, b)) == a.amount]
    steps = max(down, up, key=len)
    return len(steps) * 10 >= 8 * len(pairs) and any(step > 0 for step in steps) and any(step < 0 for step in steps)


def direction_of(cell: str) -> int:
    """-1 out, 1 in, 0 where the cell does not say."""
    return words.DIRECTIONS.get(fold(cell), words.SIGN_CELLS.get(cell.strip(), 0))


def _step(first: Seen, second: Seen) -> Decimal:
    return (second.balance or Decimal(0)) - (first.balance or Decimal(0))


def _by_words(rows: Sequence[Seen]) -> tuple[int, int]:
    """How many rows say in words what their sign says, and how many the opposite."""
    normal = flipped = 0
    for row in rows:
        meant = _meant(row.words)
        if meant:
            agrees = (meant > 0) == (row.amount > 0)
            normal, flipped = normal + agrees, flipped + (not agrees)
    return normal, flipped


def _meant(text: str) -> int:
    """1 money in, -1 money out, 0 where the words say nothing or both."""
    if words.CARD_PAYMENT.search(text):
        return 1
    into = bool(words.MONEY_IN.search(text)) and not words.NOT_MONEY_IN.search(text)
    out = bool(words.MONEY_OUT.search(text))
    return int(into) - int(out)


def _possible(found: Sequence[Sequence[dict[str, date]]]) -> list[str]:
    """The orders under which most cells are dates: one odd cell is that row's problem."""
    counts = Counter(order for row in found for one in row for order in one)
    best = max(counts.values(), default=0)
    return [order for order in ORDERS if counts[order] == best and best]


def _by_pattern(
    found: Sequence[Sequence[dict[str, date]]], texts: Sequence[str], possible: Sequence[str]
) -> Iterable[tuple[str, str]]:
    """One order makes a statement of it; the other scatters the rows over the same day of many months."""
    for order in possible:
        others = [other for other in possible if other != order]
        if all(
            _span(found, order) < 400 and _span(found, other) > max(700, 7 * _span(found, order)) for other in others
        ):
            yield order, "the other order would scatter its rows over years"
        if all(_gaps(found, order) < 15 < 45 < _gaps(found, other) for other in others):
            yield order, "its two dates are then days apart, not months"
    if set(possible) == {DMY, MDY} and len(set(texts)) >= 4:
        for order, other in ((DMY, MDY), (MDY, DMY)):
            if _same_day_of_months([one[other] for row in found for one in row[:1] if other in one and len(one) > 1]):
                yield order, "the other order would put every row on the same day of different months"


def _span(found: Sequence[Sequence[dict[str, date]]], order: str) -> int:
    days = [row[0][order] for row in found if row and order in row[0]]
    return (max(days) - min(days)).days if days else 0


def _gaps(found: Sequence[Sequence[dict[str, date]]], order: str) -> int:
    """The most days between the dates of one row; 0 where a row has only one."""
    gaps = [
        abs((row[0][order] - one[order]).days) for row in found for one in row[1:] if order in one and order in row[0]
    ]
    return max(gaps, default=0)


def _same_day_of_months(days: Sequence[date]) -> bool:
    """Many months, one day, and not month after month as a standing order would be."""
    months = sorted({(day.year, day.month) for day in days})
    if len(months) < 4 or len({day.day for day in days}) != 1 or len({day.year for day in days}) != 1:
        return False
    return any(second[1] - first[1] > 1 for first, second in pairwise(months))


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
