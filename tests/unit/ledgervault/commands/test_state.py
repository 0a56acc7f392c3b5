"""What the state file says about waiting proofs and the last failure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from ledgervault.commands import context, state
from ledgervault.commands.context import Context
from ledgervault.model import config, content, proof
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


def test_the_state_counts_what_waits_and_names_the_last_failure(
    vault: Context, monkeypatch: pytest.MonkeyPatch
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
