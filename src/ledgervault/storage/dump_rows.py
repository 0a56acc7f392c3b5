"""Reads the rows of a dump's tables as pg_dump wrote them, without restoring anything.

Apart from `row_loader`, which loads them: this module passes each row to the function that asked for its table.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ledgervault.host import compression
from ledgervault.model import dump_format
from ledgervault.model.dump_format import Part, Take
from ledgervault.model.errors import CouldNot
from ledgervault.storage import files

Ask = Callable[[str, tuple[str, ...]], Take | None]  # of a table and its COPY's columns: who takes its rows
_COLUMNS = re.compile(rb"COPY .*? \((.*)\) FROM stdin;\n", re.DOTALL)
_NAME = re.compile(rb'"((?:[^"]|"")*)"|([^\s",()]+)')


def read(path: Path, ask: Ask, limit_seconds: float) -> Counter[str]:
    """Returns the number of rows of each requested table. Raises CouldNot if the dump cannot be read to its end."""
    counted: Counter[str] = Counter()
    deadline = time.monotonic() + limit_seconds
    table, take, rest = "", None, b""
    with compression.decompressing(path) as reader:
        splitter = dump_format.Splitter()
        while chunk := reader.output.read(files.CHUNK):
            if time.monotonic() > deadline:
                raise CouldNot(path.name, f"not read after {limit_seconds:.0f} s", "raise limits.proof_timeout_seconds")
            for part, piece in splitter.feed(chunk):
                if part is Part.TABLE:
                    table, take, rest = *_begin(piece, ask), b""
                elif part is Part.ROWS and take is not None:
                    *complete, rest = (rest + piece).split(b"\n")
                    counted[table] += len(complete)
                    for row in complete:
                        take(row)
        if reader.finish(max(1.0, deadline - time.monotonic())) != 0:
            raise CouldNot(path.name, f"cannot be decompressed: {reader.errors().strip()}", "ledgervault verify FILE")
    return counted


def columns(path: Path, limit_seconds: float) -> dict[str, tuple[str, ...]]:
    """The columns of each table that the dump has a COPY for."""
    columns_by_table: dict[str, tuple[str, ...]] = {}

    def note_columns(table: str, names: tuple[str, ...]) -> None:
        columns_by_table[table] = names

    read(path, note_columns, limit_seconds)
    return columns_by_table


def _begin(header: bytes, ask: Ask) -> tuple[str, Take | None]:
    name = dump_format.table_name(header)
    if name is None:
        return "", None
    listed = _COLUMNS.fullmatch(header)
    matches = _NAME.findall(listed[1]) if listed else ()
    names = tuple((quoted.replace(b'""', b'"') or plain).decode() for quoted, plain in matches)
    return name.decode(), ask(name.decode(), names)
