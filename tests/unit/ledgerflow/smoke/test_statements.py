"""The statements that restore-smoke makes up, and what it says of them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from filter_plugins.smoke import FilterModule
from ledgerflow.smoke.statements import sample_statements, smoke_comparison, smoke_markdown

FIGURES: dict[str, Any] = {
    "again_added": 0, "own_rows_before": "1", "own_rows_after": "1", "proof": "proven", "compare": "proven",
    "known_bad": "failed", "large_objects": 1, "proof_seconds": 0.4, "failures": [],
}  # fmt: skip


def rows(files: dict[str, str]) -> list[list[str]]:
    return [row for text in files.values() for row in csv.reader(io.StringIO(text))]


def test_1666_transactions_from_december_to_april_come_in_five_monthly_files() -> None:
    files = sample_statements(1666)
    assert list(files) == [
        f"statement_{month}.csv" for month in ("2024-12", "2025-01", "2025-02", "2025-03", "2025-04")
    ]
    found = rows(files)
    assert (len(found), {len(row) for row in found}) == (1666, {5})
    days = [datetime.strptime(row[0], "%m/%d/%Y").date().isoformat() for row in found]
    assert (min(days), max(days)) == ("2024-12-01", "2025-04-30")
    amounts = [Decimal(row[1]) for row in found]
    assert {amount.as_tuple().exponent for amount in amounts} == {-2}
    assert min(amounts) < 0 < max(amounts)
    assert 0 not in amounts
    assert any(row[3] for row in found)
    assert max(Counter(map(tuple, found)).values()) > 1, "no row comes twice"


def test_a_months_file_holds_that_months_rows_newest_first() -> None:
    for name, text in sample_statements(400).items():
        days = [datetime.strptime(row[0], "%m/%d/%Y").date() for row in csv.reader(io.StringIO(text))]
        assert days == sorted(days, reverse=True)
        assert {f"statement_{day:%Y-%m}.csv" for day in days} == {name}


def test_the_same_seed_gives_the_same_files_everywhere_and_another_one_others() -> None:
    text = "".join(sample_statements(1666).values())
    assert text == "".join(sample_statements(1666).values())
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "c8356dffc11095af"
    assert text != "".join(sample_statements(1666, 1).values())


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(AnsibleFilterError, match="at least 4"):
        sample_statements(3)


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


def test_ansible_finds_the_filters() -> None:
    assert set(FilterModule().filters()) >= {"sample_statements", "smoke_comparison", "smoke_markdown"}
