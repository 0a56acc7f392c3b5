"""What was lost since the baseline: the newest backup that is proven and has lost nothing, or whose loss was accepted.

One judgement for the live database (`verify-data`) and for a backup just restored (`prove`): by the same rules, or the
alarm of one would be silenced by the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledgervault.commands.context import Context
from ledgervault.model import backup_names, baseline, comparison, digests, manifest, proof
from ledgervault.model.config import EDITED, KEPT, VOLATILE, TableConfig
from ledgervault.model.digests import Digests
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import LOST_ID, Check, note
from ledgervault.model.records import RecordError
from ledgervault.model.row_comparison import Figures
from ledgervault.postgres import row_changes
from ledgervault.postgres.database import Connection
from ledgervault.postgres.row_changes import Baseline
from ledgervault.storage import files

_KEYS_IN_TEXT = 5
ACCEPT = "was it meant? back up, then: make accept FILE=newest REASON=…; else restore what is missing"


@dataclass(frozen=True, slots=True)
class Loss:
    """`verdict` is proof.NONE, LOST or UNKNOWN."""

    verdict: str
    baseline: str | None
    checks: tuple[Check, ...] = ()


NO_LOSS = Loss(proof.NONE, None)


# --------------------------------------------------------------------------------------------------- the baseline


def path_of_baseline(context: Context, name: str) -> Path:
    """What a database is compared with: a backup that is proven, by name; `latest` is the baseline."""
    known = context.store.journal()
    if known.broken:
        raise CouldNot(str(context.store.journal_path), known.broken, "ledgervault audit")
    entries = context.store.entries(known)
    if name == "latest":
        base = baseline.newest(entries)
        if base is None:
            raise CouldNot(str(context.store.root), "no proven backup yet", "ledgervault backup --prove")
        if not base.intact:
            what = "is not as written, and the database is compared with it"
            raise CouldNot(base.file, what, f"bring it back, or: ledgervault forget {base.file} --reason …")
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
    """CouldNot without its manifest. Damaged digests cost a longer comparison, nothing else."""
    try:
        described = manifest.read(context.store.manifest_path(path).read_bytes())
    except (OSError, RecordError) as error:
        raise CouldNot(path.name, f"its manifest cannot be read: {error}", "ledgervault audit") from error
    return Baseline(path, described, _digests(context, path, described), context.config.limits.proof_timeout_seconds)


def _digests(context: Context, path: Path, described: Manifest) -> Digests | None:
    if described.digests is None:
        return None
    try:
        found = digests.decode(context.store.digests_path(path).read_bytes(), described.digests)
    except (OSError, RecordError) as error:
        context.say(f"{path.name}: its digests cannot be read, so every row is: {error}")
        return None
    return found if _fits(found, described) else None


def _fits(found: Digests, described: Manifest) -> bool:
    """They were read in one scan with the manifest's counts and hashes, so they add up to those."""
    tables, seen = described.content.tables, set[str]()
    for name, layout in found.header.tables.items():
        if not tables.keys() >= set(layout.parts):
            return False
        seen |= set(layout.parts)
        expected = sum((digests.of_table(tables[part]) for part in layout.parts), digests.Digest())
        if sum(found.buckets[name].values(), digests.Digest()) != expected:
            return False
    return seen == tables.keys()


# --------------------------------------------------------------------------------------------------- judging tables


def fixed_columns(tables: Sequence[TableConfig]) -> dict[str, tuple[str, ...]]:
    return {table.name: table.fixed_columns for table in tables}


def kept_problem(table: TableConfig, figures: Figures | None) -> str | None:
    """What is lost of a table whose rows never vanish and whose fixed columns never change. However few."""
    if figures is None:
        return "gone"
    dropped = [name for name in table.fixed_columns if name in figures.dropped_columns]
    parts = [
        _counted(figures.missing, "missing", figures.missing_keys),
        _counted(figures.changed_fixed, "changed in a fixed column", figures.changed_fixed_keys),
        f"fixed column dropped: {', '.join(dropped)}" if dropped else "",
    ]
    return ", ".join(part for part in parts if part) or None


def told(table: TableConfig, figures: Figures) -> str:
    """All that became of a table's rows, with keys."""
    others = figures.changed - figures.changed_fixed
    fixed, dropped = (
        ", ".join(name for name in figures.dropped_columns if (name in table.fixed_columns) == is_fixed)
        for is_fixed in (True, False)
    )
    parts = [
        _counted(figures.missing, "missing", figures.missing_keys),
        _counted(figures.changed_fixed, "changed in a fixed column", figures.changed_fixed_keys),
        _counted(others, "changed", figures.changed_keys),
        _counted(figures.added, "added", figures.added_keys),
        f"fixed column dropped: {fixed}" if fixed else "",
        f"dropped since: {dropped}" if dropped else "",
    ]
    return ", ".join(part for part in parts if part) or "all as they were"


def _counted(number: int, what: str, keys: Sequence[str]) -> str:
    if not number:
        return ""
    shown = "; ".join(keys[:_KEYS_IN_TEXT])
    more = number - min(number, len(keys), _KEYS_IN_TEXT)
    return f"{number} {what} ({shown}{f' and {more} more' if more else ''})"


# ------------------------------------------------------------------------------------------- judging a restored backup


def since_baseline(context: Context, connection: Connection, restored: Manifest) -> Loss:
    """Of a backup just restored. What cannot be compared makes no baseline, and takes no proof away."""
    if restored.kind == backup_names.PRE_RESTORE:
        return Loss(proof.NONE, None)  # whatever is lost in it is why somebody restores
    known = context.store.journal()
    entries = context.store.entries(known) if known.broken is None else []
    entry = baseline.newest(entries, restored.file, restored.kind)
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
    """Fewer watched rows than in the baseline, by more than is allowed."""
    allowed = context.config.limits.shrink_allowed_percent
    volatile = {table.name for table in context.config.tables if table.rows == VOLATILE}
    before, after = base.manifest.content.tables, restored.content.tables
    for name, what in restored.watched.items():
        was, now = (tables[name].rows if name in tables else 0 for tables in (before, after))
        if name not in volatile and comparison.shrunken(was, now, allowed):
            yield note(LOST_ID + name, f"SHRUNKEN: {now} {what.noun}, {was} in {base.manifest.file}")


def _lost_rows(context: Context, connection: Connection, base: Baseline, restored: Manifest) -> Iterator[Check]:
    kept = {table.name: table for table in context.config.tables if table.rows == KEPT}
    same = _unchanged(base, restored)
    names = {name for name in kept if name not in same}
    if not names:
        return
    found = row_changes.compare(connection, base, names.__contains__, fixed_columns(context.config.tables))
    for name, figures in found.items():
        problem = kept_problem(kept[name], figures)
        if problem:
            yield note(LOST_ID + name, f"LOST: table {name}: {problem} since {base.manifest.file}")


def _unchanged(base: Baseline, restored: Manifest) -> set[str]:
    """Tables that are one part, with the same count and hash as in the baseline."""
    before, after = base.manifest.content.tables, restored.content.tables
    return {name for name in before.keys() & after.keys() if before[name] == after[name]}


def _still_missing(context: Context, connection: Connection, base: Baseline, names: Collection[str]) -> Iterator[Check]:
    """A table that shrank and was filled again with other rows has still lost its own."""
    edited = {table.name for table in context.config.tables if table.rows == EDITED} & set(names)
    if edited:
        for name, figures in row_changes.compare(connection, base, edited.__contains__, {}).items():
            if figures is None or figures.missing:
                rows = _counted(figures.missing, "missing", figures.missing_keys) if figures else "gone"
                yield note(LOST_ID + name, f"SHRUNKEN: table {name}: still {rows} since {base.manifest.file}")
