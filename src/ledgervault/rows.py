"""A dump's tables and rows into the throw-away server.

Apart from loading, because this alone feeds programs and a connection from one stream: a psql makes the tables; then
the rows go by COPY, past psql, which would look at each line; and what stands among them goes to a psql again.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import psycopg

from ledgervault import argv, database, files, process, split
from ledgervault.archive import Listener
from ledgervault.argv import Login
from ledgervault.database import Connection
from ledgervault.split import Behind, Part, Piece

_AS_DUMPED = {"search_path": "", "xmloption": "content"}  # pg_dump's own first lines, as far as rows feel them


class NotLoadedError(Exception):
    """Rows, or what stands before or among them, did not go in this way."""


def load(
    path: Path, login: Login, variables: Mapping[str, str], timeout: float, session: Mapping[str, str], heard: Listener
) -> Behind:
    """All up to the last row goes in; what stands behind is given back. NotLoadedError or psycopg.Error otherwise."""
    behind = bytearray()
    environment = login.environment(session)
    with (
        process.decompressing(path) as reader,
        _Statements(argv.psql(variables, single_transaction=True), environment, timeout) as before,
        _Statements(argv.psql(variables), environment, timeout) as among,
        _Rows(login, {**session, **_AS_DUMPED, "statement_timeout": f"{timeout:.0f}s"}) as rows,
    ):
        for part, piece in _pieces(reader.output, heard):
            if part is Part.BEFORE:
                before.add(piece)
                continue
            before.end()
            if part is Part.TABLE:
                rows.begin(piece)
            elif part is Part.ROWS:
                rows.add(piece)
            elif part is Part.DATA:
                among.add(piece)
            else:
                behind += piece
        for last in (before, rows, among):
            last.end()
        if reader.finish(timeout) != 0:
            raise NotLoadedError(reader.errors().strip())
    return split.behind(bytes(behind))


def _pieces(stream: IO[bytes], heard: Listener) -> Iterator[Piece]:
    splitter = split.Splitter()
    while chunk := stream.read(files.CHUNK):
        heard.hear(chunk)
        yield from splitter.feed(chunk)
    yield from splitter.end()


class _Statements:
    """A psql that is started with its first statement."""

    def __init__(self, command: list[str], environment: Mapping[str, str], timeout: float) -> None:
        self._command, self._environment, self._timeout = command, environment, timeout
        self._psql: process.Program | None = None

    def __enter__(self) -> _Statements:
        return self

    def __exit__(self, *_: object) -> None:
        if self._psql is not None:
            self._psql.close()

    def add(self, piece: bytes) -> None:
        if self._psql is None:
            self._psql = process.Program(self._command, stdin=subprocess.PIPE, environment=self._environment)
        try:
            self._psql.input.write(piece)
        except BrokenPipeError:
            raise NotLoadedError(self._psql.errors()) from None

    def end(self) -> None:
        """All of them went in; a second call does nothing."""
        if self._psql is None or self._psql.input.closed:
            return
        try:
            self._psql.input.close()
        except BrokenPipeError:
            raise NotLoadedError(self._psql.errors()) from None
        if self._psql.finish(self._timeout) != 0:
            raise NotLoadedError(self._psql.errors())


class _Rows:
    """A connection that copies rows into one table after the other."""

    def __init__(self, login: Login, session: Mapping[str, str]) -> None:
        self._login, self._session = login, session
        self._opened = ExitStack()
        self._connection: Connection | None = None
        self._table = ExitStack()
        self._copy: psycopg.Copy | None = None

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *problem: Any) -> None:
        with self._opened:
            self._table.__exit__(*problem)

    def begin(self, header: bytes) -> None:
        """`COPY … FROM stdin;`. Into a table emptied in the same transaction PostgreSQL writes rows without a log, and
        frozen, so that no reader has to mark them as committed; one that has rows got them from its extension and keeps
        them."""
        self.end()
        table = split.table(header)
        if table is None:
            raise NotLoadedError(f"not a COPY line of pg_dump's: {header[:80]!r}")
        if self._connection is None:
            connection = database.connect_plainly(self._login, "ledgervault prove", self._session)
            self._connection = self._opened.enter_context(connection)
        self._table.enter_context(self._connection.transaction())
        filled = self._connection.execute(b"SELECT EXISTS (SELECT FROM ONLY " + table + b")").fetchone()
        if filled == (False,):
            self._connection.execute(b"TRUNCATE ONLY " + table)
            header = header.removesuffix(b";\n") + b" (FREEZE);\n"
        self._copy = self._table.enter_context(self._connection.cursor().copy(header))

    def add(self, piece: bytes) -> None:
        if self._copy is None:
            raise NotLoadedError("rows without a table")
        self._copy.write(piece)

    def end(self) -> None:
        self._table.close()
        self._copy = None
