"""Connections to PostgreSQL: log-in, the exported snapshot, and reading a database's content."""

from __future__ import annotations

import hashlib
import os
import socket
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import psycopg

from ledgervault.host import deadline
from ledgervault.model.content import (
    Content,
    Database,
    Globals,
    Grant,
    LargeObject,
    Membership,
    Role,
    Sequence,
    Setting,
    Table,
)
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import SCHEMA
from ledgervault.postgres import definitions, definitions_schema1, left_out_queries, queries
from ledgervault.postgres.login import KEEPALIVE, SESSION, Login, options
from ledgervault.postgres.sql import identifier

Connection = psycopg.Connection[tuple[Any, ...]]
Progress = Callable[[str], None]
Batch = list[tuple[str, Iterable[str]]]
_Item = TypeVar("_Item")
_LO_PART = 1 << 20
_ATTEMPTS = 3
_CANCEL_SECONDS = 5
_BATCH = 50  # small tables or sequences asked for in one query
_LARGE_PAGES = 1000  # 8 MB: a table that is read alone


@dataclass(frozen=True, slots=True)
class Snapshot:
    id: str
    time: str
    lsn: str


def connect(login: Login, application: str, session: Mapping[str, str] = SESSION) -> Connection:
    connection = connect_plainly(login, application, session)
    pins = ", ".join(["set_config(%s, %s, false)"] * len(queries.PINNED))
    rows(connection, f"SELECT {pins}", *(text for pair in queries.PINNED.items() for text in pair))
    return connection


def connect_plainly(login: Login, application: str, session: Mapping[str, str]) -> Connection:
    """Keeps the database's own values of the settings that `connect` pins, as psql does."""
    deadline.check()
    try:
        connection = psycopg.connect(
            host=login.host,
            port=login.port,
            user=login.user,
            dbname=login.database,
            password=login.password,
            connect_timeout=deadline.bounded(login.timeout),
            application_name=application,
            options=options(session),
            autocommit=True,
            **KEEPALIVE,
        )
    except psycopg.OperationalError as error:
        place = f"database {login.database} on {login.host}:{login.port}"
        hint = f"is the server up, may {login.user} log in there, does its password file hold today's password?"
        raise CouldNot(place, str(error).strip(), hint) from error
    deadline.enter(partial(cut, weakref.ref(connection)))
    return connection


def cut(reference: Callable[[], Connection | None]) -> None:
    """Ends every wait on this connection, in any thread, as if the server had closed it."""
    connection = reference()
    if connection is None or connection.closed:
        return
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def stop(connection: Connection) -> None:
    """Cancels the running query. It does not wait for a server that does not answer."""
    if deadline.has_passed():
        return
    try:
        connection.cancel_safe(timeout=_CANCEL_SECONDS)
    except psycopg.Error:
        cut(lambda: connection)


def rows(connection: Connection, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    # The texts are built from this package's constants and from names quoted by the server itself.
    return connection.execute(query.encode(), parameters or None).fetchall()


def row(connection: Connection, query: str) -> tuple[Any, ...]:
    return rows(connection, query)[0]


@contextmanager
def snapshot(connection: Connection, lock_wait_seconds: int) -> Iterator[Snapshot]:
    """A transaction that locks every table (ACCESS SHARE) and *then* takes its snapshot. So no migration can change a
    table between the snapshot and pg_dump's own locks: one of the two waits for the other."""
    for _ in range(_ATTEMPTS):
        listed = rows(connection, queries.LOCKABLE)
        with connection.transaction():
            locked_snapshot = _locked_snapshot(connection, [name for (name,) in listed], lock_wait_seconds)
            if locked_snapshot is not None and rows(connection, queries.LOCKABLE) == listed:
                yield locked_snapshot
                return
    raise CouldNot(
        "snapshot", f"tables came and went {_ATTEMPTS} times while they were locked", "is a migration running?"
    )


def _locked_snapshot(connection: Connection, tables: list[str], wait_seconds: int) -> Snapshot | None:
    """LOCK is the first statement of the REPEATABLE READ transaction, because it takes no snapshot itself. Returns None
    if a table was dropped meanwhile."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{wait_seconds}s'".encode())
            if tables:
                connection.execute(queries.lock_tables(tables).encode())
    except psycopg.errors.LockNotAvailable as error:
        message = f"a table is locked by somebody else for more than {wait_seconds} s"
        raise CouldNot("snapshot", message, "a migration is running: wait for it, then back up again") from error
    except psycopg.errors.UndefinedTable:
        return None
    return Snapshot(*row(connection, queries.EXPORT))


def read_content(
    connection: Connection,
    heads_query: str | None,
    progress: Progress = lambda _: None,
    sequences: dict[str, Sequence] | None = None,
    tables: dict[str, Table] | None = None,
    schema: dict[str, str] | None = None,
) -> Content:
    """Everything a backup must bring back, as this connection (inside its snapshot, if it has one) sees it. Sequences
    are in no snapshot, so a backup reads them *before* the dump and passes them in. What was read already is passed in
    too."""
    progress("schema")
    return Content(
        schema=read_schema(connection) if schema is None else schema,
        tables=dict(sorted((read_tables(connection, progress) if tables is None else tables).items())),
        sequences=read_sequences(connection) if sequences is None else sequences,
        large_objects=_large_objects(connection),
        globals=read_globals(connection),
        migration_heads=read_heads(connection, heads_query),
        of_extensions=dict(rows(connection, queries.OF_EXTENSIONS)),
        left_out=read_left_out(connection),
    )


def read_schema(connection: Connection, version: int = SCHEMA) -> dict[str, str]:
    """Every definition by its kind and name, in the texts of manifests of schema `version`."""
    if version == 1:
        query = definitions_schema1.SCHEMA
    elif row(connection, definitions.MAY_READ_MAPPINGS)[0]:
        query = definitions.SCHEMA
    else:
        query = definitions.SCHEMA_WITHOUT_MAPPINGS
    texts = {f"{kind} {name}": definition or "" for kind, name, definition in rows(connection, query)}
    return dict(sorted(texts.items()))


def read_left_out(connection: Connection) -> tuple[str, ...]:
    query = left_out_queries.QUERY
    if row(connection, definitions.MAY_READ_MAPPINGS)[0]:
        query += " UNION ALL " + left_out_queries.MAPPINGS
    return tuple(text for (text,) in rows(connection, query))


def read_tables(connection: Connection, progress: Progress = lambda _: None) -> dict[str, Table]:
    tables: dict[str, Table] = {}
    for batch in table_batches(connection):
        progress(f"rows of {batch[0][0]}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""))
        tables |= read_batch(connection, batch)
    return tables


def table_batches(connection: Connection) -> list[Batch]:
    """Tables (name, columns as queries.TABLES writes them): large ones first and alone, small ones in batches."""
    listed = rows(connection, queries.TABLES)
    large: list[Batch] = [[(name, columns or ())] for _, name, columns, pages in listed if pages >= _LARGE_PAGES]
    small: Batch = [(name, columns or ()) for _, name, columns, pages in listed if pages < _LARGE_PAGES]
    return [*large, *_batches(small)]


def large_tables(connection: Connection) -> set[str]:
    """The tables that `table_batches` returns alone."""
    return {name for _, name, _, pages in rows(connection, queries.TABLES) if pages >= _LARGE_PAGES}


def count_rows(connection: Connection, names: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for batch in _batches(names):
        counted = rows(connection, queries.tables_rows(batch))
        counts |= {name: count for name, (_, count) in zip(batch, counted, strict=True)}
    return counts


def read_batch(connection: Connection, batch: Batch) -> dict[str, Table]:
    read = rows(connection, queries.tables_content(batch))
    return {name: Table(*values) for (name, _), (_, *values) in zip(batch, read, strict=True)}


def _batches(items: list[_Item]) -> Iterator[list[_Item]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


def read_sequences(connection: Connection) -> dict[str, Sequence]:
    sequences = {}
    for batch in _batches(rows(connection, queries.SEQUENCES)):
        state_queries = [
            (name, queries.column_extreme(table, column, increment < 0) if is_integer else None)
            for name, increment, _, table, column, is_integer in batch
        ]
        states = rows(connection, queries.sequences_state(state_queries))
        for (name, increment, cycle, table, column, _), (_, last, called, extreme) in zip(batch, states, strict=True):
            owner = f"{table}.{identifier(column)}" if column else None
            sequences[name] = Sequence(last, called, increment, cycle, owner, extreme)
    return sequences


def _large_objects(connection: Connection) -> dict[str, LargeObject]:
    large_objects = {}
    for oid, owner, acl in rows(connection, queries.LARGE_OBJECTS):
        digest, length = hashlib.sha256(), 0
        while part := row(connection, queries.large_object_part(oid, length, _LO_PART))[0]:
            digest.update(part)
            length += len(part)
        large_objects[str(oid)] = LargeObject(owner, acl, length, digest.hexdigest())
    return large_objects


def read_heads(connection: Connection, query: str | None) -> tuple[tuple[str, ...], ...] | None:
    """Returns None without a query, or before the first migration created its table."""
    if query is None:
        return None
    try:
        with connection.transaction():
            return tuple(sorted(tuple(str(value) for value in line) for line in rows(connection, query)))
    except psycopg.errors.UndefinedTable:
        return None


def read_globals(connection: Connection) -> Globals:
    owner, encoding, provider, collate, ctype, locale, icu_rules, limit = row(connection, queries.DATABASE)
    grants = tuple(Grant(*line) for line in rows(connection, queries.DATABASE_GRANTS))
    parameters: dict[str, tuple[Grant, ...]] = {}
    for name, *grant in rows(connection, queries.PARAMETERS):
        parameters[name] = (*parameters.get(name, ()), Grant(*grant))
    return Globals(
        bootstrap=row(connection, queries.BOOTSTRAP)[0],
        roles={name: Role(tuple(kinds), limit, until) for name, kinds, limit, until in rows(connection, queries.ROLES)},
        memberships=tuple(Membership(*line) for line in rows(connection, queries.MEMBERSHIPS)),
        settings=tuple(Setting(*line) for line in rows(connection, queries.SETTINGS)),
        parameters=parameters,
        database=Database(owner, encoding, provider, collate, ctype, locale, icu_rules, limit, grants),
        extensions=dict(rows(connection, queries.EXTENSIONS)),
    )
