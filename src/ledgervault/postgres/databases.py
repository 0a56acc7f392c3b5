"""The databases of a server as a whole: their names, sizes, notes and sessions, and the exchange of two names.

Apart from `database`, which reads what is inside one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import psycopg

from ledgervault.model.kept_databases import Note, read_note
from ledgervault.postgres import database
from ledgervault.postgres.database import Connection
from ledgervault.postgres.sql import identifier, literal

_LIST = """
SELECT d.datname, CASE WHEN has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END,
       shobj_description(d.oid, 'pg_database')
  FROM pg_database d WHERE NOT d.datistemplate ORDER BY 1
"""
# Sessions of roles whose rights we have are the application's. Autovacuum has no role, and makes way by itself.
_SESSIONS = """
SELECT a.pid, a.datname, a.usename, a.application_name,
       pg_has_role(a.usesysid, 'USAGE') AND NOT (SELECT rolsuper FROM pg_roles r WHERE r.oid = a.usesysid)
  FROM pg_stat_activity a WHERE a.datname = ANY(%s) AND a.usesysid IS NOT NULL ORDER BY a.pid
"""
_END = """
SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
 WHERE a.datname = ANY(%s) AND NOT r.rolsuper AND pg_has_role(a.usesysid, 'USAGE')
"""
_POLL_SECONDS = 0.02
_LOCK_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Database:
    name: str
    bytes: int | None  # None where this role may not know
    note: Note | None


@dataclass(frozen=True, slots=True)
class Session:
    pid: int
    database: str
    user: str
    application: str
    may_end: bool

    def text(self) -> str:
        application = f", {self.application}" if self.application else ""
        return f"{self.user} in {self.database} (pid {self.pid}{application})"


@dataclass(frozen=True, slots=True)
class Exchange:
    """`live` becomes `kept` and `copy` becomes `live`, each with its note, at once or not at all."""

    live: str
    copy: str
    kept: str
    live_note: Note
    kept_note: Note

    def statements(self) -> list[str]:
        renames = ((self.live, self.kept, self.kept_note), (self.copy, self.live, self.live_note))
        return [
            statement
            for old, new, note in renames
            for statement in (
                f"ALTER DATABASE {identifier(old)} RENAME TO {identifier(new)}",
                f"COMMENT ON DATABASE {identifier(new)} IS {literal(note.text())}",
            )
        ]


def listed(connection: Connection) -> list[Database]:
    return [Database(name, size, read_note(note)) for name, size, note in database.rows(connection, _LIST)]


def sessions(connection: Connection, databases: Sequence[str]) -> list[Session]:
    """Those that keep a database from being renamed."""
    return [Session(*line) for line in database.rows(connection, _SESSIONS, list(databases))]


def own_note(connection: Connection) -> Note | None:
    """Of the database that the connection is in."""
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
    return read_note(database.row(connection, query)[0])


def drop(connection: Connection, name: str, force: bool = False) -> None:
    connection.execute(f"DROP DATABASE IF EXISTS {identifier(name)}{' WITH (FORCE)' if force else ''}".encode())


def try_exchange(admin: Connection, other: Connection, exchange: Exchange) -> bool:
    """Whether the names were exchanged; False where a session kept them for five seconds, and nothing changed then. A
    lock of somebody else counts as one: who connects waits behind us, so we do not wait for long.

    RENAME holds the database's lock while it waits for sessions to end: who connects meanwhile waits, too. So sessions
    are ended by the second connection *while* the first one waits, and no state is left behind by a kill.
    """
    done = threading.Event()
    errors: list[psycopg.Error] = []

    def rename() -> None:
        try:
            with admin.transaction():
                admin.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'".encode())
                for statement in exchange.statements():
                    admin.execute(statement.encode())
        except psycopg.Error as error:
            errors.append(error)
        finally:
            done.set()

    worker = threading.Thread(target=rename)
    worker.start()
    try:
        _end_sessions_until(done.is_set, other, (exchange.live, exchange.copy))
    except BaseException:
        database.stop(admin)
        raise
    finally:
        worker.join()
    if errors and not isinstance(errors[0], psycopg.errors.ObjectInUse | psycopg.errors.LockNotAvailable):
        raise errors[0]
    return not errors


def _end_sessions_until(is_done: Callable[[], bool], connection: Connection, databases: Iterable[str]) -> None:
    names = list(databases)
    while not is_done():
        connection.execute(_END.encode(), (names,))
        time.sleep(_POLL_SECONDS)
