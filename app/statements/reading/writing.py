"""How a file is written: decimal mark, currency, order of dates. The person decides where the evidence does not.

A module of its own because `evidence` finds what the rows prove and asks nobody; this one asks the person.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from statements.reading import amounts, dates, evidence, table
from statements.reading.draft import Draft, File
from statements.reading.evidence import Hints
from statements.reading.parsing import counted
from statements.reading.table import Table

ENGLISH = {"date", "description", "amount", "debit", "credit", "balance", "payee", "merchant", "details", "narrative"}
ORDERS = {dates.DMY: "day/month/year", dates.MDY: "month/day/year", dates.YMD: "year/month/day"}


def first_mark(whole_table: Table) -> str:
    """Good enough to tell columns apart by; the amounts' own columns decide later."""
    cells = (cell for record in whole_table.rows[: table.PROFILED] for cell in record.cells if not dates.readings(cell))
    mark = evidence.decimal_mark((amount for amount in map(amounts.read, cells) if amount and amount.is_marked), "")
    return mark if mark in (".", ",") else "."


def with_conventions(file: File, drafts: Sequence[Draft], code: str) -> File:
    """The file with its decimal mark and its order of dates; as it is where it has them."""
    if file.mark:
        return file
    file = replace(file, mark=_mark(file, drafts, code))
    return replace(file, order=_order(file, drafts, code))


def _mark(file: File, drafts: Sequence[Draft], code: str) -> str:
    layout = file.layout
    money = [amount for draft in drafts for amount in draft.cells]
    beside = [amounts.read(draft.record.cell(column)) for draft in drafts for column in (layout.balance, layout.fee)]
    proven = evidence.decimal_mark(filter(None, [*money, *beside]), code)
    example = next((amount.body for amount in money if amount and amounts.mark_of(amount.body) == "?"), "")
    choices = {".": "the point: 1,234.50 is a bit over a thousand", ",": "the comma: 1.234,50 is a bit over a thousand"}
    text = f"Which is the decimal mark? An amount reads {example!r}." if example else "Which is the decimal mark?"
    return file.desk.decide("decimal_mark", "." if proven == "any" else proven, text, choices)


def currency(file: File, drafts: Sequence[Draft]) -> tuple[str, str]:
    """(the code of the file's currency, or "" if it does not say; the only one of several to import, or "")."""
    counts = Counter(code for draft in drafts for code in codes_of(file, draft))
    if len(counts) > 1:
        return _ask_currency(file, counts)
    code = next(iter(counts), "")
    if code in amounts.PLACES:
        return code, ""
    return ("" if file.layout.currency is not None else _header_currency(file)), ""


def _ask_currency(file: File, counts: Counter[str]) -> tuple[str, str]:
    header = _header_currency(file)
    choices = {code: f"only {code} ({counted(counts[code], 'row')})" for code in sorted(counts)}
    choices["all"] = "all rows: the amounts are in the account's currency"
    text = "The file holds several currencies. Which does this account hold?"
    answer = file.desk.decide("currency", "", text, choices, likely="all" if header else "")
    if answer == "all":
        return header, ""
    return (answer if answer in amounts.PLACES else ""), answer


def codes_of(file: File, draft: Draft) -> set[str]:
    """The currencies a row names, in its own column or beside its amounts; any dollar's sign says less than a code."""
    symbols = {amount.currency for amount in draft.cells if amount} - {""}
    beside = {amounts.SYMBOLS.get(symbol, symbol.upper()) for symbol in symbols}
    cell = draft.record.cell(file.layout.currency).upper()
    if not cell:
        return beside
    return {amounts.SYMBOLS.get(cell.casefold(), cell)} | (beside & set(amounts.PLACES))


def _header_currency(file: File) -> str:
    words = {word.upper() for column in file.layout.money for word in file.header_words(column)}
    codes = words & set(amounts.PLACES)
    return codes.pop() if len(codes) == 1 else ""


def _order(file: File, drafts: Sequence[Draft], code: str) -> str:
    """Lines that are no transactions have dates too, and so have lines above the table."""
    columns = (file.layout.day, *file.layout.other_days)
    rows = [[record.cell(column) for column in columns] for record in file.table.rows]
    above = [day for record in file.table.preamble for cell in record.cells for day in dates.inside(cell)]
    header = set(" ".join(file.table.names).split())
    hints = Hints(
        american=file.layout.american,
        decimal_comma=file.mark == ",",
        currency=code,
        foreign=bool(header) and not header & ENGLISH,
    )
    texts = [file.description(draft.record) for draft in drafts]
    finding = evidence.date_order(rows, above, texts, hints)
    if finding.why:
        file.desk.note(f"dates read as {ORDERS[finding.decided]}: {finding.why}")
    example = next((row[0] for row in rows if not dates.is_certain(row[0])), "")
    days = dates.readings(example)
    names = {order: name for order, name in ORDERS.items() if order in days}
    choices = {order: f"{name}: {example} is {days[order].day} {days[order]:%B %Y}" for order, name in names.items()}
    text = "In which order do the dates name day and month?"
    return file.desk.decide("date_order", finding.decided, text, choices or ORDERS, likely=finding.likely)
