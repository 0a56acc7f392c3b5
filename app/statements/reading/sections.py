"""Rows under a title of their own, such as *Pending transactions*: booked or not is asked, whatever the language.

A module of its own because no row says which title it is under.
"""

from statements.reading import dates, owners, words
from statements.reading.draft import File
from statements.reading.movement import Moves
from statements.reading.parsing import Record, counted, shown
from statements.reading.words import fold

CHOICES = {"skip": "no, it is not booked yet: leave these rows out", "count": "yes: import these rows"}
LONGEST_TITLE = 100
MOST_TITLES = 8  # more are separators: of months, of pages


def left_out(file: File, moves: Moves) -> dict[int, str]:
    """The reason by line. Rows that the balance proves are booked, unless their title says pending."""
    sections = _sections(file)
    pending = [title for title in sections if words.PENDING.search(title)]
    doubtful = {title: rows for title, rows in sections.items() if title in pending or _is_open(title, rows, moves)}
    if not pending and len(doubtful) > MOST_TITLES:
        return {}
    texts = {title: _text(rows) for title, rows in doubtful.items()}
    text = f"The rows stand under {len(texts)} titles. Did the money of these rows move?"
    answers = file.desk.decide_each("section", texts, text, CHOICES, "skip" if pending else "count")
    skipped = (rows for title, rows in doubtful.items() if answers[title] == "skip")
    return {row.line: f"under {shown(title.text)}" for title, *rows in skipped for row in rows}


def _is_open(title: str, rows: list[Record], moves: Moves) -> bool:
    return not words.BOOKED.search(title) and any(row.line not in moves.moving for row in rows[1:])


def _text(rows: list[Record]) -> str:
    title, rows_below = rows[0], counted(len(rows) - 1, "row")
    return f"Line {title.line} reads {shown(title.text)}. Did the money of the {rows_below} below it move?"


def _sections(file: File) -> dict[str, list[Record]]:
    """Title (folded) -> the line that holds it, then the transactions below it; titles without rows are left out.

    A line above all rows is a title if it says pending, or if another title has rows too: else it is of the file.
    """
    sections: dict[str, list[Record]] = {}
    rows: list[Record] = []
    above = file.table.preamble[-2:] if file.table.header else file.table.preamble[-1:]
    for record in (*above, *file.table.rows):
        if _is_title(file, record):
            rows = sections.setdefault(fold(record.text), [record])
        elif rows and dates.readings(record.cell(file.layout.day)):
            rows.append(record)
    filled = {title: rows for title, rows in sections.items() if len(rows) > 1}
    of_file = {fold(line.text) for line in above} if len(filled) == 1 else set()
    return {title: rows for title, rows in filled.items() if title not in of_file or words.PENDING.search(title)}


def _is_title(file: File, record: Record) -> bool:
    """A short line without a date and an amount that names no account, balance, total, month or number."""
    name = fold(record.text)
    if len(record.texts) > 2 or len(record.text) > LONGEST_TITLE:
        return False
    if dates.readings(record.cell(file.layout.day)) or not file.is_without_amount(record):
        return False
    if owners.title_of(record) or words.tells_balance(name) or words.tells_total(name):
        return False
    return bool(words.PENDING.search(name)) or not (any(char.isdigit() for char in name) or name in words.MONTHS)
