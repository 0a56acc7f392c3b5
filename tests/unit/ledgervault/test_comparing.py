"""What comparing decides of definitions, of tables whose rows move and of what an extension made. No database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledgervault.model import comparison, content, proof, records
from ledgervault.model.content import Sequence, SequenceValue, Table
from ledgervault.model.proof import Check
from ledgervault.postgres import equivalence, queries

ONE, TWO, BOTH = Table(1, "5", "9"), Table(2, "-7", "-4"), Table(3, "-2", "-11")


def _results(checks: object) -> dict[str, str]:
    assert isinstance(checks, list)
    return {check.id: check.result for check in checks if isinstance(check, Check)}


def test_texts_that_differ_in_a_bracket_are_failed() -> None:
    checks = [*comparison.compare_schema({"view v": "a - (b - c)"}, {"view v": "(a - b) - c"})]
    assert _results(checks) == {"schema view v": proof.FAILED}


def test_texts_that_differ_are_equal_where_the_server_writes_the_manifests_as_the_restored_one() -> None:
    expected, restored = {"view v": "x IN ('a')"}, {"view v": "x = 'a'"}
    checks = [*comparison.compare_schema(expected, restored, {"view v": "x = 'a'"})]
    assert _results(checks) == {"schema": proof.OK, "schema view v": proof.NOTE}
    checks = [*comparison.compare_schema(expected, restored, {"view v": "x = 'b'"})]
    assert _results(checks) == {"schema view v": proof.FAILED}


def test_texts_of_which_nobody_can_say_whether_they_are_the_same_are_inconclusive() -> None:
    checks = [*comparison.compare_schema({"view v": "(a)"}, {"view v": "a"}, {}, {"view v"})]
    assert _results(checks)["schema view v"] == proof.INCONCLUSIVE


def test_what_the_backups_role_could_not_read_is_inconclusive_and_what_the_copys_cannot_is_said() -> None:
    for expected, restored, result in (
        (content.UNREADABLE, "options none", proof.INCONCLUSIVE),
        (content.UNREADABLE, content.UNREADABLE, proof.INCONCLUSIVE),
        ("options user", content.UNREADABLE, proof.NOTE),
        ("options user", "options none", proof.FAILED),
    ):
        checks = [*comparison.compare_schema({"user mapping m": expected}, {"user mapping m": restored})]
        assert _results(checks)["schema user mapping m"] == result


def test_what_was_added_to_an_extensions_table_is_said_and_fails_nothing() -> None:
    name = f"{content.EXTENSIONS_OWN} trigger public.t.x"
    for expected, restored in (({name: "a"}, {}), ({}, {name: "a"}), ({name: "a"}, {name: "b"})):
        checks = [*comparison.compare_schema({"table t": "", **expected}, {"table t": "", **restored})]
        assert [check.result for check in checks] == [proof.OK, proof.NOTE]
        assert "not in this backup: trigger public.t.x" in checks[1].text


def test_partitions_among_which_rows_move_are_compared_together() -> None:
    expected, restored = {"p0": ONE, "p1": TWO}, {"p0": BOTH, "p1": Table(0, "0", "0")}
    moving = {"p0": "p", "p1": "p"}
    assert ONE + TWO == BOTH
    assert _results([*comparison.compare_tables(expected, restored, moving)]) == {"table p": proof.OK}
    assert set(_results([*comparison.compare_tables(expected, restored)]).values()) == {proof.FAILED}
    lost = {"p0": replace(BOTH, xor="-12"), "p1": Table(0, "0", "0")}
    assert _results([*comparison.compare_tables(expected, lost, moving)]) == {"table p": proof.FAILED}


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


def test_expressions_are_found_in_a_text_of_schema_1_only_if_all_around_them_is_equal() -> None:
    pieces = {"policy using of p": "(a)", "policy check of p": "(b)"}
    for text, within in (
        ("r t using ((a)) check b", {"policy using of p": "((a))", "policy check of p": "b"}),
        ("w t using ((a)) check b", {}),
        ("r t using ((a)) check b more", {"policy using of p": "((a))", "policy check of p": "b more"}),
    ):
        assert equivalence._extract_pieces("r t using (a) check (b)", text, pieces) == within
