"""Names of backups and of partial files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ledgervault.model import (
    backup_names,
)


@pytest.mark.parametrize(
    "name",
    [
        "ledgerflow_db_backup_20250422_120000.sql.gz",
        "ledgerflow_full_backup_20250422_120000.tar.gz",
        "a-b_db_backup_20250101_000000.sql.gz",
    ],
)
def test_a_backups_name_survives_reading_and_writing(name: str) -> None:
    assert str(backup_names.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "ledgerflow_db_backup_20250422_120000.tar.gz",
        "ledgerflow_db_backup_20251322_120000.sql.gz",
        ".ledgerflow_db_backup_20250422_120000.sql.gz.partial",
        "ledgerflow_db_backup_20250422_120000.sql.gz.manifest.json",
        "latest.sql.gz",
    ],
)
def test_what_is_not_a_backups_name_is_not_taken_for_one(name: str) -> None:
    assert backup_names.parse(name) is None


NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def test_partial_names_lead_back_to_their_own() -> None:
    assert backup_names.unpartial(backup_names.partial("x.sql.gz")) == "x.sql.gz"
    assert backup_names.unpartial("x.sql.gz") is None
    assert backup_names.is_proof_of(backup_names.proof("x.sql.gz", NOON), "x.sql.gz")
    assert not backup_names.is_proof_of(backup_names.proof("y.sql.gz", NOON), "x.sql.gz")
