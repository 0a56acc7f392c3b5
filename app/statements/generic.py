"""Every CSV that explains itself: by a header's names, by its cells, or by a person's answers.

What is decided from evidence is written into the statement's notes; what is left out, too.
"""

import hashlib
from dataclasses import replace
from decimal import Decimal

from statements import layout, lines, parsing, signs, table, writing
from statements.asking import Desk
from statements.draft import Draft, File, number_of
from statements.parsing import Problem, Row, Statement, Unreadable, shown
from statements.table import Table
from statements.words import fold

SOURCE = "csv"
NO_DESCRIPTION = "(no description)"


def read(content: str, desk: Desk) -> Statement:
    """The statement with its rows and problems. What the desk was asked meanwhile stands in `desk.questions`."""
    found, delimiter = table.find(content)
    alike = _layout_id(found, delimiter)
    if not found.rows:
        return Statement(SOURCE, (), (), ("the file holds a header and no transactions",), layout=alike)
    mark = writing.first_mark(found)
    columns = layout.find(found, desk, lambda record, column: number_of(record, column, mark))
    if columns is None:
        raise parsing.unreadable_as(found.rows, table.EXPECTED)
    return replace(_read(File(found, columns, desk)), layout=alike)


def _layout_id(found: Table, delimiter: str) -> str:
    """The same for all files of one bank's export."""
    names = [fold(cell) for cell in found.header] if found.header else [str(found.width)]
    return hashlib.sha256("\x1f".join([delimiter, *names]).encode()).hexdigest()


def _read(file: File) -> Statement:
    drafts, problems, left_out = lines.sorted_out(file)
    if file.hundredths:
        file.desk.note("the amounts are in hundredths, as their column's name says")
    code = writing.currency(file, drafts)
    if file.layout.currency is not None and code and file.desk.answers.get("currency") == code:
        left_out += [(draft.record, f"not in {code}") for draft in drafts if not writing.is_in(file, draft, code)]
        drafts = [draft for draft in drafts if writing.is_in(file, draft, code)]
    file = replace(file, mark=writing.mark(file, drafts, code))
    file = replace(file, order=writing.order(file, drafts, code))
    values, wrong = signs.values(file, drafts)
    rows: list[Row] = []
    for draft in drafts:
        try:
            if draft.record.line in wrong:
                raise Unreadable(wrong[draft.record.line])
            rows.append(_row(file, draft, values[draft.record.line]))
        except Unreadable as error:
            problems.append(Problem(draft.record.line, error.problem.what))
    lines.note_left_out(file.desk, left_out)
    if not rows and not problems:
        file.desk.note("the file holds no transactions")
    problems.sort(key=lambda problem: problem.line)
    return Statement(SOURCE, tuple(rows), tuple(problems), tuple(file.desk.notes), code)


def _row(file: File, draft: Draft, amount: Decimal) -> Row:
    record = draft.record
    day = file.day(record)
    if day is None:
        cell = record.cell(file.layout.day)
        raise Unreadable(f"unreadable date {shown(cell)}: the other rows are {writing.ORDERS[file.order]}")
    check = parsing.text_cell(record.cell(file.layout.check), "the check number", parsing.MAX_CHECK_NUMBER)
    description = parsing.text_cell(file.description(record), "the description", parsing.MAX_DESCRIPTION)
    return Row(record.line, record.cells, day, amount, check, description or NO_DESCRIPTION)
