"""A thousand statements nobody wrote: each row comes back exactly, or the file is asked about where it is ambiguous.

A statement is invented first (days, amounts, texts), then written down in a way some bank might: delimiter, encoding,
quotes, decimal mark, groups, order of dates, style of signs, a line of totals. Reading must give back what was
invented. Likewise for files of several accounts, for Wells Fargo's, and for files that overlap.
"""

from __future__ import annotations

import csv
import io
import os
import random
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger.models import Transaction
from statements.importing import import_file, new_rows, parse, row_fingerprint
from statements.reading.asking import Asked
from statements.reading.parsing import Row

EXAMPLES = int(os.environ.get("STATEMENTS_INVENTED", "1000"))
# Made up; some with what breaks a careless reader: delimiters, quotes, digits, umlauts.
TEXTS = ["LANTERN BOOKS", "HARBOUR COFFEE 17", 'KITE "N" STRING', "Bäckerei Süß", "MUSE, MAP; & CO", "a|b", "Ölmühle 3"]
TEXTS += ["TWO\nLINES", "C:\\FEES", "=1+1"]
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
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso-8859-1")
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
    quoted: bool
    totals: bool


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
        encoding=draw(st.sampled_from(ENCODINGS)),
        mark=mark,
        groups=draw(st.sampled_from(["", " ", "'", ".,".replace(mark, "")])),
        order=order,
        format=draw(st.sampled_from(DATES[order])),
        style=draw(st.sampled_from(STYLES)),
        balance=draw(st.booleans()),
        newest_first=draw(st.booleans()),
        preamble=draw(st.booleans()),
        newline=draw(st.sampled_from(["\n", "\r\n"])),
        quoted=draw(st.booleans()),
        totals=draw(st.booleans()),
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
    quoting = csv.QUOTE_ALL if one.quoted else csv.QUOTE_MINIMAL
    table = csv.writer(out, delimiter=one.delimiter, lineterminator=one.newline, quoting=quoting)
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
    if one.totals:
        table.writerow(["", "", *total_cells(one), *([""] if one.balance else [])])
    return out.getvalue().encode(one.encoding)


def total_cells(one: Invented) -> list[str]:
    values = [value for _, _, value in one.rows]
    if one.style == "sides":
        sides = (sum(value for value in values if value < 0), sum(value for value in values if value > 0))
        return [number(one, Decimal(side)) for side in sides]
    total = sum(values, Decimal(0))
    return [number(one, total), ""] if one.style == "direction" else [signed(one, total)]


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


MANY = settings(
    max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def read(one: Invented, content: bytes) -> list[tuple[date, str, Decimal]]:
    try:
        found = parse("f.csv", content)
    except Asked as asked:
        may_be_asked(one, {question.key for question in asked.questions})
        found = parse("f.csv", content, {question.key: answers(one)[question.key] for question in asked.questions})
    assert not found.problems
    return [(row.date, row.description, row.amount) for row in found.rows]


@MANY
@given(statements())
def test_each_row_comes_back_exactly_or_is_asked_about(one: Invented) -> None:
    assert read(one, written(one)) == expected(one)


@settings(MANY, max_examples=max(1, EXAMPLES // 4))  # five readings each
@given(statements(), st.lists(st.sampled_from(["Daily", "Savings", "****4711"]), min_size=12, max_size=12))
def test_of_several_accounts_each_answer_gives_exactly_its_rows(one: Invented, names: list[str]) -> None:
    content = with_accounts(one, names)
    order = range(len(one.rows))[:: -1 if one.newest_first else 1]
    if len(set(names[: len(one.rows)])) == 1:
        assert read(one, content) == expected(one)
        return
    with pytest.raises(Asked) as caught:
        parse("f.csv", content)
    (question,) = (found for found in caught.value.questions if found.key == "own_account")
    assert {choice.value for choice in question.choices} == {*names[: len(one.rows)], "all"}
    for choice in question.choices:
        chosen = [one.rows[at] for at in order if choice.value in ("all", names[at])]
        found = parse("f.csv", content, {**answers(one), "own_account": choice.value})
        assert [(row.date, row.description, row.amount) for row in found.rows] == chosen
        assert choice.label.startswith("all accounts in one: " if choice.value == "all" else f"{choice.value}: ")
        plural = "row" if len(chosen) == 1 else "rows"
        assert f": {len(chosen)} {plural}, sum {sum(row[2] for row in chosen):.2f}" in choice.label or (
            f"sum {-sum(row[2] for row in chosen):.2f}" in choice.label  # its sign is asked next
        )


def with_accounts(one: Invented, names: list[str]) -> bytes:
    """The statement with a column of accounts behind the others; a balance of all accounts together would be a lie."""
    plain = replace(one, balance=False, preamble=False, totals=False, encoding="utf-8")
    table = list(csv.reader(io.StringIO(written(plain).decode(), newline=""), delimiter=one.delimiter))
    at = range(len(one.rows))[:: -1 if one.newest_first else 1]
    out = io.StringIO()
    cells = ["Account", *(names[number] for number in at)]
    lines = [[*line, cell] for line, cell in zip(table, cells, strict=True)]
    csv.writer(out, delimiter=one.delimiter, lineterminator=one.newline).writerows(lines)
    return out.getvalue().encode(one.encoding)


ROWS = st.tuples(
    st.dates(date(2019, 1, 1), date(2025, 12, 28)),
    st.integers(-5_000_000, 5_000_000).map(lambda cents: Decimal(cents) / 100),
    st.sampled_from(["", "7", "1042"]),
    st.sampled_from([text for text in TEXTS if "\n" not in text]),
)


@MANY
@given(st.lists(ROWS, min_size=1, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_each_row_of_wells_fargo_comes_back_exactly(rows: list[tuple[date, Decimal, str, str]], newline: str) -> None:
    out = io.StringIO()
    table = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=newline)
    table.writerows([f"{day:%m/%d/%Y}", f"{amount:.2f}", "*", check, text] for day, amount, check, text in rows)
    found = parse("f.csv", out.getvalue().encode())
    assert found.source == "wellsfargo_bank_csv"
    assert [(row.date, row.amount, row.check_number, row.description) for row in found.rows] == rows


FEW = st.builds(lambda day, cents: Row(1, (), date(2025, 3, day), Decimal(cents), "", "TEA"), *[st.integers(1, 3)] * 2)


@MANY
@given(st.lists(st.lists(FEW, max_size=8), max_size=5))
def test_of_files_that_overlap_each_row_is_kept_as_often_as_the_file_with_most_has_it(
    files: list[list[Row]],
) -> None:
    held: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for file in files:
        held.update(row_fingerprint(row) for row in new_rows(file, held))
        most |= Counter(row_fingerprint(row) for row in file)
        assert held == most


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(5))
def test_overlapping_windows_of_one_history_in_any_order_give_the_history(seed: int) -> None:
    """In the database, with days that hold equal rows; a bank exports whole days, so windows are cut between them."""
    chance = random.Random(seed)  # noqa: S311  a seed, no secret
    days = [[chance.choice(["-4.10", "-4.10", "7.00"]) for _ in range(chance.randint(0, 4))] for _ in range(28)]
    lines = [[f"2025-02-{at:02},TEA,{amount}\n" for amount in day] for at, day in enumerate(days, start=1)]
    windows = [(at, min(28, at + 9)) for at in range(0, 28, 4)]
    for first, behind in chance.sample(windows, len(windows)):
        content = "Date,Description,Amount\n" + "".join(line for day in lines[first:behind] for line in day)
        import_file(f"{first}.csv", content.encode(), "A", answers={"amount_sign": "as_is"})
    kept = Transaction.objects.order_by("date", "amount").values_list("date", "amount")
    wanted = sorted((date(2025, 2, at), Decimal(one)) for at, day in enumerate(days, start=1) for one in day)
    assert list(kept) == wanted
