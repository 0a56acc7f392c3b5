"""Takes a backup: exports one snapshot and reads everything the manifest says from that snapshot."""

from __future__ import annotations

import errno
import hashlib
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import psycopg

from ledgervault.commands import prune
from ledgervault.commands.context import Context
from ledgervault.host import compression, deadline, process
from ledgervault.model import backup_names, config, diagnosis, digests
from ledgervault.model.config import Config
from ledgervault.model.content import Content, Sequence
from ledgervault.model.digests import Digests
from ledgervault.model.errors import Bad, CouldNot, VaultError
from ledgervault.model.manifest import SCHEMA, Manifest, Watched, end_marker
from ledgervault.postgres import argv, database, databases, digest_reader, sql
from ledgervault.postgres.database import Connection, Snapshot
from ledgervault.postgres.login import SESSION, Login
from ledgervault.storage import archive, files
from ledgervault.storage.archive import FileHash, ReadBack
from ledgervault.storage.store import BACKUP_FAILED

_Read = tuple[Content, Digests]
_POLL_SECONDS = 0.2
_ATTEMPTS = 3
_PG_DUMP_LOCK_SECONDS = 2  # we hold all tables: a lock that blocks pg_dump waits for us


@dataclass(frozen=True, slots=True)
class NewBackup:
    manifest: Manifest
    path: Path
    seconds: float


class _LockedOutError(CouldNot):
    """pg_dump waited for a lock that is queued behind ours."""


def take_backup(context: Context, kind: str = "db", tier: str = "hourly") -> NewBackup:
    """Returns the backup under its final name, with manifest and journal line. On VaultError no file is left."""
    began = time.monotonic()
    process.work_in_batches()
    store = context.store
    try:
        context.check_mounted()
        store.prepare(tier)
        with store.backing_up(
            f"ledgervault backup of {context.config.database.name}", context.config.limits.lock_wait_seconds
        ):
            prune.make_room(context, context.expected_size())
            limit = context.config.limits.backup_timeout_seconds
            with deadline.within("backup", limit, "limits.backup_timeout_seconds"):
                manifest, encoded_digests = _make_backup(context, kind, tier)
            path = store.commit(manifest, encoded_digests)
            seconds = time.monotonic() - began
            store.log(
                f"backup taken {manifest.file} {manifest.size} bytes {manifest.content.rows} rows {seconds:.1f} s"
            )
    except (VaultError, OSError) as error:
        _log_failure(context, error)
        if isinstance(error, OSError):
            _prune_if_full(context, error)
            raise CouldNot(
                str(store.root), f"{error.strerror or error}", diagnosis.dump_hint(str(error), "")
            ) from error
        raise
    return NewBackup(manifest, path, seconds)


def _prune_if_full(context: Context, error: OSError) -> None:
    """The dump grew more than expected. Pruning now makes room for the next run."""
    if error.errno == errno.ENOSPC:
        with suppress(VaultError, OSError):
            prune.prune(context, pressed=True)


def _log_failure(context: Context, error: Exception) -> None:
    try:
        context.store.log(f"{BACKUP_FAILED} {error}")
    except OSError:
        context.say(f"backup.log cannot be written either, in {context.store.root}")


def _make_backup(context: Context, kind: str, tier: str) -> tuple[Manifest, bytes]:
    start_time, login = files.now(), context.source()
    name = str(context.store.free_name(kind, start_time))
    aside = context.store.tier(tier) / backup_names.partial(name)
    try:
        with database.connect(login, "ledgervault backup") as connection:
            _finish_restore(context, connection)
            (content, table_digests), snapshot, dumped, read_back = _dump_with_retries(
                context, connection, login, name, aside
            )
            version = connection.info.parameter_status("server_version") or ""
            number = connection.info.server_version
        encoded = digests.encode(table_digests)
        manifest = Manifest(
            schema=SCHEMA,
            file=name,
            kind=kind,
            tier=tier,
            environment=context.config.environment,
            database=login.database,
            begun=files.stamp(start_time),
            snapshot=snapshot.time,
            finished=files.stamp(),
            server_version=version,
            server_version_num=number,
            dumped_with=f"pg_dump {read_back.dumped_by}",
            lsn=snapshot.lsn,
            compressor=compression.compressor(),
            size=dumped.size,
            sha256=dumped.sha256,
            uncompressed_size=read_back.uncompressed_size,
            content=content,
            sequences_dumped=read_back.sequences,
            watched=_watched_tables(context, content),
            migration_heads_query=_migration_query(context.config),
            deployment=context.deployment(),
            digests=digests.describe(name, encoded),
        )
        return manifest, encoded
    except psycopg.Error as error:
        aside.unlink(missing_ok=True)
        message = str(error).strip()
        raise CouldNot(f"database {login.database}", message, diagnosis.dump_hint(message, login.user)) from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _finish_restore(context: Context, connection: Connection) -> None:
    """A restore was killed between its switch and its line in the journal. Later backups must be compared with what it
    put back."""
    note = databases.own_note(connection)
    if note is not None:
        context.store.restored(note.file, note.journal_data(connection.info.dbname))


def _dump_with_retries(
    context: Context, connection: Connection, login: Login, name: str, aside: Path
) -> tuple[_Read, Snapshot, FileHash, ReadBack]:
    """A migration can request a table between our lock and pg_dump's. It then waits for us and pg_dump waits for it. We
    release our locks, let the migration finish and start again."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            _before_snapshot(context, connection)
            return _snapshot_and_dump(context, connection, login, name, aside)
        except (_LockedOutError, psycopg.errors.InsufficientPrivilege) as error:
            aside.unlink(missing_ok=True)
            context.say(f"attempt {attempt}: {error}")
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("the loop returns or raises")


def _before_snapshot(context: Context, connection: Connection) -> None:
    """Runs the configured statement, which grants new large objects to the backup role. An object that is created later
    is granted at the next attempt. A failure here is only logged: the dump itself fails and names the object."""
    statement = context.config.database.before_snapshot
    if statement is None:
        return
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION READ WRITE")
            connection.execute(statement.encode())
    except psycopg.errors.Error as error:
        context.store.log(f"before the snapshot: {error}")


def _snapshot_and_dump(
    context: Context, connection: Connection, login: Login, name: str, aside: Path
) -> tuple[_Read, Snapshot, FileHash, ReadBack]:
    with database.snapshot(connection, context.config.database.lock_wait_seconds) as snapshot:
        title = (
            f"ledgervault backup {name} of {login.database} ({context.config.environment}), snapshot {snapshot.time}"
        )
        head = sql.preamble(database.read_globals(connection), title).encode()
        sequences = database.read_sequences(connection)
        with _reading_in_parallel(connection, context, sequences) as reading:
            growing = files.Growing(aside)
            with archive.reading_back(growing, low_priority=True) as reading_back:
                dumped = _dump(context, login, snapshot, head, name, growing, (reading, reading_back))
            read_back = reading_back.result()
            _check_read_back(name, dumped, read_back)
            read = reading.result()
    return read, snapshot, dumped, read_back


@contextmanager
def _reading_in_parallel(
    connection: Connection, context: Context, sequences: dict[str, Sequence]
) -> Iterator[Future[_Read]]:
    """Counts and hashes rows on the snapshot's own connection while pg_dump uses another."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(_read_content, connection, context, sequences)
        except BaseException:
            database.stop(connection)
            raise


def _read_content(connection: Connection, context: Context, sequences: dict[str, Sequence]) -> _Read:
    tables, table_digests = digest_reader.read(connection, context.say)
    content = database.read_content(connection, _migration_query(context.config), context.say, sequences, tables)
    return content, table_digests


def _dump(
    context: Context,
    login: Login,
    snapshot: Snapshot,
    head: bytes,
    name: str,
    growing: files.Growing,
    other_jobs: tuple[Future[Any], ...],
) -> FileHash:
    """Runs pg_dump into the compressor, and hashes and writes the compressed bytes. pg_dump writes directly to the
    compressor."""
    context.say(f"dumping {login.database}, reading the backup back")
    compress = compression.COMPRESSORS[compression.compressor()]
    with process.Program(compress, stdin=process.PIPE, stdout=process.PIPE) as compressor:
        feed, output = compressor.input, compressor.output
        with ThreadPoolExecutor(1) as pool, compressor.killed_on_error():
            storing = pool.submit(_write_dump, output, growing)
            try:
                feed.write(head)
                feed.flush()
                _run_pg_dump(context, login, snapshot, feed, (storing, *other_jobs))
                feed.write(end_marker(name))
                feed.close()
                dumped = storing.result()
            except BrokenPipeError:
                storing.result()  # says why it stopped
                raise CouldNot(compressor.name, compressor.errors().strip() or "stopped early") from None
        if compressor.finish(_POLL_SECONDS * 50) != 0:
            raise CouldNot(compressor.name, compressor.errors().strip())
    return dumped


def _run_pg_dump(
    context: Context, login: Login, snapshot: Snapshot, feed: IO[bytes], other_jobs: tuple[Future[Any], ...]
) -> None:
    command = argv.pg_dump(snapshot.id, _PG_DUMP_LOCK_SECONDS)
    with process.Program(command, stdout=feed, environment=login.environment(SESSION)) as program:
        while program.process.poll() is None:
            _raise_failures(other_jobs)
            program.wait(_POLL_SECONDS)
        if program.process.returncode != 0:
            wait([*other_jobs], timeout=1)
            _raise_failures(other_jobs)  # theirs is the cause: a lost snapshot makes pg_dump fail too
            stderr = program.errors()
            kind = _LockedOutError if diagnosis.is_locked_out(stderr) else CouldNot
            raise kind("pg_dump", diagnosis.summary(stderr), diagnosis.dump_hint(stderr, login.user))


def _raise_failures(jobs: Iterable[Future[Any]]) -> None:
    for job in jobs:
        if job.done():
            job.result()  # raises if the job failed


def _write_dump(source: IO[bytes], growing: files.Growing) -> FileHash:
    digest = hashlib.sha256()
    while chunk := source.read(files.CHUNK):
        digest.update(chunk)
        growing.write(chunk)
    return FileHash(growing.size, digest.hexdigest())


def _check_read_back(name: str, dumped: FileHash, read_back: ReadBack) -> None:
    """Compares the bytes read back from the disk with the bytes written, and checks that the dump is complete."""
    if (read_back.sha256, read_back.size) != (dumped.sha256, dumped.size):
        raise Bad(
            name,
            f"read back {read_back.size} bytes {read_back.sha256}, written {dumped.size} bytes {dumped.sha256}",
            "check the disk",
        )
    if read_back.error is not None:
        raise Bad(name, f"cannot be decompressed: {read_back.error}", "check the disk and the memory of this host")
    if not read_back.tail.endswith(end_marker(name)):
        raise Bad(name, "has no end marker", "the dump stopped early; back up again")


def _migration_query(config: Config) -> str | None:
    return config.migrations.query if config.migrations else None


def _watched_tables(context: Context, content: Content) -> dict[str, Watched]:
    """With `after_first`, rows are expected from the first backup that had some."""
    tables_with_rows: set[str] = set()
    for line in context.store.journal().lines:
        tables_with_rows |= {name for name, rows in (line.data.get("watched") or {}).items() if rows}
    watched = {}
    for table in context.config.tables:
        if table.rows == config.VOLATILE and table.expect_rows == "never":
            continue  # its rows are neither compared nor expected
        row_count = content.tables[table.name].rows if table.name in content.tables else 0
        is_expected = table.expect_rows == "always" or (
            table.expect_rows == "after_first" and (row_count > 0 or table.name in tables_with_rows)
        )
        watched[table.name] = Watched(table.noun, table.empty, is_expected)
    return watched
