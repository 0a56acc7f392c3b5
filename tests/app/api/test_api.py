"""The search SearXNG asks: a list, always, and nothing without the token."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client
from ledger.models import Account, Category, Transaction
from pytest_django import Settings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _ledger(account: Account, settings: Settings) -> None:
    settings.API_SEARCH_TOKEN = "right"
    food = Category.objects.create(name="Food")
    Transaction.objects.create(
        account=account, date=date(2025, 3, 1), amount=Decimal("-4.1"), description="Coffee", category=food
    )


def test_with_the_token_it_lists_what_matches(client: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://ledger.example.org"
    (one,) = client.get("/api/search", {"q": "coffee", "token": "right"}).json()
    assert one["title"] == "Coffee"
    assert one["content"] == "2025-03-01 · -4.10 USD · Checking · Food"
    assert one["url"] == f"https://ledger.example.org/transactions/{Transaction.objects.get().pk}/"


def test_without_a_public_address_it_uses_the_one_it_was_asked_by(client: Client) -> None:
    assert (
        client.get("/api/search", {"q": "coffee", "token": "right"}).json()[0]["url"].startswith("http://testserver/")
    )


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"q": "coffee"},
        {"q": "coffee", "token": "wrong"},
        {"q": "coffee", "token": "é"},
        {"token": "right"},
        {"q": "\x00", "token": "right"},
        {"q": " ", "token": "right"},
    ],
)
def test_otherwise_it_is_an_empty_list_and_never_an_error(client: Client, query: dict[str, str]) -> None:
    answer = client.get("/api/search", query)
    assert (answer.status_code, answer.json()) == (200, [])


def test_with_no_token_configured_nothing_matches_an_empty_one(client: Client, settings: Settings) -> None:
    settings.API_SEARCH_TOKEN = ""
    assert client.get("/api/search", {"q": "coffee", "token": ""}).json() == []


def test_caddy_is_given_the_engines_token_for_a_signed_in_person_only(signed_in: Client, settings: Settings) -> None:
    settings.SEARCH_ENGINE_TOKEN = "digest"
    answer = signed_in.get("/api/signed-in")
    assert (answer.status_code, answer["X-Search-Token"], answer["Cache-Control"]) == (204, "digest", "no-store")
    stranger = Client().get("/api/signed-in")
    assert stranger.status_code == 302 and "X-Search-Token" not in stranger


@pytest.mark.parametrize(("public", "host", "address"), [
    ("http://localhost:9001", "127.0.0.1:8080", "http://127.0.0.1:9001/sign-in/"),
    ("http://localhost:9001", "localhost", "http://localhost:9001/sign-in/"),
    ("https://ledger.example.org", "testserver", "https://ledger.example.org/sign-in/"),
])  # fmt: skip
def test_a_stranger_is_led_to_the_sign_in_page_of_the_name_they_use(
    client: Client, settings: Settings, public: str, host: str, address: str
) -> None:
    settings.PUBLIC_URL = public
    assert client.get("/api/signed-in", headers={"host": host})["Location"] == address


def test_the_engines_token_does_not_tell_the_secret_it_is_made_of() -> None:
    made = "import os; os.environ['API_SEARCH_TOKEN'] = 'given'; from config import settings as s; "
    tell = "print(s.SEARCH_ENGINE_TOKEN)"
    done = subprocess.run([sys.executable, "-c", made + tell], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(b"given").hexdigest()
