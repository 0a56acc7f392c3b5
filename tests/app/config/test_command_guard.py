"""What manage.py may do in staging and prod, and what it must be told twice."""

from __future__ import annotations

import pytest
from config.command_guard import enforce, objection
from config.env import SettingsError

REFUSED = [
    "flush --noinput",
    "sqlflush",
    "reset_db",
    "loaddata dump.json",
    "dbshell",
    "shell -c x",
    "migrate ledger zero",
    "migrate ledger 0001",
    "migrate ledger",
    "migrate --fake",
    "migrate --fake-initial",
    "migrate --run-syncdb",
    "migrate ledger --prune",
    "migrate --noinput --settings=x ledger zero",
    "makemigrations",
    "makemigrations ledger --empty",
    "collectstatic --clear",
    "remove_stale_contenttypes",
    "diffsettings",
    "runserver",
    "test",
    "--settings=config.settings flush",
]
ALLOWED = [
    "migrate",
    "migrate --noinput",
    "migrate --check",
    "migrate --plan -v 2",
    "migrate --noinput --verbosity=0",
    "migrate --skip-checks --settings config.settings",
    "showmigrations",
    "check --deploy",
    "ensure_superuser --username a --password-file /run/secrets/x",
    "import_statement f.csv --account Checking",
    "dumpdata",
    "createsuperuser",
    "changepassword keeper",
    "clearsessions",
    "makemigrations --check",
    "help flush",
    "version",
]


@pytest.mark.parametrize("line", REFUSED)
def test_it_refuses_what_is_not_known_to_be_harmless(line: str) -> None:
    with pytest.raises(SettingsError, match="LEDGER_AUTHORISE"):
        enforce(["manage.py", *line.split()], "ledger-prod", guarded=True, authorised="")


@pytest.mark.parametrize("line", ALLOWED)
def test_it_allows_what_is_harmless(line: str) -> None:
    enforce(["/app/manage.py", *line.split()], "ledger-prod", guarded=True, authorised="")


@pytest.mark.parametrize("line", REFUSED)
def test_it_allows_everything_in_dev(line: str) -> None:
    enforce(["manage.py", *line.split()], "ledger-dev", guarded=False, authorised="")


def test_it_allows_the_command_that_was_named_for_this_stack() -> None:
    enforce(["manage.py", "flush"], "ledger-prod", guarded=True, authorised="ledger-prod flush")


@pytest.mark.parametrize("words", ["ledger-staging flush", "ledger-prod migrate", "ledger-prod", "yes", "1"])
def test_it_refuses_an_authorisation_for_something_else(words: str) -> None:
    with pytest.raises(SettingsError):
        enforce(["manage.py", "flush"], "ledger-prod", guarded=True, authorised=words)


@pytest.mark.parametrize("entry", ["manage.py", "/opt/venv/bin/django-admin", "/usr/lib/django/__main__.py"])
def test_it_watches_every_entry(entry: str) -> None:
    with pytest.raises(SettingsError):
        enforce([entry, "flush"], "ledger-prod", guarded=True, authorised="")


@pytest.mark.parametrize("program", ["/opt/venv/bin/gunicorn", "/opt/venv/lib/celery/__main__.py", ""])
def test_it_leaves_other_programs_alone(program: str) -> None:
    enforce([program, "flush"], "ledger-prod", guarded=True, authorised="")


def test_no_command_at_all_only_prints_help() -> None:
    assert objection([]) is None
