"""A thousand statements nobody wrote: each row comes back exactly, or the file is asked about where it is ambiguous.

A statement is invented first (days, amounts, texts), then written down in a way some bank might: delimiter, encoding,
decimal mark, groups, order of dates, style of signs. Reading must give back what was invented.
"""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statements.asking import Asked
from statements.importing import parse

EXAMPLES = int(os.environ.get("STATEMENTS_INVENTED", "1000"))
# Made up; some with what breaks a careless reader: delimiters, quotes, digits, umlauts.
TEXTS = ["LANTERN BOOKS", "HARBOUR COFFEE 17", 'KITE "N" STRING', "Bäckerei Süß", "MUSE, MAP; & CO", "a|b", "Ölmühle 3"]
HEADERS = {
    "en": ("Date", "Description", "Amount", "Debit", "Credit", "Balance", "Type"),
    "de": ("Buchungstag", "Verwendungszweck", "Betrag", "Soll", "Haben", "Saldo", "Umsatzart"),
    "fr": ("Date", "Libellé", "Montant", "Débit", "Crédit", "Solde", "Type"),
    "es": ("Fecha", "Concepto", "Importe", "Cargo", "Abono", "Saldo", "Tipo"),
}
DATES = {
    "dmy": ("%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"),
    "mdy": ("%m/%d/%Y",),
    "certain": ("%Y-%m-%d", "%Y%m%d", "%d %b %Y"),
}
STYLES = ("minus", "parentheses", "behind", "currency", "sides", "direction")


@dataclass(frozen=True)
class Invented:
    rows: tuple[tuple[date, str, Decimal], ...]
    language: str
    delimiter: str
    encoding: str
    mark: str
    groups: str
    order: str
    format: str
    style: str
    balance: bool
    newest_first: bool
    preamble: bool
    newline: str


@st.composite
def statements(draw: st.DrawFn) -> Invented:
    cents = st.integers(-5_000_000, 5_000_000).filter(bool)
    days = st.dates(date(2019, 1, 1), date(2025, 12, 28))
    amount = cents.map(lambda number: Decimal(number) / 100)
    rows = draw(st.lists(st.tuples(days, st.sampled_from(TEXTS), amount), min_size=1, max_size=12))
    order = draw(st.sampled_from(sorted(DATES)))
    american = order == "mdy"  # nobody else writes the month first
    mark = "." if american else draw(st.sampled_from(".,"))
    return Invented(
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        language="en" if american else draw(st.sampled_from(sorted(HEADERS))),
        delimiter=draw(st.sampled_from(",;\t|")),
        encoding=draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1"])),
        mark=mark,
        groups=draw(st.sampled_from(["", " ", "'", ".,".replace(mark, "")])),
        order=order,
        format=draw(st.sampled_from(DATES[order])),
        style=draw(st.sampled_from(STYLES)),
        balance=draw(st.booleans()),
        newest_first=draw(st.booleans()),
        preamble=draw(st.booleans()),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
    )


def number(one: Invented, value: Decimal) -> str:
    whole, part = f"{abs(value):,.2f}".split(".")
    return f"{whole.replace(',', one.groups)}{one.mark}{part}"


def signed(one: Invented, value: Decimal) -> str:
    text = number(one, value)
    if one.style == "currency":
        sign = "EUR" if one.encoding == "iso-8859-1" else "€"  # which has no sign for it
        text = f"${text}" if one.order == "mdy" else f"{text} {sign}"
    if value >= 0:
        return text
    return {"parentheses": f"({text})", "behind": f"{text}-"}.get(one.style, f"-{text}")


def written(one: Invented) -> bytes:
    day, text, amount, debit, credit, balance, kind = HEADERS[one.language]
    money = {"sides": [debit, credit], "direction": [amount, kind]}.get(one.style, [amount])
    out = io.StringIO()
    table = csv.writer(out, delimiter=one.delimiter, lineterminator=one.newline)
    if one.preamble:
        out.write(f"Statement of an account{one.newline}{one.newline}")
    table.writerow([day, text, *money, *([balance] if one.balance else [])])
    total, lines = Decimal("1000.00"), []
    for when, what, value in one.rows:
        total += value
        if one.style == "sides":
            cells = [number(one, value), ""] if value < 0 else ["", number(one, value)]
        elif one.style == "direction":
            cells = [number(one, value), "debit" if value < 0 else "credit"]
        else:
            cells = [signed(one, value)]
        lines.append([when.strftime(one.format), what, *cells, *([signed(one, total)] if one.balance else [])])
    table.writerows(lines[::-1] if one.newest_first else lines)
    return out.getvalue().encode(one.encoding)


def expected(one: Invented) -> list[tuple[date, str, Decimal]]:
    rows = [(when, what, value) for when, what, value in one.rows]
    return rows[::-1] if one.newest_first else rows


def answers(one: Invented) -> dict[str, str]:
    """What the person who has the paper statement would say."""
    return {
        "date_order": one.order if one.order != "certain" else "dmy",
        "decimal_mark": one.mark,
        "amount_sign": "as_is",
    }


def may_be_asked(one: Invented, keys: set[str]) -> None:
    """A question is fair only where the file really leaves it open."""
    if "date_order" in keys:
        assert one.order != "certain" and "." not in one.format
        assert all(when.day <= 12 for when, _, _ in one.rows)
    if "amount_sign" in keys:
        assert one.style not in ("sides", "direction")
        assert sum(value > 0 for _, _, value in one.rows) * 2 >= len(one.rows)
    assert "decimal_mark" not in keys  # there are always two digits behind it
    assert keys <= {"date_order", "amount_sign"}


@settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(statements())
def test_each_row_comes_back_exactly_or_is_asked_about(one: Invented) -> None:
    content = written(one)
    try:
        found = parse("f.csv", content)
    except Asked as asked:
        may_be_asked(one, {question.key for question in asked.questions})
        chosen = {question.key: answers(one)[question.key] for question in asked.questions}
        found = parse("f.csv", content, chosen)
    assert [(row.date, row.description, row.amount) for row in found.rows] == expected(one)
    assert not found.problems
