"""Queries about single rows and buckets of rows, for losses and digests. This module runs nothing.

Apart from `queries`, which is about content that a restore must bring back equal.
"""
# ruff: noqa: S608  - names are quoted by the server or by `identifier`, values by `literal`

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ledgervault.model.digests import NUMBER, TEXT, Layout
from ledgervault.postgres.sql import identifier, literal

LATER = -1  # the bucket of rows above `highest`


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column whose type has changed since the baseline."""

    name: str
    before: str
    now: str


def part_digests(part: str, layout: Layout) -> str:
    """bucket, rows, sum, xor, greatest key: `queries.table_content` by bucket, in one scan."""
    row = f"record_send(ROW({', '.join('t.' + column.hashed for column in layout.columns)}))"
    key = "t." + identifier(layout.key[0]) if layout.bucketing == NUMBER else "NULL::bigint"
    return (
        "SELECT b, count(*), sum(h)::text, bit_xor(h), max(k)"
        f" FROM (SELECT {_later_or(layout)} AS b, hash_array_extended(ARRAY[{row}], 0) AS h, {key} AS k"
        f" FROM ONLY {part} t OFFSET 0) q GROUP BY b"
    )


def parts_digests(parts: Sequence[tuple[str, Layout]]) -> str:
    """`part_digests` of several parts, each with its position."""
    return " UNION ALL ".join(f"SELECT {n}, q.* FROM ({part_digests(*part)}) q" for n, part in enumerate(parts))


def rows_text(
    part: str, layout: Layout, columns: Sequence[str], retyped: Collection[Retyped], buckets: Collection[int] | None
) -> str:
    """COPY of the rows up to `highest`, of all or some buckets, in the dump's format."""
    changes = {column.name: column for column in retyped}
    select_list = ", ".join(
        _as_before(changes[name]) if name in changes else f"t.{identifier(name)}" for name in columns
    )
    conditions = [] if buckets is None else [f"({_bucket(layout)}) IN ({', '.join(map(str, sorted(buckets)))})"]
    conditions += _not_later(layout)
    where_clause = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"COPY (SELECT {select_list} FROM ONLY {part} t{where_clause}) TO STDOUT"


def later_keys(part: str, layout: Layout, limit: int) -> str:
    """The number of rows above `highest`, and the first of their keys as text."""
    key = "t." + identifier(layout.key[0])
    later = f"FROM ONLY {part} t WHERE {key} > {layout.highest}"
    keys = f"ARRAY(SELECT {key}::text {later} ORDER BY {key} LIMIT {limit})"
    return f"SELECT (SELECT count(*) {later}), {keys}"


def _bucket(layout: Layout) -> str:
    keys = ", ".join("t." + identifier(name) for name in layout.key)
    if layout.bucketing == NUMBER:
        return f"({keys} & 255)::integer"
    if layout.bucketing == TEXT:
        return f"get_byte(sha256(convert_to(concat_ws(E'\\t', {keys}), 'UTF8')), 0)"
    return "0"


def _later_or(layout: Layout) -> str:
    if layout.highest is None:
        return _bucket(layout)
    return f"CASE WHEN t.{identifier(layout.key[0])} > {layout.highest} THEN {LATER} ELSE {_bucket(layout)} END"


def _not_later(layout: Layout) -> list[str]:
    return [] if layout.highest is None else [f"t.{identifier(layout.key[0])} <= {layout.highest}"]


def _as_before(column: Retyped) -> str:
    """The value in its former type if converting it there and back loses nothing, so that a wider type is no change.
    Otherwise the value itself."""
    now, before = f"t.{identifier(column.name)}::text", literal(column.before)
    back = f"({now})::{column.before}::text"
    return (
        f"CASE WHEN NOT pg_input_is_valid({now}, {before}) THEN {now}"
        f" WHEN NOT pg_input_is_valid({back}, {literal(column.now)}) THEN {now}"
        f" WHEN ({back})::{column.now}::text IS DISTINCT FROM {now} THEN {now} ELSE {back} END"
    )
