"""The live database against the newest proven backup, which it has outgrown since: nothing may have gone, and what is
configured as an invariant holds. `compare` is for copies that must be equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg

from ledgervault import compare, database, queries
from ledgervault.config import Invariant
from ledgervault.context import Context
from ledgervault.database import Connection
from ledgervault.errors import CouldNot
from ledgervault.manifest import Manifest
from ledgervault.proof import Check, failed, inconclusive, note, ok


@dataclass(frozen=True, slots=True)
class Live:
    """What was read of the live database, in one snapshot."""

    rows: Mapping[str, int]
    schema: Mapping[str, str]
    heads: tuple[tuple[str, ...], ...] | None
    broken: Mapping[str, int | str] = field(default_factory=dict)  # invariant: rows that break it, or why not asked


def verify(context: Context, manifest: Manifest) -> list[Check]:
    """psycopg.Error becomes CouldNot: a database that does not answer is not fine."""
    try:
        with database.connect(context.source(), "ledgervault verify-data") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            live = _read(connection, manifest, context.config.invariants)
    except psycopg.Error as error:
        where = f"database {context.config.database.name}"
        raise CouldNot(where, str(error).strip(), "may this role read every table there?") from error
    return [*against(manifest, live, context.config.limits.shrink_allowed_percent)]


def against(manifest: Manifest, live: Live, allowed_percent: int) -> Iterator[Check]:
    """Rows, definitions and invariants; pure."""
    same = manifest.content.migration_heads == live.heads
    yield from _rows(manifest, live, allowed_percent, same)
    if same:
        yield from compare.schema(manifest.content.schema, live.schema)
    else:
        yield note("migrations", "migrations: others than in the backup, so definitions are not compared")
    for name, seen in live.broken.items():
        yield _invariant(name, seen)


def _rows(manifest: Manifest, live: Live, allowed_percent: int, same_heads: bool) -> Iterator[Check]:
    if not manifest.content.tables:
        yield inconclusive("tables", "the manifest holds no tables: nothing was compared")
    for name, table in manifest.content.tables.items():
        now = live.rows.get(name)
        if now is None:
            text = f"table {name}: gone, {table.rows} rows in {manifest.file}"
            yield failed(f"table {name}", text) if same_heads else note(f"table {name}", text)
        elif name in manifest.watched and compare.shrunken(table.rows, now, allowed_percent):
            what = manifest.watched[name].noun
            hint = "`make list-backups` shows from when; nothing was changed"
            yield failed(f"table {name}", f"table {name}: {now} {what}, {table.rows} in {manifest.file}", hint)
        else:
            yield ok(f"table {name}", f"table {name}: {now} rows, {table.rows} in the backup")


def _invariant(name: str, seen: int | str) -> Check:
    if isinstance(seen, str):
        return inconclusive(f"invariant {name}", f"invariant '{name}': could not be asked: {seen}")
    if seen:
        return failed(f"invariant {name}", f"invariant '{name}': {seen} rows break it")
    return ok(f"invariant {name}", f"invariant '{name}': holds")


def _read(connection: Connection, manifest: Manifest, invariants: tuple[Invariant, ...]) -> Live:
    names = [name for _, name, _, _ in database.rows(connection, queries.TABLES)]
    return Live(
        rows=database.count_rows(connection, names),
        schema=database.read_schema(connection),
        heads=database.read_heads(connection, manifest.migration_heads_query),
        broken={each.name: _broken(connection, each.query) for each in invariants},
    )


def _broken(connection: Connection, query: str) -> int | str:
    try:
        with connection.transaction():
            return int(database.row(connection, query)[0])
    except (psycopg.Error, IndexError, TypeError, ValueError) as error:
        return str(error).strip() or type(error).__name__
