"""The digests of a backup: for each table and bucket of rows a count, and sum and xor of the rows' hashes.

They are stored beside the dump, so that a later comparison reads only buckets that differ. A row's key alone decides
its bucket. The file is a line of JSON (what was hashed and how), then 32 bytes per bucket: its size depends on the
number of tables, not of rows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledgervault.model.content import Table
from ledgervault.model.manifest import DigestsFile
from ledgervault.model.records import RecordError, from_json, to_line

SCHEMA = 1
SUFFIX = ".digests"
BUCKETS = 256
# The bucket of a row's key: the low byte of a number, the first byte of the text's sha256, or one bucket for all.
NUMBER, TEXT, SINGLE = "number", "text", "single"

_ENTRY = struct.Struct(">Q16sq")
NUMBERS = {"smallint", "integer", "bigint"}
# Types whose text depends on no setting and is the same in COPY and in concat_ws.
_PLAIN = NUMBERS | {"text", "uuid", "date", "numeric", "boolean", "character varying", "character"}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str  # as format_type writes it
    hashed: str  # what of it went into the row's hash, as SQL
    generated: bool = False  # stored, and in no dump


@dataclass(frozen=True, slots=True)
class Digest:
    """The digest of some rows: content.Table in numbers."""

    rows: int = 0
    sum: int = 0
    xor: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest(self.rows + other.rows, self.sum + other.sum, self.xor ^ other.xor)

    @property
    def table(self) -> Table:
        return Table(self.rows, str(self.sum), str(self.xor))


@dataclass(frozen=True, slots=True)
class Layout:
    """What was hashed of a table. A partitioned table and all its parts are one layout: rows move between parts."""

    parts: tuple[str, ...]  # the tables that hold the rows
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()  # the primary key's columns; none: a row is its whole content
    bucketing: str = SINGLE
    highest: int | None = None  # key of NUMBER: rows above it came later

    def names(self) -> list[str]:
        return [column.name for column in self.columns]


Buckets = Mapping[int, Digest]


@dataclass(frozen=True, slots=True)
class Header:
    schema: int
    buckets: int
    settings: dict[str, str]  # of the session that dumped the rows, as far as the text of values depends on them
    tables: dict[str, Layout]


@dataclass(frozen=True, slots=True)
class Digests:
    header: Header
    buckets: dict[str, Buckets] = field(default_factory=dict)  # table -> bucket -> digest; an empty bucket is left out


def bucketing(key: tuple[str, ...], types: Mapping[str, str], encoding: str) -> str:
    """TEXT needs a key that SQL and the dump write alike; SQL_ASCII may hold bytes that are no text."""
    kinds = [types[name].partition("(")[0] for name in key]
    if len(kinds) == 1 and kinds[0] in NUMBERS:
        return NUMBER
    return TEXT if kinds and encoding != "SQL_ASCII" and set(kinds) <= _PLAIN else SINGLE


def bucket_of(kind: str, key: bytes) -> int:
    """The bucket of a key, given as text with its parts joined by tabs."""
    if kind == NUMBER:
        return int(key) & 0xFF
    return hashlib.sha256(key).digest()[0] if kind == TEXT else 0


def encode(digests: Digests) -> bytes:
    body = bytearray(to_line(digests.header))
    empty = Digest()
    for table in digests.header.tables:
        for bucket in range(digests.header.buckets):
            digest = digests.buckets[table].get(bucket, empty)
            body += _ENTRY.pack(digest.rows, digest.sum.to_bytes(16, "big", signed=True), digest.xor)
    return bytes(body)


def decode(encoded: bytes, description: DigestsFile) -> Digests:
    """Raises RecordError if this is not the file that the manifest describes."""
    actual = (len(encoded), hashlib.sha256(encoded).hexdigest())
    if actual != (description.size, description.sha256):
        raise RecordError(
            f"{actual[0]} bytes {actual[1][:12]}, {description.size} bytes {description.sha256[:12]} in the manifest"
        )
    line, _, body = encoded.partition(b"\n")
    header = from_json(Header, line, SCHEMA)
    if len(body) != _ENTRY.size * header.buckets * len(header.tables) or header.buckets != BUCKETS:
        raise RecordError(f"{len(body)} bytes of digests for {len(header.tables)} tables")
    entries = [
        Digest(rows, int.from_bytes(sum_, "big", signed=True), xor) for rows, sum_, xor in _ENTRY.iter_unpack(body)
    ]
    return Digests(
        header,
        {
            name: {bucket: entry for bucket, entry in enumerate(entries[start : start + BUCKETS]) if entry.rows}
            for name, start in zip(header.tables, range(0, len(entries), BUCKETS), strict=True)
        },
    )


def of_table(table: Table) -> Digest:
    return Digest(table.rows, int(table.sum), int(table.xor))


def describe(file: str, encoded: bytes) -> DigestsFile:
    return DigestsFile(file + SUFFIX, len(encoded), hashlib.sha256(encoded).hexdigest())
