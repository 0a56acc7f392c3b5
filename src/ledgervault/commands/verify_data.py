"""Compares the live database with the baseline. Newer rows are fine; lost rows and broken invariants are not.

`compare` is for copies that must be equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from ledgervault.commands import losses
from ledgervault.commands.context import Context
from ledgervault.model import baseline, live_rules, loss_rules
from ledgervault.model.config import VOLATILE
from ledgervault.model.errors import CouldNot
from ledgervault.model.live_rules import Changes, Live
from ledgervault.model.proof import Check
from ledgervault.postgres import database, equivalence, queries, row_changes
from ledgervault.postgres.database import Connection
from ledgervault.postgres.row_changes import Baseline
from ledgervault.storage import files, proofs


@dataclass(frozen=True, slots=True)
class Judgement:
    file: str
    checks: list[Check]
    changes: Changes


def verify(context: Context, path: Path) -> Judgement:
    """Raises CouldNot for psycopg.Error: a database that does not answer is not fine."""
    entries = context.store.entries()
    with files.in_use(path):
        base = losses.load(context, path)
        try:
            with database.connect(context.source(), "ledgervault verify-data") as connection, connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                live = _read(connection, context, base)
        except psycopg.Error as error:
            place = f"database {context.config.database.name}"
            raise CouldNot(place, str(error).strip(), "may this role read every table there?") from error
    entry = next((entry for entry in entries if entry.file == path.name), None)
    reported = baseline.lost_tables(entries, entry) if entry is not None else set[str]()
    return Judgement(path.name, [*live_rules.judge(base.manifest, live, context.config, reported)], live.changes)


def _read(connection: Connection, context: Context, base: Baseline) -> Live:
    """Compares rows first: an unreadable baseline then costs the database no further queries."""
    config, manifest = context.config, base.manifest
    volatile = {table.name for table in config.tables if table.rows == VOLATILE}
    changes = row_changes.compare_with_baseline(
        connection, base, lambda name: name not in volatile, loss_rules.fixed_columns(config.tables)
    )
    names = {name for _, name, _, _ in database.rows(connection, queries.TABLES)}
    uncompared = sorted(names & ({table.name for table in config.tables} - changes.keys()))
    schema = database.read_schema(connection, manifest.schema)
    return Live(
        rows=database.count_rows(connection, uncompared),
        changes=changes,
        schema=schema,
        heads=database.read_heads(connection, manifest.migration_heads_query),
        broken={invariant.name: _broken(connection, invariant.query) for invariant in config.invariants},
        equivalences=equivalence.proven_equivalences(
            connection, partial(proofs.proven_texts, context.store, manifest.file), manifest, schema
        ),
    )


def _broken(connection: Connection, query: str) -> int | str:
    try:
        with connection.transaction():
            return int(database.row(connection, query)[0])
    except (psycopg.Error, IndexError, TypeError, ValueError) as error:
        return str(error).strip() or type(error).__name__
