"""Rows under a title of their own, such as *Pending transactions*: booked or not is asked, whatever the language.

A module of its own because what a title says of the rows below it is no matter of any row.
"""

from statements.reading import dates, owners, words
from statements.reading.draft import DASHES, File
from statements.reading.movement import Moves
from statements.reading.parsing import Record, shown
from statements.reading.words import fold

CHOICES = {"skip": "no, it is not booked yet: leave these rows out", "count": "yes: import these rows"}
LONGEST_TITLE = 100
MOST_TITLES = 8  # more are separators: of months, of pages


def left_out(file: File, moves: Moves) -> dict[int, str]:
    """Why, by line. Rows that the balance proves are booked, unless their title says pending."""
    under = _sections(file)
    pending = [title for title in under if words.PENDING.search(title)]
    doubtful = {title: rows for title, rows in under.items() if title in pending or _is_open(title, rows, moves)}
    if not pending and len(doubtful) > MOST_TITLES:
        return {}
    texts = {title: _text(rows) for title, rows in doubtful.items()}
    text = f"The rows stand under {len(texts)} titles. Did the money of these rows move?"
    answers = file.desk.decide_each("section", texts, text, CHOICES, "skip" if pending else "count")
    skipped = [rows for title, rows in doubtful.items() if answers[title] == "skip"]
    return {row.line: f"under {shown(_title(rows[0]))}" for rows in skipped for row in rows[1:]}


def _is_open(title: str, rows: list[Record], moves: Moves) -> bool:
    return not words.BOOKED.search(title) and any(row.line not in moves.moving for row in rows[1:])


def _text(rows: list[Record]) -> str:
    title, below = rows[0], len(rows) - 1
    plural = "row" if below == 1 else "rows"
    return f"Line {title.line} reads {shown(_title(title))}. Did the money of the {below} {plural} below it move?"


def _sections(file: File) -> dict[str, list[Record]]:
    """Title (folded) -> the line that holds it, then the transactions below it; titles of nothing are left out.

    The line above all rows is a title if it says pending, or if another title has rows too: else it is of the file.
    """
    found: dict[str, list[Record]] = {}
    rows: list[Record] = []
    above = file.table.preamble[-2:] if file.table.header else file.table.preamble[-1:]
    for record in (*above, *file.table.rows):
        if _is_title(file, record):
            rows = found.setdefault(fold(_title(record)), [record])
        elif rows and dates.readings(record.cell(file.layout.day)):
            rows.append(record)
    filled = {title: rows for title, rows in found.items() if len(rows) > 1}
    of_file = {fold(_title(line)) for line in above} if len(filled) == 1 else set()
    return {title: rows for title, rows in filled.items() if title not in of_file or words.PENDING.search(title)}


def _title(record: Record) -> str:
    return " ".join(cell.strip() for cell in record.cells if cell.strip())


def _is_title(file: File, record: Record) -> bool:
    cells = [cell for cell in record.cells if cell.strip()]
    text, name = _title(record), fold(_title(record))
    if len(cells) > 2 or len(text) > LONGEST_TITLE or dates.readings(record.cell(file.layout.day)):
        return False
    if any(record.cell(column) not in DASHES for column in file.layout.money):
        return False
    if owners.title_of(record) or words.tells_balance(name) or words.tells_total(name):
        return False
    return bool(words.PENDING.search(name)) or not (any(char.isdigit() for char in name) or name in words.MONTHS)
