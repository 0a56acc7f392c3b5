"""Amounts as people write them: signs, currencies, groups of digits, either decimal mark.

Which mark a file uses is not decided here: `1,234` means two things, and only the other amounts of the file, or the
person, know which. No cell is longer than 60 characters, so nothing here can take long.
"""

import functools
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

LONGEST = 60
MAX_WHOLE_DIGITS, MAX_PLACES = 16, 4
SEPARATORS = ".,' "
MINUS, PLUS = "-\u2212\u2013", "+"
IN, OUT = "in", "out"

# ISO 4217 with how many places each has; another code is not taken for a currency.
_TWO_PLACES = (
    "AED ARS AUD BAM BGN BRL CAD CHF CNY COP CRC CZK DKK DOP EGP EUR GBP GEL GTQ HKD HRK HUF IDR ILS INR KES LKR MAD "
    "MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU ZAR"
)
_OTHER_PLACES = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
PLACES = dict.fromkeys(_TWO_PLACES.split(), 2) | _OTHER_PLACES
_CODES = {"", *PLACES}
# The symbols that mean one currency, or several that all have two places.
SYMBOLS = {"€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "zł": "PLN", "kč": "CZK", "r$": "BRL", "₩": "KRW"}
_MORE_SYMBOLS = {"$", "us$", "ca$", "c$", "a$", "au$", "nz$", "hk$", "s$", "kr", "kr.", "fr", "fr.", "sfr", "sfr."}
_MORE_SYMBOLS |= {"ft", "lei", "rs", "rs.", "₽", "₺", "₪", "₱", "฿", "₴", "₫", "₦", "r"}
_SIDES = {"cr": IN, "dr": OUT, "h": IN, "s": OUT}
_BLANKS = str.maketrans(dict.fromkeys("\u00a0\u202f\u2009\u2007\t", " ") | {"\u2019": "'", "`": "'", "\u00b4": "'"})


# A whole number in groups of three, or in India's groups of two before the last three; then the part behind the mark.
_NUMBER = (
    r"(?P<whole>\d+"
    r"|[1-9]\d{{0,2}}(?P<three>[{separators}])\d{{3}}(?:(?P=three)\d{{3}})*"
    r"|[1-9]\d?(?P<two>[{separators}])\d\d(?:(?P=two)\d\d)*(?P=two)\d{{3}})?"
    r"(?:{mark}(?P<part>\d+))?"
)
_NUMBERS = {
    mark: re.compile(_NUMBER.format(mark=re.escape(mark), separators=SEPARATORS.replace(mark, "")), re.ASCII)
    for mark in ".,"
}
_NOT_DIGIT = re.compile(r"[^0-9]")
# Most amounts of most files; the rest takes the long way.
_USUAL = re.compile(r"(-?)(\d{1,12}(?:[.,]\d\d)?)", re.ASCII)
_DIGITS = re.compile(r"[.,]?[0-9](?:.*[0-9])?")
_SIDE = re.compile(r"(?:(?P<text>.*) )?(?P<side>[CcDd][Rr]|[HS])")
_BARE = str.maketrans(dict.fromkeys("()" + MINUS + PLUS, " "))


@dataclass(frozen=True)
class AmountText:
    """An amount before its decimal mark is known. `currency` is a folded symbol or code, or empty."""

    body: str
    negative: bool
    plus: bool
    currency: str

    @property
    def places(self) -> int | None:
        """Places the currency has; None if it is not named or its symbol is any dollar's."""
        return places_of(self.currency)

    @property
    def is_marked(self) -> bool:
        """A part, a sign or a currency: an account number has none of them."""
        return not self.body.isdigit() or self.negative or self.plus or bool(self.currency)


def places_of(currency: str) -> int | None:
    """Places of a currency by its code or symbol; None for an unknown one."""
    code = SYMBOLS.get(currency, currency.upper())
    return PLACES.get(code, 2 if currency in _MORE_SYMBOLS else None)


@functools.lru_cache(maxsize=8192)
def read(cell: str) -> AmountText | None:
    """The parts of an amount; None where the cell is no amount under any reading. Every step reads the same cells."""
    usual = _USUAL.fullmatch(cell)
    if usual:
        return AmountText(usual[2], usual[1] == "-", False, "")
    text = _plain(cell)
    digits = _DIGITS.search(text) if len(text) <= LONGEST and text.isprintable() else None
    if digits is None or all(number(digits[0], mark) is None for mark in _NUMBERS):
        return None
    affixes = _affixes(text[: digits.start()], text[digits.end() :])
    return AmountText(digits[0], *affixes) if affixes else None


def mark_of(body: str) -> str:
    """ "." or "," if only that mark makes a number of it, "?" if both do and differ, "" if they agree."""
    point, comma = number(body, "."), number(body, ",")
    if point is None or comma is None:
        return "," if point is None else "."
    return "" if point == comma else "?"


def number(body: str, mark: str) -> Decimal | None:
    """The number, if `mark` is the decimal mark; None if it then is not well formed."""
    match = _NUMBERS[mark].fullmatch(body)
    if not match or not body:
        return None
    whole = _NOT_DIGIT.sub("", match["whole"] or "0")
    return Decimal(whole) if match["whole"] == body == whole else Decimal(f"{whole}.{match['part'] or '0'}")


def is_too_long(number: Decimal) -> bool:
    """More digits than the ledger keeps; zeros at the end of the part do not count."""
    short = number.normalize() if number else Decimal(0)
    return number >= Decimal(10) ** MAX_WHOLE_DIGITS or -int(short.as_tuple().exponent) > MAX_PLACES


def _plain(cell: str) -> str:
    text = cell.translate(_BLANKS).strip()
    if text.startswith('="') and text.endswith('"'):  # a spreadsheet's way to keep leading zeros
        text = text[2:-1].strip()
    return text


def _affixes(before: str, after: str) -> tuple[bool, bool, str] | None:
    """(negative, explicit plus, currency) from the text around the number; None if that text is anything else."""
    signs = [char for char in before + after if char in MINUS + PLUS]
    brackets = (before.count("("), before.count(")"), after.count("("), after.count(")"))
    if brackets not in ((0, 0, 0, 0), (1, 0, 0, 1)):
        return None
    left, right = (" ".join(text.translate(_BARE).split()) for text in (before, after))
    side = _SIDE.fullmatch(right)
    right = (side["text"] or "") if side else right
    directions = [*signs, *("-" for _ in range(brackets[0])), *([_SIDES[side["side"].casefold()]] if side else [])]
    if len(directions) > 1 or not _is_currency(left) or not _is_currency(right):
        return None
    negative = any(direction in (*MINUS, OUT) for direction in directions)
    plus = any(direction in (*PLUS, IN) for direction in directions)
    return negative, plus, (left or right).casefold()


def _is_currency(word: str) -> bool:
    """True for a symbol, a code we know, or nothing."""
    if word.upper() in _CODES or word.casefold() in SYMBOLS or word.casefold() in _MORE_SYMBOLS:
        return True
    return len(word) == 1 and unicodedata.category(word) == "Sc"
