"""Amounts as people write them: signs, currencies, groups of digits, either decimal mark.

Which mark a file uses is not decided here: `1,234` means two things, and only the other amounts of the file, or the
person, know which. No cell is longer than 60 characters, so nothing here can take long.
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

LONGEST = 60
MAX_WHOLE_DIGITS, MAX_PLACES = 16, 4
SEPARATORS = ".,' "
MINUS, PLUS = "-\u2212\u2013", "+"
IN, OUT = "in", "out"

# ISO 4217 with how many places each has; what is not here is not taken for a currency.
_TWO_PLACES = (
    "AED ARS AUD BAM BGN BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GEL GTQ HKD HRK HUF IDR ILS INR KES LKR MAD "
    "MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU ZAR"
)
_OTHER_PLACES = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
PLACES = dict.fromkeys(_TWO_PLACES.split(), 2) | _OTHER_PLACES
# The symbols that mean one currency, or several that all have two places.
SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "kč": "CZK", "r$": "BRL", "₩": "KRW"}
_MORE_SYMBOLS = {"$", "us$", "ca$", "c$", "a$", "au$", "nz$", "hk$", "s$", "kr", "kr.", "fr", "fr.", "sfr", "sfr."}
_MORE_SYMBOLS |= {"ft", "lei", "rs", "rs.", "₽", "₺", "₪", "₱", "฿", "₴", "₫", "₦", "r"}
_SIDES = {"cr": IN, "dr": OUT, "h": IN, "s": OUT}
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u202f\u2009\u2007\t", " ") | {"\u2019": "'", "`": "'", "\u00b4": "'"})


@dataclass(frozen=True)
class Written:
    """An amount before its decimal mark is known. `currency` is a folded symbol or code, or empty."""

    body: str
    negative: bool
    plus: bool
    currency: str

    @property
    def places(self) -> int | None:
        """Places the currency has; None if it is not named or its symbol is any dollar's."""
        code = SYMBOLS.get(self.currency, self.currency.upper())
        return PLACES.get(code, 2 if self.currency in _MORE_SYMBOLS else None)


def written(cell: str) -> Written | None:
    """The parts of an amount; None where the cell is no amount under any reading."""
    usual = _USUAL.fullmatch(cell)
    if usual:
        return Written(usual[2], usual[1] == "-", False, "")
    text = _plain(cell)
    if not text or len(text) > LONGEST or not text.isprintable():
        return None
    first, last = _digits(text)
    if first < 0:
        return None
    affixes = _affixes(text[:first], text[last + 1 :])
    body = text[first : last + 1]
    if affixes is None or (value(body, ".") is None and value(body, ",") is None):
        return None
    return Written(body, *affixes)


def mark_of(body: str) -> str:
    """ "." or "," if only that mark makes a number of it, "?" if both do and differ, "" if they agree."""
    point, comma = value(body, "."), value(body, ",")
    if point is None or comma is None:
        return "," if point is None else "."
    return "" if point == comma else "?"


def value(body: str, mark: str) -> Decimal | None:
    """The number, if `mark` is the decimal mark; None if it then is not well formed."""
    if body.isdigit() and body.isascii():
        return Decimal(body)
    whole, _, part = body.partition(mark)
    if (mark in body and not part) or not ((part.isascii() and part.isdigit()) or not part):
        return None
    digits = _grouped(whole, mark) if whole else ("0" if part else None)
    if digits is None:
        return None
    return Decimal(f"{digits}.{part or '0'}")


def too_long(number: Decimal) -> bool:
    """More digits than the ledger keeps; zeros at the end of the part do not count."""
    short = number.normalize() if number else Decimal(0)
    return number >= Decimal(10) ** MAX_WHOLE_DIGITS or -int(short.as_tuple().exponent) > MAX_PLACES


# Most amounts of most files; the rest takes the long way.
_USUAL = re.compile(r"(-?)(\d{1,12}(?:[.,]\d\d)?)", re.ASCII)


def _plain(cell: str) -> str:
    text = cell.translate(_BLANKS).strip()
    if text.startswith('="') and text.endswith('"'):  # a spreadsheet's way to keep leading zeros
        text = text[2:-1].strip()
    return text


def _digits(text: str) -> tuple[int, int]:
    """First and last place of the number itself; a mark directly before its first digit belongs to it."""
    places = [at for at, char in enumerate(text) if char in "0123456789"]
    if not places:
        return -1, -1
    first = places[0]
    before = text[first - 1 : first]
    return (first - 1 if before and before in ".," else first), places[-1]


def _affixes(before: str, after: str) -> tuple[bool, bool, str] | None:
    """(negative, explicit plus, currency) of what stands around the number; None if it is anything else."""
    opened, closed = before.count("("), after.count(")")
    signs = [char for char in before + after if char in MINUS or char in PLUS]
    if opened != closed or opened > 1 or len(signs) + opened > 1 or ")" in before or "(" in after:
        return None
    drop = str.maketrans(dict.fromkeys("()" + MINUS + PLUS, " "))
    left, right = " ".join(before.translate(drop).split()), " ".join(after.translate(drop).split())
    side = ""
    last = right.rsplit(" ", 1)[-1]
    if last.casefold() in _SIDES and (len(last) > 1 or last in ("H", "S")):
        side, right = _SIDES[last.casefold()], right[: -len(last)].strip()
    if not _currency(left) or not _currency(right) or (side and (signs or opened)):
        return None
    negative = bool(opened) or any(sign in MINUS for sign in signs) or side == OUT
    return negative, PLUS in signs or side == IN, (left or right).casefold()


def _currency(word: str) -> bool:
    """True for a symbol, a code we know, or nothing."""
    if not word or word.upper() in PLACES or word.casefold() in SYMBOLS or word.casefold() in _MORE_SYMBOLS:
        return True
    return len(word) == 1 and unicodedata.category(word) == "Sc"


def _grouped(whole: str, mark: str) -> str | None:
    """The digits of `1,234,567`, `1 234 567`, `12,34,567`; None where the groups are not groups."""
    used = {char for char in whole if char in SEPARATORS}
    if not used:
        return whole if whole.isascii() and whole.isdigit() else None
    if len(used) > 1 or mark in used:
        return None
    head, *groups = whole.split(used.pop())
    if not (1 <= len(head) <= 3) or head[0] == "0" or len(groups[-1]) != 3:
        return None
    sizes = {len(group) for group in groups[:-1]}
    if sizes - {3} and (sizes - {2} or len(head) > 2):  # threes, or India's twos before the last three
        return None
    digits = "".join([head, *groups])
    return digits if digits.isascii() and digits.isdigit() else None
