"""A dump told apart: its tables and rows, and what pg_dump writes behind them (keys, indexes, triggers, grants).

Apart from loading, because this alone reads pg_dump's layout, and is pure. Nothing depends on it being right: what is
split wrongly does not load, and then the dump is loaded as it stands (`prove`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = re.compile(rb"\n(?:COPY [^\n]* FROM stdin;\n|--\n-- (?:Data for )?Name: [^\n]*; Type: ([A-Z ]+); )")
_COPY_END = b"\n\\.\n"
_DATA = {b"TABLE DATA", b"SEQUENCE SET", b"BLOB", b"BLOBS", b"BLOB METADATA", b"LARGE OBJECT", b"LARGE OBJECTS"}
_BESIDE_DATA = {b"ACL", b"COMMENT", b"SECURITY LABEL"}  # those of large objects stand among the data
_ENTRY = re.compile(rb"^--\n-- Name: [^\n]*; Type: ([A-Z ]+); ", re.MULTILINE)
_META = re.compile(rb"^\\(?:un)?restrict [^\n]*$", re.MULTILINE)  # for psql only
_PLAIN_INDEX = re.compile(rb"^CREATE INDEX (\"(?:[^\"]|\"\")+\"|[^\s\"]+) ON ", re.MULTILINE)
_NAMES = re.compile(rb"\"(?:[^\"]|\"\")+\"|[\w$\x80-\xff]+")


class Splitter:
    """Fed with a dump's bytes, gives back those up to the last row; the others are in `rest`.

    Rows are skipped as wholes: whatever stands in them is not taken for a heading.
    """

    def __init__(self) -> None:
        self.rest = bytearray()
        self._held = b"\n"
        self._first = True
        self._in_rows = False
        self._seen_data = False
        self._behind = False

    def feed(self, chunk: bytes) -> bytes:
        if self._behind:
            self.rest += chunk
            return b""
        text = self._held + chunk
        keep = self._scan(text)
        self._held = text[keep:]
        if self._behind:
            self.rest += self._held
            self._held = b""
        return self._given(text[:keep])

    def end(self) -> bytes:
        """What was held back at the end of the dump."""
        held, self._held = self._held, b""
        return self._given(held)

    def _given(self, text: bytes) -> bytes:
        """Without the newline that stood for the start of the dump."""
        if self._first and text:
            self._first = False
            return text[1:]
        return text

    def _scan(self, text: bytes) -> int:
        """How much of `text` is decided; a mark that begins in the rest may go on in the next chunk."""
        place = 0
        while True:
            if self._in_rows:
                end = text.find(_COPY_END, place)
                if end < 0:
                    return max(place, len(text) - len(_COPY_END) + 1)
                place, self._in_rows = end + len(_COPY_END) - 1, False
            match = _MARK.search(text, place)
            if match is None:
                return max(place, _third_last_line(text))
            kind = match[1]
            if kind is None:
                place, self._in_rows = match.end() - 1, True
            elif self._seen_data and kind not in _DATA and kind not in _BESIDE_DATA:
                self._behind = True
                return match.start() + 1
            else:
                self._seen_data |= kind in _DATA
                place = match.end()


@dataclass(frozen=True, slots=True)
class Entry:
    kind: str
    text: bytes


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the rows, in pg_dump's order within each part."""

    first: tuple[Entry, ...]  # up to the last key: these lock whole tables
    then: tuple[Entry, ...]
    indexes: tuple[Entry, ...]  # plain secondary ones that nothing else names: in any order, at any time after `first`


def behind(rest: bytes) -> Behind:
    found = entries(rest)
    names = Counter(_NAMES.findall(rest))
    indexes: list[Entry] = []
    chain: list[Entry] = []
    for entry in found:
        (indexes if _stands_alone(entry, names) else chain).append(entry)
    keys = max((place for place, entry in enumerate(chain, start=1) if entry.kind == "CONSTRAINT"), default=0)
    return Behind(tuple(chain[:keys]), tuple(chain[keys:]), tuple(indexes))


def widest_first(indexes: Sequence[Entry]) -> list[Entry]:
    """Those that take long before those that are quickly done, so that two workers end together."""
    return sorted(indexes, key=lambda entry: -entry.text.count(b","))


def entries(rest: bytes) -> Sequence[Entry]:
    text = _META.sub(b"", rest)
    heads = [*_ENTRY.finditer(text)]
    edges = [*(head.start() for head in heads), len(text)]
    return [Entry(head[1].decode(), text[head.start() : end]) for head, end in zip(heads, edges[1:], strict=True)]


def _stands_alone(entry: Entry, names: Counter[bytes]) -> bool:
    match = _PLAIN_INDEX.search(entry.text) if entry.kind == "INDEX" else None
    return match is not None and names[match[1]] == _NAMES.findall(entry.text).count(match[1])


def _third_last_line(text: bytes) -> int:
    """The heading spans two lines and begins with the end of the one before."""
    place = len(text)
    for _ in range(3):
        place = max(0, text.rfind(b"\n", 0, place))
    return place
