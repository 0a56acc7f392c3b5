"""Whether the live database still holds what the baseline holds.

The database has grown since, so this is no comparison of equals.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from ledgervault.model import comparison, loss_rules
from ledgervault.model.comparison import Equivalences
from ledgervault.model.config import KEPT, VOLATILE, Config, TableConfig
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Check, failed, inconclusive, note, ok
from ledgervault.model.row_comparison import Figures

Changes = Mapping[str, Figures | None]


@dataclass(frozen=True, slots=True)
class Live:
    """What was read of the live database in one snapshot."""

    rows: Mapping[str, int]  # of volatile tables, and of tables that the baseline lacks
    changes: Changes
    schema: Mapping[str, str]
    heads: tuple[tuple[str, ...], ...] | None
    broken: Mapping[str, int | str] = field(default_factory=dict)  # invariant: rows that break it, or why not asked
    equivalences: Equivalences = field(default_factory=Equivalences)


def judge(manifest: Manifest, live: Live, config: Config, reported: Collection[str] = ()) -> Iterator[Check]:
    """Judges rows, definitions and invariants. `reported` names tables with an unaccepted loss since this backup."""
    same_heads = manifest.content.migration_heads == live.heads
    yield from _judge_rows(manifest, live, config, same_heads, reported)
    if same_heads:
        yield from comparison.compare_schema(
            manifest.content.schema, live.schema, live.equivalences.rewritten, live.equivalences.undecided
        )
    else:
        yield note("migrations", "migrations: others than in the backup, so definitions are not compared")
    for name, violations in live.broken.items():
        yield _judge_invariant(name, violations)


def _judge_rows(
    manifest: Manifest, live: Live, config: Config, same_heads: bool, reported: Collection[str]
) -> Iterator[Check]:
    if not manifest.content.tables:
        yield inconclusive("tables", "the manifest holds no tables: nothing was compared")
        return
    configured = {table.name: table for table in config.tables}
    for name, figures in live.changes.items():
        table = configured.get(name, TableConfig(name))
        rows = _Rows(manifest, table, figures, config.limits.shrink_allowed_percent, name in reported)
        yield rows.check(same_heads)
        if table.rows == KEPT and figures is not None:
            yield from _check_fixed_columns(table, figures)
    for table in config.tables:
        if table.name not in live.changes:
            yield from _describe_uncompared(manifest, table, live.rows.get(table.name))
    compared = [figures for figures in live.changes.values() if figures is not None]
    if compared:
        unchanged = sum(figures.is_same for figures in compared)
        yield ok(
            "rows", f"rows: {len(compared)} tables compared by key with {manifest.file}, {unchanged} of them unchanged"
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """A table's figures and its limits."""

    manifest: Manifest
    table: TableConfig
    figures: Figures | None
    allowed_percent: int
    is_reported: bool

    def check(self, same_heads: bool) -> Check:
        id_, file = f"table {self.table.name}", self.manifest.file
        if self.figures is None:
            text = f"{id_}: gone, {self.rows_before} rows in {file}"
            is_lost = same_heads or self.table.rows == KEPT
            return failed(id_, text, loss_rules.ACCEPT) if is_lost else note(id_, text)
        changes = loss_rules.describe(self.table, self.figures)
        if self.table.rows == KEPT and loss_rules.kept_problem(self.table, self.figures):
            return failed(id_, f"{self.counts}; {changes}", loss_rules.ACCEPT)
        if self.has_shrunken:
            noun = self.manifest.watched[self.table.name].noun
            text = f"{id_}: {self.figures.now} {noun}, {self.figures.before} in {file}; {changes}"
            return failed(id_, text, loss_rules.ACCEPT)
        text = f"{self.counts}; {changes}"
        return note(id_, text) if self.figures.missing or self.figures.changed else ok(id_, text)

    @property
    def rows_before(self) -> int:
        tables = self.manifest.content.tables
        return tables[self.table.name].rows if self.table.name in tables else 0

    @property
    def counts(self) -> str:
        figures = self.figures or Figures()
        return f"table {self.table.name}: {figures.now} rows, {figures.before} in the backup"

    @property
    def has_shrunken(self) -> bool:
        if self.figures is None or self.table.name not in self.manifest.watched:
            return False
        fewer = loss_rules.has_shrunken(self.figures.before, self.figures.now, self.allowed_percent)
        return fewer or (self.is_reported and self.figures.missing > 0)


def _check_fixed_columns(table: TableConfig, figures: Figures) -> Iterator[Check]:
    for name in table.fixed_columns:
        if name in figures.unknown_columns:
            text = f"table {table.name}: fixed column {name} is in no dump, so nobody can say whether it changed"
            yield inconclusive(f"column {table.name}.{name}", text, "see fixed_columns in the vault's configuration")


def _describe_uncompared(manifest: Manifest, table: TableConfig, rows: int | None) -> Iterator[Check]:
    id_, before = f"table {table.name}", manifest.content.tables.get(table.name)
    was = f"{before.rows} in the backup" if before else "not in the backup"
    if table.rows == VOLATILE:
        now = "not there" if rows is None else f"{rows} rows"
        yield note(id_, f"{id_}: {now}, {was}; volatile, so not compared")
    elif rows is not None:
        yield note(id_, f"{id_}: {rows} rows, {was}")
    elif table.rows == KEPT:
        text = f"{id_}: configured as kept, and neither in the database nor in {manifest.file}"
        yield inconclusive(id_, text, "see [[tables]] in the vault's configuration: is the name as SQL quotes it?")


def _judge_invariant(name: str, violations: int | str) -> Check:
    if isinstance(violations, str):
        return inconclusive(f"invariant {name}", f"invariant '{name}': could not be asked: {violations}")
    if violations:
        return failed(f"invariant {name}", f"invariant '{name}': {violations} rows break it")
    return ok(f"invariant {name}", f"invariant '{name}': holds")
