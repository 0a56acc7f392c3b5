"""Loads a dump's tables and rows into the throw-away server.

Apart from `dump_loader`, because only this module feeds several targets from one stream. A psql creates the tables. The
rows go by COPY past psql, which would inspect each line. Other statements among the rows go to a second psql. Two COPYs
share a large table's rows; each takes the next piece when it is free.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from queue import Queue
from typing import IO, Any

from psycopg import Copy
from psycopg.abc import Buffer, PQGen
from psycopg.copy import LibpqWriter
from psycopg.pq.abc import PGconn
from psycopg.waiting import Ready, Wait

from ledgervault.host import compression, process
from ledgervault.model import dump_format
from ledgervault.model.dump_format import Part, Piece, PostData
from ledgervault.postgres import argv, database, queries
from ledgervault.postgres.database import Connection
from ledgervault.postgres.login import Login
from ledgervault.storage import files
from ledgervault.storage.archive import DumpObserver

_LOADERS = 2
_WAITING = 4  # pieces of about files.CHUNK bytes that wait for each loader
# The settings of pg_dump's first lines, as a psql has them while it loads the dump. The database's own settings for
# new sessions do not apply.
_AS_DUMPED = queries.PINNED

_Write = Callable[[bytes], None]
_Pieces = Queue[bytes | None]


class NotLoadedError(Exception):
    """The rows, or statements before or among them, could not be loaded this way."""


def load(
    path: Path,
    login: Login,
    variables: Mapping[str, str],
    timeout: float,
    session: Mapping[str, str],
    observer: DumpObserver,
    large: Container[str] = (),
) -> PostData:
    """Loads everything up to the last row and returns the statements after it. Raises NotLoadedError or psycopg.Error.
    `large` names the tables whose rows two connections share."""
    post_data = bytearray()
    environment = login.environment(session)
    with (
        compression.decompressing(path) as reader,
        _PsqlInput(argv.psql(variables, single_transaction=True), environment, timeout) as before,
        _PsqlInput(argv.psql(variables), environment, timeout) as among,
        _Rows(login, {**session, **_AS_DUMPED, "statement_timeout": f"{timeout:.0f}s"}, large) as rows,
    ):
        for part, piece in _pieces(reader.output, observer):
            if part is Part.PRE_DATA:
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
                post_data += piece
        for last in (before, rows, among):
            last.end()
        if reader.finish(timeout) != 0:
            raise NotLoadedError(reader.errors().strip())
    return dump_format.split_post_data(bytes(post_data))


def _pieces(stream: IO[bytes], observer: DumpObserver) -> Iterator[Piece]:
    splitter = dump_format.Splitter()
    while chunk := stream.read(files.CHUNK):
        observer.observe(chunk)
        yield from splitter.feed(chunk)
    yield from splitter.end()


class _PsqlInput:
    """A psql that starts with its first statement."""

    def __init__(self, command: list[str], environment: Mapping[str, str], timeout: float) -> None:
        self._command, self._environment, self._timeout = command, environment, timeout
        self._psql: process.Program | None = None

    def __enter__(self) -> _PsqlInput:
        return self

    def __exit__(self, *_: object) -> None:
        if self._psql is not None:
            self._psql.close()

    def add(self, piece: bytes) -> None:
        if self._psql is None:
            self._psql = process.Program(self._command, stdin=process.PIPE, environment=self._environment)
        try:
            self._psql.input.write(piece)
        except BrokenPipeError:
            raise NotLoadedError(self._psql.errors()) from None

    def end(self) -> None:
        """Checks that all statements succeeded; a second call does nothing."""
        if self._psql is None or self._psql.input.closed:
            return
        try:
            self._psql.input.close()
        except BrokenPipeError:
            raise NotLoadedError(self._psql.errors()) from None
        if self._psql.finish(self._timeout) != 0:
            raise NotLoadedError(self._psql.errors())


class _Rows:
    """Connections that copy rows into one table after the other."""

    def __init__(self, login: Login, session: Mapping[str, str], large: Container[str]) -> None:
        self._login, self._session, self._large = login, session, large
        self._opened = ExitStack()
        self._connections: list[Connection] = []
        self._table = ExitStack()
        self._write: _Write | None = None

    def __enter__(self) -> _Rows:
        return self

    def __exit__(self, *problem: Any) -> None:
        with self._opened:
            self._table.__exit__(*problem)

    def begin(self, header: bytes) -> None:
        """`COPY … FROM stdin;`."""
        self.end()
        table = dump_format.table_name(header)
        if table is None:
            raise NotLoadedError(f"not a COPY line of pg_dump's: {header[:80]!r}")
        if table.decode() in self._large:
            copying = _copy_shared(self._connected(_LOADERS), table.decode(), header)
        else:
            copying = _copy_frozen(self._connected(1)[0], table, header)
        self._write = self._table.enter_context(copying)

    def add(self, piece: bytes) -> None:
        if self._write is None:
            raise NotLoadedError("rows without a table")
        self._write(piece)

    def end(self) -> None:
        self._table.close()
        self._write = None

    def _connected(self, number: int) -> Sequence[Connection]:
        while len(self._connections) < number:
            connection = database.connect_plainly(self._login, "ledgervault prove", self._session)
            self._connections.append(self._opened.enter_context(connection))
        return self._connections[:number]


@contextmanager
def _copy_frozen(connection: Connection, table: bytes, header: bytes) -> Iterator[_Write]:
    """PostgreSQL writes rows without WAL and frozen into a table that the same transaction emptied, so that no reader
    has to mark them as committed. A table with rows got them from its extension and keeps them."""
    with connection.transaction():
        filled = connection.execute(b"SELECT EXISTS (SELECT FROM ONLY " + table + b")").fetchone()
        if filled == (False,):
            connection.execute(b"TRUNCATE ONLY " + table)
            header = header.removesuffix(b";\n") + b" (FREEZE);\n"
        with _copying(connection, header) as copy:
            yield copy.write


@contextmanager
def _copy_shared(connections: Sequence[Connection], table: str, header: bytes) -> Iterator[_Write]:
    queues: list[_Pieces] = [Queue(_WAITING) for _ in connections]
    with _unlogged(connections[0], table), ThreadPoolExecutor(len(connections)) as pool, ExitStack() as opened:
        copies = []
        for connection in connections:
            opened.enter_context(connection.transaction())
            copies.append(opened.enter_context(_copying(connection, header)))
        jobs = []
        try:
            for pieces, copy in zip(queues, copies, strict=True):
                jobs.append(pool.submit(_write_pieces, pieces, copy.write))
            yield _Dealer(queues).deal
        finally:  # a signal may come at any moment: every started job gets its end
            for pieces in queues:
                pieces.put(None)
        for job in jobs:
            job.result()


class _Dealer:
    """Gives each piece to the loader with the shortest queue. All pieces of one row go to one loader."""

    def __init__(self, queues: Sequence[_Pieces]) -> None:
        self._queues, self._current, self._within_row = queues, queues[0], False

    def deal(self, piece: bytes) -> None:
        if not self._within_row:
            self._current = min(self._queues, key=Queue.qsize)
        self._current.put(piece)
        self._within_row = not piece.endswith(b"\n")  # COPY writes a newline inside a row as \\n


def _write_pieces(pieces: _Pieces, write: _Write) -> None:
    """Writes pieces until None. After a failure it discards the rest, so that the dealer never waits forever."""
    try:
        while (piece := pieces.get()) is not None:
            write(piece)
    except BaseException:
        while pieces.get() is not None:
            pass
        raise


def _copying(connection: Connection, header: bytes) -> AbstractContextManager[Copy]:
    cursor = connection.cursor()
    return cursor.copy(header, writer=_AttentiveWriter(cursor))


class _AttentiveWriter(LibpqWriter):
    """Reads while it writes. psycopg's own writer waits only for room to write. It would wait forever for a server that
    first wants to send an error message, which quotes a value as long as the row."""

    def write(self, data: Buffer) -> None:
        self.connection.wait(_send(self.connection.pgconn, data))


def _send(line: PGconn, data: Buffer) -> PQGen[None]:
    while line.put_copy_data(data) == 0:  # raises once the server has ended the COPY
        yield from _wait_for_room(line)
    while line.flush() == 1:
        yield from _wait_for_room(line)


def _wait_for_room(line: PGconn) -> PQGen[None]:
    if (yield Wait.RW) & Ready.R:
        line.consume_input()


@contextmanager
def _unlogged(connection: Connection, table: str) -> Iterator[None]:
    """Two transactions can write rows without WAL only into an UNLOGGED table, and making it LOGGED again rewrites it.
    So the catalog's mark is changed and changed back. It matters only after a crash, which this server does not
    survive."""
    marked = [oid for (oid,) in database.rows(connection, queries.mark_unlogged(table))]
    yield
    connection.execute(queries.mark_logged(marked).encode())
