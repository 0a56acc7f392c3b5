"""Taking a backup: one exported snapshot, and everything that is said about it read in that snapshot."""

from __future__ import annotations

import errno
import hashlib
import subprocess
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
from ledgervault.host import deadline, process
from ledgervault.model import backup_names, config, diagnosis, digests
from ledgervault.model.content import Content, Sequence
from ledgervault.model.digests import Digests
from ledgervault.model.errors import Bad, CouldNot, VaultError
from ledgervault.model.manifest import SCHEMA, Manifest, Watched, end_marker
from ledgervault.postgres import argv, database, databases, digest_reader, sql
from ledgervault.postgres.argv import Login
from ledgervault.postgres.database import Connection, Snapshot
from ledgervault.storage import archive, files
from ledgervault.storage.archive import ReadBack, Stored
from ledgervault.storage.store import BACKUP_FAILED

_Read = tuple[Content, Digests]
_POLL_SECONDS = 0.2
_ATTEMPTS = 3
_PG_DUMP_LOCK_SECONDS = 2  # we hold every table already: whoever makes pg_dump wait is waiting for us


@dataclass(frozen=True, slots=True)
class Taken:
    manifest: Manifest
    path: Path
    seconds: float


class _LockedOutError(CouldNot):
    """pg_dump met a lock request that waits for us."""


def take(context: Context, kind: str = "db", tier: str = "hourly") -> Taken:
    """A backup under its own name with its manifest and journal line, or VaultError and nothing left behind."""
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
                manifest, digested = _take(context, kind, tier)
            path = store.commit(manifest, digested)
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
    return Taken(manifest, path, seconds)


def _prune_if_full(context: Context, error: OSError) -> None:
    """A dump that grew more than was expected: the next run has the room that may be made."""
    if error.errno == errno.ENOSPC:
        with suppress(VaultError, OSError):
            prune.prune(context, pressed=True)


def _log_failure(context: Context, error: Exception) -> None:
    try:
        context.store.log(f"{BACKUP_FAILED} {error}")
    except OSError:
        context.say(f"backup.log cannot be written either, in {context.store.root}")


def _take(context: Context, kind: str, tier: str) -> tuple[Manifest, bytes]:
    begun, login = files.now(), context.source()
    name = str(context.store.free_name(kind, begun))
    aside = context.store.tier(tier) / backup_names.partial(name)
    try:
        with database.connect(login, "ledgervault backup") as connection:
            _finish_restore(context, connection)
            (content, digested), snapshot, dumped, back = _with_patience(context, connection, login, name, aside)
            version = connection.info.parameter_status("server_version") or ""
            number = connection.info.server_version
        encoded = digests.encode(digested)
        manifest = Manifest(
            schema=SCHEMA,
            file=name,
            kind=kind,
            tier=tier,
            environment=context.config.environment,
            database=login.database,
            begun=files.stamp(begun),
            snapshot=snapshot.taken,
            finished=files.stamp(),
            server_version=version,
            server_version_num=number,
            dumped_with=f"pg_dump {back.dumped_by}",
            lsn=snapshot.lsn,
            compressor=process.compressor(),
            size=dumped.size,
            sha256=dumped.sha256,
            uncompressed_size=back.uncompressed_size,
            content=content,
            sequences_dumped=back.sequences,
            watched=_watched(context, content),
            migration_heads_query=_heads_query(context),
            deployment=context.deployment(),
            digests=digests.describe(name, encoded),
        )
        return manifest, encoded
    except psycopg.Error as error:
        aside.unlink(missing_ok=True)
        what = str(error).strip()
        raise CouldNot(f"database {login.database}", what, diagnosis.dump_hint(what, login.user)) from error
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _finish_restore(context: Context, connection: Connection) -> None:
    """A restore that was killed between its switch and its line in the journal: later backups must be compared with
    what it put back."""
    note = databases.own_note(connection)
    if note is not None:
        context.store.restored(note.file, {"id": note.id, "database": connection.info.dbname, "kept": note.kept})


def _with_patience(
    context: Context, connection: Connection, login: Login, name: str, aside: Path
) -> tuple[_Read, Snapshot, Stored, ReadBack]:
    """A migration that asked for a table after we had locked it and before pg_dump did stands between the two: it waits
    for us, pg_dump for it. We let go, it goes first, and we start again."""
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
    """A large object made between this and the snapshot is granted at the next attempt. One that stays without its
    grant fails the dump, by name; so what goes wrong here is only written down."""
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
) -> tuple[_Read, Snapshot, Stored, ReadBack]:
    with database.snapshot(connection, context.config.database.lock_wait_seconds) as snapshot:
        title = (
            f"ledgervault backup {name} of {login.database} ({context.config.environment}), snapshot {snapshot.taken}"
        )
        head = sql.preamble(database.read_globals(connection), title).encode()
        sequences = database.read_sequences(connection)
        with _in_parallel(connection, context, sequences) as reading:
            growing = files.Growing(aside)
            with archive.reading_back(growing, behind=True) as reading_back:
                dumped = _dump(context, login, snapshot, head, name, growing, (reading, reading_back))
            back = reading_back.result()
            _believe(name, dumped, back)
            read = reading.result()
    return read, snapshot, dumped, back


@contextmanager
def _in_parallel(connection: Connection, context: Context, sequences: dict[str, Sequence]) -> Iterator[Future[_Read]]:
    """Counts and hashes on the snapshot's own connection, while pg_dump works on another."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(_read_content, connection, context, sequences)
        except BaseException:
            database.stop(connection)
            raise


def _read_content(connection: Connection, context: Context, sequences: dict[str, Sequence]) -> _Read:
    tables, digested = digest_reader.read(connection, context.say)
    content = database.read_content(connection, _heads_query(context), context.say, sequences, tables)
    return content, digested


def _dump(
    context: Context,
    login: Login,
    snapshot: Snapshot,
    head: bytes,
    name: str,
    growing: files.Growing,
    others: tuple[Future[Any], ...],
) -> Stored:
    """pg_dump | compressor | (hash, file). pg_dump writes into the compressor itself; we see compressed bytes only."""
    context.say(f"dumping {login.database}, reading the backup back")
    compress = argv.COMPRESSORS[process.compressor()]
    with process.Program(compress, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as compressor:
        feed, output = compressor.input, compressor.output
        with ThreadPoolExecutor(1) as pool, compressor.killed_on_error():
            storing = pool.submit(_store, output, growing)
            try:
                feed.write(head)
                feed.flush()
                _run_pg_dump(context, login, snapshot, feed, (storing, *others))
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
    context: Context, login: Login, snapshot: Snapshot, feed: IO[bytes], others: tuple[Future[Any], ...]
) -> None:
    command = argv.pg_dump(snapshot.id, _PG_DUMP_LOCK_SECONDS)
    with process.Program(command, stdout=feed, environment=login.environment(argv.SESSION)) as program:
        while program.process.poll() is None:
            _raise_from(others)
            program.wait(_POLL_SECONDS)
        if program.process.returncode != 0:
            wait([*others], timeout=1)
            _raise_from(others)  # theirs is the cause: a lost snapshot makes pg_dump fail too
            said = program.errors()
            kind = _LockedOutError if diagnosis.locked_out(said) else CouldNot
            raise kind("pg_dump", diagnosis.tail(said), diagnosis.dump_hint(said, login.user))


def _raise_from(others: Iterable[Future[Any]]) -> None:
    for other in others:
        if other.done():
            other.result()  # one that is through is fine


def _store(source: IO[bytes], growing: files.Growing) -> Stored:
    digest = hashlib.sha256()
    while chunk := source.read(files.CHUNK):
        digest.update(chunk)
        growing.write(chunk)
    return Stored(growing.size, digest.hexdigest())


def _believe(name: str, dumped: Stored, back: ReadBack) -> None:
    """What the disk gives back is what was handed to it, and whole."""
    if (back.sha256, back.size) != (dumped.sha256, dumped.size):
        raise Bad(
            name,
            f"read back {back.size} bytes {back.sha256}, written {dumped.size} bytes {dumped.sha256}",
            "check the disk",
        )
    if back.error is not None:
        raise Bad(name, f"cannot be decompressed: {back.error}", "check the disk and the memory of this host")
    if not back.tail.endswith(end_marker(name)):
        raise Bad(name, "has no end marker", "the dump stopped early; back up again")


def _heads_query(context: Context) -> str | None:
    return context.config.migrations.query if context.config.migrations else None


def _watched(context: Context, content: Content) -> dict[str, Watched]:
    """`after_first`: once a table was seen with rows, rows are expected for good."""
    seen: set[str] = set()
    for line in context.store.journal().lines:
        seen |= {name for name, rows in (line.data.get("watched") or {}).items() if rows}
    watched = {}
    for table in context.config.tables:
        if table.rows == config.VOLATILE and table.expect_rows == "never":
            continue  # there is nothing to say of its rows
        here = content.tables[table.name].rows if table.name in content.tables else 0
        expect = table.expect_rows == "always" or (
            table.expect_rows == "after_first" and (here > 0 or table.name in seen)
        )
        watched[table.name] = Watched(table.noun, table.empty, expect)
    return watched
