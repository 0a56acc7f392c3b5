"""/healthz, /readyz, /edgez: what each says when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from config import health
from django.conf import settings
from django.db import connection
from django.test import Client
from pytest_django import Settings

GONE = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _forget_redis() -> None:
    health._redis_seen.clear()


def test_alive_needs_no_database(client: Client) -> None:
    response = client.get("/healthz")  # without the `db` mark pytest-django refuses any query
    assert (response.status_code, response.content) == (200, b"ok\n")


@pytest.mark.django_db
@pytest.mark.parametrize("path", settings.HEALTH_PATHS)
@pytest.mark.parametrize("host", ["ledger-dev-app-web-blue:8000", "127.0.0.1", "evil.example.org"])
def test_it_answers_whatever_name_it_is_asked_by(client: Client, path: str, host: str) -> None:
    assert client.get(path, headers={"host": host}).status_code == 200


def test_other_pages_refuse_a_foreign_name(client: Client) -> None:
    assert client.get("/sign-in/", headers={"host": "evil.example.org"}).status_code == 400


@pytest.mark.django_db
def test_ready_names_each_part(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response.json() == {
        "status": "ok",
        "database": "ok",
        "migrations": "ok",
        "redis_queue": "ok",
        "redis_cache": "ok",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["REDIS_URL", "REDIS_CACHE_URL"])
def test_without_redis_it_is_degraded_and_still_ready(client: Client, settings: Settings, name: str) -> None:
    setattr(settings, name, GONE)
    for _ in range(2):  # the second answer comes from memory
        response = client.get("/readyz")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")


@pytest.mark.django_db
def test_a_cache_that_was_never_configured_is_no_fault(client: Client, settings: Settings) -> None:
    settings.REDIS_CACHE_URL = ""
    assert client.get("/readyz").json()["status"] == "ok"


@pytest.mark.django_db
def test_with_a_migration_missing_it_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'ledger' AND name = '0003_undone'")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["migrations"]) == (503, "missing")


@pytest.mark.django_db
def test_before_the_first_migration_it_is_not_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE django_migrations RENAME TO elsewhere")
    assert client.get("/readyz").status_code == 503


@pytest.mark.django_db
def test_a_newer_schema_beside_an_older_colour_is_ready(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO django_migrations (app, name, applied) VALUES ('ledger', '9999_later', now())")
    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
class TestGate:
    def test_it_is_live_while_the_gate_file_exists(self, client: Client, settings: Settings, tmp_path: Path) -> None:
        settings.GATE_FILE = tmp_path / "blue"
        closed = client.get("/edgez")
        assert (closed.status_code, closed.json()["gate"]) == (503, "closed")
        assert client.get("/readyz").status_code == 200
        (tmp_path / "blue").touch()
        assert client.get("/edgez").status_code == 200

    def test_without_a_gate_it_is_live_when_ready(self, client: Client, settings: Settings) -> None:
        settings.GATE_FILE = None
        assert client.get("/edgez").status_code == 200

    def test_an_open_gate_does_not_make_an_unready_one_live(
        self, client: Client, settings: Settings, tmp_path: Path
    ) -> None:
        settings.GATE_FILE = tmp_path / "blue"
        settings.GATE_FILE.touch()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_migrations")
        assert client.get("/edgez").status_code == 503


def test_only_reading_is_answered(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
