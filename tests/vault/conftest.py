"""A real PostgreSQL 17 on a unix socket, and a fresh database per test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from kit import HERE, ROLES, Cluster, Vault

from ledgervault.host import process
from ledgervault.postgres import argv


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    directory = Path(tempfile.mkdtemp(prefix="src-", dir="/tmp"))
    sockets = directory / "s"
    sockets.mkdir()
    process.run(argv.initdb(directory / "data", "postgres"))
    hba = directory / "data" / "pg_hba.conf"
    hba.write_text("local all ledger_secret scram-sha-256\n" + hba.read_text())
    start = argv.throw_away_server(directory / "data", sockets, 64, 32)
    with process.Program([*start, "-c", "max_connections=60", "-c", "autovacuum=on"]) as server:
        here = Cluster(sockets)
        for _ in range(200):
            try:
                here.connect().close()
                break
            except psycopg.OperationalError:
                assert server.process.poll() is None, server.errors()
                subprocess.run(["sleep", "0.05"], check=True)
        here.run("postgres", ROLES)
        here.run("postgres", "CREATE DATABASE pattern OWNER ledger_admin")
        here.run("pattern", "REVOKE CONNECT ON DATABASE pattern FROM PUBLIC")
        here.script("pattern", HERE / "ledger.sql", "ledger_admin")
        yield here
    shutil.rmtree(directory)


@pytest.fixture
def bare(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Vault]]:
    """Makes vaults, each with a database of its own."""
    made: list[Vault] = []

    def make(template: str | None = "pattern", owner: str = "ledger_admin") -> Vault:
        name = f"t_{uuid.uuid4().hex[:8]}"
        cluster.run("postgres", f"CREATE DATABASE {name} OWNER {owner} TEMPLATE {template or 'template0'}")
        place = Path(tempfile.mkdtemp(prefix="v", dir="/tmp"))
        vault = Vault(cluster, place, name, capsys)
        for directory in ("backups", "scratch"):
            (place / directory).mkdir()
        vault.configure()
        made.append(vault)
        return vault

    yield make
    for vault in made:
        places = (vault.place / "scratch", Path(tempfile.gettempdir()))
        left = [str(path) for place in places for path in place.glob("prove-*")]
        cluster.run("postgres", f"DROP DATABASE {vault.database} WITH (FORCE)")
        shutil.rmtree(vault.place)
        assert not left, f"a proof left {left} behind"


@pytest.fixture
def vault(bare: Callable[..., Vault]) -> Vault:
    """A vault of a small ledger: 200 transactions, 2 categories."""
    return bare()
