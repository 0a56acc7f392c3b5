"""Texts of schema 1 are split into the pieces that a server writes anew."""

from __future__ import annotations

from ledgervault.postgres import equivalence


def test_expressions_are_found_in_a_text_of_schema_1_only_if_all_around_them_is_equal() -> None:
    pieces = {"policy using of p": "(a)", "policy check of p": "(b)"}
    for text, within in (
        ("r t using ((a)) check b", {"policy using of p": "((a))", "policy check of p": "b"}),
        ("w t using ((a)) check b", {}),
        ("r t using ((a)) check b more", {"policy using of p": "((a))", "policy check of p": "b more"}),
    ):
        assert equivalence._extract_pieces("r t using (a) check (b)", text, pieces) == within
