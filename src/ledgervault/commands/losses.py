"""Compares a restored backup with the baseline and reports lost rows.

The baseline is the newest proven backup that lost nothing or whose loss was accepted. The rules are in
`model/loss_rules.py`, which `verify-data` uses too: otherwise the alarm of one would be silenced by the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledgervault.commands.context import Context
from ledgervault.model import backup_names, baseline, digests, loss_rules, proof
from ledgervault.model.config import EDITED, KEPT, VOLATILE
from ledgervault.model.digests import Digests
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest, parse_manifest
from ledgervault.model.proof import LOST_ID, Check, note
from ledgervault.model.records import RecordError
from ledgervault.postgres import row_changes
from ledgervault.postgres.database import Connection
from ledgervault.postgres.row_changes import Baseline
from ledgervault.storage import files


@dataclass(frozen=True, slots=True)
class Loss:
    """`verdict` is proof.NONE, LOST or UNKNOWN."""

    verdict: str
    baseline: str | None
    checks: tuple[Check, ...] = ()


NO_LOSS = Loss(proof.NONE, None)


# --------------------------------------------------------------------------------------------------- the baseline


def find_baseline_path(context: Context, name: str) -> Path:
    """The proven backup to compare a database with, by name. `latest` is the baseline."""
    journal = context.store.journal()
    if journal.broken:
        raise CouldNot(str(context.store.journal_path), journal.broken, "ledgervault audit")
    entries = context.store.entries(journal)
    if name == "latest":
        base = baseline.find_baseline(entries)
        if base is None:
            raise CouldNot(str(context.store.root), "no proven backup yet", "ledgervault backup --prove")
        if not base.intact:
            problem = "is not as written, and the database is compared with it"
            raise CouldNot(base.file, problem, f"bring it back, or: ledgervault forget {base.file} --reason …")
        return base.path
    path = context.store.find(name)
    entry = next((entry for entry in entries if entry.path.resolve() == path.resolve()), None)
    if entry is None or not entry.proven:
        state = entry.verdict if entry else "unknown to the journal"
        raise CouldNot(
            path.name, f"is {state}, not proven, so nothing can be compared with it", f"ledgervault prove {name}"
        )
    return entry.path


def load(context: Context, path: Path) -> Baseline:
    """Raises CouldNot without a manifest. Damaged digests only make the comparison slower."""
    try:
        manifest = parse_manifest(context.store.manifest_path(path).read_bytes())
    except (OSError, RecordError) as error:
        raise CouldNot(path.name, f"its manifest cannot be read: {error}", "ledgervault audit") from error
    return Baseline(path, manifest, _digests(context, path, manifest), context.config.limits.proof_timeout_seconds)


def _digests(context: Context, path: Path, manifest: Manifest) -> Digests | None:
    if manifest.digests is None:
        return None
    try:
        table_digests = digests.decode(context.store.digests_path(path).read_bytes(), manifest.digests)
    except (OSError, RecordError) as error:
        context.say(f"{path.name}: its digests cannot be read, so every row is: {error}")
        return None
    return table_digests if _add_up(table_digests, manifest) else None


def _add_up(table_digests: Digests, manifest: Manifest) -> bool:
    """Digests and manifest come from one scan, so the digests must add up to the manifest's counts and hashes."""
    tables, counted_parts = manifest.content.tables, set[str]()
    for name, layout in table_digests.header.tables.items():
        if not tables.keys() >= set(layout.parts):
            return False
        counted_parts |= set(layout.parts)
        expected = sum((digests.of_table(tables[part]) for part in layout.parts), digests.Digest())
        if sum(table_digests.buckets[name].values(), digests.Digest()) != expected:
            return False
    return counted_parts == tables.keys()


# ------------------------------------------------------------------------------------------- judging a restored backup


def since_baseline(context: Context, connection: Connection, restored: Manifest) -> Loss:
    """The loss of a backup that was just restored. If it cannot be compared, it stays proven but is no baseline."""
    if restored.kind == backup_names.PRE_RESTORE:
        return Loss(proof.NONE, None)  # whatever is lost in it is why somebody restores
    journal = context.store.journal()
    entries = context.store.entries(journal) if journal.broken is None else []
    entry = baseline.find_baseline(entries, restored.file, restored.kind)
    if entry is None:
        return Loss(proof.NONE, None)
    context.say(f"comparing with {entry.file}")
    try:
        with files.in_use(entry.path):
            base = load(context, entry.path)
            checks = [*_shrunken_tables(context, base, restored), *_lost_rows(context, connection, base, restored)]
            checks = checks or [
                *_still_missing(context, connection, base, baseline.lost_tables(entries, entry, restored.file))
            ]
    except (CouldNot, psycopg.Error, OSError, ValueError) as error:
        text = f"LOSS UNKNOWN: not compared with {entry.file}: {' '.join(str(error).split())}"
        return Loss(proof.UNKNOWN, entry.file, (note("loss unknown", text),))
    return Loss(proof.LOST if checks else proof.NONE, entry.file, tuple(checks))


def _shrunken_tables(context: Context, base: Baseline, restored: Manifest) -> Iterator[Check]:
    """Watched tables with fewer rows than in the baseline, beyond the shrink limit."""
    allowed = context.config.limits.shrink_allowed_percent
    volatile = {table.name for table in context.config.tables if table.rows == VOLATILE}
    before, after = base.manifest.content.tables, restored.content.tables
    for name, watched in restored.watched.items():
        was, now = (tables[name].rows if name in tables else 0 for tables in (before, after))
        if name not in volatile and loss_rules.has_shrunken(was, now, allowed):
            yield note(LOST_ID + name, f"SHRUNKEN: {now} {watched.noun}, {was} in {base.manifest.file}")


def _lost_rows(context: Context, connection: Connection, base: Baseline, restored: Manifest) -> Iterator[Check]:
    kept_tables = {table.name: table for table in context.config.tables if table.rows == KEPT}
    unchanged_tables = _unchanged_tables(base, restored)
    names = {name for name in kept_tables if name not in unchanged_tables}
    if not names:
        return
    changes = row_changes.compare_with_baseline(
        connection, base, names.__contains__, loss_rules.fixed_columns(context.config.tables)
    )
    for name, figures in changes.items():
        problem = loss_rules.kept_problem(kept_tables[name], figures)
        if problem:
            yield note(LOST_ID + name, f"LOST: table {name}: {problem} since {base.manifest.file}")


def _unchanged_tables(base: Baseline, restored: Manifest) -> set[str]:
    """Unpartitioned tables with the baseline's count and hash."""
    before, after = base.manifest.content.tables, restored.content.tables
    return {name for name in before.keys() & after.keys() if before[name] == after[name]}


def _still_missing(context: Context, connection: Connection, base: Baseline, names: Collection[str]) -> Iterator[Check]:
    """A table that shrank and was filled with other rows has still lost its own rows."""
    edited = {table.name for table in context.config.tables if table.rows == EDITED} & set(names)
    if edited:
        for name, figures in row_changes.compare_with_baseline(connection, base, edited.__contains__, {}).items():
            if figures is None or figures.missing:
                rows = (
                    loss_rules.count_with_keys(figures.missing, "missing", figures.missing_keys) if figures else "gone"
                )
                yield note(LOST_ID + name, f"SHRUNKEN: table {name}: still {rows} since {base.manifest.file}")
