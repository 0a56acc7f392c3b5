"""What the state file says about waiting proofs and the last failure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledgervault.commands import state
from ledgervault.commands.context import Context
from ledgervault.model import proof

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def test_the_state_counts_what_waits_and_names_the_last_failure(
    vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path], judge: Callable[..., None]
) -> None:
    assert state.collect_facts(vault)["queue"] == 0
    take(vault, NOON, monkeypatch)
    assert (state.collect_facts(vault)["queue"], state.collect_facts(vault)["newest_proven"]) == (1, None)
    proven = take(vault, NOON, monkeypatch)
    judge(vault, proven, proof.PROVEN)
    facts = state.collect_facts(vault)
    assert (facts["queue"], facts["last_failure"], facts["newest_proven"]["file"]) == (0, None, proven.name)
    judge(vault, take(vault, NOON, monkeypatch), proof.FAILED)
    later = take(vault, NOON, monkeypatch)
    facts = state.collect_facts(vault)
    assert (facts["queue"], facts["last_failure"]) == (1, None), "a newer one is pending"
    judge(vault, later, proof.INCONCLUSIVE)
    facts = state.collect_facts(vault)
    assert facts["last_failure"]["text"].startswith(f"{later.name} inconclusive")
    assert facts["backups"] == {"proven": 1, "failed": 1, "inconclusive": 1, "unproven": 1}
    assert facts["newest"]["file"] == later.name
    assert facts["proven_age_minutes"] == 150


def test_a_failed_backup_is_the_last_failure_until_one_is_taken(vault: Context) -> None:
    assert vault.store.failed_backup() is None
    vault.store.log("backup taken one 1 bytes")
    vault.store.log("backup FAILED database ledger: is  down")
    vault.store.log("data proven one")
    failure = vault.store.failed_backup()
    assert failure is not None
    assert failure["text"] == "backup FAILED database ledger: is down"
    assert datetime.fromisoformat(failure["time"]).tzinfo
    vault.store.log("backup taken two 1 bytes")
    assert vault.store.failed_backup() is None
