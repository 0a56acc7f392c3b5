"""The pure rules of loss: digests, row sets, baseline, the journal's head and its later events. No database."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledgervault.commands import losses
from ledgervault.model import baseline, config, digests, journal, proof, records, retention
from ledgervault.model.digests import NUMBER, SINGLE, TEXT, Column, Digest, Digests, Header, Layout
from ledgervault.model.errors import UsageError
from ledgervault.model.row_comparison import Comparison, Figures, Shape
from ledgervault.postgres import row_queries
from ledgervault.storage import dump_rows
from ledgervault.storage.store import Entry

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)
LAYOUT = Layout(("public.t",), (Column("a", "integer", "a"), Column("id", "bigint", "id")), ("id",), NUMBER, 9)


# ---------------------------------------------------------------- digests


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


def test_rows_above_the_highest_key_are_asked_for_apart() -> None:
    assert 'WHEN t."id" > 9 THEN -1' in row_queries.part_digests("public.t", LAYOUT).replace("CASE ", "")
    assert '"id" <= 9' in row_queries.rows_text("public.t", LAYOUT, ["id"], [], {3})
    assert "IN (3, 4)" in row_queries.rows_text("public.t", LAYOUT, ["id"], [], {4, 3})


def test_fields_of_a_dump_are_unescaped_as_copy_escaped_them() -> None:
    assert dump_rows.unescaped(rb"a\tb\nc\\d\be") == b"a\tb\nc\\d\be"
    assert dump_rows.unescaped(b"plain") == b"plain"


# ---------------------------------------------------------------- row sets


def compared(before: list[bytes], after: list[bytes], shape: Shape, order: tuple[str, ...] | None = None) -> Figures:
    figures = Figures()
    comparison = Comparison(shape, None, figures)
    for row in after:
        comparison.put_later(row)
    take = comparison.taker(order or shape.columns)
    for row in before:
        take(row)
    comparison.end()
    return figures


KEYED = Shape(("amount", "id", "note"), ("id",), ("amount",), NUMBER)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ([b"1\t1\tx", b"2\t2\ty"], (0, 0, 0, 0)),
        ([b"1\t1\tx"], (1, 0, 0, 0)),
        ([b"1\t1\tx", b"2\t3\ty"], (1, 0, 0, 1)),
        ([b"1\t1\tx", b"9\t2\ty"], (0, 1, 1, 0)),
        ([b"1\t1\tx", b"2\t2\tz"], (0, 1, 0, 0)),
        ([b"1\t1\tx", b"\\N\t2\ty"], (0, 1, 1, 0)),
        ([], (2, 0, 0, 0)),
    ],
    ids=["same", "missing", "another key", "fixed column", "other column", "null", "all missing"],
)
def test_rows_are_compared_by_key(after: list[bytes], expected: tuple[int, ...]) -> None:
    figures = compared([b"1\t1\tx", b"2\t2\ty"], after, KEYED)
    assert (figures.missing, figures.changed, figures.changed_fixed, figures.added) == expected


def test_columns_in_another_order_are_the_same_rows_and_values_do_not_change_places() -> None:
    assert compared([b"x\t1\t7"], [b"1\t7\tx"], KEYED, ("note", "amount", "id")).is_same
    assert compared([b"a\t1\tb"], [b"b\t1\ta"], replace(KEYED, fixed=())).changed == 1


def test_rows_without_a_key_count_as_often_as_they_are_there() -> None:
    shape = Shape(("a",), (), (), SINGLE)
    figures = compared([b"x", b"x", b"x", b"y"], [b"x", b"x", b"z"], shape)
    assert (figures.missing, figures.added, figures.missing_keys) == (2, 1, ["a=x", "a=y"])
    assert compared([b"x"], [b"x", b"x", b"x"], shape).added == 2
    assert compared([b"x", b"x"], [b"x", b"x"], shape).is_same


def test_the_first_keys_are_named_and_the_rest_are_counted() -> None:
    figures = compared([b"1\t%d\tx" % n for n in range(50)], [], KEYED)
    table = config.TableConfig("t", rows=config.KEPT)
    assert len(figures.missing_keys) == 20
    assert losses.kept_problem(table, figures) == "50 missing (id=0; id=1; id=2; id=3; id=4 and 45 more)"
    assert losses.kept_problem(table, Figures(changed=3, added=5)) is None
    assert losses.kept_problem(table, None) == "gone"
    dropped = replace(table, fixed_columns=("amount",))
    assert losses.kept_problem(dropped, Figures(dropped_columns=["amount"])) == "fixed column dropped: amount"
    assert losses.kept_problem(dropped, Figures(dropped_columns=["note"])) is None


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ('rows = "forever"', "rows is 'forever'"),
        ('fixed_columns = ["a"]', "fixed_columns, but rows is 'edited'"),
        ('rows = "volatile"\nfixed_columns = ["a"]', "fixed_columns, but rows is 'volatile'"),
        ('rows = "kept"\nfixed_columns = ["a"]', None),
        ('rows = "volatile"', None),
    ],
)
def test_what_may_become_of_a_tables_rows_is_one_of_three(table: str, told: str | None) -> None:
    text = f'environment = "ci"\nbackup_prefix = "x"\n[database]\nname = "l"\nuser = "u"\nhost = "h"\n[places]\nbackups = "/b"\nscratch = "/s"\n[[tables]]\nname = "t"\n{table}\n'
    if told is None:
        assert config.parse(text, "x").tables[0].name == "t"
    else:
        with pytest.raises(UsageError, match=told):
            config.parse(text, "x")
    assert config.TableConfig("t").rows == config.EDITED


# ---------------------------------------------------------------- baseline


def entry(seq: int, verdict: str = "proven", loss: str | None = None, accepted: bool = False, **data: Any) -> Entry:
    line = journal.Line(seq, "t", journal.BACKUP, f"f{seq}", "m", "p", {"kind": "db"})
    ruling = journal.Line(
        99, "t", journal.PROOF, f"f{seq}", "m", "p", {"verdict": verdict, **({"loss": loss} if loss else {}), **data}
    )
    return Entry(f"f{seq}", Path(f"/b/f{seq}"), line, verdict, ruling, True, accepted)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(1), entry(2, loss="none")], "f2"),
        ([entry(1), entry(2, loss="lost")], "f1"),
        ([entry(1), entry(2, loss="unknown")], "f1"),
        ([entry(1), entry(2, "failed")], "f1"),
        ([entry(1), entry(2, shrunken=True)], "f1"),
        ([entry(1), entry(2, loss="lost", accepted=True)], "f2"),
        ([entry(1), replace(entry(2), intact=False)], "f2"),
        ([entry(1, loss="lost")], None),
        ([], None),
    ],
    ids=[
        "nothing lost",
        "lost",
        "unknown",
        "failed",
        "shrunken, of an older version",
        "accepted",
        "not as written",
        "none",
        "empty",
    ],
)
def test_the_baseline_is_the_newest_that_lost_nothing_unaccepted(entries: list[Entry], expected: str | None) -> None:
    chosen = baseline.newest(entries)
    assert (chosen.file if chosen else None) == expected


def test_a_backup_is_compared_with_one_before_it_and_a_loss_stays_open_until_accepted() -> None:
    entries = [entry(1), entry(2, loss="lost", lost=["t"]), entry(3, loss="lost", lost=["u"])]
    assert (baseline.newest(entries, "f1"), baseline.newest(entries, "f3")) == (None, entries[0])
    assert baseline.open_loss(entries) == entries[1]
    assert baseline.lost_tables(entries, entries[0]) == {"t", "u"}
    assert baseline.lost_tables(entries, entries[0], "f3") == {"t"}
    accepted = [entries[0], *(replace(each, accepted=True) for each in entries[1:])]
    assert baseline.open_loss(accepted) is None


# ---------------------------------------------------------------- retention


def kept(seq: int, hours: float, proven: bool = True, **more: Any) -> retention.Kept:
    return retention.Kept(f"f{seq}", "db", "hourly", seq, NOON - timedelta(hours=hours), proven, **more)


@pytest.mark.parametrize(
    ("backups", "removed"),
    [
        (
            [kept(1, 90), kept(2, 80, shrunken=True), kept(3, 70, shrunken=True), kept(4, 1, shrunken=True)],
            ["f2", "f3"],
        ),
        ([kept(1, 90), kept(2, 80, shrunken=True), kept(3, 1)], ["f1", "f2"]),
        ([kept(1, 90), kept(2, 80, uncompared=True), kept(3, 1, shrunken=True)], []),
        ([kept(1, 90), kept(2, 80, uncompared=True), kept(3, 1, uncompared=True)], []),
        ([kept(1, 90), kept(2, 80, proven=False), kept(3, 1, shrunken=True)], []),
    ],
    ids=[
        "the last good one stays, shrunken ones go",
        "accepted or whole again",
        "unknown counts for nothing",
        "unknown stays",
        "unproven stays",
    ],
)
def test_while_a_loss_is_unaccepted_the_last_good_one_stays_and_shrunken_ones_thin_out(
    backups: list[retention.Kept], removed: list[str]
) -> None:
    assert [b.file for b in retention.removable(backups, "hourly", 48, NOON)] == removed


# ---------------------------------------------------------------- the journal's head, and its later events


def chain(*events: tuple[str, str, dict[str, Any]]) -> bytes:
    text = b""
    for event, file, data in events:
        text += journal.encode(journal.next_line(journal.read(text), "2025-04-22T12:00:00Z", event, file, "m", data))
    return text


THREE = chain(("backup", "a", {}), ("proof", "a", {}), ("removed", "a", {}))


def head(text: bytes) -> journal.Head:
    read = journal.read(text)
    return journal.Head(len(read.lines), read.head)


def test_the_kept_head_vouches_for_the_last_line() -> None:
    assert journal.head_problem(journal.read(THREE), head(THREE)) is None
    edited = THREE.replace(b'"event":"removed"', b'"event":"proof"')
    assert "line 3 is not the one that was written" in str(journal.head_problem(journal.read(edited), head(THREE)))
    cut = b"".join(THREE.splitlines(keepends=True)[:2])
    assert "2 lines, 3 were written" in str(journal.head_problem(journal.read(cut), head(THREE)))
    assert journal.head_problem(journal.read(THREE), head(cut)) is None, "a writer killed before it kept the head"
    assert journal.head_problem(journal.read(edited), head(cut)) is None
    assert journal.head_problem(journal.read(THREE), journal.Head(2, "x" * 64)) is not None


def test_lines_of_the_first_schema_are_written_as_ever_and_later_events_name_theirs() -> None:
    assert b"schema" not in THREE
    later = chain(("accepted", "a", {"reason": "x"}), ("forgotten", "a", {"reason": "y"}))
    assert later.count(b'"schema":2') == 2
    read = journal.read(later)
    assert (read.broken, read.newer) == (None, None)
    assert (journal.accepted(read.lines)["a"].data, journal.forgotten(read.lines)["a"].data) == (
        {"reason": "x"},
        {"reason": "y"},
    )


@pytest.mark.parametrize(
    "edit",
    [
        (b'"event":"removed"', b'"event":"merged"'),
        (b'"seq":3', b'"schema":4,"seq":3'),
        (b'"seq":3', b'"schema":9,"unheard":1,"seq":3'),
    ],
)
def test_a_line_of_a_later_version_is_newer_not_broken(edit: tuple[bytes, bytes]) -> None:
    read = journal.read(THREE.replace(*edit))
    assert read.broken is None
    assert "line 3" in str(read.newer) and "written by a newer ledgervault" in str(read.newer)


BACKUP: dict[str, Any] = {
    "kind": "db", "tier": "hourly", "size": 1, "sha256": "x", "taken": "2025-04-22 12:00:00+00", "rows": 1, "tables": 1,
    "watched": {}, "environment": "ci", "database": "l",
}  # fmt: skip


@pytest.mark.parametrize(
    ("event", "data", "told"),
    [
        ("backup", BACKUP, None),
        ("backup", {**BACKUP, "size": "1"}, "size is '1', expected int"),
        ("backup", {**BACKUP, "tier": "never"}, "unknown tier 'never'"),
        ("backup", {**BACKUP, "taken": "noon"}, "Invalid isoformat string"),
        ("backup", {**BACKUP, "taken": "2025-04-22 12:00:00"}, "is in no time zone"),
        ("backup", {}, "kind is None"),
        ("proof", {"level": "data"}, "verdict is None"),
        ("accepted", {}, "reason is None"),
    ],
)
def test_a_line_that_lacks_what_its_event_must_say_breaks_the_journal(
    event: str, data: dict[str, Any], told: str | None
) -> None:
    read = journal.checked(journal.read(chain((event, "a", data))))
    assert (told is None and read.broken is None) or str(told) in str(read.broken)


def test_a_proof_names_the_tables_that_lost_rows() -> None:
    checks = (proof.note("shrunken public.t", "x"), proof.note("indexes", "y"), proof.ok("table public.t", "z"))
    assert proof.Proof(1, "f", None, "data", "proven", "t", "t", 1.0, checks).lost_tables == ["public.t"]
