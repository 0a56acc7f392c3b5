"""Health is the heartbeat, the work and the free space."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from ledgervault.commands import context, health
from ledgervault.commands.context import Context
from ledgervault.model import config, content, proof
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Proof
from ledgervault.storage import files

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


CONFIG = """
environment = "ci"
backup_prefix = "ledgerflow"
[database]
name = "ledger"
user = "ledger_backup"
host = "db"
[places]
backups = "{0}/backups"
scratch = "{0}/scratch"
state = "{0}/vault.json"
[limits]
free_mb = 0
lock_wait_seconds = 10
backup_timeout_seconds = 100
proof_timeout_seconds = 200
"""


DATABASE = content.Database("app", "UTF8", "b", "C.UTF-8", "C.UTF-8", "C.UTF-8", None, -1, ())


GLOBALS = content.Globals("postgres", {}, (), (), {}, DATABASE, {})


MANIFEST = Manifest(
    1, "f", "db", "hourly", "ci", "ledger", "t", "t", "t", "17.1", 170001, "pg_dump", "0/1", "igzip", 1, "s", 1,
    content.Content({"public.t": content.Table(3, "30", "7")}, {}, {}, {}, GLOBALS), {},
)  # fmt: skip


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    for name in ("backups", "scratch"):
        (tmp_path / name).mkdir()
    return context.make_context(config.parse(CONFIG.format(tmp_path), "c.toml"), lambda _: None)


def take(vault: Context, when: datetime, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "now", lambda: when)
    store = vault.store
    store.prepare("hourly")
    name = str(store.free_name("db", when))
    data = name.encode()
    files.write_aside(store.tier("hourly") / name, data)
    digest = sha256(data).hexdigest()
    return store.commit(replace(MANIFEST, file=name, snapshot=files.stamp(when), size=len(data), sha256=digest))


def judge(vault: Context, path: Path, verdict: str, built: bool = True) -> None:
    figures = {} if built else {"indexes_unbuilt": 1.0}
    vault.store.record(path, Proof(1, path.name, "m", "data", verdict, "t", "t", 1.0, (), figures))


def test_health_is_the_heartbeat_the_work_and_the_room(vault: Context, monkeypatch: pytest.MonkeyPatch) -> None:
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
