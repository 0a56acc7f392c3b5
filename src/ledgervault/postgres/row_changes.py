"""Finds what changed in a database since a backup: missing, changed and added rows of each table, by key.

`losses` judges the result. Digests show which buckets of rows differ; only those are read from the database and from
the dump, a bounded number at a time. A backup without digests (of an older version) is compared completely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledgervault.model.content import Table
from ledgervault.model.digests import BUCKETS, NUMBER, NUMBERS, SINGLE, Column, Digest, Digests, Layout, of_table
from ledgervault.model.dump_format import Take
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest
from ledgervault.model.row_comparison import SHOWN, Comparison, Figures, Shape
from ledgervault.postgres import database, digest_reader, row_queries
from ledgervault.postgres.database import Connection
from ledgervault.postgres.digest_reader import Part
from ledgervault.postgres.row_queries import LATER, Retyped
from ledgervault.storage import archive, dump_rows
from ledgervault.storage.archive import FileHash

ROWS_AT_ONCE = 200_000  # held in memory, about 300 bytes each
_EMPTY = Digest()


@dataclass(frozen=True, slots=True)
class Baseline:
    """A backup that later data is compared with."""

    path: Path
    manifest: Manifest
    digests: Digests | None
    limit_seconds: float


@dataclass(frozen=True, slots=True)
class _Work:
    """A table whose rows must be read, and the buckets to read (None: all rows are one bucket)."""

    name: str
    layout: Layout  # of the baseline
    parts: tuple[str, ...]  # in the database
    shape: Shape
    retyped: tuple[Retyped, ...]
    figures: Figures
    buckets: Mapping[int, int] | None = None  # bucket -> rows in the baseline

    @property
    def rows(self) -> int:
        return self.figures.before if self.buckets is None else sum(self.buckets.values())


@dataclass(slots=True)
class _Database:
    connection: Connection
    tables: dict[str, Layout]
    parts: dict[str, Part]
    fixed: Mapping[str, Sequence[str]]
    work: list[_Work] = field(default_factory=list)


def compare_with_baseline(
    connection: Connection, baseline: Baseline, is_chosen: Callable[[str], bool], fixed: Mapping[str, Sequence[str]]
) -> dict[str, Figures | None]:
    """Figures of each chosen table of the baseline; None for a dropped table. It runs in the caller's transaction.
    `fixed` names the columns of each table that must not change. Raises CouldNot if the dump does not match its
    manifest."""
    tables, parts = digest_reader.layouts(connection)
    target = _Database(connection, tables, parts, fixed)
    layouts = _layouts(baseline, tables)
    figures_by_table: dict[str, Figures | None] = {}
    for name, layout in layouts.items():
        if is_chosen(name):
            figures_by_table[name] = _compare_table(target, baseline, name, layout)
    _read_rows(target, baseline)
    return figures_by_table


def _layouts(baseline: Baseline, tables: Mapping[str, Layout]) -> dict[str, Layout]:
    """A backup without digests has no keys: today's keys are used if the dump has their columns."""
    if baseline.digests is not None:
        return baseline.digests.header.tables
    table_of_part = {part: name for name, layout in tables.items() for part in layout.parts}
    layouts: dict[str, Layout] = {}
    columns = dump_rows.columns(baseline.path, baseline.limit_seconds)
    for part in baseline.manifest.content.tables:
        name = table_of_part.get(part, part)
        today = tables.get(name, Layout((), ()))
        dump_columns = columns.get(part, ())
        key = today.key if set(today.key) <= set(dump_columns) else ()
        shared_columns = tuple(column for column in today.columns if column.name in dump_columns)
        shared_columns += tuple(
            Column(column, "", "") for column in dump_columns if column not in today.names()
        )  # dropped since
        parts = (*(layouts[name].parts if name in layouts else ()), part)
        layouts[name] = Layout(parts, shared_columns, key, today.bucketing if key else SINGLE)
    return layouts


def _compare_table(target: _Database, baseline: Baseline, name: str, layout: Layout) -> Figures | None:
    today = target.tables.get(name)
    before = sum(baseline.manifest.content.tables[part].rows for part in layout.parts)
    if today is None:
        return None
    types = {column.name: column.type for column in today.columns}
    layout = _usable_layout(layout, types)
    generated = {column.name for column in (*layout.columns, *today.columns) if column.generated}
    figures = Figures(before, dropped_columns=[column for column in layout.names() if column not in types])
    comparable_columns = {*layout.names(), *types} - generated
    figures.unknown_columns = [column for column in target.fixed.get(name, ()) if column not in comparable_columns]
    retyped = tuple(
        Retyped(column.name, column.type, types[column.name])
        for column in layout.columns
        if column.name in types and types[column.name] != column.type
    )
    hashable = baseline.digests is not None and not retyped and not figures.dropped_columns
    if hashable:
        differing = _differing_buckets(target, baseline, name, layout, today.parts, figures)
    else:
        differing = _all_buckets(target, baseline, layout, today, figures)
    if differing:
        shape = _shape(layout, today, figures, target.fixed.get(name, ()))
        buckets = None if shape.bucketing == SINGLE else differing
        target.work.append(_Work(name, layout, today.parts, shape, retyped, figures, buckets))
    return figures


def _usable_layout(layout: Layout, types: Mapping[str, str]) -> Layout:
    """The layout without a key or bucketing that today's table no longer supports."""
    if not set(layout.key) <= types.keys():
        return replace(layout, key=(), bucketing=SINGLE, highest=None)
    before = {column.name: column.type for column in layout.columns}
    is_same = all(types[name] == before[name] for name in layout.key)
    if is_same or (layout.bucketing == NUMBER and types[layout.key[0]] in NUMBERS):
        return layout
    return replace(layout, bucketing=SINGLE, highest=None)


def _differing_buckets(
    target: _Database, baseline: Baseline, name: str, layout: Layout, parts: Sequence[str], figures: Figures
) -> dict[int, int]:
    """The buckets whose rows changed, with their former number of rows."""
    assert baseline.digests is not None  # noqa: S101  - the caller looked
    was, now = baseline.digests.buckets[name], digest_reader.read_table(target.connection, parts, layout)
    later = now.pop(LATER, _EMPTY)
    figures.now = later.rows + sum(digest.rows for digest in now.values())
    if later.rows:
        _count_later_rows(target, layout, parts, figures)
    if not figures.before:
        figures.added = figures.now
        return {}
    return {b: was.get(b, _EMPTY).rows for b in was.keys() | now.keys() if was.get(b, _EMPTY) != now.get(b, _EMPTY)}


def _all_buckets(
    target: _Database, baseline: Baseline, layout: Layout, today: Layout, figures: Figures
) -> dict[int, int]:
    """For a table whose former hashes cannot be computed again, or are unknown. Empty if its content is equal."""
    now = digest_reader.read_table(target.connection, today.parts, today)
    total = sum(now.values(), _EMPTY)
    figures.now = total.rows
    if baseline.digests is None and total.table == _baseline_content(baseline, layout):
        return {}
    if layout.highest is not None:
        _count_later_rows(target, layout, today.parts, figures)
    if not figures.before:
        figures.added = figures.now
        return {}
    return dict.fromkeys(range(BUCKETS), -(-max(figures.before, total.rows) // BUCKETS))


def _baseline_content(baseline: Baseline, layout: Layout) -> Table:
    return sum((of_table(baseline.manifest.content.tables[part]) for part in layout.parts), _EMPTY).table


def _count_later_rows(target: _Database, layout: Layout, parts: Sequence[str], figures: Figures) -> None:
    for part in parts:
        count, keys = database.row(target.connection, row_queries.later_keys(part, layout, SHOWN))
        figures.added += count
        figures.added_keys += [f"{layout.key[0]}={key}" for key in keys]
    del figures.added_keys[SHOWN:]


def _shape(layout: Layout, today: Layout, figures: Figures, fixed: Sequence[str]) -> Shape:
    """Without a key only the fixed columns can identify a row again."""
    generated = {column.name for column in (*layout.columns, *today.columns) if column.generated}
    comparable_columns = [name for name in layout.names() if name not in {*figures.dropped_columns, *generated}]
    key = layout.key if set(layout.key) <= set(comparable_columns) else ()
    fixed_columns = tuple(name for name in fixed if name in comparable_columns and name not in key)
    columns = fixed_columns if fixed_columns and not key else tuple(comparable_columns)
    return Shape(columns, key, fixed_columns if key else (), layout.bucketing if key else SINGLE)


# ------------------------------------------------------------------------------------------------- reading the rows


def _read_rows(target: _Database, baseline: Baseline) -> None:
    if not target.work:
        return
    manifest = baseline.manifest
    if archive.file_hash(baseline.path) != FileHash(manifest.size, manifest.sha256):
        raise CouldNot(baseline.path.name, "its bytes are not those of its manifest", "ledgervault verify FILE")
    settings = baseline.digests.header.settings if baseline.digests else digest_reader.text_settings(target.connection)
    with target.connection.transaction(force_rollback=True):
        money = any(column.type.startswith("money") for work in target.work for column in work.layout.columns)
        for name, value in settings.items():
            if name == "lc_monetary" and not money:
                continue  # a locale that this server may not have, and that nothing depends on
            target.connection.execute("SELECT set_config(%s, %s, true)", (name, value))
        for share in _shares(target.work):
            _read_share(target, baseline, share)


def _shares(work: Sequence[_Work]) -> Iterator[list[_Work]]:
    """The tables, or buckets of a large table, that are held in memory at once."""
    share: list[_Work] = []
    row_count = 0
    for piece in (piece for task in work for piece in _pieces(task)):
        if share and row_count + piece.rows > ROWS_AT_ONCE:
            yield share
            share, row_count = [], 0
        share.append(piece)
        row_count += piece.rows
    yield share


def _pieces(work: _Work) -> Iterator[_Work]:
    buckets: dict[int, int] = {}
    for bucket, rows in (work.buckets or {}).items():
        if buckets and sum(buckets.values()) + rows > ROWS_AT_ONCE:
            yield replace(work, buckets=buckets)
            buckets = {}
        buckets[bucket] = rows
    yield replace(work, buckets=buckets or None)


def _read_share(target: _Database, baseline: Baseline, share: Sequence[_Work]) -> None:
    """Reads the dump once."""
    comparisons: dict[str, list[Comparison]] = {}
    for work in share:
        buckets = frozenset(work.buckets) if work.buckets is not None and work.shape.bucketing != SINGLE else None
        comparison = Comparison(work.shape, buckets, work.figures)
        _put_later(target, work, buckets, comparison)
        for part in work.layout.parts:
            comparisons.setdefault(part, []).append(comparison)

    def ask(table: str, columns: tuple[str, ...]) -> Take | None:
        takers = [comparison.taker(columns) for comparison in comparisons.get(table, ())]
        return _take_all(takers) if len(takers) > 1 else next(iter(takers), None)

    counted = dump_rows.read(baseline.path, ask, baseline.limit_seconds)
    for part in comparisons:
        expected = baseline.manifest.content.tables[part].rows
        if counted[part] != expected:
            raise CouldNot(
                baseline.path.name, f"{counted[part]} rows of {part} read from it, {expected} in its manifest"
            )
    for comparison in {
        id(comparison_): comparison_ for same_part in comparisons.values() for comparison_ in same_part
    }.values():
        comparison.end()


def _take_all(takers: Sequence[Take]) -> Take:
    def take(row: bytes) -> None:
        for taker in takers:
            taker(row)

    return take


def _put_later(target: _Database, work: _Work, buckets: frozenset[int] | None, comparison: Comparison) -> None:
    for part in work.parts:
        query = row_queries.rows_text(part, work.layout, work.shape.columns, work.retyped, buckets)
        with target.connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
            for row in copy:
                comparison.put_later(bytes(row).removesuffix(b"\n"))
