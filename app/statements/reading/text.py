"""From bytes to records: encoding, delimiter, quotes. Nothing here knows what a transaction is."""

import codecs
import csv
import io
from collections.abc import Iterator

from statements.reading.parsing import Record, Unreadable

DELIMITERS = ",;\t|"
MAX_COLUMNS = 100
SAMPLE = 64 * 1024
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes) -> tuple[str, str]:
    """(text, encoding). A byte order mark decides; then UTF-8 if it is valid; then the two of western Europe."""
    if not content.strip(b"\x00 \t\r\n"):
        raise Unreadable("the file is empty")
    encoding = _encoding(content)
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the file says it is {encoding}, but byte {error.start} is not", 1) from None
    _refuse_binary(text)
    return text, encoding.removesuffix("-sig")


def records(text: str, delimiter: str = ",") -> Iterator[Record]:
    """The file's records; blank lines are not records."""
    blanks = f'{delimiter} "' in text  # `a, "b, c"`: the quote opens a field although a blank stands before it
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=blanks)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Unreadable(f"broken CSV: {error}", line) from None
        if len(cells) > MAX_COLUMNS:
            raise Unreadable(f"{len(cells)} columns; at most {MAX_COLUMNS} are read", line)
        if any(cell.strip() for cell in cells):
            yield Record(line, tuple(cells))


def sample(text: str, delimiter: str) -> list[Record]:
    """The first records, to choose the delimiter by. The cut may fall into a field: that record is left out."""
    head = text[:SAMPLE]
    first: list[Record] = []
    try:
        first.extend(records(head, delimiter))
    except Unreadable:
        return first
    return first[:-1] if len(text) > SAMPLE else first


def without_separator_line(text: str) -> tuple[str, str]:
    """Excel's `sep=;` on the first line names the delimiter. (text with that line blank, delimiter or "")"""
    first, newline, rest = text.partition("\n")
    words = first.strip().strip('"')
    if words[:4].lower() == "sep=" and words[4:] in [*DELIMITERS, "\\t"]:
        return newline + rest, "\t" if words[4:] == "\\t" else words[4:]
    return text, ""


def _encoding(content: bytes) -> str:
    for mark, name in _BOMS:
        if content.startswith(mark):
            return name
    wide = _wide_without_mark(content[:SAMPLE])
    if wide:
        return wide
    for name in ("utf-8", "cp1252"):
        try:
            content.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "iso-8859-1"


def _wide_without_mark(head: bytes) -> str:
    """UTF-16 without its mark: nearly every second byte of a western text is zero."""
    half = len(head) // 2
    if half < 4:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.7 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.7 * half and odd < 0.05 * half else ""


def _refuse_binary(text: str) -> None:
    if "\x00" in text:
        raise Unreadable("a NUL byte: this is not a text file", text.count("\n", 0, text.index("\x00")) + 1)
    head = text[:SAMPLE]
    odd = sum(char < " " and char not in "\t\r\n\f" for char in head)
    if odd * 20 > len(head):
        raise Unreadable("too many control characters: this is not a text file")
