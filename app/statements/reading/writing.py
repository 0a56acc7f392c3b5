"""How a file is written: decimal mark, currency, order of dates. What its evidence leaves open is asked.

A module of its own because `evidence` finds what the rows prove and asks nobody; here it meets the person's answers.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from statements.reading import amounts, dates, evidence, table
from statements.reading.draft import Draft, File
from statements.reading.evidence import Hints
from statements.reading.table import Table
from statements.reading.words import fold

ENGLISH = {"date", "description", "amount", "debit", "credit", "balance", "payee", "merchant", "details", "narrative"}
ORDERS = {dates.DMY: "day/month/year", dates.MDY: "month/day/year", dates.YMD: "year/month/day"}


def first_mark(found: Table) -> str:
    """Good enough to tell columns apart by; the amounts' own columns decide later."""
    cells = (cell for record in found.rows[: table.PROFILED] for cell in record.cells if not dates.readings(cell))
    written = (amounts.written(cell) for cell in cells)
    mark = evidence.decimal_mark((one for one in written if one and table.is_marked(one)), "")
    return mark if mark in (".", ",") else "."


def settled(file: File, drafts: Sequence[Draft], code: str) -> File:
    """The file with its decimal mark and its order of dates, unless they are known."""
    if file.mark:
        return file
    file = replace(file, mark=_mark(file, drafts, code))
    return replace(file, order=_order(file, drafts, code))


def _mark(file: File, drafts: Sequence[Draft], code: str) -> str:
    others = [column for column in (file.layout.balance, file.layout.fee) if column is not None]
    written = [one for draft in drafts for one in draft.cells if one]
    more = [amounts.written(draft.record.cell(column)) for draft in drafts for column in others]
    found = evidence.decimal_mark([*written, *(one for one in more if one)], code)
    example = next((one.body for one in written if amounts.mark_of(one.body) == "?"), "")
    choices = {".": "the point: 1,234.50 is a bit over a thousand", ",": "the comma: 1.234,50 is a bit over a thousand"}
    text = f"Which is the decimal mark? An amount reads {example!r}." if example else "Which is the decimal mark?"
    return file.desk.decide("decimal_mark", "." if found == "any" else found, text, choices)


def currency(file: File, drafts: Sequence[Draft]) -> tuple[str, str]:
    """(the code of the file's currency, or "" if it does not say; the only one of several to import, or "")."""
    seen = Counter(code for draft in drafts for code in codes_of(file, draft))
    if len(seen) < 2:
        code = next(iter(seen), "")
        if code in amounts.PLACES:
            return code, ""
        return ("" if file.layout.currency is not None else _header_currency(file)), ""
    named = _header_currency(file)
    choices = {code: f"only {code} ({seen[code]} {'row' if seen[code] == 1 else 'rows'})" for code in sorted(seen)}
    choices["all"] = "all rows: the amounts are in the account's currency"
    text = "The file holds several currencies. Which does this account hold?"
    answer = file.desk.decide("currency", "", text, choices, likely="all" if named else "")
    if answer == "all":
        return named, ""
    return (answer if answer in amounts.PLACES else ""), answer


def codes_of(file: File, draft: Draft) -> set[str]:
    """The currencies a row names, in its own column or beside its amounts; any dollar's sign says less than a code."""
    cell = draft.record.cell(file.layout.currency).upper()
    named = {amounts.SYMBOLS.get(cell.casefold(), cell)} if cell else set()
    written = {one.currency for one in draft.cells if one and one.currency}
    signs = {amounts.SYMBOLS.get(symbol, symbol.upper()) for symbol in written}
    return named | (signs & set(amounts.PLACES)) if named else signs


def _header_currency(file: File) -> str:
    names = {token.upper() for column in file.layout.money for token in file.header_words(column)}
    codes = names & set(amounts.PLACES)
    return codes.pop() if len(codes) == 1 else ""


def _order(file: File, drafts: Sequence[Draft], code: str) -> str:
    """Lines that are no transactions have dates too, and so has what stands above the table."""
    columns = (file.layout.day, *file.layout.other_days)
    rows = [[record.cell(column) for column in columns] for record in file.table.rows]
    above = [found for record in file.table.preamble for cell in record.cells for found in dates.inside(cell)]
    header = {token for cell in file.table.header for token in fold(cell).split()}
    hints = Hints(
        american=file.layout.american,
        decimal_comma=file.mark == ",",
        currency=code,
        foreign=bool(header) and not header & ENGLISH,
    )
    texts = [file.description(draft.record) for draft in drafts]
    found = evidence.date_order(rows, above, texts, hints)
    if found.why:
        file.desk.note(f"dates read as {ORDERS[found.decided]}: {found.why}")
    example = next((row[0] for row in rows if not dates.certain(row[0])), "")
    seen = {order: day for order, day in dates.readings(example).items()}
    choices = {
        order: f"{name}: {example} is {seen[order].day} {seen[order]:%B %Y}"
        for order, name in ORDERS.items()
        if order in seen
    }
    text = "In which order do the dates name day and month?"
    return file.desk.decide("date_order", found.decided, text, choices or ORDERS, likely=found.likely)
