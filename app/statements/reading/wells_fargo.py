"""Wells Fargo's CSV: no header, five columns: date, amount, `*`, check number, description."""

from collections.abc import Sequence

from statements.reading import parsing
from statements.reading.parsing import Problem, Record, Row, Statement, Unreadable

SOURCE = "wellsfargo_bank_csv"
COLUMNS = 5
STAR = 2


def recognises(records: Sequence[Record]) -> bool:
    """Decided by the file, not by one line: most lines look right. A line that does not is then that line's problem."""
    matching = sum(len(record.cells) == COLUMNS and record.cells[STAR].strip() == "*" for record in records)
    return matching * 2 > len(records)


def read(records: Sequence[Record]) -> Statement:
    rows: list[Row] = []
    problems: list[Problem] = []
    for record in records:
        try:
            rows.append(_row(record))
        except Unreadable as error:
            problems.append(Problem(record.line, error.problem.what))
    return Statement(SOURCE, tuple(rows), tuple(problems))


def _row(record: Record) -> Row:
    if len(record.cells) != COLUMNS:
        raise Unreadable(f"{len(record.cells)} columns instead of {COLUMNS}")
    day, money, star, check_number, description = record.cells
    if star.strip() != "*":
        raise Unreadable(f"the third column is {parsing.shown(star)} instead of '*'")
    if not description.strip():
        raise Unreadable("the description is empty")
    return Row(
        record.line,
        record.cells,
        parsing.us_date(day),
        parsing.amount(money),
        parsing.text_cell(check_number, "the check number", parsing.MAX_CHECK_NUMBER),
        parsing.text_cell(description, "the description", parsing.MAX_DESCRIPTION),
    )
