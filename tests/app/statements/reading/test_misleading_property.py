"""Invented statements whose words mislead: each is read exactly, or a question offers what is true.

The rows are drawn first, then a file is rendered from them: a shape, an encoding, a style of numbers and dates, lines
that are no transactions. `STATEMENTS_MISLEADING` says how many are invented: the soak wants a thousand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from statements.importing import Refused, parse
from statements.reading.asking import Asked

EXAMPLES = int(os.environ.get("STATEMENTS_MISLEADING", "60"))
MOST_PATHS = 400
Rows = list[tuple[date, Decimal, str]]

TEXTS = [
    "PAYROLL",
    "Salary paid",
    "FACTURE 12",
    "Miete Whg 1",
    "Insurance",
    "Deposit for venue",
    "Refund",
    "Sale 1001",
    "PAYMENT - THANK YOU",
    "Direct debit",
    "Gutschrift",
    "Transfer to savings",
    "COLES PERTH WA",
    "REWE BERLIN DE",
    "AUSTIN TX",
    "Check paid",
    "Final balance on kitchen",
    "NEW BALANCE",
    "TOTAL ENERGIES",
    "Total",
    "Saldo",
    "Pending",
    "Memo",
    "Hold",
    "LANTERN BOOKS",
    "KITE",
    "HARBOUR COFFEE",
]  # fmt: skip  a text per line would fill a page
MARKED = {
    "cp1250": "Płatność kartą",
    "cp1252": "Prélèvement à la gare",
    "cp1251": "Оплата картой",
    "utf-8": "Käse Žabka",
}
STATES = [
    ("Completed", "Declined"),
    ("zrealizowana", "odrzucona"),
    ("gebucht", "storniert"),
    ("C", "R"),
    ("hotovo", "ne"),
]
SHAPES = ["amount", "balance", "flipped", "owed", "left", "sides", "direction", "kinds", "status", "pending", "opening",
          "total", "two amounts", "currencies", "no header"]  # fmt: skip
DATES = {"certain": ("%Y-%m-%d",), "dmy": ("%d/%m/%Y", "%d.%m.%Y"), "mdy": ("%m/%d/%Y",)}


@dataclass(frozen=True)
class Invented:
    rows: Rows
    shape: str
    encoding: str
    format: str
    comma: bool
    states: tuple[str, str]


@st.composite
def invented(draw: st.DrawFn) -> Invented:
    encoding = draw(st.sampled_from(sorted(MARKED)))
    cents = st.integers(-500_000, 500_000).filter(bool).map(lambda number: Decimal(number) / 100)
    pool = draw(st.sampled_from([TEXTS, TEXTS[-3:]]))  # also files without a word that raises a question
    text = st.sampled_from([*pool, MARKED[encoding], MARKED[encoding]])
    row = st.tuples(st.dates(date(2024, 1, 1), date(2025, 12, 28)), cents, text)
    rows = sorted(draw(st.lists(row, min_size=3, max_size=8)), key=lambda one: one[0])
    if draw(st.booleans()):
        rows.append(rows[-1])  # two equal rows of one day are two
    shape = draw(st.sampled_from(SHAPES))
    into = sum(amount > 0 for _, amount, _ in rows)
    if shape in ("flipped", "owed", "left") and into * 2 >= len(rows):  # a card's export: most of it are charges
        rows = [(day, -amount, text) for day, amount, text in rows]
        rows += [rows[0]] if into * 2 == len(rows) and rows[0][1] < 0 else []
        rows = (
            rows if sum(amount > 0 for _, amount, _ in rows) * 2 < len(rows) else [(d, -abs(a), t) for d, a, t in rows]
        )
    order = draw(st.sampled_from(sorted(DATES)))
    comma = order != "mdy" and draw(st.booleans())  # nobody writes the month first and a decimal comma
    formats = draw(st.sampled_from(DATES[order]))
    return Invented(rows, shape, encoding, formats, comma, draw(st.sampled_from(STATES)))


def number(one: Invented, value: Decimal) -> str:
    return f"{value:.2f}".replace(".", ",") if one.comma else f"{value:.2f}"


def rendered(one: Invented) -> tuple[bytes, Rows]:
    """(the file, the rows that it holds in truth)."""
    header, lines, truth = ["Date", "Description", "Amount"], [], list(one.rows)
    total = Decimal(1000)
    for at, (day, amount, text) in enumerate(one.rows):
        total += amount
        cells = [day.strftime(one.format), text, number(one, amount)]
        if one.shape in ("flipped", "owed", "left"):
            cells[2] = number(one, -amount)
        if one.shape in ("balance", "owed", "left"):
            cells.append(number(one, -total if one.shape == "owed" else total))
        if one.shape == "sides":
            cells[2:] = [number(one, -amount), ""] if amount < 0 else ["", number(one, amount)]
        if one.shape in ("direction", "kinds"):
            kind = "Fee" if one.shape == "kinds" and at == 0 else "Debit" if amount < 0 else "Credit"
            cells[2:] = [number(one, abs(amount)), kind]
        if one.shape == "status":
            cells.append(one.states[at == 1])
        if one.shape == "two amounts":
            cells[2:] = [number(one, amount * 2), number(one, amount)]
        if one.shape == "currencies":
            cells[2] = f"{'-' if amount < 0 else ''}{'€' if at % 2 else 'EUR '}{number(one, abs(amount))}"
        lines.append(cells)
    header += {"balance": ["Balance"], "owed": ["Balance"], "left": ["Balance"], "status": ["Status"]}.get(
        one.shape, []
    )
    header = {
        "sides": ["Date", "Description", "Debit", "Credit"],
        "direction": ["Date", "Description", "Amount", "Type"],
        "kinds": ["Date", "Description", "Amount", "Type"],
        "two amounts": ["Date", "Description", "Transaction amount", "Billing amount"],
    }.get(one.shape, header)
    if one.shape == "status":
        del truth[1]
    if one.shape == "pending":
        lines[1:1] = [["Posted transactions", "", ""]]
        lines[0:0] = [["Pending transactions", "", ""]]
        del truth[0]
    if one.shape == "opening":
        lines.insert(0, [one.rows[0][0].strftime(one.format), "Ingående saldo", number(one, Decimal("812.34"))])
    if one.shape == "total":
        lines.append([one.rows[-1][0].strftime(one.format), "Razem", number(one, sum(a for _, a, _ in one.rows) or 1)])
    table = lines if one.shape == "no header" else [header, *lines]
    content = "\n".join(";".join(cells) for cells in table)
    encoding = "utf-8" if one.shape == "opening" else one.encoding  # whose letter the others do not have
    if one.shape == "currencies" and encoding == "cp1251":
        content = content.replace("€", "EUR ")
    return content.encode(encoding), truth


def outcomes(content: bytes, answers: dict[str, str]) -> Iterator[Rows]:
    """What each way through the questions ends with."""
    try:
        yield [(row.date, row.amount, row.description) for row in parse("f.csv", content, answers).rows]
    except Asked as asked:
        first = asked.questions[0]
        for choice in first.choices:
            yield from outcomes(content, {**answers, first.key: choice.value})
    except Refused:
        if not answers:
            raise


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(invented())
def test_no_invented_statement_is_wrong_in_silence(one: Invented) -> None:
    content, truth = rendered(one)
    for tried, rows in enumerate(outcomes(content, {})):
        if rows == truth:
            return
        assert tried < MOST_PATHS
    raise AssertionError(f"nothing that is offered is true of\n{content.decode(one.encoding, 'replace')}")
