"""What the comparison decides about tables, sequences, definitions, roles and extensions. No database."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledgervault.model import (
    comparison,
    content,
    proof,
    records,
)
from ledgervault.model.content import Sequence, SequenceValue, Table
from ledgervault.model.manifest import Manifest, Watched, end_marker
from ledgervault.model.proof import Check
from ledgervault.postgres import queries
from tests.unit.ledgervault.examples import CONTENT, GLOBALS

MANIFEST = Manifest(
    1, "f", "db", "hourly", "ci", "ledger", "t", "t", "t", "17.1", 170001, "pg_dump", "0/1", "igzip", 1, "s", 1, CONTENT,
    {"public.s": content.SequenceValue(4, True)}, {"public.t": Watched("rows", "nothing here", True)}, "SELECT 1",
)  # fmt: skip


RESTORED = replace(CONTENT, sequences={"public.s": content.Sequence(4, True, 1, False, "public.t.id", 3)})


def bad_texts(restored: content.Content, manifest: Manifest = MANIFEST) -> list[str]:
    return [
        check.text
        for check in comparison.compare_copy(manifest, restored)
        if check.result in ("failed", "inconclusive")
    ]


def test_an_equal_copy_has_nothing_bad_and_a_manifest_survives_json() -> None:
    assert bad_texts(RESTORED) == []
    assert records.from_json(Manifest, records.to_json(MANIFEST)) == MANIFEST
    assert comparison.is_comparable(MANIFEST)
    assert MANIFEST.major == 17
    assert end_marker("f") == b"-- ledgervault: end of f\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tables": {"public.t": content.Table(2, "30", "7"), "public.empty": content.Table(0, "0", "0")}}, "2 rows restored, 3 in"),
        ({"tables": {"public.t": content.Table(3, "30", "8"), "public.empty": content.Table(0, "0", "0")}}, "content differs"),
        ({"tables": {"public.t": content.Table(3, "30", "7")}}, "table public.empty: missing"),
        ({"sequences": {}}, "sequence public.s: missing"),
        ({"sequences": {"public.s": content.Sequence(3, True)}}, "restored 3, the dump holds 4"),
        ({"sequences": {"public.s": content.Sequence(4, False)}}, "restored 4 (not yet used), the dump holds 4"),
        ({"sequences": {"public.s": content.Sequence(4, True, 1, False, "public.t.id", 9)}}, "behind 9 in public.t.id"),
        ({"sequences": {**RESTORED.sequences, "public.x": content.Sequence(1, True)}}, "sequence public.x: restored, not in"),
        ({"schema": {}}, "index public.i: missing"),
        ({"schema": {**CONTENT.schema, "view public.v": "x"}}, "view public.v: not in the manifest"),
        ({"schema": {"index public.i": "CREATE INDEX i ON public.t USING btree (b)"}}, "index public.i: restored"),
        ({"large_objects": {}}, "large object 9: missing"),
        ({"large_objects": {"9": content.LargeObject("app", "none", 3, "y")}}, "large object 9: differs"),
        ({"large_objects": {**CONTENT.large_objects, "10": content.LargeObject("a", "n", 0, "")}}, "large object 10: not in"),
        ({"globals": replace(GLOBALS, roles={})}, "role app: missing"),
        ({"globals": replace(GLOBALS, memberships=())}, "membership app in admin by boss: missing"),
        ({"globals": replace(GLOBALS, settings=())}, "setting search_path of app: missing"),
        ({"globals": replace(GLOBALS, parameters={})}, "grants on parameter work_mem: missing"),
        ({"globals": replace(GLOBALS, database=replace(GLOBALS.database, owner="x"))}, "database owner: restored x"),
        ({"globals": replace(GLOBALS, extensions={"plpgsql": "1.1"})}, "extension plpgsql: 1.0 in the source, 1.1 here"),
        ({"migration_heads": (("ledger", "0002"),)}, "migrations: missing ledger 0001; not in the manifest ledger 0002"),
    ],
)  # fmt: skip
def test_each_difference_is_named(change: dict[str, Any], told: str) -> None:
    assert any(told in text for text in bad_texts(replace(RESTORED, **change)))


def test_an_extra_role_is_named_too() -> None:
    more = replace(GLOBALS, roles={**GLOBALS.roles, "x": content.Role(())})
    assert "role x: not in the manifest" in bad_texts(replace(RESTORED, globals=more))


def test_a_sequence_the_dump_does_not_set_or_sets_too_low_is_bad() -> None:
    assert "the dump sets no value" in bad_texts(RESTORED, replace(MANIFEST, sequences_dumped={}))[0]
    low = replace(MANIFEST, sequences_dumped={"public.s": content.SequenceValue(2, True)})
    assert (
        "2 in the dump, already 3 before it"
        in bad_texts(replace(RESTORED, sequences={"public.s": content.Sequence(2, True)}), low)[0]
    )


@pytest.mark.parametrize(("increment", "dumped"), [(1, 5), (-1, 1)])
def test_a_sequence_may_be_ahead_in_its_own_direction(increment: int, dumped: int) -> None:
    before = content.Sequence(3, True, increment)
    after = content.Sequence(dumped, True, increment)
    check = comparison._compare_sequence("s", before, content.SequenceValue(dumped, True), after)
    assert check.result == "ok"


def test_a_sequence_that_was_behind_its_rows_in_the_source_is_only_noted() -> None:
    before = content.Sequence(3, True, 1, False, "t.id", 9)
    check = comparison._compare_sequence("s", before, content.SequenceValue(3, True), before)
    assert (check.result, "as it was in the source" in check.text) == ("note", True)


def test_a_dropped_public_schema_that_every_new_database_has_is_only_noted() -> None:
    checks = [*comparison.compare_schema({"table t": "x"}, {"table t": "x", "schema public": "y"})]
    assert {check.result for check in checks} == {"ok", "note"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("CHECK (((a)::text = ANY ((ARRAY['x'::character varying])::text[])))", "CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text])))", True),
        ("CHECK ((a <> (0)::numeric))", "CHECK ((a <> (1)::numeric))", False),
        ("CHECK ((a = ' (x)'::text))", "CHECK ((a = '(x)'::text))", False),
    ],
)  # fmt: skip
def test_texts_that_are_alike_but_for_casts_and_brackets_are_told_from_changed_ones(
    one: str, other: str, equal: bool
) -> None:
    assert (comparison.loosen(one) == comparison.loosen(other)) is equal


def test_nothing_compared_with_nothing_is_inconclusive() -> None:
    empty = replace(CONTENT, tables={}, large_objects={})
    assert not comparison.is_comparable(replace(MANIFEST, content=empty))
    assert next(iter(comparison.compare_tables({}, {}))).result == "inconclusive"


def test_an_empty_watched_table_is_said_and_one_that_must_have_rows_is_inconclusive() -> None:
    empty = replace(MANIFEST, content=replace(CONTENT, tables={"public.t": content.Table(0, "0", "0")}))
    assert next(comparison.describe_watched(empty, empty.content.tables)).result == "inconclusive"
    free = replace(empty, watched={"public.t": Watched("rows", "nothing here", False)})
    assert next(comparison.describe_watched(free, free.content.tables)).text == "0 rows: nothing here"
    assert next(comparison.describe_watched(MANIFEST, CONTENT.tables)).text == "3 rows"


def results_of(checks: object) -> dict[str, str]:
    assert isinstance(checks, list)
    return {check.id: check.result for check in checks if isinstance(check, Check)}


def test_texts_that_differ_in_a_bracket_are_failed() -> None:
    checks = [*comparison.compare_schema({"view v": "a - (b - c)"}, {"view v": "(a - b) - c"})]
    assert results_of(checks) == {"schema view v": proof.FAILED}


def test_texts_that_differ_are_equal_where_the_server_writes_the_manifests_as_the_restored_one() -> None:
    expected, restored = {"view v": "x IN ('a')"}, {"view v": "x = 'a'"}
    checks = [*comparison.compare_schema(expected, restored, {"view v": "x = 'a'"})]
    assert results_of(checks) == {"schema": proof.OK, "schema view v": proof.NOTE}
    checks = [*comparison.compare_schema(expected, restored, {"view v": "x = 'b'"})]
    assert results_of(checks) == {"schema view v": proof.FAILED}


def test_texts_of_which_nobody_can_say_whether_they_are_the_same_are_inconclusive() -> None:
    checks = [*comparison.compare_schema({"view v": "(a)"}, {"view v": "a"}, {}, {"view v"})]
    assert results_of(checks)["schema view v"] == proof.INCONCLUSIVE


def test_what_the_backups_role_could_not_read_is_inconclusive_and_what_the_copys_cannot_is_said() -> None:
    for expected, restored, result in (
        (content.UNREADABLE, "options none", proof.INCONCLUSIVE),
        (content.UNREADABLE, content.UNREADABLE, proof.INCONCLUSIVE),
        ("options user", content.UNREADABLE, proof.NOTE),
        ("options user", "options none", proof.FAILED),
    ):
        checks = [*comparison.compare_schema({"user mapping m": expected}, {"user mapping m": restored})]
        assert results_of(checks)["schema user mapping m"] == result


def test_what_was_added_to_an_extensions_table_is_said_and_fails_nothing() -> None:
    name = f"{content.EXTENSIONS_OWN} trigger public.t.x"
    for expected, restored in (({name: "a"}, {}), ({}, {name: "a"}), ({name: "a"}, {name: "b"})):
        checks = [*comparison.compare_schema({"table t": "", **expected}, {"table t": "", **restored})]
        assert [check.result for check in checks] == [proof.OK, proof.NOTE]
        assert "not in this backup: trigger public.t.x" in checks[1].text


ONE, TWO, BOTH = Table(1, "5", "9"), Table(2, "-7", "-4"), Table(3, "-2", "-11")


def test_partitions_among_which_rows_move_are_compared_together() -> None:
    expected, restored = {"p0": ONE, "p1": TWO}, {"p0": BOTH, "p1": Table(0, "0", "0")}
    moving = {"p0": "p", "p1": "p"}
    assert ONE + TWO == BOTH
    assert results_of([*comparison.compare_tables(expected, restored, moving)]) == {"table p": proof.OK}
    assert set(results_of([*comparison.compare_tables(expected, restored)]).values()) == {proof.FAILED}
    lost = {"p0": replace(BOTH, xor="-12"), "p1": Table(0, "0", "0")}
    assert results_of([*comparison.compare_tables(expected, lost, moving)]) == {"table p": proof.FAILED}


def test_rows_of_an_extension_that_are_lost_are_failed_and_the_hint_names_it() -> None:
    (check,) = comparison.compare_tables({"notes": TWO}, {"notes": ONE}, None, {"notes": "vault_notes"})
    assert (check.result, "extension vault_notes" in check.hint) == (proof.FAILED, True)


def test_rows_of_an_extension_of_another_version_are_inconclusive() -> None:
    extensions = {"notes": "vault_notes"}
    (check,) = comparison.compare_tables({"notes": TWO}, {"notes": ONE}, None, extensions, {"vault_notes"})
    assert check.result == proof.INCONCLUSIVE
    (check,) = comparison.compare_tables({"own": TWO}, {"own": ONE}, None, {"notes": "vault_notes"}, {"vault_notes"})
    assert check.result == proof.FAILED


@pytest.mark.parametrize(
    ("before", "after", "result"),
    [
        (Sequence(5, True), Sequence(5, True), proof.OK),
        (Sequence(5, True), Sequence(1, False), proof.NOTE),
        (Sequence(5, True, 1, False, "t.id", 5), Sequence(1, False, 1, False, "t.id", 5), proof.FAILED),
    ],
)
def test_a_sequence_that_an_extension_does_not_register_starts_anew(
    before: Sequence, after: Sequence, result: str
) -> None:
    (check,) = comparison.compare_sequences({"s": before}, {}, {"s": after}, {"s": "vault_notes"})
    assert check.result == result
    (check,) = comparison.compare_sequences({"s": before}, {}, {"s": after})
    assert check.result == proof.FAILED


def test_a_sequence_that_an_extension_registers_must_have_the_dumps_value() -> None:
    dumped = {"s": SequenceValue(5, True)}
    for after, result in ((Sequence(5, True), proof.OK), (Sequence(1, False), proof.FAILED)):
        for before in ({"s": Sequence(5, True)}, {}):  # an older manifest knows it by the dump alone
            (check,) = comparison.compare_sequences(before, dumped, {"s": after}, {"s": "vault_settings"})
            assert check.result == result
    (check,) = comparison.compare_sequences({}, dumped, {"s": Sequence(5, True)})
    assert check.result == proof.FAILED


def test_a_table_is_named_whatever_its_name_holds() -> None:
    statements = queries.disarm_table('public."a\'b % c"')
    for rest in ("DISABLE TRIGGER ALL", "DISABLE RULE %I"):
        assert f"SELECT format('ALTER TABLE public.\"a''b %% c\" {rest}'" in statements


def test_a_manifest_of_an_older_version_need_not_hold_what_is_left_out() -> None:
    required = records.json_schema(content.Content, "content")["required"]
    assert {"of_extensions", "left_out"}.isdisjoint(required)


def judge_sequence(before: Sequence, dumped: tuple[int, bool], after: Sequence | None = None) -> Check:
    """`after` None: the copy has what the dump sets."""
    value = SequenceValue(*dumped)
    restored = after or replace(before, last_value=value.last_value, is_called=value.is_called)
    (check,) = comparison.compare_sequences({"s": before}, {"s": value}, {"s": restored})
    return check


@pytest.mark.parametrize(
    ("increment", "cycle", "before", "dumped", "result"),
    [
        (1, False, (5, True), (5, True), "ok"),
        (1, False, (5, True), (6, True), "ok"),
        (1, False, (5, True), (4, True), "failed"),
        (1, False, (5, True), (5, False), "failed"),
        (1, False, (5, False), (5, True), "ok"),
        (1, False, (5, False), (5, False), "ok"),
        (7, False, (5, True), (12, True), "ok"),
        (7, False, (5, True), (4, True), "failed"),
        (-1, False, (-5, True), (-5, True), "ok"),
        (-1, False, (-5, True), (-6, True), "ok"),
        (-1, False, (-5, True), (-4, True), "failed"),
        (-1, False, (-5, True), (-5, False), "failed"),
        (-1, False, (-1, False), (-1, True), "ok"),
        (-3, False, (9, True), (6, True), "ok"),
        (-3, False, (9, True), (12, True), "failed"),
        (1, True, (9, True), (1, True), "ok"),
        (1, True, (9, True), (1, False), "ok"),
        (-1, True, (-9, True), (-1, True), "ok"),
        (-1, True, (1, True), (9, True), "ok"),
    ],
)
def test_a_sequence_only_moves_on_in_its_own_direction_unless_it_cycles(
    increment: int, cycle: bool, before: tuple[int, bool], dumped: tuple[int, bool], result: str
) -> None:
    check = judge_sequence(Sequence(*before, increment, cycle), dumped)
    assert check.result == result, check.text
    if result == "failed":
        assert "in the dump, already" in check.text


@pytest.mark.parametrize("increment", [1, -1])
@pytest.mark.parametrize("cycle", [True, False])
@pytest.mark.parametrize("restored", [(4, True), (6, True), (5, False)])
def test_the_copy_has_exactly_what_the_dump_sets_also_where_it_cycles(
    increment: int, cycle: bool, restored: tuple[int, bool]
) -> None:
    before = Sequence(5, True, increment, cycle)
    check = judge_sequence(before, (5, True), replace(before, last_value=restored[0], is_called=restored[1]))
    assert check.result == "failed"
    assert "the dump holds 5" in check.text


@pytest.mark.parametrize(
    ("increment", "cycle", "value", "owned", "result"),
    [
        (1, False, (5, True), 5, "ok"),
        (1, False, (5, True), 6, "failed"),
        (1, False, (5, False), 4, "ok"),
        (1, False, (5, False), 5, "failed"),
        (-1, False, (-5, True), -5, "ok"),
        (-1, False, (-5, True), -4, "ok"),
        (-1, False, (-5, True), -6, "failed"),
        (-1, False, (-5, False), -4, "ok"),
        (-1, False, (-5, False), -5, "failed"),
        (1, True, (5, True), 9, "ok"),
        (-1, True, (-5, True), -9, "ok"),
        (1, False, (5, True), None, "ok"),
    ],
)
def test_the_next_value_collides_with_no_row_unless_it_did_in_the_source(
    increment: int, cycle: bool, value: tuple[int, bool], owned: int | None, result: str
) -> None:
    after = Sequence(*value, increment, cycle, "t.id", owned)
    clean = replace(after, owned_max=None)
    assert judge_sequence(clean, value, after).result == result
    source = judge_sequence(after, value, after)
    assert source.result == ("note" if result == "failed" else "ok")
    if result == "failed":
        assert f"is behind {owned} in t.id" in judge_sequence(clean, value, after).text
        assert "as it was in the source" in source.text


def test_a_sequence_that_was_well_in_the_source_is_no_note() -> None:
    before = Sequence(9, True, 1, False, "t.id", 9)
    assert judge_sequence(before, (9, True), replace(before, owned_max=10)).result == "failed"


@pytest.mark.parametrize(
    ("value", "text"), [((5, True), "sequence s: 5"), ((5, False), "sequence s: 5 (not yet used)")]
)
def test_a_value_says_whether_it_was_used(value: tuple[int, bool], text: str) -> None:
    assert judge_sequence(Sequence(*value), value).text == text


def test_what_is_missing_on_either_side_is_named() -> None:
    one, value = Sequence(5, True), SequenceValue(5, True)
    for before, dumped, after, told in (
        ({}, {}, {"s": one}, "restored, not in the manifest"),
        ({"s": one}, {"s": value}, {}, "missing"),
        ({"s": one}, {}, {"s": one}, "the dump sets no value"),
    ):
        (check,) = comparison.compare_sequences(before, dumped, after)
        assert check.result == "failed"
        assert told in check.text
