"""Health is the heartbeat, the work and the free space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledgervault.commands import health
from ledgervault.commands.context import Context
from ledgervault.model import proof
from ledgervault.model.errors import CouldNot
from ledgervault.storage import files

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def test_health_is_the_heartbeat_the_work_and_the_room(
    vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path], judge: Callable[..., None]
) -> None:
    with pytest.raises(CouldNot, match="no heartbeat"):
        health.judge(vault, NOON)
    health.beat(vault)
    assert {check.result for check in health.judge(vault, NOON)} == {"ok", "note"}, "it has not said when it started"
    health.note_start(vault)
    later = files.now() + timedelta(hours=2)
    assert [check.id for check in health.judge(vault, later) if check.result == "failed"] == ["age"]
    judge(vault, take(vault, later, monkeypatch), proof.PROVEN)
    assert {check.result for check in health.judge(vault, later)} == {"ok"}
    full = replace(vault, config=replace(vault.config, limits=replace(vault.config.limits, free_mb=1 << 40)))
    assert [check.id for check in health.judge(full, later) if check.result == "failed"] == ["room"]


def test_a_heartbeat_is_stale_after_a_minute(vault: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    health.beat(vault)
    beat = (vault.scratch / "heartbeat").stat().st_mtime
    for seconds, stale in ((0, False), (60, False), (61, True)):
        monkeypatch.setattr(health.time, "time", lambda seconds=seconds: beat + seconds)
        if stale:
            with pytest.raises(CouldNot, match="61 s old"):
                health.heartbeat(vault)
        else:
            assert health.heartbeat(vault).result == "ok"
