"""The layout of pg_dump's text: pre-data, the tables' rows, and post-data (keys, indexes, triggers, grants).

Apart from the loaders, because only this module depends on that layout. It need not be right: a dump that is split
wrongly does not load, and then psql loads it unsplit (`commands/restored_copy.py`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

_MARK = re.compile(rb"\n(?:COPY [^\n]* FROM stdin;\n|--\n-- (?:Data for )?Name: [^\n]*; Type: ([A-Z ]+); )")
_ROWS_END = b"\\.\n"  # a line of its own
_DATA = {b"TABLE DATA", b"SEQUENCE SET", b"BLOB", b"BLOBS", b"BLOB METADATA", b"LARGE OBJECT", b"LARGE OBJECTS"}
_BESIDE_DATA = {b"ACL", b"COMMENT", b"SECURITY LABEL"}  # for large objects they are among the data
_ENTRY = re.compile(rb"^--\n-- Name: [^\n]*; Type: ([A-Z ]+); ", re.MULTILINE)
_META = re.compile(rb"^\\(?:un)?restrict [^\n]*$", re.MULTILINE)  # for psql only
_PLAIN_INDEX = re.compile(rb"^CREATE INDEX (\"(?:[^\"]|\"\")+\"|[^\s\"]+) ON ", re.MULTILINE)
_COPY_TABLE = re.compile(rb"COPY ((?:\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)\.(?:\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)) ")
_NAME = rb"(?:\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+)"
_NAMES = re.compile(_NAME)
_PLAIN_KEY = re.compile(
    rb"\n\nALTER TABLE ONLY (%(n)s\.%(n)s)\n    ADD CONSTRAINT (%(n)s) (PRIMARY KEY|UNIQUE)"
    rb" (\(%(n)s(?:, %(n)s)*\));\s*\Z" % {b"n": _NAME}
)
_ESCAPES = {
    b"\\b": b"\b", b"\\f": b"\f", b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\v": b"\v", b"\\\\": b"\\"
}  # fmt: skip
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
# Statements for which a key's index is as good as the key.
_INDEX_IS_ENOUGH = {"CONSTRAINT", "INDEX", "FK CONSTRAINT", "TRIGGER", "POLICY", "ROW SECURITY", "COMMENT", "ACL"}


class Part(Enum):
    """The part of a dump that a piece belongs to."""

    PRE_DATA = auto()  # roles, the database, types, tables: statements and psql's own commands
    TABLE = auto()  # one whole line: `COPY … FROM stdin;`
    ROWS = auto()  # of the table before
    DATA = auto()  # statements among the rows: sequences, large objects
    POST_DATA = auto()  # keys, indexes, triggers, grants


Piece = tuple[Part, bytes]
Take = Callable[[bytes], None]  # one row, its fields apart by tabs, no newline


class Splitter:
    """Splits a dump's bytes into pieces of its parts. The pieces joined are the dump without the rows' end marks. Rows
    are skipped as whole lines: their content is never taken for a heading."""

    def __init__(self) -> None:
        self._part = Part.PRE_DATA
        self._held = b"\n"  # the last yielded byte (all marks begin with a newline) and the undecided bytes

    def feed(self, chunk: bytes) -> Iterator[Piece]:
        text, place = self._held + chunk, 1
        while True:
            decided, then = self._decide(text, place)
            if decided > place:
                yield self._part, text[place:decided]
            place = decided
            if then is self._part:
                break
            if then is Part.TABLE:
                place, then = text.index(b"\n", decided) + 1, Part.ROWS
                yield Part.TABLE, text[decided:place]
            elif self._part is Part.ROWS:
                place += len(_ROWS_END)
            self._part = then
        self._held = text[place - 1 :]

    def end(self) -> Iterator[Piece]:
        """Yields the bytes that were held back at the end of the dump."""
        if len(self._held) > 1:
            yield self._part, self._held[1:]
        self._held = b"\n"

    def _decide(self, text: bytes, place: int) -> tuple[int, Part]:
        """The position up to which `text` is decided, and the part that begins there. Bytes before `place` were yielded
        already."""
        if self._part is Part.POST_DATA:
            return len(text), Part.POST_DATA
        if self._part is Part.ROWS:
            return _end_of_rows(text, place)
        position = place - 1
        while (match := _MARK.search(text, position)) is not None:
            kind, start = match[1], match.start() + 1
            if self._part is Part.PRE_DATA and kind in _DATA:
                return start, Part.DATA
            if self._part is Part.DATA and kind is None:
                return start, Part.TABLE
            if self._part is Part.DATA and kind not in _DATA and kind not in _BESIDE_DATA:
                return start, Part.POST_DATA
            position = match.end() - 1
        return max(place, position, _third_last_line(text)), self._part  # a mark may begin in the last three lines


def _end_of_rows(text: bytes, place: int) -> tuple[int, Part]:
    """The end of the last complete row. Of a row longer than `text` it is the end of `text`."""
    end = text.find(b"\n" + _ROWS_END, place - 1)
    if end >= 0:
        return end + 1, Part.DATA
    last = text.rfind(b"\n", place) + 1
    if last or len(text) - place < len(_ROWS_END):  # the last line may be the mark
        return max(last, place), Part.ROWS
    return len(text), Part.ROWS


def table_name(header: bytes) -> bytes | None:
    """The quoted table name of a COPY line; None if pg_dump does not write such a line."""
    match = _COPY_TABLE.match(header)
    return match[1] if match else None


def unescaped(field: bytes) -> bytes:
    """A field's own bytes: COPY escapes bytes that would end a field or a row."""
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[0], match[0][1:]), field) if b"\\" in field else field


@dataclass(frozen=True, slots=True)
class Statement:
    kind: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Key(Statement):
    """A key that can be added in two steps: its index while others read the table, then the key from that index."""

    table: bytes  # quoted, as the server writes it
    index: Statement
    attach: Statement


@dataclass(frozen=True, slots=True)
class PostData:
    """The statements after the rows, in pg_dump's order within each group."""

    exclusive: tuple[Statement, ...]  # up to the last key: these lock whole tables, but for the index of a Key
    remaining: tuple[Statement, ...]
    indexes: tuple[
        Statement, ...
    ]  # plain secondary ones that nothing else names: in any order, at any time after `exclusive`


def split_post_data(rest: bytes) -> PostData:
    statements = split_statements(rest)
    names = Counter(_NAMES.findall(rest))
    indexes: list[Statement] = []
    chain: list[Statement] = []
    for statement in statements:
        (indexes if _is_independent(statement, names) else chain).append(statement)
    keys = max((place for place, entry in enumerate(chain, start=1) if entry.kind == "CONSTRAINT"), default=0)
    exclusive = chain[:keys]
    if {entry.kind for entry in chain} <= _INDEX_IS_ENOUGH:
        exclusive = [_two_step_key(entry, names) or entry for entry in exclusive]
    return PostData(tuple(exclusive), tuple(chain[keys:]), tuple(indexes))


def widest_first(indexes: Sequence[Statement]) -> list[Statement]:
    """Slow indexes before fast ones, so that two workers end together."""
    return sorted(indexes, key=lambda entry: -entry.text.count(b","))


def split_statements(rest: bytes) -> Sequence[Statement]:
    text = _META.sub(b"", rest)
    heads = [*_ENTRY.finditer(text)]
    edges = [*(head.start() for head in heads), len(text)]
    return [Statement(head[1].decode(), text[head.start() : end]) for head, end in zip(heads, edges[1:], strict=True)]


def _is_independent(entry: Statement, names: Counter[bytes]) -> bool:
    match = _PLAIN_INDEX.search(entry.text) if entry.kind == "INDEX" else None
    return match is not None and _named_here_only(match[1], entry, names)


def _named_here_only(name: bytes, entry: Statement, names: Counter[bytes]) -> bool:
    return names[name] == _NAMES.findall(entry.text).count(name)


def _two_step_key(entry: Statement, names: Counter[bytes]) -> Key | None:
    """Returns None for a key with special options, or one that another statement names."""
    match = _PLAIN_KEY.search(entry.text)
    if match is None or not _named_here_only(match[2], entry, names):
        return None
    table, name, kind, columns = match.groups()
    index = b"CREATE UNIQUE INDEX %s ON ONLY %s %s" % (name, table, columns)
    attach = b"ALTER TABLE ONLY %s ADD CONSTRAINT %s %s USING INDEX %s" % (table, name, kind, name)
    return Key(entry.kind, entry.text, table, Statement("INDEX", index), Statement(entry.kind, attach))


def _third_last_line(text: bytes) -> int:
    """A heading spans two lines and begins with the end of the line before."""
    place = len(text)
    for _ in range(3):
        place = max(0, text.rfind(b"\n", 0, place))
    return place
