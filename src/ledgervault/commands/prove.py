"""Proving a backup: restored into a server of its own, everything the manifest holds compared, the verdict recorded.

Needs the file, its manifest and PostgreSQL's programs: no network, no access to the source.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import psycopg

from ledgervault.commands import losses
from ledgervault.commands.context import Context
from ledgervault.commands.losses import NO_LOSS, Loss
from ledgervault.host import deadline, process
from ledgervault.model import comparison, diagnosis, proof
from ledgervault.model.content import Content, Table
from ledgervault.model.dump_format import Statement
from ledgervault.model.errors import CouldNot
from ledgervault.model.journal import digest
from ledgervault.model.manifest import Manifest, end_marker, parse_manifest
from ledgervault.model.proof import Check, Proof, failed, inconclusive, note, ok
from ledgervault.model.records import NewerError, RecordError
from ledgervault.postgres import database, dump_loader, equivalence, queries, row_loader, server, sql
from ledgervault.postgres.database import Connection
from ledgervault.postgres.dump_loader import Loaded
from ledgervault.postgres.login import THROW_AWAY_SESSION, Login
from ledgervault.storage import archive, files
from ledgervault.storage.archive import DumpObserver, FileHash, ReadBack

MAJOR = 17  # of the programs in this image
_SMALL = 32 << 20  # bytes of SQL: below, all indexes take no time worth saving
_LARGE_ROWS = 50_000  # of a table: below, a second connection costs as much as it saves
_WITH_GLOBALS = {sql.ROLES: "1", sql.DATABASE: "1"}


@dataclass(frozen=True, slots=True)
class Options:
    record: bool = True
    need_journal: bool = True
    indexes: str = proof.ALL  # or DEFINITIONS


@dataclass(frozen=True, slots=True)
class _Outcome:
    checks: list[Check]
    compared: bool
    manifest_sha256: str | None
    figures: dict[str, float]
    loss: Loss = NO_LOSS
    rewritten: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Restoration:
    """A backup whose bytes are the manifest's, about to be restored."""

    context: Context
    path: Path
    manifest: Manifest
    file_hash: FileHash
    figures: dict[str, float] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)  # since the baseline, once the copy was compared
    rewritten: dict[str, str] = field(default_factory=dict)  # definitions as the throw-away server writes them


def prove(context: Context, path: Path, options: Options) -> Proof:
    return _make_proof(context, path, "data", options)


def verify(context: Context, path: Path, options: Options) -> Proof:
    return _make_proof(context, path, "bytes", options)


def _make_proof(context: Context, path: Path, level: str, options: Options) -> Proof:
    start_time, start = files.now(), time.monotonic()
    process.work_in_batches()
    limit, setting = context.config.limits.proof_timeout_seconds, "limits.proof_timeout_seconds"
    with files.in_use(path), deadline.within("proof", limit, setting) as time_limit:
        outcome = _examine(context, path, level, options)
    if time_limit.passed:  # what was stopped looks like a dump that does not load, and says nothing about the backup
        error = time_limit.error
        outcome = replace(outcome, checks=[inconclusive("time", str(error), error.hint)])
    file_proof = Proof(
        schema=proof.SCHEMA,
        file=path.name,
        manifest_sha256=outcome.manifest_sha256,
        level=level,
        verdict=proof.verdict(outcome.checks, outcome.compared),
        begun=files.stamp(start_time),
        finished=files.stamp(),
        seconds=round(time.monotonic() - start, 3),
        checks=tuple(outcome.checks),
        figures=outcome.figures,
        shrunken=outcome.loss.verdict == proof.LOST,
        loss=outcome.loss.verdict,
        baseline=outcome.loss.baseline,
        written=outcome.rewritten,
    )
    if options.record and context.store.owns(path):
        _record(context, path, file_proof)
    return file_proof


def _record(context: Context, path: Path, file_proof: Proof) -> None:
    try:
        context.store.record(path, file_proof)
        bad = "; ".join(check.text for check in file_proof.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE))
        context.store.log(f"{file_proof.level} {file_proof.verdict} {path.name} {file_proof.seconds:.1f} s {bad}")
    except OSError as error:
        raise CouldNot(
            str(context.store.root), f"the proof cannot be written: {error}", "is the volume full?"
        ) from error


def _examine(context: Context, path: Path, level: str, options: Options) -> _Outcome:
    manifest, manifest_sha256, checks = read_manifest(context, path)
    if manifest is None:
        checks += check_bytes_alone(path)
        return _Outcome(checks, False, manifest_sha256, {})
    checks += check_manifest(context, path, manifest, manifest_sha256, options)
    context.say(f"reading {path.name}")
    figures = {"size": float(manifest.size)}
    if level == "bytes":
        checks += check_bytes(context, manifest, archive.read_back(archive.chunks(path)))
        return _Outcome(checks, True, manifest_sha256, figures)
    file_hash = archive.file_hash(path)
    if file_hash != FileHash(manifest.size, manifest.sha256):
        checks += check_bytes(context, manifest, archive.read_back(archive.chunks(path)))
        if not comparison.failures(checks):
            checks.append(failed("bytes", "bytes: read twice, the disk gave two things", "check the disk"))
    if comparison.failures(checks):
        return _Outcome(checks, False, manifest_sha256, figures)
    if manifest.major > MAJOR:
        text = f"made by PostgreSQL {manifest.major}, this image restores up to {MAJOR}"
        return _Outcome(
            [*checks, inconclusive("version", text, "prove it with the newer vault image")], False, manifest_sha256, {}
        )
    case = _Restoration(context, path, manifest, file_hash)
    checks += restore_and_compare(case, options.indexes)
    loss = case.losses[-1] if case.losses else NO_LOSS
    compared = comparison.is_comparable(manifest)
    return _Outcome([*checks, *loss.checks], compared, manifest_sha256, case.figures, loss, case.rewritten)


# ------------------------------------------------------------------------ the manifest, before anything is restored


def read_manifest(context: Context, path: Path) -> tuple[Manifest | None, str | None, list[Check]]:
    place = context.store.manifest_path(path)
    try:
        text = place.read_bytes()
    except FileNotFoundError:
        hint = "bring it from where the backup came from; without it nobody knows what should be in the file"
        return None, None, [inconclusive("manifest", f"{place.name}: missing", hint)]
    except OSError as error:
        return None, None, [inconclusive("manifest", f"{place.name}: cannot be read: {error}")]
    try:
        return parse_manifest(text), digest(text), []
    except NewerError as error:
        return None, digest(text), [inconclusive("manifest", f"{place.name}: {error}", "use the newer vault image")]
    except RecordError as error:
        return None, digest(text), [failed("manifest", f"{place.name}: not a manifest of ours: {error}")]


def check_manifest(
    context: Context, path: Path, manifest: Manifest, manifest_sha256: str | None, options: Options
) -> Iterator[Check]:
    if manifest.file != path.name:
        yield failed("manifest file", f"the manifest is of {manifest.file}, not of {path.name}")
    for key, actual, expected in (
        ("environment", manifest.environment, context.config.environment),
        ("database", manifest.database, context.config.database.name),
    ):
        if actual != expected:
            yield failed(
                key, f"{key}: a backup of '{actual}', expected '{expected}'", "prove it with that one's configuration"
            )
    yield from check_journal(context, path, manifest, manifest_sha256, options)


def check_journal(
    context: Context, path: Path, manifest: Manifest, manifest_sha256: str | None, options: Options
) -> Iterator[Check]:
    """The manifest is believed because the journal, a chain of hashes, knows it."""
    if not options.need_journal:
        yield note("journal", "journal: not asked, as you wished")
        return
    journal = context.store.journal()
    if journal.broken is not None:
        yield failed("journal", f"journal: the chain is broken: {journal.broken}", "`ledgervault audit` says more")
        return
    line = journal.backup_of(manifest.file)
    if line is not None and line.manifest_sha256 == manifest_sha256:
        yield ok("journal", f"journal: line {line.seq} of {len(journal.lines)} knows this manifest")
    elif line is not None:
        yield failed("journal", f"journal: line {line.seq} knows another manifest of {path.name}: it was changed")
    elif journal.lines:
        yield failed("journal", f"journal: knows no backup {path.name}", "a file put here by hand? --without-journal")
    else:
        journal_path = context.store.journal_path
        yield inconclusive(
            "journal",
            f"{journal_path}: not there, so the manifest stands alone",
            "add --without-journal to accept that",
        )


# ------------------------------------------------------------------------------------------------------ the bytes


def check_bytes_alone(path: Path) -> Iterator[Check]:
    """What can be said all the same: a file that is no dump of ours is bad, whatever its manifest was."""
    back = archive.read_back(archive.chunks(path))
    if back.size == 0:
        yield failed("bytes", f"{path.name}: 0 bytes")
    elif back.error is not None:
        yield failed("bytes", f"{path.name}: cannot be decompressed: {back.error}")
    elif not back.tail.endswith(end_marker(path.name)):
        yield failed("end marker", f"{path.name}: does not end with its end marker")


def check_bytes(context: Context, manifest: Manifest, back: ReadBack) -> Iterator[Check]:
    if back.size != manifest.size:
        yield failed("size", f"size: {back.size} bytes, {manifest.size} in the manifest")
    if back.sha256 != manifest.sha256:
        yield failed("sha256", f"sha256: {back.sha256[:16]}..., {manifest.sha256[:16]}... in the manifest")
    if back.error is not None:
        yield failed("gzip", f"cannot be decompressed: {back.error}")
    elif not back.tail.endswith(end_marker(manifest.file)):
        yield failed("end marker", f"the dump does not end with the end marker of {manifest.file}")
    elif back.size == manifest.size and back.sha256 == manifest.sha256:
        yield ok("bytes", f"bytes: {back.size} bytes, sha256 and end marker as in the manifest")
    if back.sequences != manifest.sequences_dumped and back.error is None:
        yield failed("sequences in the dump", "the dump sets other sequence values than the manifest says")
    floor = context.config.limits.size_floor_bytes
    if manifest.size < floor:
        yield note(
            "size floor", f"smaller than the floor of {floor} bytes: {manifest.size} bytes; the comparison decides"
        )


# -------------------------------------------------------------------------------------------- restored and compared


def restore_and_compare(case: _Restoration, indexes: str) -> list[Check]:
    """On two cores; where that way fails the plain one decides, because a dump must load as it stands or not at all."""
    manifest, limits = case.manifest, case.context.config.limits
    case.figures.update(size=float(manifest.size), rows=float(manifest.content.rows))
    build = indexes == proof.ALL or manifest.uncompressed_size < _SMALL
    checks: list[Check] | None = None
    for attempt in (partial(_restore_on_two_cores, build=build), _restore_with_psql):
        start = time.monotonic()
        try:
            case.context.say("starting a throw-away server")
            with server.throw_away(case.context.scratch, manifest.content.globals.bootstrap, limits) as instance:
                case.figures["start_seconds"] = round(time.monotonic() - start, 3)
                checks = _create_database(manifest, instance) or attempt(case, instance)
        except CouldNot as error:
            checks = [inconclusive("restore", str(error), error.hint)]
        except OSError as error:
            message, hint = f"scratch {case.context.scratch}: {error}", "give the scratch space more room"
            checks = [inconclusive("restore", message, hint)]
        except psycopg.Error as error:
            message = str(error).strip()
            hint = diagnosis.diagnose_restore(message)[1]
            checks = [inconclusive("restore", f"the throw-away server: {message}", hint)]
        if checks is not None:
            break
    return checks or []


def _create_database(manifest: Manifest, instance: server.Server) -> list[Check] | None:
    """None if it is made."""
    with database.connect(instance.login("template1"), "ledgervault prove") as connection:
        try:
            connection.execute(sql.create_database(manifest.database, manifest.content.globals.database).encode())
        except psycopg.Error as error:
            text = f"the database cannot be made: {error}"
            return [inconclusive("locale", text, "the image lacks the source's locale")]
    return None


def _restore_on_two_cores(case: _Restoration, instance: server.Server, build: bool) -> list[Check] | None:
    """None if it did not load. What the dump says of itself is heard while it loads."""
    login, start, observer = instance.login(case.manifest.database), time.monotonic(), DumpObserver()
    limit, session = case.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    case.context.say("restoring")
    try:
        parts = row_loader.load(case.path, login, _WITH_GLOBALS, limit, session, observer, _large_tables(case.manifest))
        case.figures["rows_seconds"] = round(time.monotonic() - start, 3)
        checks = [*check_bytes(case.context, case.manifest, observer.summary(case.file_hash))]
        if comparison.failures(checks):
            return checks
        loaded = dump_loader.build_and_read(login, parts, build, case.context.say)
        case.figures["restore_seconds"] = round(time.monotonic() - start, 3)
        return checks + _compare_copy(case, login, loaded)
    except (psycopg.Error, row_loader.NotLoadedError) as error:
        case.context.say(f"not on two cores: {error}")
        return None


def _large_tables(manifest: Manifest) -> set[str]:
    return {name for name, table in manifest.content.tables.items() if table.rows >= _LARGE_ROWS}


def _restore_with_psql(case: _Restoration, instance: server.Server) -> list[Check]:
    checks = [*check_bytes(case.context, case.manifest, archive.read_back(archive.chunks(case.path)))]
    if comparison.failures(checks):
        return checks
    login, start = instance.login(case.manifest.database), time.monotonic()
    limit, session = case.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    case.context.say("restoring the plain way")
    problem = dump_loader.load_with_psql(case.path, login, _WITH_GLOBALS, limit, session)
    case.figures["restore_seconds"] = round(time.monotonic() - start, 3)
    return [*checks, problem] if problem is not None else checks + _compare_copy(case, login, Loaded())


def _compare_copy(case: _Restoration, login: Login, loaded: Loaded) -> list[Check]:
    context, manifest, figures, start = case.context, case.manifest, case.figures, time.monotonic()
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
        case.rewritten.update(equivalences.rewritten)
        figures["compare_seconds"] = round(time.monotonic() - start, 3)
        case.losses.append(losses.since_baseline(context, connection, manifest))
    figures["indexes_unbuilt"] = float(len(loaded.unbuilt))
    figures["own_rss_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return checks


@contextmanager
def _indexes_defined(connection: Connection, unbuilt: Sequence[Statement]) -> Iterator[list[Check]]:
    """Inside, the indexes that were not built are there, made by PostgreSQL itself from the dump's own statements on
    emptied tables; afterwards all is as before. So their definitions are compared like all others."""
    if not unbuilt:
        yield []
        return
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL event_triggers = off")
        triggers = database.rows(connection, queries.KEPT_FROM_TRUNCATE)
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
    """Takes a row away from the restored copy and demands that reading and comparing notice (B30)."""
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
