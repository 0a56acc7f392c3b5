"""What the rows of a file prove about how it is written: decimal mark, order of dates, sign of amounts.

Each function returns the finding, or nothing where the rows allow both. Nothing here asks or decides for a person.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from statements import words
from statements.amounts import Written, mark_of
from statements.dates import DMY, MDY, ORDERS, readings
from statements.words import fold

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


def date_order(
    rows: Sequence[Sequence[str]], above: Sequence[str], texts: Sequence[str], hints: Hints
) -> tuple[str, str]:
    """(order, why) from rows of date cells (the chosen column first); ("", "") where two orders stay possible."""
    found = [[readings(cell) for cell in row] for row in rows]
    possible = _possible(found)
    decided = _possible([[readings(cell) for cell in above]])
    if len(decided) == 1 and len(possible) > 1 and decided[0] in possible:
        return decided[0], "the dates above the table allow no other order"
    if len(possible) == 1 or not possible:
        return (possible or [DMY])[0], ""
    if all(len({one[order] for order in possible if order in one}) <= 1 for row in found for one in row):
        return possible[0], ""
    votes: dict[str, str] = {}
    for order, why in (*_by_pattern(found, texts, possible), *_by_origin(texts, hints)):
        if order in possible:
            votes.setdefault(order, why)
    return next(iter(votes.items())) if len(votes) == 1 else ("", "")


def sign(rows: Sequence[Seen], *, card: bool) -> tuple[str, str]:
    """(as_is or flipped, why); ("", "") where money out may be either sign."""
    charged = [row for row in rows if row.amount]
    if not charged:
        return AS_IS, ""
    normal, flipped = _by_words(charged)
    positive = sum(row.amount > 0 for row in charged)
    mostly_positive, unsigned = positive * 2 > len(charged), positive == len(charged)
    chain = "" if card or _is_card(charged) else by_balance(charged)
    if unsigned and not chain:
        return _unsigned(normal, flipped, len(charged))
    if normal and not flipped:
        return AS_IS, "money in is positive in its rows"
    if flipped and not normal and chain != AS_IS:
        sure = mostly_positive or card or flipped > 2
        return (FLIPPED, "its charges are positive and its payments negative") if sure else ("", "")
    if chain == AS_IS or any(row.plus for row in charged):
        return AS_IS, "its balance moves with the amounts" if chain else ""
    if normal and flipped:
        return (
            (AS_IS, "")
            if normal >= 3 * flipped
            else (FLIPPED, "most charges are positive")
            if (flipped >= 3 * normal and mostly_positive)
            else ("", "")
        )
    return ("", "") if card or mostly_positive or chain else (AS_IS, "")


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
    """-1 out, 1 in, 0 unknown."""
    return words.DIRECTIONS.get(fold(cell), words.SIGN_CELLS.get(cell.strip(), 0))


def _step(first: Seen, second: Seen) -> Decimal:
    return (second.balance or Decimal(0)) - (first.balance or Decimal(0))


def _is_card(rows: Sequence[Seen]) -> bool:
    """Only a card is thanked for its payment; its balance is what is owed."""
    return any(words.CARD_PAYMENT.search(row.words) for row in rows)


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


def _unsigned(normal: int, flipped: int, count: int) -> tuple[str, str]:
    """No amount is negative: only words can tell, and nearly all of them must say the same."""
    if normal * 5 >= 4 * count and not flipped:
        return AS_IS, "all its rows are money in"
    if flipped * 5 >= 4 * count and not normal:
        return FLIPPED, "all its rows are charges"
    return "", ""


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


def _by_origin(texts: Sequence[str], hints: Hints) -> Iterable[tuple[str, str]]:
    places = sum(bool(words.US_PLACE.search(text)) for text in texts)
    if hints.american:
        yield MDY, "the file is American"
    elif places >= 2 and places * 2 >= len(texts):
        yield MDY, "its rows name places in the United States"
    if hints.decimal_comma or hints.foreign:
        yield DMY, "the file is not American"
    elif hints.currency in words.DAY_FIRST_CURRENCIES:
        yield DMY, f"its currency is {hints.currency}"
