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
from ledgervault.model.manifest import Manifest, end_marker, read
from ledgervault.model.proof import Check, Proof, failed, inconclusive, note, ok
from ledgervault.model.records import NewerError, RecordError
from ledgervault.postgres import database, dump_loader, equivalence, queries, row_loader, server, sql
from ledgervault.postgres.database import Connection
from ledgervault.postgres.dump_loader import Loaded
from ledgervault.postgres.login import THROW_AWAY_SESSION, Login
from ledgervault.storage import archive, files
from ledgervault.storage.archive import Listener, ReadBack, Stored

MAJOR = 17  # of the programs in this image
_SMALL = 32 << 20  # bytes of SQL: below, all indexes take no time worth saving
_LARGE_ROWS = 50_000  # of a table: below, a second connection costs as much as it saves
_ALL_OF_IT = {sql.ROLES: "1", sql.DATABASE: "1"}


@dataclass(frozen=True, slots=True)
class Options:
    record: bool = True
    need_journal: bool = True
    indexes: str = proof.ALL  # or DEFINITIONS


@dataclass(frozen=True, slots=True)
class _Judged:
    checks: list[Check]
    compared: bool
    manifest_sha256: str | None
    figures: dict[str, float]
    loss: Loss = NO_LOSS
    written: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Case:
    """A backup whose bytes are the manifest's, about to be restored."""

    context: Context
    path: Path
    manifest: Manifest
    stored: Stored
    figures: dict[str, float] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)  # since the baseline, once the copy was compared
    written: dict[str, str] = field(default_factory=dict)  # definitions as the throw-away server writes them


def prove(context: Context, path: Path, options: Options) -> Proof:
    return _judge(context, path, "data", options)


def verify(context: Context, path: Path, options: Options) -> Proof:
    return _judge(context, path, "bytes", options)


def _judge(context: Context, path: Path, level: str, options: Options) -> Proof:
    begun, start = files.now(), time.monotonic()
    process.work_in_batches()
    limit, setting = context.config.limits.proof_timeout_seconds, "limits.proof_timeout_seconds"
    with files.in_use(path), deadline.within("proof", limit, setting) as time_limit:
        judged = _look(context, path, level, options)
    if time_limit.passed:  # what was stopped looks like a dump that does not load, and says nothing about the backup
        error = time_limit.error
        judged = replace(judged, checks=[inconclusive("time", str(error), error.hint)])
    result = Proof(
        schema=proof.SCHEMA,
        file=path.name,
        manifest_sha256=judged.manifest_sha256,
        level=level,
        verdict=proof.verdict(judged.checks, judged.compared),
        begun=files.stamp(begun),
        finished=files.stamp(),
        seconds=round(time.monotonic() - start, 3),
        checks=tuple(judged.checks),
        figures=judged.figures,
        shrunken=judged.loss.verdict == proof.LOST,
        loss=judged.loss.verdict,
        baseline=judged.loss.baseline,
        written=judged.written,
    )
    if options.record and context.store.owns(path):
        _record(context, path, result)
    return result


def _record(context: Context, path: Path, result: Proof) -> None:
    try:
        context.store.record(path, result)
        bad = "; ".join(check.text for check in result.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE))
        context.store.log(f"{result.level} {result.verdict} {path.name} {result.seconds:.1f} s {bad}")
    except OSError as error:
        raise CouldNot(
            str(context.store.root), f"the proof cannot be written: {error}", "is the volume full?"
        ) from error


def _look(context: Context, path: Path, level: str, options: Options) -> _Judged:
    manifest, manifest_sha256, checks = read_manifest(context, path)
    if manifest is None:
        checks += bytes_without_manifest(path)
        return _Judged(checks, False, manifest_sha256, {})
    checks += about_manifest(context, path, manifest, manifest_sha256, options)
    context.say(f"reading {path.name}")
    figures = {"size": float(manifest.size)}
    if level == "bytes":
        checks += about_bytes(context, manifest, archive.read_back(archive.chunks(path)))
        return _Judged(checks, True, manifest_sha256, figures)
    stored = archive.stored(path)
    if stored != Stored(manifest.size, manifest.sha256):
        checks += about_bytes(context, manifest, archive.read_back(archive.chunks(path)))
        if not comparison.failures(checks):
            checks.append(failed("bytes", "bytes: read twice, the disk gave two things", "check the disk"))
    if comparison.failures(checks):
        return _Judged(checks, False, manifest_sha256, figures)
    if manifest.major > MAJOR:
        text = f"made by PostgreSQL {manifest.major}, this image restores up to {MAJOR}"
        return _Judged(
            [*checks, inconclusive("version", text, "prove it with the newer vault image")], False, manifest_sha256, {}
        )
    case = _Case(context, path, manifest, stored)
    checks += restored_and_compared(case, options.indexes)
    loss = case.losses[-1] if case.losses else NO_LOSS
    compared = comparison.compared_anything(manifest)
    return _Judged([*checks, *loss.checks], compared, manifest_sha256, case.figures, loss, case.written)


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
        return read(text), digest(text), []
    except NewerError as error:
        return None, digest(text), [inconclusive("manifest", f"{place.name}: {error}", "use the newer vault image")]
    except RecordError as error:
        return None, digest(text), [failed("manifest", f"{place.name}: not a manifest of ours: {error}")]


def about_manifest(
    context: Context, path: Path, manifest: Manifest, manifest_sha256: str | None, options: Options
) -> Iterator[Check]:
    if manifest.file != path.name:
        yield failed("manifest file", f"the manifest is of {manifest.file}, not of {path.name}")
    for what, seen, wanted in (
        ("environment", manifest.environment, context.config.environment),
        ("database", manifest.database, context.config.database.name),
    ):
        if seen != wanted:
            yield failed(
                what, f"{what}: a backup of '{seen}', expected '{wanted}'", "prove it with that one's configuration"
            )
    yield from about_journal(context, path, manifest, manifest_sha256, options)


def about_journal(
    context: Context, path: Path, manifest: Manifest, manifest_sha256: str | None, options: Options
) -> Iterator[Check]:
    """The manifest is believed because the journal, a chain of hashes, knows it."""
    if not options.need_journal:
        yield note("journal", "journal: not asked, as you wished")
        return
    known = context.store.journal()
    if known.broken is not None:
        yield failed("journal", f"journal: the chain is broken: {known.broken}", "`ledgervault audit` says more")
        return
    line = known.backup_of(manifest.file)
    if line is not None and line.manifest_sha256 == manifest_sha256:
        yield ok("journal", f"journal: line {line.seq} of {len(known.lines)} knows this manifest")
    elif line is not None:
        yield failed("journal", f"journal: line {line.seq} knows another manifest of {path.name}: it was changed")
    elif known.lines:
        yield failed("journal", f"journal: knows no backup {path.name}", "a file put here by hand? --without-journal")
    else:
        where = context.store.journal_path
        yield inconclusive(
            "journal", f"{where}: not there, so the manifest stands alone", "add --without-journal to accept that"
        )


# ------------------------------------------------------------------------------------------------------ the bytes


def bytes_without_manifest(path: Path) -> Iterator[Check]:
    """What can be said all the same: a file that is no dump of ours is bad, whatever its manifest was."""
    back = archive.read_back(archive.chunks(path))
    if back.size == 0:
        yield failed("bytes", f"{path.name}: 0 bytes")
    elif back.error is not None:
        yield failed("bytes", f"{path.name}: cannot be decompressed: {back.error}")
    elif not back.tail.endswith(end_marker(path.name)):
        yield failed("end marker", f"{path.name}: does not end with its end marker")


def about_bytes(context: Context, manifest: Manifest, back: ReadBack) -> Iterator[Check]:
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


def restored_and_compared(case: _Case, indexes: str) -> list[Check]:
    """On two cores; where that way fails the plain one decides, because a dump must load as it stands or not at all."""
    manifest, limits = case.manifest, case.context.config.limits
    case.figures.update(size=float(manifest.size), rows=float(manifest.content.rows))
    build = indexes == proof.ALL or manifest.uncompressed_size < _SMALL
    found: list[Check] | None = None
    for way in (partial(_on_two_cores, build=build), _as_it_stands):
        start = time.monotonic()
        try:
            case.context.say("starting a throw-away server")
            with server.throw_away(case.context.scratch, manifest.content.globals.bootstrap, limits) as here:
                case.figures["start_seconds"] = round(time.monotonic() - start, 3)
                found = _with_database(manifest, here) or way(case, here)
        except CouldNot as error:
            found = [inconclusive("restore", str(error), error.hint)]
        except OSError as error:
            what, hint = f"scratch {case.context.scratch}: {error}", "give the scratch space more room"
            found = [inconclusive("restore", what, hint)]
        except psycopg.Error as error:
            said = str(error).strip()
            hint = diagnosis.restore_failure(said)[1]
            found = [inconclusive("restore", f"the throw-away server: {said}", hint)]
        if found is not None:
            break
    return found or []


def _with_database(manifest: Manifest, here: server.Server) -> list[Check] | None:
    """None if it is made."""
    with database.connect(here.login("template1"), "ledgervault prove") as connection:
        try:
            connection.execute(sql.create_database(manifest.database, manifest.content.globals.database).encode())
        except psycopg.Error as error:
            text = f"the database cannot be made: {error}"
            return [inconclusive("locale", text, "the image lacks the source's locale")]
    return None


def _on_two_cores(case: _Case, here: server.Server, build: bool) -> list[Check] | None:
    """None if it did not load. What the dump says of itself is heard while it loads."""
    login, start, heard = here.login(case.manifest.database), time.monotonic(), Listener()
    limit, session = case.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    case.context.say("restoring")
    try:
        parts = row_loader.load(case.path, login, _ALL_OF_IT, limit, session, heard, _large(case.manifest))
        case.figures["rows_seconds"] = round(time.monotonic() - start, 3)
        checks = [*about_bytes(case.context, case.manifest, heard.told(case.stored))]
        if comparison.failures(checks):
            return checks
        loaded = dump_loader.finish(login, parts, build, case.context.say)
        case.figures["restore_seconds"] = round(time.monotonic() - start, 3)
        return checks + _compared(case, login, loaded)
    except (psycopg.Error, row_loader.NotLoadedError) as error:
        case.context.say(f"not on two cores: {error}")
        return None


def _large(manifest: Manifest) -> set[str]:
    return {name for name, table in manifest.content.tables.items() if table.rows >= _LARGE_ROWS}


def _as_it_stands(case: _Case, here: server.Server) -> list[Check]:
    checks = [*about_bytes(case.context, case.manifest, archive.read_back(archive.chunks(case.path)))]
    if comparison.failures(checks):
        return checks
    login, start = here.login(case.manifest.database), time.monotonic()
    limit, session = case.context.config.limits.proof_timeout_seconds, THROW_AWAY_SESSION
    case.context.say("restoring the plain way")
    problem = dump_loader.load(case.path, login, _ALL_OF_IT, limit, session)
    case.figures["restore_seconds"] = round(time.monotonic() - start, 3)
    return [*checks, problem] if problem is not None else checks + _compared(case, login, Loaded())


def _compared(case: _Case, login: Login, loaded: Loaded) -> list[Check]:
    context, manifest, figures, start = case.context, case.manifest, case.figures, time.monotonic()
    with database.connect(login, "ledgervault prove", THROW_AWAY_SESSION) as connection:
        with _indexes_defined(connection, loaded.unbuilt) as told:
            schema = database.read_schema(connection, manifest.schema)
            seen = equivalence.seen(connection, manifest, schema)
        restored = database.read_content(
            connection, manifest.migration_heads_query, context.say, tables=loaded.tables, schema=schema
        )
        restored = equivalence.as_read_then(connection, manifest, restored)
        checks = [ok("restore", "restored without an error"), *told, *comparison.compare(manifest, restored, seen)]
        checks += not_blind(connection, manifest, restored, seen)
        case.written.update(seen.written)
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
        kept = database.rows(connection, queries.KEPT_FROM_TRUNCATE)
        _run(connection, (off for off, _ in kept))
        tables = [name for (name,) in database.rows(connection, queries.LOCKABLE)]
        connection.execute(queries.truncate(tables).encode())
        _run(connection, (on for _, on in kept))  # their states are compared
        dump_loader.run(connection, unbuilt)
        text = f"indexes: {len(unbuilt)} secondary ones defined and compared, not built over the rows"
        yield [note("indexes", text)]


def _run(connection: Connection, statements: Iterable[str]) -> None:
    for statement in statements:
        connection.execute(statement.encode())


def not_blind(connection: Connection, manifest: Manifest, restored: Content, seen: comparison.Seen) -> Iterator[Check]:
    """Takes a row away from the restored copy and demands that reading and comparing notice (B30)."""
    filled = {name: table for name, table in restored.tables.items() if table.rows}
    if not filled:
        return
    name = min(filled, key=lambda table: (filled[table].rows, table))
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL event_triggers = off")
        _run(connection, (statement for (statement,) in database.rows(connection, queries.at_ease(name))))
        columns = next(line[2] for line in database.rows(connection, queries.TABLES) if line[1] == name)
        first = f"(SELECT ctid FROM ONLY {name} LIMIT 1)"  # noqa: S608  - a name the server itself quoted
        connection.execute(f"DELETE FROM ONLY {name} WHERE ctid = {first}".encode())  # noqa: S608
        damaged: dict[str, Table] = restored.tables | database.read_batch(connection, [(name, columns or ())])
    if comparison.failures(comparison.tables(manifest.content.tables, damaged, seen.moving)):
        yield ok("not blind", f"a row taken from {name} was noticed")
    else:
        yield inconclusive("not blind", f"a row taken from {name} was not noticed: this verifier sees nothing")
