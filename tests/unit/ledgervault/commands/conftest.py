"""A vault with real files and no PostgreSQL, and backups that are written without a dump."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest

from ledgervault.commands import context
from ledgervault.commands.context import Context
from ledgervault.model import (
    config,
    content,
)
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Proof
from ledgervault.storage import files

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


@pytest.fixture
def take() -> Callable[..., Path]:
    """take(vault, when, monkeypatch): a backup of that time."""
    return take_backup


@pytest.fixture
def judge() -> Callable[..., None]:
    """judge(vault, path, verdict): the proof of a backup."""
    return record_verdict


def take_backup(vault: Context, when: datetime, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(files, "now", lambda: when)
    store = vault.store
    store.prepare("hourly")
    name = str(store.free_name("db", when))
    data = name.encode()
    files.write_aside(store.tier("hourly") / name, data)
    digest = sha256(data).hexdigest()
    return store.commit(replace(MANIFEST, file=name, snapshot=files.stamp(when), size=len(data), sha256=digest))


def record_verdict(vault: Context, path: Path, verdict: str, built: bool = True) -> None:
    figures = {} if built else {"indexes_unbuilt": 1.0}
    vault.store.record(path, Proof(1, path.name, "m", "data", verdict, "t", "t", 1.0, (), figures))
