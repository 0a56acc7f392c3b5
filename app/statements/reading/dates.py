"""Dates as banks write them. A date that can be read in two ways is returned in both: the file decides, or the person.

Cells are cut off at 60 characters before a pattern sees them, and no pattern can match the same text in two ways.
"""

import functools
import re
from datetime import date

from statements.reading.words import MONTHS, fold

DMY, MDY, YMD = "dmy", "mdy", "ymd"
ORDERS = (DMY, MDY, YMD)
LONGEST = 60
FIRST_YEAR, LAST_YEAR = 1900, 2199
PIVOT = 70  # two digits: 69 is 2069, 70 is 1970

_NUMBERS = re.compile(r"(\d{1,4})([-/.]|\. ?|\s)(\d{1,2})\2(\d{1,4})\.?", re.ASCII)
_INSIDE = re.compile(r"(?<!\d)\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})(?!\d)", re.ASCII)
_COMPACT = re.compile(r"((?:19|20|21)\d\d)(\d\d)(\d\d)(?:\d{6})?", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?\.?[-/ ]{0,2}([^\W\d_]{3,12})\.?[-/ ,]{0,2}(\d{4}|\d{2})")
_MONTH_FIRST = re.compile(r"([^\W\d_]{3,12})\.?[-/ ](\d{1,2})(?:st|nd|rd|th)?,?[-/ ](\d{4})")
_YEAR_FIRST = re.compile(r"(\d{4})[-/ ]([^\W\d_]{3,12})[-/ ](\d{1,2})")
# Pattern -> its groups that are year, month and day.
_WITH_MONTH_NAMES = ((_DAY_FIRST, (3, 2, 1)), (_MONTH_FIRST, (3, 1, 2)), (_YEAR_FIRST, (1, 2, 3)))
_WEEKDAY = re.compile(r"[^\W\d_]{2,10}\.?,? (?=\d)|[^\W\d_]{2,10}, ")
_TIME = re.compile(
    r"(?:T|,? |, ?at )\d{1,2}[:.]\d\d(?:[:.]\d\d(?:[.,]\d{1,9})?)? ?(?:[AaPp]\.?[Mm]\.?)? ?"
    r"(?:Z|\(?[A-Z]{2,5}\)?|(?:UTC|GMT)?[-+]\d\d:?\d\d)?|\[[-+:\dA-Z.]{1,12}\]"
)
_AS_OF = re.compile(r" as of ", re.IGNORECASE)


@functools.lru_cache(maxsize=8192)
def readings(cell: str) -> dict[str, date]:
    """The dates that the cell may mean, by the order of day, month and year; a certain one is under all three.

    The result is cached, as statements repeat their days: callers must not change it.
    """
    text = _bare(cell)
    if not 6 <= len(text) <= LONGEST:
        return {}
    numbers = _NUMBERS.fullmatch(text)
    if numbers:
        return _numeric(numbers[1], numbers[2], numbers[3], numbers[4])
    day = _certain(text)
    return dict.fromkeys(ORDERS, day) if day else {}


def inside(text: str) -> list[str]:
    """The dates in numbers inside a longer text, such as `Statement as of 12/23/2020`."""
    return [match[0] for match in _INSIDE.finditer(text[:1000])]


def is_certain(cell: str) -> bool:
    return len(set(readings(cell).values())) == 1


def _bare(cell: str) -> str:
    """Without time of day, weekday and Schwab's second date."""
    text = " ".join(cell[: LONGEST * 2].split())
    if text.startswith('="') and text.endswith('"'):
        text = text[2:-1]
    text = _AS_OF.split(text, maxsplit=1)[0]
    weekday = _WEEKDAY.match(text)
    if weekday and fold(weekday[0]) not in MONTHS:
        text = text[weekday.end() :]
    for at in range(6, min(len(text), LONGEST)):
        if text[at] in "T ,[" and _TIME.fullmatch(text, at):
            return text[:at]
    return _without_clock(text)


def _without_clock(text: str) -> str:
    """`20091224120000[0:GMT]`: OFX's way, also seen in CSV."""
    return text.split("[", 1)[0] if "[" in text else text


def _numeric(first: str, mark: str, second: str, third: str) -> dict[str, date]:
    if len(first) == 4:
        day = _date(first, second, third)
        return dict.fromkeys(ORDERS, day) if day and len(third) <= 2 else {}
    if len(first) > 2 or len(third) not in (2, 4):
        return {}
    candidates = {DMY: (third, second, first), MDY: (third, first, second), YMD: (first, second, third)}
    if len(third) == 4:
        del candidates[YMD]
    if mark.startswith("."):  # nobody writes the month first with points
        del candidates[MDY]
    return {order: day for order, figures in candidates.items() if (day := _date(*figures))}


def _certain(text: str) -> date | None:
    compact = _COMPACT.fullmatch(text)
    if compact:
        return _date(*compact.groups())
    for pattern, (year, month, day) in _WITH_MONTH_NAMES:
        match = pattern.fullmatch(text)
        if match:
            return _with_month_name(match[year], match[month], match[day])
    return None


def _with_month_name(year: str, month: str, day: str) -> date | None:
    number = MONTHS.get(fold(month))
    return _date(year, str(number), day) if number else None


def _date(year: str, month: str, day: str) -> date | None:
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= PIVOT else 2000
    if not FIRST_YEAR <= number <= LAST_YEAR or len(year) not in (2, 4):
        return None
    try:
        return date(number, int(month), int(day))
    except ValueError:
        return None
