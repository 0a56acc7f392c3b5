"""Which search engines are refused where, and how one list fits both programs."""

from __future__ import annotations

from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack import searxng

LEDGER: dict[str, Any] = {
    "name": "ledger",
    "engine": "json_engine",
    "shortcut": "lg",
    "categories": ["general", "money"],
    "search_url": "http://x-ci-app-web-blue:8000/api/search?q={query}&token={secret:app_search_token}",
}
WEB: dict[str, Any] = {"name": "web", "engine": "wikipedia", "shortcut": "wp"}


def findings(*engines: dict[str, Any], environment: str = "ci") -> list[str]:
    return [finding["what"] for finding in searxng.searxng_findings(list(engines), environment, "x-ci")]


@pytest.mark.parametrize("environment", ["dev", "ci"])
def test_an_engine_that_asks_outside_is_refused_where_nothing_may_leave_the_machine(environment: str) -> None:
    assert findings(WEB, environment=environment) == [
        f"engine wikipedia asks outside; {environment} asks nothing outside"
    ]
    assert findings(LEDGER, environment=environment) == []


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_same_engine_is_allowed_where_the_inventory_wants_it(environment: str) -> None:
    assert findings(WEB, LEDGER, environment=environment) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/s?q={query}",
        "http://other-ci-app/api",
        "http://x-ci.example.org/",
        "/api?q={query}",
        "http://[::1",
    ],
)
def test_a_json_engine_that_asks_anybody_else_is_refused(address: str) -> None:
    assert len(findings({**LEDGER, "search_url": address})) == 1


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/s", "http://localhost/s", "http://[::1]:80/s", "http://x-ci-app:8000/s"]
)
def test_a_json_engine_that_asks_the_stack_or_loopback_is_allowed(address: str) -> None:
    assert findings({**LEDGER, "search_url": address}) == []


@pytest.mark.parametrize("missing", ["engine", "shortcut"])
def test_an_engine_without_what_both_programs_need_is_refused(missing: str) -> None:
    assert findings({key: value for key, value in LEDGER.items() if key != missing}) == [f"no {missing}"]


def test_two_engines_of_one_name_or_shortcut_are_refused_and_two_of_two_are_not() -> None:
    twin = {**LEDGER, "name": "ledger2"}
    assert findings(LEDGER, twin) == ["shortcut 'lg' is given twice, so that one engine would hide the other"]
    assert findings(LEDGER, {**twin, "shortcut": "l2"}) == []


def test_categories_become_the_one_string_that_both_take() -> None:
    made = searxng.searxng_settings([LEDGER, {**LEDGER, "categories": "general"}])
    assert [engine["categories"] for engine in made] == ["general, money", "general"]


def test_plain_http_is_allowed_exactly_where_the_address_says_so() -> None:
    made = searxng.searxng_settings([LEDGER, WEB, {**LEDGER, "enable_http": False}])
    assert [engine.get("enable_http") for engine in made] == [True, None, False]


def test_ansible_finds_every_filter_by_its_name() -> None:
    filters = FilterModule().filters().items()
    ours = {name: function for name, function in filters if function.__module__ == searxng.__name__}
    assert ours
    assert all(name == function.__name__ for name, function in ours.items())
