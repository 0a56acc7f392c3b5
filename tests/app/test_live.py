"""The whole app on the roles it has in production: what it can do, what it cannot, and what it survives."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg
import pytest
from config import healthcheck
from conftest import BANK_FILE, PASSWORD
from live import Browser, Database, Proxy, database_with_roles, environment, eventually, manage, running


class Live(NamedTuple):
    database: Database
    postgres: Proxy
    redis: Proxy
    settings: dict[str, str]
    gate: Path


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    redis = urlsplit(environment()["REDIS_URL"])
    with (
        database_with_roles() as database,
        Proxy(database.host, database.port) as postgres,
        Proxy(redis.hostname or "", redis.port or 6379) as cache,
    ):
        settings = {
            "LEDGER_ENV": "ci",
            "DATABASE_URL": database.url("app", postgres.port),
            "REDIS_URL": f"redis://127.0.0.1:{cache.port}/2",
            "REDIS_CACHE_URL": f"redis://127.0.0.1:{cache.port}/3",
            "GATE_FILE": str(folder / "gate"),
        }
        yield Live(database, postgres, cache, settings, folder / "gate")


@pytest.fixture(scope="module")
def migrated(live: Live, tmp_path_factory: pytest.TempPathFactory) -> Live:
    before = manage("migrate", "--check", **live.settings)
    assert before.returncode == 1, "migrations are missing, and --check says so"
    done = manage("migrate", "--noinput", **{**live.settings, "DATABASE_URL": live.database.url("migrate")})
    assert done.returncode == 0, done.stderr
    after = manage("migrate", "--check", **live.settings)
    assert after.returncode == 0, after.stderr
    file = tmp_path_factory.mktemp("superuser") / "password"
    file.write_text(PASSWORD)
    for expected in ("created: superuser admin", "unchanged: superuser admin exists"):
        made = manage("ensure_superuser", "--username", "admin", "--password-file", str(file), **live.settings)
        assert (made.returncode, made.stdout.strip()) == (0, expected), made.stderr
    return live


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web") / "log"


@pytest.fixture(scope="module")
def web(migrated: Live, log: Path) -> Iterator[Browser]:
    command = ["gunicorn", "--config", "python:config.gunicorn_conf", "config.wsgi:application"]
    with running(command, log, WEB_WORKERS="1", **migrated.settings):
        eventually(lambda: healthcheck.main(["web", "/healthz"]) == 0)
        yield Browser(8000)


def test_migrations_belong_to_the_owner_and_the_app_can_change_no_table(migrated: Live) -> None:
    with psycopg.connect(migrated.database.url("app"), autocommit=True) as app:
        rows = app.execute("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert rows == [("ledger_admin",)]
        for statement in ("DROP TABLE ledger_transaction", "TRUNCATE ledger_transaction", "CREATE TABLE x ()"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute(statement)


def test_the_model_and_the_migrations_agree(migrated: Live) -> None:
    done = manage("makemigrations", "--check", "--dry-run", **migrated.settings)
    assert done.returncode == 0, done.stdout


def test_a_statement_comes_in_through_the_command(migrated: Live) -> None:
    arguments = ("import_statement", "-", "--filename", "march.csv", "--account", "From the command", "--json")
    first = manage(*arguments, stdin=BANK_FILE, **migrated.settings)
    assert first.returncode == 0, first.stderr
    assert (json.loads(first.stdout)["added"], json.loads(first.stdout)["sum"]) == (5, "2326.60")
    assert json.loads(manage(*arguments, stdin=BANK_FILE, **migrated.settings).stdout)["added"] == 0


def test_flush_is_refused_by_manage_py_and_even_if_authorised_by_the_database(migrated: Live) -> None:
    prod = {**migrated.settings, "LEDGER_ENV": "prod"}
    refused = manage("flush", "--noinput", **prod)
    assert refused.returncode == 1 and "LEDGER_AUTHORISE='ledger-prod flush'" in refused.stderr
    authorised = manage("flush", "--noinput", LEDGER_AUTHORISE="ledger-prod flush", **prod)
    assert authorised.returncode != 0 and "couldn't be flushed" in authorised.stderr
    with psycopg.connect(migrated.database.url("app")) as app:
        assert app.execute("SELECT count(*) > 0 FROM ledger_transaction").fetchone() == (True,)


def test_a_person_signs_in_adds_a_transaction_and_finds_it(web: Browser) -> None:
    assert "Transactions" in web.sign_in("admin", PASSWORD).text
    web.get("/accounts/add/")
    page = web.post("/accounts/add/", {"name": "Wallet", "currency": "EUR"}).text
    form = web.get("/transactions/add/").text
    account = form.split(">Wallet</option>")[0].rsplit('value="', 1)[1].split('"')[0]
    values = {"account": account, "date": "2025-03-09", "amount": "-12.34", "description": "Sesame buns"}
    page = web.post("/transactions/add/", values).text
    assert "Added: Sesame buns" in page
    assert "-12.34" in web.get("/?q=sesame").text


def test_an_access_log_names_pages_and_neither_queries_nor_well_health_pages(web: Browser, log: Path) -> None:
    web.get("/healthz")
    web.get("/sign-in/?token=hidden")
    eventually(lambda: '"GET /sign-in/" 200' in log.read_text())
    assert "hidden" not in log.read_text() and '"GET /healthz" 200' not in log.read_text()


def test_the_gate_decides_whether_it_is_live_and_a_closed_one_fills_no_log(
    web: Browser, migrated: Live, log: Path
) -> None:
    assert web.get("/edgez").status == 503
    assert web.get("/readyz").status == 200
    migrated.gate.touch()
    assert web.get("/edgez").status == 200
    web.get("/sign-in/?behind-the-gate")
    eventually(lambda: log.read_text().rstrip().endswith("ms") and '"GET /sign-in/" 200' in log.read_text())
    assert "/edgez" not in log.read_text()


def test_with_redis_away_pages_and_sign_ins_go_on(web: Browser, migrated: Live) -> None:
    web.sign_in("admin", PASSWORD)
    migrated.redis.cut()
    try:
        assert web.get("/").status == 200
        assert "Transactions" in Browser(8000).sign_in("admin", PASSWORD).text
        ready = web.get("/readyz")
        assert (ready.status, json.loads(ready.text)["status"]) == (200, "degraded")
    finally:
        migrated.redis.mend()
    eventually(lambda: json.loads(web.get("/readyz").text)["status"] == "ok")


def test_with_postgres_away_it_says_so_and_comes_back_with_the_sign_in(web: Browser, migrated: Live) -> None:
    web.sign_in("admin", PASSWORD)
    migrated.postgres.cut()
    try:
        start = time.monotonic()
        assert web.get("/readyz").status == web.get("/edgez").status == 503
        assert web.get("/healthz").status == 200
        page = web.get("/?q=sesame")
        assert page.status == 503 and "Back in a moment" in page.text
        assert time.monotonic() - start < 15
    finally:
        migrated.postgres.mend()
    assert web.get("/readyz").status == 200, "the first request after PostgreSQL is back succeeds"
    assert "Sesame buns" in web.get("/?q=sesame").text


def test_the_worker_runs_what_beat_asks_for_and_both_prove_it(migrated: Live, tmp_path: Path) -> None:
    for file in (healthcheck.WORKER_FILE, healthcheck.BEAT_FILE):
        Path(file).unlink(missing_ok=True)
    celery = [sys.executable, "-m", "celery", "--app", "config.celery"]
    worker = [*celery, "worker", "--concurrency", "1", "--without-gossip", "--without-mingle"]
    with running(worker, tmp_path / "worker.log", **migrated.settings):
        eventually(lambda: healthcheck.main(["worker"]) == 0, 60)
        with running([*celery, "beat"], tmp_path / "beat.log", **migrated.settings):
            eventually(lambda: healthcheck.main(["beat"]) == 0)
        send = "from ledger.tasks import heartbeat; heartbeat.delay()"
        assert manage("shell", "-c", send, **migrated.settings).returncode == 0
        eventually(lambda: beats(migrated) >= 1)


def test_a_worker_reconnects_when_redis_comes_back(migrated: Live, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "--app", "config.celery", "worker", "--concurrency", "1"]
    with running(command, tmp_path / "worker.log", **migrated.settings):
        eventually(lambda: "ready." in (tmp_path / "worker.log").read_text(), 60)
        migrated.redis.cut()
        eventually(lambda: "onnection" in (tmp_path / "worker.log").read_text().split("ready.")[1])
        migrated.redis.mend()
        before = beats(migrated)
        send = "from ledger.tasks import heartbeat; heartbeat.delay()"
        assert manage("shell", "-c", send, **migrated.settings).returncode == 0
        eventually(lambda: beats(migrated) > before, 60)


def beats(live: Live) -> int:
    with psycopg.connect(live.database.url("app")) as app:
        row = app.execute("SELECT coalesce(max(beats), 0) FROM ledger_workerheartbeat").fetchone()
    return int(row[0]) if row else 0
