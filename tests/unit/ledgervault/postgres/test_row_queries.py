"""The queries about single rows."""

from __future__ import annotations

from ledgervault.model.digests import NUMBER, Column, Layout
from ledgervault.postgres import row_queries

LAYOUT = Layout(("public.t",), (Column("a", "integer", "a"), Column("id", "bigint", "id")), ("id",), NUMBER, 9)


def test_rows_above_the_highest_key_are_asked_for_apart() -> None:
    assert 'WHEN t."id" > 9 THEN -1' in row_queries.part_digests("public.t", LAYOUT).replace("CASE ", "")
    assert '"id" <= 9' in row_queries.rows_text("public.t", LAYOUT, ["id"], [], {3})
    assert "IN (3, 4)" in row_queries.rows_text("public.t", LAYOUT, ["id"], [], {4, 3})
