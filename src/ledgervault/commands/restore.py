"""Restores into the environment's own server, always into a new database. Existing databases are not touched."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from ledgervault.commands import backup_checks, prove
from ledgervault.commands.context import Context
from ledgervault.model import comparison, proof
from ledgervault.model.comparison import Equivalences
from ledgervault.model.errors import Bad, CouldNot, UsageError, VaultError
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Check, Proof
from ledgervault.postgres import database, dump_loader, equivalence, sql
from ledgervault.postgres.database import Connection
from ledgervault.postgres.login import SESSION, Login
from ledgervault.storage import files, proofs

_ASIDE = "_restoring"
_NAME_LIMIT = 63


@dataclass(frozen=True, slots=True)
class Target:
    name: str
    owner: str | None

    @property
    def aside(self) -> str:
        """The name until the copy is complete and compared. The next restore removes one that a killed restore left."""
        return self.name + _ASIDE


def restore(context: Context, path: Path, name: str, unproven: bool) -> Proof:
    """Restores the backup into the new database `name` and compares it. After a failure no such database exists."""
    if len((name + _ASIDE).encode()) > _NAME_LIMIT:
        raise UsageError("--into-database", f"'{name}' is too long ({_NAME_LIMIT - len(_ASIDE)} bytes at most)")
    login = context.restorer(context.config.restore.maintenance_database if context.config.restore else "postgres")
    target = Target(name, context.config.restore.owner if context.config.restore else None)
    start_time, start = files.stamp(), time.monotonic()
    with files.in_use(path), files.locked(_lock_path(context, name), f"restore into {name}", 0):
        manifest = _verified_manifest(context, path, unproven)
        with database.connect(login, "ledgervault restore") as admin:
            _refuse_existing(admin, name)
            checks = _restore_aside(context, path, manifest, admin, login, target)
    context.store.log(f"restored {path.name} into database {name}")
    return _make_proof(path, manifest, checks, start_time, start)


def compare_database(context: Context, path: Path, name: str) -> Proof:
    """Compares a live database with a backup's manifest. Roles and settings belong to the server and are skipped."""
    start_time, start = files.stamp(), time.monotonic()
    manifest, _, problems = backup_checks.read_manifest(context.store, path)
    if manifest is None:
        raise (Bad if any(c.result == proof.FAILED for c in problems) else CouldNot)(
            path.name, problems[0].text, problems[0].hint
        )
    with database.connect(context.source(name), "ledgervault compare") as connection:
        schema = database.read_schema(connection, manifest.schema)
        equivalences = equivalence.proven_equivalences(
            connection, partial(proofs.proven_texts, context.store, manifest.file), manifest, schema
        )
        checks = _compare_live(context, connection, manifest, equivalences)
    return _make_proof(path, manifest, checks, start_time, start)


def _make_proof(path: Path, manifest: Manifest, checks: Iterable[Check], start_time: str, start: float) -> Proof:
    all_checks = tuple(checks)
    return Proof(
        schema=proof.SCHEMA,
        file=path.name,
        manifest_sha256=None,
        level="data",
        verdict=proof.verdict(all_checks, comparison.is_comparable(manifest)),
        begun=start_time,
        finished=files.stamp(),
        seconds=round(time.monotonic() - start, 3),
        checks=all_checks,
        figures={"rows": float(manifest.content.rows)},
    )


def _lock_path(context: Context, name: str) -> Path:
    return context.store.root / f".restore-{''.join(c if c.isalnum() else '_' for c in name)}.lock"


def _verified_manifest(context: Context, path: Path, unproven: bool) -> Manifest:
    """Checks the backup's bytes now, and reads from the journal whether it is proven."""
    byte_proof = prove.verify(context, path, prove.Options(record=False, need_journal=not unproven))
    if byte_proof.verdict != proof.PROVEN:
        bad = next(check for check in byte_proof.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE))
        raise Bad(path.name, f"is not restored: {bad.text}", bad.hint or "restore another backup: `ledgervault list`")
    entry = next((e for e in context.store.entries() if e.path.resolve() == path.resolve()), None)
    if not unproven and (entry is None or not entry.proven):
        state = entry.verdict if entry else "unknown to the journal"
        raise Bad(path.name, f"is {state}, not proven", f"ledgervault prove {path.name}, or add --unproven")
    manifest, _, _ = backup_checks.read_manifest(context.store, path)
    if manifest is None:
        raise CouldNot(path.name, "its manifest went away", "ledgervault audit")
    return manifest


def _refuse_existing(admin: Connection, name: str) -> None:
    if admin.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None:
        raise CouldNot(f"database {name}", "exists already and is not touched", "name another one with --into-database")


def _restore_aside(
    context: Context, path: Path, manifest: Manifest, admin: Connection, login: Login, target: Target
) -> list[Check]:
    drop = f"DROP DATABASE IF EXISTS {sql.identifier(target.aside)}".encode()
    try:
        admin.execute(drop)
        admin.execute(sql.create_database(target.aside, manifest.content.globals.database, target.owner).encode())
        try:
            checks = _load_and_compare(context, path, manifest, login.to(target.aside), target.owner)
        except BaseException:
            admin.execute(drop)
            raise
        admin.execute(f"ALTER DATABASE {sql.identifier(target.aside)} RENAME TO {sql.identifier(target.name)}".encode())
    except psycopg.Error as error:
        raise CouldNot(
            f"database {target.name}", str(error).strip(), "may the restore role create databases?"
        ) from error
    return checks


def _load_and_compare(context: Context, path: Path, manifest: Manifest, login: Login, owner: str | None) -> list[Check]:
    context.say(f"restoring into {login.database}")
    session = SESSION | {"default_transaction_read_only": "off"} | ({"role": owner} if owner else {})
    problem = dump_loader.load_with_psql(
        path, login, {sql.DATABASE: "1"}, context.config.limits.proof_timeout_seconds, session
    )
    if problem is not None:
        kind: type[VaultError] = Bad if problem.result == proof.FAILED else CouldNot
        raise kind(path.name, f"{problem.text} (database {login.database} removed again)", problem.hint)
    with database.connect(login, "ledgervault restore", session) as owning:
        equivalences = equivalence.find_equivalences(owning, manifest, database.read_schema(owning, manifest.schema))
    with database.connect(login, "ledgervault restore") as connection:
        checks = _compare_live(context, connection, manifest, equivalences)
    bad = comparison.failures(checks)
    if bad:
        raise Bad(path.name, f"restored, but {bad[0].text} (database removed again)")
    return checks


def _compare_live(
    context: Context, connection: Connection, manifest: Manifest, equivalences: Equivalences
) -> list[Check]:
    try:
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            schema = database.read_schema(connection, manifest.schema)
            live = database.read_content(connection, manifest.migration_heads_query, context.say, schema=schema)
            live = equivalence.as_of_manifest(connection, manifest, live)
    except psycopg.Error as error:
        raise CouldNot("compare", str(error).strip(), "may this role read every table there?") from error
    return comparison.compare_live(manifest, live, equivalences)
