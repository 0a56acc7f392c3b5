"""Every CSV that explains itself: by a header's names, by its cells, or by a person's answers.

What is decided from evidence is written into the statement's notes; what is left out, too.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from statements.reading import layout, lines, owners, parsing, signs, table, totals, writing
from statements.reading.asking import Desk
from statements.reading.draft import Draft, File, number_of
from statements.reading.owners import Owners
from statements.reading.parsing import Problem, Record, Row, Statement, Unreadable, money, shown
from statements.reading.table import Table
from statements.reading.words import fold

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
    for records, why in ((found.preamble, "above the rows"), (found.again, "the header again")):
        for record in records:
            desk.leave_out(record, why)
    statement = _of_one_account(File(found, columns, desk))
    left_out = tuple(sorted(desk.left_out, key=lambda line: line.line))
    return replace(statement, layout=alike, left_out=left_out, subjects=desk.subjects)


def layout_of(content: str) -> str:
    """The same for all files of one bank's export, whatever encoding they are read in."""
    return _layout_id(*table.find(content))


def _layout_id(found: Table, delimiter: str) -> str:
    names = [fold(cell) for cell in found.header] if found.header else [str(found.width)]
    return hashlib.sha256("\x1f".join([delimiter, *names]).encode()).hexdigest()


def _of_one_account(file: File) -> Statement:
    """How the file is written is decided with all its rows; what the amounts mean, with those of one account."""
    own = owners.find(file.table, file.layout)
    answer = file.desk.answers.get(owners.KEY)
    if len(own.values) < 2:
        own.expect(answer)
        for name in own.others:
            file.desk.note(f"column {shown(name)} holds several accounts; its rows do not show them to be one's own")
        return replace(_read(file), own_account="".join(own.values))
    if answer == owners.ALL:
        file.desk.note(f"rows of {len(own.values)} accounts go into one, as asked for")
        return _read(file)
    file = _settled(file)
    if answer is None:
        file.desk.decide(owners.KEY, "", owners.QUESTION, _offers(file, own))
        return Statement(SOURCE, (), ())
    chosen = file.desk.decide(owners.KEY, "", owners.QUESTION, dict.fromkeys((*own.values, owners.ALL), ""))
    return replace(_read(_part(file, own, chosen)), own_account=chosen)


def _settled(file: File) -> File:
    """States, balances and currencies are matters of an account: here they are not asked about."""
    quiet = replace(file, desk=Desk(file.desk.answers))
    drafts = lines.sorted_out(quiet).drafts
    code, _ = writing.currency(quiet, drafts)
    file = writing.settled(file, drafts, "" if quiet.desk.questions else code)
    return replace(file, sign=signs.of_all(file, drafts))


def _part(file: File, own: Owners, chosen: str) -> File:
    """The rows of one account, and nothing else."""
    left_out = [(row, "of another account or of none") for row in file.table.rows if own.of.get(row.line) != chosen]
    lines.note_left_out(file.desk, left_out)
    rows = tuple(row for row in file.table.rows if own.of.get(row.line) == chosen)
    return replace(file, table=replace(file.table, rows=rows), whole=file.table)


def _offers(file: File, own: Owners) -> dict[str, str]:
    """Each account, and all of them, with what would be imported if it were chosen."""

    def aside() -> File:
        return replace(file, desk=Desk(file.desk.answers, list(file.desk.questions)))

    offers = {value: f"{value}: {_offer(_part(aside(), own, value))}" for value in own.values}
    return {**offers, owners.ALL: f"all accounts in one: {_offer(aside())}"}


def _offer(file: File) -> str:
    try:
        statement = _read(file)
    except Unreadable as error:
        return f"cannot be read: {error.problem.what}"
    count, bad = len(statement.rows), len(statement.problems)
    worth = f"sum {money(statement.total)}"
    still_open = {question.key for question in file.desk.questions} - {"date_order"}
    if still_open == {"amount_sign"}:
        worth += f" or {money(-statement.total)}"
    elif still_open:
        worth = "whose sum depends on another answer"
    return f"{count} {'row' if count == 1 else 'rows'}, {worth}" + (f"; {bad} unreadable" if bad else "")


def _read(file: File) -> Statement:
    found = lines.sorted_out(file)
    if file.hundredths:
        file.desk.note("the amounts are in hundredths, as their column's name says")
    code, only = writing.currency(file, found.drafts)
    drafts, others = _in_currency(file, found.drafts, only)
    file = writing.settled(file, drafts, code)
    rows, unreadable = _rows(file, drafts)
    proven, unproven = totals.judged(file, found.bare, rows)
    lines.note_left_out(file.desk, [*found.left_out, *others, *proven])
    problems = sorted([*found.problems, *unreadable, *unproven], key=lambda problem: problem.line)
    if not rows and not problems:
        file.desk.note("the file holds no transactions")
    return Statement(SOURCE, tuple(rows), tuple(problems), tuple(file.desk.notes), code)


def _in_currency(file: File, drafts: list[Draft], only: str) -> tuple[list[Draft], list[tuple[Record, str]]]:
    """(the rows in the currency a person chose, the others as left out)."""
    if not only:
        return drafts, []
    inside = [draft for draft in drafts if only in writing.codes_of(file, draft)]
    lines_inside = {draft.record.line for draft in inside}
    return inside, [(draft.record, f"not in {only}") for draft in drafts if draft.record.line not in lines_inside]


def _rows(file: File, drafts: Sequence[Draft]) -> tuple[list[Row], list[Problem]]:
    values, wrong = signs.values(file, drafts)
    rows: list[Row] = []
    problems: list[Problem] = []
    for draft in drafts:
        try:
            if draft.record.line in wrong:
                raise Unreadable(wrong[draft.record.line])
            rows.append(_row(file, draft, values[draft.record.line]))
        except Unreadable as error:
            problems.append(Problem(draft.record.line, error.problem.what))
    return rows, problems


def _row(file: File, draft: Draft, amount: Decimal) -> Row:
    record = draft.record
    day = file.day(record)
    if day is None:
        cell = record.cell(file.layout.day)
        raise Unreadable(f"unreadable date {shown(cell)}: the other rows are {writing.ORDERS[file.order]}")
    check = parsing.text_cell(record.cell(file.layout.check), "the check number", parsing.MAX_CHECK_NUMBER)
    description = parsing.text_cell(file.description(record), "the description", parsing.MAX_DESCRIPTION)
    return Row(record.line, record.cells, day, amount, check, description or NO_DESCRIPTION)
