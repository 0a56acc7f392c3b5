"""The statements that restore-smoke makes up."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from datetime import datetime
from decimal import Decimal

import pytest
from ansible.errors import AnsibleFilterError

from filter_plugins.smoke import FilterModule
from ledgerflow.smoke.statements import sample_statements


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


def test_ansible_finds_the_filters() -> None:
    assert set(FilterModule().filters()) >= {"sample_statements", "smoke_comparison", "smoke_markdown"}
