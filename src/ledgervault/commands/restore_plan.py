"""What a restore over the live database would do. Reads only, with the backup role.

Apart from the restore: it runs in the long-running vault, which cannot create databases, and each part of a damaged
live database that cannot be read is reported instead of ending the plan.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import psycopg

from ledgervault.commands import backup_checks, losses, verify_data
from ledgervault.commands.context import Context
from ledgervault.model import baseline, kept_databases, restore_plan
from ledgervault.model.config import VOLATILE, TableConfig
from ledgervault.model.entry import Entry
from ledgervault.model.errors import Bad, CouldNot, VaultError
from ledgervault.model.kept_databases import is_kept, is_leftover
from ledgervault.model.manifest import Manifest
from ledgervault.model.restore_plan import Plan, Table
from ledgervault.model.row_comparison import Figures
from ledgervault.postgres import database, databases, digest_reader, queries
from ledgervault.postgres.database import Connection
from ledgervault.postgres.databases import Database
from ledgervault.postgres.login import Login
from ledgervault.storage import files

_Counts = Mapping[str, int | str]  # rows, or why they cannot be counted


def plan(context: Context, name: str) -> Plan:
    """`latest` is the newest backup that is proven and has lost nothing. Bad where the backup must not be restored."""
    now = files.now()
    entry = _entry(context, name)
    config = context.config
    names = kept_databases.names(config.database.name, now)
    manifest = _manifest(context, entry)
    context.check_room(context.expected_size())  # for the safety backup
    with database.connect(_maintenance(context), "ledgervault restore plan") as connection:
        server = databases.listed(connection)
    tables, uncompared, problem = _tables(context, entry, manifest)
    live_heads = heads(context, manifest.migration_heads_query)
    to_migrate, unknown = restore_plan.migrations_between(manifest.content.migration_heads, live_heads)
    live_bytes = next((one.bytes for one in server if one.name == names.live), None)
    return Plan(
        id=names.id,
        environment=config.environment,
        database=names.live,
        file=entry.file,
        taken=entry.line.data["taken"],
        verdict=entry.verdict + (", SHRUNKEN" if entry.shrunken else ""),
        rows=manifest.content.rows,
        copy=names.copy,
        kept=names.kept,
        tables=tables,
        uncompared=uncompared,
        database_problem=problem,
        to_migrate=to_migrate,
        unknown_migrations=unknown,
        passed_over=_passed_over(context, entry) if name == "latest" else (),
        live_bytes=live_bytes,
        needed_bytes=restore_plan.needed_bytes(live_bytes, manifest.uncompressed_size),
        leftovers=tuple(one.name for one in server if is_leftover(names.live, one.name)),
        kept_databases=tuple(_with_size(one) for one in server if is_kept(names.live, one.name)),
    )


def kept(context: Context) -> list[Database]:
    """The databases that restores replaced, oldest first."""
    live = context.config.database.name
    with database.connect(_maintenance(context), "ledgervault restore kept") as connection:
        return [one for one in databases.listed(connection) if is_kept(live, one.name)]


def count_watched(context: Context, name: str) -> _Counts:
    """Rows of the configured tables in one database; each that cannot be read says why."""
    return _counts(context, name, [table.name for table in context.config.tables])


def heads(context: Context, query: str | None, name: str | None = None) -> restore_plan.Heads:
    """Of the live database, or of the one named. None also where it is too damaged to say."""
    try:
        with database.connect(context.source(name), "ledgervault restore plan") as connection:
            return database.read_heads(connection, query)
    except (VaultError, psycopg.Error):
        return None


def _with_size(one: Database) -> str:
    return f"{one.name} ({restore_plan.size(one.bytes)})"


def _maintenance(context: Context) -> Login:
    """The backup role may enter no database but its own by default; `postgres` is open to all."""
    return context.source(context.config.restore.maintenance_database if context.config.restore else "postgres")


def _entry(context: Context, name: str) -> Entry:
    path = _latest(context) if name == "latest" else losses.find_baseline_path(context, name)  # proven, or CouldNot
    entry = next(one for one in context.store.entries() if one.path.resolve() == path.resolve())
    if entry.line.data["environment"] != context.config.environment:
        what = f"is of environment {entry.line.data['environment']}, and this is {context.config.environment}"
        raise Bad(entry.file, what, "restore a backup of this environment: make list-backups")
    return entry


def _latest(context: Context) -> Path:
    """The baseline. After an undo that no backup describes there is none yet: then the newest without a loss."""
    entries = context.store.entries()
    if baseline.find_baseline(entries) is None:
        whole = context.store.newest_proven(entries=[one for one in entries if not one.shrunken])
        if whole is not None:
            return whole.path
    return losses.find_baseline_path(context, "latest")


def _manifest(context: Context, entry: Entry) -> Manifest:
    manifest, _, problems = backup_checks.read_manifest(context.store, entry.path)
    if manifest is None:
        raise CouldNot(entry.file, problems[0].text, problems[0].hint)
    return manifest


def _passed_over(context: Context, chosen: Entry) -> tuple[str, ...]:
    entries = context.store.entries()
    newer = [
        one
        for one in entries
        if one.line.seq > chosen.line.seq and one.proven and one != baseline.find_baseline(entries)
    ]
    return tuple(one.file for one in newer if one.shrunken)


# ------------------------------------------------------------------------------------------------- the live database


def _tables(context: Context, entry: Entry, manifest: Manifest) -> tuple[tuple[Table, ...], tuple[str, ...], str]:
    """By key where the live database can be read, else counted table by table."""
    watched = [table.name for table in context.config.tables if table.name in manifest.content.tables]
    newest = _newest(context)
    try:
        changes = verify_data.verify(context, entry.path).changes
        new, uncompared = _not_in_backup(context, manifest, changes)
    except VaultError as error:
        counts = _counts(context, context.config.database.name, watched)
        tables = [_counted(manifest, table, counts, newest) for table in _configured(context, watched)]
        return tuple(tables), (), " ".join(error.what.split())
    compared = [_compared(name, figures, context, manifest, newest) for name, figures in changes.items()]
    return restore_plan.chosen_tables([*compared, *new], watched), uncompared, ""


def _not_in_backup(
    context: Context, manifest: Manifest, compared: Collection[str]
) -> tuple[list[Table], tuple[str, ...]]:
    """Tables that were made since with the rows in them, and what has rows and is never compared."""
    volatile = {table.name for table in context.config.tables if table.rows == VOLATILE}
    try:
        with database.connect(context.source(), "ledgervault restore plan") as connection:
            layouts, _ = digest_reader.layouts(connection)
            others = {name: layout.parts for name, layout in layouts.items() if name not in compared}
            counts = {name: _count_parts(connection, parts) for name, parts in others.items()}
            objects = {str(oid) for oid, *_ in database.rows(connection, queries.LARGE_OBJECTS)}
    except psycopg.Error as error:
        raise CouldNot(f"database {context.config.database.name}", str(error).strip()) from error
    made_since = objects - manifest.content.large_objects.keys()
    new = {name: rows for name, rows in counts.items() if isinstance(rows, int) and rows and name not in volatile}
    tables = [Table(name, next(_configured(context, [name])).noun, 0, rows, added=rows) for name, rows in new.items()]
    uncompared = [f"{name} ({rows} live)" for name, rows in counts.items() if rows and name not in new]
    return tables, (*uncompared, *([f"large objects ({len(made_since)} made since)"] if made_since else []))


def _count_parts(connection: Connection, parts: Iterable[str]) -> int | str:
    """Not all of them where one cannot be read: then nobody knows."""
    counts = [_count(connection, part) for part in parts]
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if len(known) == len(counts) else "rows that cannot be counted"


def _configured(context: Context, names: Iterable[str]) -> Iterator[TableConfig]:
    by_name = {table.name: table for table in context.config.tables}
    return (by_name.get(name, TableConfig(name)) for name in names)


def _compared(
    name: str, figures: Figures | None, context: Context, manifest: Manifest, newest: Mapping[str, str]
) -> Table:
    noun = next(_configured(context, [name])).noun
    if figures is None:
        rows = manifest.content.tables[name].rows if name in manifest.content.tables else 0
        return Table(name, noun, rows, None, "it is gone", missing=rows)
    keys = (*figures.added_keys, *figures.changed_fixed_keys, *figures.changed_keys)
    return Table(
        name,
        noun,
        figures.before,
        figures.now,
        newest=newest.get(name, ""),
        added=figures.added,
        changed=figures.changed,
        missing=figures.missing,
        keys=keys,
    )


def _counted(manifest: Manifest, table: TableConfig, counts: _Counts, newest: Mapping[str, str]) -> Table:
    rows, count = manifest.content.tables[table.name].rows, counts[table.name]
    if isinstance(count, str):
        return Table(table.name, table.noun, rows, None, count)
    return Table(table.name, table.noun, rows, count, newest=newest.get(table.name, ""))


def _counts(context: Context, name: str, tables: Iterable[str]) -> dict[str, int | str]:
    """Each table on its own: one that is damaged takes no other one's figure away."""
    listed = list(tables)
    try:
        with database.connect(context.source(name), "ledgervault restore plan") as connection:
            return {table: _count(connection, table) for table in listed}
    except VaultError as error:
        return dict.fromkeys(listed, " ".join(error.what.split()))


def _count(connection: Connection, table: str) -> int | str:
    try:
        return database.count_rows(connection, [table])[table]
    except psycopg.Error as error:
        return " ".join(str(error).split())


def _newest(context: Context) -> dict[str, str]:
    """The newest value of each table's configured column. What cannot be read is left out."""
    asked = {table.name: table.newest_column for table in context.config.tables if table.newest_column}
    found: dict[str, str] = {}
    try:
        with database.connect(context.source(), "ledgervault restore plan") as connection:
            for table, column in asked.items():
                value = _newest_value(connection, table, column)
                found |= {table: value} if value else {}
    except VaultError:
        return found
    return found


def _newest_value(connection: Connection, table: str, column: str) -> str:
    try:
        return str(database.row(connection, queries.greatest(table, column))[0] or "")
    except psycopg.Error:
        return ""
