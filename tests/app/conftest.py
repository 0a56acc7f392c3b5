"""Shared by the app's tests: a person who is signed in, an account, bank files made up by us."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import caches
from django.core.management import call_command
from django.test import Client
from ledger.models import Account
from pytest_django import Settings

PASSWORD = "four words nobody typed"  # made up here, for made-up people

BANK_FILE = (
    b'"03/01/2025","-45.20","*","","CORNER GROCERY 17 MARKET ST"\n'
    b'"03/02/2025","2500.00","*","","LIGHTHOUSE WORKS PAYROLL"\n'
    b'"03/02/2025","-4.10","*","","HARBOUR COFFEE"\n'
    b'"03/02/2025","-4.10","*","","HARBOUR COFFEE"\n'
    b'"03/05/2025","-120.00","*","1042","CHECK 1042"\n'
)


def run_import(*arguments: object) -> tuple[int, str]:
    """What `import_statement` ends with, and all it says, on standard output and error."""
    out = StringIO()
    try:
        call_command("import_statement", *map(str, arguments), stdout=out, stderr=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


@pytest.fixture(autouse=True)
def _fast_passwords(settings: Settings) -> None:
    """Django's hasher takes a third of a second on purpose; test_live uses the real one."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_superuser("keeper", password=PASSWORD)


@pytest.fixture
def signed_in(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def account(db: None) -> Account:
    return Account.objects.create(name="Checking")


@pytest.fixture(autouse=True)
def _clean_caches() -> Iterator[None]:
    yield
    for cache in caches.all():
        cache.clear()


@pytest.fixture
def statements() -> Path:
    """The statements other people wrote, where they are at hand."""
    folder = Path(os.environ.get("STATEMENTS", ""))
    if not folder.is_absolute() or not folder.is_dir():
        pytest.skip("../shared/data/statements is not here; the tests must pass without it")
    return folder
