"""Restores a backup into a throw-away server and compares the copy with its manifest.

It needs the file, its manifest and PostgreSQL's programs, but no network and no access to the source.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psycopg

from ledgervault.commands import backup_checks, losses
from ledgervault.commands.context import Context
from ledgervault.commands.losses import Loss
from ledgervault.model import comparison, diagnosis, proof
from ledgervault.model.content import Content, Table
from ledgervault.model.dump_format import Statement
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Check, inconclusive, note, ok
from ledgervault.postgres import database, dump_loader, equivalence, queries, row_loader, server, sql
from ledgervault.postgres.database import Connection
from ledgervault.postgres.dump_loader import Loaded
from ledgervault.postgres.login import THROW_AWAY_SESSION, Login
from ledgervault.storage import archive
from ledgervault.storage.archive import DumpObserver, FileHash, ReadBack

_SMALL = 32 << 20  # bytes of SQL: below, all indexes take no time worth saving
_LARGE_ROWS = 50_000  # of a table: below, a second connection costs as much as it saves
_WITH_GLOBALS = {sql.ROLES: "1", sql.DATABASE: "1"}


@dataclass(frozen=True, slots=True)
class Restoration:
    """A backup whose bytes match its manifest and that is about to be restored."""

    context: Context
    path: Path
    manifest: Manifest
    file_hash: FileHash
    figures: dict[str, float] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)  # since the baseline, once the copy was compared
    rewritten: dict[str, str] = field(default_factory=dict)  # definitions as the throw-away server writes them

    def check_bytes(self, back: ReadBack) -> Iterator[Check]:
        return backup_checks.check_bytes(self.manifest, back, self.context.config.limits.size_floor_bytes)


def restore_and_compare(restoration: Restoration, indexes: str) -> list[Check]:
    """Restores on two cores. If that fails, psql loads the plain dump, and its result decides."""
    manifest, limits = restoration.manifest, restoration.context.config.limits
    restoration.figures.update(size=float(manifest.size), rows=float(manifest.content.rows))
    build = indexes == proof.ALL or manifest.uncompressed_size < _SMALL
    checks: list[Check] | None = None
    for attempt in (partial(_restore_on_two_cores, build=build), _restore_with_psql):
        start = time.monotonic()
        try:
            restoration.context.say("starting a throw-away server")
            with server.throw_away(restoration.context.scratch, manifest.content.globals.bootstrap, limits) as instance:
                restoration.figures["start_seconds"] = round(time.monotonic() - start, 3)
                checks = _create_database(manifest, instance) or attempt(restoration, instance)
        except CouldNot as error:
            checks = [inconclusive("restore", str(error), error.hint)]
        except OSError as error:
            message, hint = f"scratch {restoration.context.scratch}: {error}", "give the scratch space more room"
            checks = [inconclusive("restore", message, hint)]
        except psycopg.Error as error:
            message = str(error).strip()
            hint = diagnosis.diagnose_restore(message)[1]
            checks = [inconclusive("restore", f"the throw-away server: {message}", hint)]
        if checks is not None:
            break
    return checks or []


def _create_database(manifest: Manifest, instance: server.Server) -> list[Check] | None:
    """Returns None if the database was created."""
    with database.connect(instance.login("template1"), "ledgervault prove") as connection:
        try:
            connection.execute(sql.create_database(manifest.database, manifest.content.globals.database).encode())
        except psycopg.Error as error:
            text = f"the database cannot be made: {error}"
            return [inconclusive("locale", text, "the image lacks the source's locale")]
    return None


def _restore_on_two_cores(restoration: Restoration, instance: server.Server, build: bool) -> list[Check] | None:
    """Returns None if the dump did not load this way. The dump's own statements are observed while it loads."""
    login, start, observer = instance.login(restoration.manifest.database), time.monotonic(), DumpObserver()
    limit, session = restoration.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    restoration.context.say("restoring")
    try:
        post_data = row_loader.load(
            restoration.path, login, _WITH_GLOBALS, limit, session, observer, _large_tables(restoration.manifest)
        )
        restoration.figures["rows_seconds"] = round(time.monotonic() - start, 3)
        checks = [*restoration.check_bytes(observer.summary(restoration.file_hash))]
        if comparison.failures(checks):
            return checks
        loaded = dump_loader.build_and_read(login, post_data, build, restoration.context.say)
        restoration.figures["restore_seconds"] = round(time.monotonic() - start, 3)
        return checks + _compare_copy(restoration, login, loaded)
    except (psycopg.Error, row_loader.NotLoadedError) as error:
        restoration.context.say(f"not on two cores: {error}")
        return None


def _large_tables(manifest: Manifest) -> set[str]:
    return {name for name, table in manifest.content.tables.items() if table.rows >= _LARGE_ROWS}


def _restore_with_psql(restoration: Restoration, instance: server.Server) -> list[Check]:
    checks = [*restoration.check_bytes(archive.read_back(archive.chunks(restoration.path)))]
    if comparison.failures(checks):
        return checks
    login, start = instance.login(restoration.manifest.database), time.monotonic()
    limit, session = restoration.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    restoration.context.say("restoring the plain way")
    problem = dump_loader.load_with_psql(restoration.path, login, _WITH_GLOBALS, limit, session)
    restoration.figures["restore_seconds"] = round(time.monotonic() - start, 3)
    return [*checks, problem] if problem is not None else checks + _compare_copy(restoration, login, Loaded())


def _compare_copy(restoration: Restoration, login: Login, loaded: Loaded) -> list[Check]:
    context, manifest, figures, start = restoration.context, restoration.manifest, restoration.figures, time.monotonic()
    with database.connect(login, "ledgervault prove", THROW_AWAY_SESSION) as connection:
        with _indexes_defined(connection, loaded.unbuilt) as index_notes:
            schema = database.read_schema(connection, manifest.schema)
            equivalences = equivalence.find_equivalences(connection, manifest, schema)
        restored = database.read_content(
            connection, manifest.migration_heads_query, context.say, tables=loaded.tables, schema=schema
        )
        restored = equivalence.as_of_manifest(connection, manifest, restored)
        checks = [
            ok("restore", "restored without an error"),
            *index_notes,
            *comparison.compare_copy(manifest, restored, equivalences),
        ]
        checks += check_not_blind(connection, manifest, restored, equivalences)
        restoration.rewritten.update(equivalences.rewritten)
        figures["compare_seconds"] = round(time.monotonic() - start, 3)
        restoration.losses.append(losses.since_baseline(context, connection, manifest))
    figures["indexes_unbuilt"] = float(len(loaded.unbuilt))
    figures["own_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return checks


@contextmanager
def _indexes_defined(connection: Connection, unbuilt: Sequence[Statement]) -> Iterator[list[Check]]:
    """Inside the block the skipped indexes exist on emptied tables, created by the dump's own statements, so that their
    definitions can be compared. Afterwards everything is rolled back."""
    if not unbuilt:
        yield []
        return
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL event_triggers = off")
        triggers = database.rows(connection, queries.TRUNCATE_TRIGGERS)
        _execute_all(connection, (disable for disable, _ in triggers))
        tables = [name for (name,) in database.rows(connection, queries.LOCKABLE)]
        connection.execute(queries.truncate(tables).encode())
        _execute_all(connection, (enable for _, enable in triggers))  # their states are compared
        dump_loader.execute(connection, unbuilt)
        text = f"indexes: {len(unbuilt)} secondary ones defined and compared, not built over the rows"
        yield [note("indexes", text)]


def _execute_all(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def check_not_blind(
    connection: Connection, manifest: Manifest, restored: Content, equivalences: comparison.Equivalences
) -> Iterator[Check]:
    """Deletes one row of the copy and checks that the comparison notices (B30)."""
    filled = {name: table for name, table in restored.tables.items() if table.rows}
    if not filled:
        return
    name = min(filled, key=lambda table: (filled[table].rows, table))
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL event_triggers = off")
        _execute_all(connection, (statement for (statement,) in database.rows(connection, queries.disarm_table(name))))
        columns = next(line[2] for line in database.rows(connection, queries.TABLES) if line[1] == name)
        first = f"(SELECT ctid FROM ONLY {name} LIMIT 1)"  # noqa: S608  - a name the server itself quoted
        connection.execute(f"DELETE FROM ONLY {name} WHERE ctid = {first}".encode())  # noqa: S608
        damaged: dict[str, Table] = restored.tables | database.read_batch(connection, [(name, columns or ())])
    if comparison.failures(comparison.compare_tables(manifest.content.tables, damaged, equivalences.moving)):
        yield ok("not blind", f"a row taken from {name} was noticed")
    else:
        yield inconclusive("not blind", f"a row taken from {name} was not noticed: this verifier sees nothing")
