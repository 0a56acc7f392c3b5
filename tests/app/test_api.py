"""The search SearXNG asks: a list, always, and nothing without the token."""

from __future__ import annotations

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
