"""Bank statements made up from a seed, as restore-smoke imports them.

A module of its own because it is the one place that invents data: the same seed gives the same files on every machine
and Python (only `random()` itself is promised to stay). Merchants, people and numbers are invented.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from datetime import date, timedelta

from ansible.errors import AnsibleFilterError

FIRST, LAST = date(2024, 12, 1), date(2025, 4, 30)
# (what stands in the statement, cheapest, dearest, in cents; money out is negative)
MERCHANTS: tuple[tuple[str, int, int], ...] = (
    ("PURCHASE AUTHORIZED ON {day} GREENLEAF GROCERS {n:04d} CARD 7741", -18940, -312),
    ("PURCHASE AUTHORIZED ON {day} HARBOR & VINE, BISTRO CARD 7741", -9650, -880),
    ("PURCHASE AUTHORIZED ON {day} QUILL AND CANDLE BOOKS CARD 7741", -6400, -499),
    ("RECURRING PAYMENT AUTHORIZED ON {day} TIDEPOOL MUSIC CARD 7741", -999, -999),
    ('PURCHASE AUTHORIZED ON {day} O\'MALLEY "CORNER" HARDWARE CARD 7741', -22075, -125),
    ("BRIGHTWATER UTILITIES BILL PYMT {n:06d}", -18111, -4203),
    ("ZELLE TO MARLOW PENELOPE ON {day} REF # RP0{n:05d}", -60000, -1000),
    ("ATM WITHDRAWAL AUTHORIZED ON {day} 0{n:04d} LARKSPUR AVE", -40000, -2000),
    ("ONLINE TRANSFER FROM SAVINGS REF #IB0{n:05d}", 2500, 90000),
    ("HOLLOWAY & FINCH PAYROLL {n:06d}", 181250, 245000),
    ("INTEREST PAYMENT", 1, 312),
)
CHECK = "CHECK # {n:04d}"
Row = tuple[date, int, str, str]


def sample_statements(rows: int, seed: int = 20250430) -> dict[str, str]:
    """File name -> text: one headerless Wells Fargo CSV per month, `rows` transactions in all, newest first.

    The first and the last day have rows, and some days hold the same row twice, as banks' files do.
    """
    if rows < 4:
        raise AnsibleFilterError(f"sample_statements: {rows} rows; at least 4 are needed")
    transactions = _rows(rows, random.Random(seed).random)  # noqa: S311 - made-up statements, no secret
    months: dict[str, list[Row]] = {}
    for row in sorted(transactions, key=lambda row: row[0], reverse=True):
        months.setdefault(f"{row[0]:%Y-%m}", []).append(row)
    return {f"statement_{month}.csv": _csv_text(months[month]) for month in sorted(months)}


def _rows(count: int, chance: Callable[[], float]) -> list[Row]:
    days = (LAST - FIRST).days + 1
    rows = [_row(FIRST, chance), _row(LAST, chance)]
    while len(rows) < count:
        if chance() < 0.02:
            rows.append(rows[-1])
        else:
            rows.append(_row(FIRST + timedelta(days=int(chance() * days)), chance))
    return rows


def _row(day: date, chance: Callable[[], float]) -> Row:
    number = int(chance() * 10000)
    if chance() < 0.03:
        return day, -100 - int(chance() * 120000), str(number), CHECK.format(n=number)
    text, least, most = MERCHANTS[int(chance() * len(MERCHANTS))]
    return day, least + int(chance() * (most - least + 1)), "", text.format(day=f"{day:%m/%d}", n=number)


def _csv_text(rows: list[Row]) -> str:
    target = io.StringIO()
    writer = csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for day, cents, check, text in rows:
        sign, amount = "-" if cents < 0 else "", abs(cents)
        writer.writerow([f"{day:%m/%d/%Y}", f"{sign}{amount // 100}.{amount % 100:02d}", "*", check, text])
    return target.getvalue()
