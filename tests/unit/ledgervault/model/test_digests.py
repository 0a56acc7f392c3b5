"""Digests: their file, their sums, and the bucket of a key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgervault.model import digests, records
from ledgervault.model.digests import NUMBER, SINGLE, TEXT, Column, Digest, Digests, Header, Layout

LAYOUT = Layout(("public.t",), (Column("a", "integer", "a"), Column("id", "bigint", "id")), ("id",), NUMBER, 9)


def test_digests_survive_writing_and_every_change_to_the_file_is_noticed() -> None:
    held = {"public.t": {0: Digest(3, -(2**70), -(2**63)), 255: Digest(1, 5, 2**63 - 1)}, "public.u": {}}
    made = Digests(
        Header(1, 256, {"TimeZone": "UTC"}, {"public.t": LAYOUT, "public.u": replace(LAYOUT, highest=None)}), held
    )
    data = digests.encode(made)
    described = digests.describe("x.sql.gz", data)
    assert described.file == "x.sql.gz.digests"
    assert digests.decode(data, described) == made
    for wrong in (data[:-1], data + b"x", data.replace(b"UTC", b"UTD")):
        with pytest.raises(records.RecordError):
            digests.decode(wrong, described)
        if wrong != data.replace(b"UTC", b"UTD"):
            with pytest.raises(records.RecordError, match="bytes of digests"):
                digests.decode(wrong, digests.describe("x.sql.gz", wrong))


def test_digests_add_up_whatever_the_order() -> None:
    one, other = Digest(1, 2**63 - 1, -5), Digest(2, 7, 9)
    assert one + other == other + one == Digest(3, 2**63 + 6, -5 ^ 9)
    assert digests.of_table((one + other).table) == one + other


@pytest.mark.parametrize(
    ("types", "encoding", "kind"),
    [
        (["bigint"], "UTF8", NUMBER),
        (["smallint"], "SQL_ASCII", NUMBER),
        (["integer", "text"], "UTF8", TEXT),
        (["character varying(30)"], "LATIN1", TEXT),
        (["text"], "SQL_ASCII", SINGLE),
        (["timestamp with time zone"], "UTF8", SINGLE),
        (["bytea"], "UTF8", SINGLE),
        (["text", "public.mood"], "UTF8", SINGLE),
        ([], "UTF8", SINGLE),
    ],
)
def test_a_bucket_comes_from_the_key_only_where_its_text_is_the_same_everywhere(
    types: list[str], encoding: str, kind: str
) -> None:
    names = tuple(f"k{n}" for n in range(len(types)))
    assert digests.bucketing(names, dict(zip(names, types, strict=True)), encoding) == kind


def test_a_bucket_is_the_low_byte_of_a_number_also_below_zero() -> None:
    assert [digests.bucket_of(NUMBER, key) for key in (b"5", b"261", b"-1")] == [5, 5, 255]
    assert 0 <= digests.bucket_of(TEXT, b"x\ty") < 256
    assert digests.bucket_of(SINGLE, b"anything") == 0
