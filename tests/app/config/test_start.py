"""A wrong setting stops every process with one clear message, and never with a traceback or a secret."""

from __future__ import annotations

import subprocess
import sys

import pytest
from config.commands import database_away
from django.db import OperationalError, connection, transaction
from live import APP, environment, manage

WRONG = {
    "LEDGER_ENV": "production",
    "DEBUG": "true",
    "SECRET_KEY": "change-me-hidden",
    "DATABASE_URL": "mysql://ledger:hidden@db/ledger",
    "REDIS_URL": "http://:hidden@db",
    "ALLOWED_HOSTS": "*",
    "MEDIA_ROOT": "/nowhere",
    "STATIC_ROOT": "static",
    "TIME_ZONE": "Mars/Olympus",
    "CSRF_TRUSTED_ORIGINS": "ledger.example.org",
    "SEARXNG_URL": "searxng:8080",
    "GATE_FILE": "gates/blue",
    "LOG_LEVEL": "LOUD",
    "SECRET_KEY_FILE": "/run/secrets/hidden-both",
    "DATABASE_CONN_MAX_AGE_SECONDS": "a minute",
}
REQUIRED = ("LEDGER_ENV", "SECRET_KEY", "DATABASE_URL", "REDIS_URL", "ALLOWED_HOSTS", "MEDIA_ROOT")
PROGRAMS = {
    "gunicorn": ["gunicorn", "--config", "python:config.gunicorn_conf", "config.wsgi:application"],
    "worker": [sys.executable, "-m", "celery", "--app", "config.celery", "worker"],
    "beat": [sys.executable, "-m", "celery", "--app", "config.celery", "beat"],
    "django-admin": ["django-admin", "check"],
}


def refused(error: str, code: int, where: str) -> None:
    assert code == 1
    lines = [line for line in error.splitlines() if line.strip()]
    assert lines[0].startswith(f"{where}: "), error
    assert lines[1].startswith("HINT: "), error
    assert len(lines) == 2 and "Traceback" not in error and "hidden@" not in error, error


@pytest.mark.parametrize("name", WRONG)
def test_manage_py_stops_at_a_wrong_setting(name: str) -> None:
    done = manage("check", **{name: WRONG[name]})
    refused(done.stderr, done.returncode, "SECRET_KEY" if name == "SECRET_KEY_FILE" else name)


@pytest.mark.parametrize("name", REQUIRED)
def test_manage_py_names_a_setting_that_is_missing(name: str) -> None:
    done = manage("check", **{name: ""})
    refused(done.stderr, done.returncode, name)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_stops_at_a_wrong_setting(program: str) -> None:
    done = subprocess.run(
        PROGRAMS[program],
        check=False,
        cwd=APP,
        env=environment(DEBUG="true", DJANGO_SETTINGS_MODULE="config.settings"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    refused(done.stderr, done.returncode, "DEBUG")


def test_the_twin_with_right_settings_passes_django_s_own_deployment_checks() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_a_command_whose_database_is_away_says_so_in_one_message_and_could_not_check() -> None:
    done = manage("migrate", "--noinput", DATABASE_URL="postgresql://ledger:hidden@127.0.0.1:1/ledger")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("database: "), done.stderr
    assert "127.0.0.1" in lines[0]
    assert lines[1].startswith("HINT: ")
    assert len(lines) == 2 and "hidden" not in done.stderr, done.stderr


@pytest.mark.django_db
def test_an_error_that_the_database_itself_tells_is_not_taken_for_its_absence() -> None:
    with pytest.raises(OperationalError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 1")
        cursor.execute("SELECT pg_sleep(9)")
    assert database_away(caught.value) is None


def test_the_build_settings_know_no_database_and_no_host() -> None:
    done = manage("migrate", "--check", DJANGO_SETTINGS_MODULE="config.build_settings")
    assert done.returncode != 0 and "DATABASES" in done.stderr


def test_libpqs_own_options_are_handed_on_beside_ours() -> None:
    """The migration's step says by them whose role it takes and which backup was proven before."""
    done = subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; print(settings.DATABASES['default']['OPTIONS'])"],
        check=True,
        cwd=APP,
        env=environment(PGOPTIONS="-c role=owner", DJANGO_SETTINGS_MODULE="config.settings"),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "'options': '-c statement_timeout=30s -c role=owner'" in done.stdout
