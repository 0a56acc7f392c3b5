"""What restore-smoke reports of the figures that went in and came back."""

from __future__ import annotations

from typing import Any

from ledgerflow.smoke.report import smoke_comparison, smoke_markdown

FIGURES: dict[str, Any] = {
    "again_added": 0, "own_rows_before": "1", "own_rows_after": "1", "proof": "proven", "compare": "proven",
    "known_bad": "failed", "large_objects": 1, "proof_seconds": 0.4, "failures": [],
}  # fmt: skip


def test_a_figure_that_differs_or_is_missing_on_a_side_is_not_equal() -> None:
    found = smoke_comparison({"a": 1, "b": "x", "c": None}, {"a": 1, "b": "y", "d": 2})
    assert {row["what"]: row["equal"] for row in found} == {"a": True, "b": False, "c": False, "d": False}


def test_the_table_names_each_figure_and_each_failure() -> None:
    compared = smoke_comparison({"transactions": 1666, "sum": "1.00"}, {"transactions": 1665, "sum": "1.00"})
    told = smoke_markdown({**FIGURES, "compared": compared, "failures": ["table t: 1 row missing"]}, "failed")
    assert "## restore-smoke: failed" in told
    assert "1 of 2 figures came back equal, 6 of 6 checks hold." in told
    assert "| transactions | 1,666 | **1,665** |" in told
    assert "| sum | 1.00 | equal |" in told
    assert "- table t: 1 row missing" in told
    assert "- " not in smoke_markdown({**FIGURES, "compared": compared}, "proven").replace("--", "")


def test_two_checksums_that_differ_behind_their_first_digits_are_both_shown_in_full() -> None:
    compared = smoke_comparison({"rows": "a" * 32}, {"rows": "a" * 31 + "b"})
    assert f"| rows | {'a' * 32} | **{'a' * 31}b** |" in smoke_markdown({**FIGURES, "compared": compared}, "failed")
    same = smoke_comparison({"rows": "a" * 32}, {"rows": "a" * 32})
    assert "| rows | `aaaaaaaa…` | equal |" in smoke_markdown({**FIGURES, "compared": same}, "proven")


def test_a_check_that_does_not_hold_and_a_sign_of_the_table_are_shown() -> None:
    compared = smoke_comparison({"a|b": 1}, {"a|b": 1})
    told = smoke_markdown(
        {**FIGURES, "compared": compared, "known_bad": "NOT SEEN (0)", "own_rows_after": "1|2"}, "failed"
    )
    assert "4 of 6 checks hold" in told
    assert "| verdict on a backup known to be bad | failed | **NOT SEEN (0)** |" in told
    assert "| the ledger's own rows, before and after | 1 | **1, 2** |" in told
    assert "| a\\|b | 1 | equal |" in told
