"""Every CSV that explains itself: by a header's names, by its cells, or by a person's answers.

The statement's notes name each decision that evidence made, and each line that is left out.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import compress

from statements.reading import layout, lines, owners, parsing, signs, table, totals, writing
from statements.reading.asking import Desk
from statements.reading.draft import Draft, File, number_of
from statements.reading.owners import Owners
from statements.reading.parsing import Problem, Record, Row, Statement, Unreadable, counted, money, shown
from statements.reading.table import Table

SOURCE = "csv"
NO_DESCRIPTION = "(no description)"


def read(content: str, desk: Desk) -> Statement:
    """The statement with its rows and problems; questions that it leaves open are in `desk.questions`."""
    whole_table, delimiter = table.find(content)
    layout_id = _layout_id(whole_table, delimiter)
    if not whole_table.rows:
        return Statement(SOURCE, (), (), ("the file holds a header and no transactions",), layout=layout_id)
    mark = writing.first_mark(whole_table)
    columns = layout.find(whole_table, desk, lambda record, column: number_of(record, column, mark))
    if columns is None:
        raise parsing.unreadable_as(whole_table.rows, table.EXPECTED)
    for record in whole_table.preamble:
        desk.leave_out(record, "above the rows")
    for record in whole_table.again:
        desk.leave_out(record, "the header again")
    statement = _of_one_account(File(whole_table, columns, desk))
    left_out = tuple(sorted(desk.left_out, key=lambda line: line.line))
    return replace(statement, layout=layout_id, left_out=left_out, subjects=desk.subjects)


def layout_of(content: str) -> str:
    """The same for all files of one bank's export, whatever encoding they are read in."""
    return _layout_id(*table.find(content))


def _layout_id(whole_table: Table, delimiter: str) -> str:
    names = whole_table.names or (str(whole_table.width),)
    return hashlib.sha256("\x1f".join([delimiter, *names]).encode()).hexdigest()


def _of_one_account(file: File) -> Statement:
    """How the file is written is decided with all its rows; what the amounts mean, with the rows of one account."""
    accounts = owners.find(file.table, file.layout)
    answer = file.desk.answers.get(owners.KEY)
    if len(accounts.names) < 2:
        accounts.expect(answer)
        for column in accounts.foreign_columns:
            file.desk.note(f"column {shown(column)} holds several accounts; its rows do not show them to be one's own")
        return replace(_read(file), own_account="".join(accounts.names))
    if answer == owners.ALL:
        file.desk.note(f"rows of {len(accounts.names)} accounts go into one, as asked for")
        return _read(file)
    file = _with_conventions(file)
    if answer is None:
        file.desk.decide(owners.KEY, "", owners.QUESTION, _offers(file, accounts))
        return Statement(SOURCE, (), ())
    account = file.desk.decide(owners.KEY, "", owners.QUESTION, dict.fromkeys((*accounts.names, owners.ALL), ""))
    return replace(_read(_of_account(file, accounts, account)), own_account=account)


def _with_conventions(file: File) -> File:
    """Mark, order and sign by all rows. States, balances and currencies belong to an account: no question here."""
    quiet = replace(file, desk=Desk(file.desk.answers))
    drafts = lines.sort(quiet).drafts
    code, _ = writing.currency(quiet, drafts)
    file = writing.with_conventions(file, drafts, "" if quiet.desk.questions else code)
    return replace(file, sign=signs.of_all(file, drafts))


def _of_account(file: File, accounts: Owners, account: str) -> File:
    """The file with the rows of one account only."""
    inside = [accounts.of.get(row.line) == account for row in file.table.rows]
    outside = [row for row, is_inside in zip(file.table.rows, inside, strict=True) if not is_inside]
    lines.note_left_out(file.desk, [(row, "of another account or of none") for row in outside])
    rows = tuple(compress(file.table.rows, inside))
    return replace(file, table=replace(file.table, rows=rows), full_table=file.table)


def _offers(file: File, accounts: Owners) -> dict[str, str]:
    """Each account, and all of them, with what would be imported if it were chosen."""
    offers = {name: f"{name}: {_offer(_of_account(_aside(file), accounts, name))}" for name in accounts.names}
    return {**offers, owners.ALL: f"all accounts in one: {_offer(_aside(file))}"}


def _aside(file: File) -> File:
    """The same file with a desk whose questions nobody sees."""
    return replace(file, desk=Desk(file.desk.answers, list(file.desk.questions)))


def _offer(file: File) -> str:
    try:
        statement = _read(file)
    except Unreadable as error:
        return f"cannot be read: {error.problem.what}"
    total = f"sum {money(statement.total)}"
    open_keys = {question.key for question in file.desk.questions} - {"date_order"}
    if open_keys == {"amount_sign"}:
        total += f" or {money(-statement.total)}"
    elif open_keys:
        total = "whose sum depends on another answer"
    unreadable = f"; {len(statement.problems)} unreadable" if statement.problems else ""
    return f"{counted(len(statement.rows), 'row')}, {total}{unreadable}"


def _read(file: File) -> Statement:
    table_lines = lines.sort(file)
    if file.hundredths:
        file.desk.note("the amounts are in hundredths, as their column's name says")
    code, only = writing.currency(file, table_lines.drafts)
    drafts, foreign = _in_currency(file, table_lines.drafts, only)
    file = writing.with_conventions(file, drafts, code)
    rows, unreadable = _rows(file, drafts)
    bare_left_out, bare_problems = totals.sort(file, table_lines.bare, rows)
    lines.note_left_out(file.desk, [*table_lines.left_out, *foreign, *bare_left_out])
    problems = sorted([*table_lines.problems, *unreadable, *bare_problems], key=lambda problem: problem.line)
    if not rows and not problems:
        file.desk.note("the file holds no transactions")
    return Statement(SOURCE, tuple(rows), tuple(problems), tuple(file.desk.notes), code)


def _in_currency(file: File, drafts: list[Draft], only: str) -> tuple[list[Draft], list[tuple[Record, str]]]:
    """(the rows in the currency a person chose, the others as left out)."""
    if not only:
        return drafts, []
    inside = [only in writing.codes_of(file, draft) for draft in drafts]
    outside = [draft.record for draft, is_inside in zip(drafts, inside, strict=True) if not is_inside]
    return list(compress(drafts, inside)), [(record, f"not in {only}") for record in outside]


def _rows(file: File, drafts: Sequence[Draft]) -> tuple[list[Row], list[Problem]]:
    signed, faults = signs.signed(file, drafts)
    rows: list[Row] = []
    problems: list[Problem] = []
    for draft in drafts:
        try:
            if draft.line in faults:
                raise Unreadable(faults[draft.line])
            rows.append(_row(file, draft, signed[draft.line]))
        except Unreadable as error:
            problems.append(Problem(draft.line, error.problem.what))
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
