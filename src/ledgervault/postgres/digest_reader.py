"""Reads digests from a connection inside its snapshot: of every table for a backup, later of the tables in a layout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ledgervault.model.content import Table
from ledgervault.model.digests import BUCKETS, NUMBER, SCHEMA, Column, Digest, Digests, Header, Layout, bucketing
from ledgervault.postgres import database, queries, row_queries
from ledgervault.postgres.database import Connection, Progress

_LARGE_PAGES = 1000  # 8 MB: a table that is read alone
_BATCH = 50


@dataclass(frozen=True, slots=True)
class Part:
    """A table that holds rows."""

    name: str
    layout: Layout  # of what it is a part of, as this table has it
    pages: int


def layouts(connection: Connection) -> tuple[dict[str, Layout], dict[str, Part]]:
    """By name: tables (a partitioned one with all its parts), and the parts that hold rows, the largest first."""
    encoding = database.row(connection, "SHOW server_encoding")[0]
    tables: dict[str, Layout] = {}
    parts: dict[str, Part] = {}
    for name, root, names, types, hashed, generated, key, pages in database.rows(connection, queries.LAYOUTS):
        columns = tuple(map(Column, names or (), types or (), hashed or (), generated or ()))
        kind = bucketing(tuple(key or ()), {column.name: column.type for column in columns}, encoding)
        layout = Layout((name,), columns, tuple(key or ()), kind)
        parts[name] = Part(name, layout, pages)
        tables[root] = _join_parts(tables[root], layout) if root in tables else layout
    return dict(sorted(tables.items())), parts


def read(connection: Connection, progress: Progress = lambda _: None) -> tuple[dict[str, Table], Digests]:
    """Every table's content and its digests, from one scan."""
    tables, parts = layouts(connection)
    of_part = {part: name for name, layout in tables.items() for part in layout.parts}
    work = [(name, replace(tables[of_part[name]], columns=part.layout.columns)) for name, part in parts.items()]
    contents: dict[str, Table] = {}
    buckets: dict[str, dict[int, Digest]] = {name: {} for name in tables}
    highest: dict[str, int] = {}
    for batch in _batches(work, {name for name, part in parts.items() if part.pages >= _LARGE_PAGES}):
        progress(f"rows of {batch[0][0]}" + (f" and {len(batch) - 1} more" if len(batch) > 1 else ""))
        for (name, _), (part_buckets, greatest) in zip(batch, _read_batch(connection, batch), strict=True):
            contents[name] = sum(part_buckets.values(), Digest()).table
            table = of_part[name]
            buckets[table] = merge(buckets[table], part_buckets)
            if greatest is not None:
                highest[table] = max(greatest, highest.get(table, greatest))
    described = {name: replace(layout, highest=highest.get(name)) for name, layout in tables.items()}
    header = Header(SCHEMA, BUCKETS, text_settings(connection), described)
    return dict(sorted(contents.items())), Digests(header, dict(buckets))


def read_table(connection: Connection, parts: Iterable[str], layout: Layout) -> dict[int, Digest]:
    """By an earlier layout; LATER holds the rows above its highest key."""
    buckets: dict[int, Digest] = {}
    for part in parts:
        ((part_buckets, _),) = _read_batch(connection, [(part, layout)])
        buckets = merge(buckets, part_buckets)
    return buckets


def text_settings(connection: Connection) -> dict[str, str]:
    return dict(database.rows(connection, queries.TEXT_SETTINGS))


def merge(left: Mapping[int, Digest], right: Mapping[int, Digest]) -> dict[int, Digest]:
    empty = Digest()
    return {bucket: left.get(bucket, empty) + right.get(bucket, empty) for bucket in left.keys() | right.keys()}


def _join_parts(table: Layout, part: Layout) -> Layout:
    """If parts have different keys, the whole content identifies a row."""
    same_key = (table.key, table.bucketing) == (part.key, part.bucketing)
    joined = replace(table, parts=(*table.parts, *part.parts))
    return joined if same_key else replace(joined, key=(), bucketing="single")


def _read_batch(
    connection: Connection, batch: Sequence[tuple[str, Layout]]
) -> list[tuple[dict[int, Digest], int | None]]:
    buckets_by_place: dict[int, dict[int, Digest]] = defaultdict(dict)
    greatest: dict[int, int] = {}
    for place, bucket, count, total, xor, key in database.rows(connection, row_queries.parts_digests(batch)):
        buckets_by_place[place][bucket] = Digest(count, int(total), xor)
        if key is not None and batch[place][1].bucketing == NUMBER:
            greatest[place] = max(key, greatest.get(place, key))
    return [(buckets_by_place[place], greatest.get(place)) for place in range(len(batch))]


def _batches(work: Sequence[tuple[str, Layout]], large: set[str]) -> Iterator[list[tuple[str, Layout]]]:
    yield from ([part] for part in work if part[0] in large)
    small = iter([part for part in work if part[0] not in large])
    while batch := list(islice(small, _BATCH)):
        yield batch
