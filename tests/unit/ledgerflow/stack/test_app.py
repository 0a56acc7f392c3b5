"""The colour that a version goes to follows from gates and containers, whatever moment a run was killed at."""

from __future__ import annotations

from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack.app import live_colour, process_description, target_colour
from ledgerflow.stack.service import compose_project

STACK = {
    "id": "ledger-dev",
    "name": "ledger",
    "environment": "dev",
    "config_root": "/etc/x",
    "volume_prefix": "ledger_dev",
}


def facts(gates: str = "", containers: str = "") -> dict[str, Any]:
    """Open gates and existing containers, by colour."""
    return {
        "gates": [f"app-web-{colour}" for colour in gates.split()],
        "containers": {f"ledger-dev-app-web-{colour}": {} for colour in containers.split()},
    }


@pytest.mark.parametrize(("gates", "live"), [("", ""), ("blue", "blue"), ("green", "green"), ("green blue", "blue")])
def test_the_live_colour_is_the_one_whose_gate_is_open(gates: str, live: str) -> None:
    assert live_colour(facts(gates), "app-web") == live


def test_another_app_s_gate_is_not_ours() -> None:
    assert live_colour(facts("green"), "shop-web") == ""


@pytest.mark.parametrize(("gates", "containers", "changed", "target"), [
    ("", "", True, "blue"),  # the first deploy
    ("", "green", True, "blue"),  # a killed first deploy
    ("blue", "blue", True, "green"),  # a new version
    ("green", "green", True, "blue"),
    ("green", "green", False, "green"),  # ill or stopped: started again in place
    ("green", "", False, "green"),  # removed by hand
    ("green", "", True, "green"),  # nothing serves: no reason to keep away from it
    ("blue", "blue green", True, "green"),  # killed while the new colour came up
    ("blue green", "blue green", True, "green"),  # killed between opening one gate and closing the other
])  # fmt: skip
def test_a_version_goes_beside_the_live_colour_and_a_repair_into_it(
    gates: str, containers: str, changed: bool, target: str
) -> None:
    assert target_colour(facts(gates, containers), "app-web", "ledger-dev", changed) == target


def test_a_process_has_its_own_keys_over_the_common_ones() -> None:
    common = {"image": "i", "uid": 1, "environment": {"A": 1, "B": 2}, "secrets": {"s": "x"}, "volumes": ["/a:/a"]}
    process = {"name": "worker", "uid": 2, "environment": {"B": 3}, "secrets": {"t": "y"}, "volumes": ["/b:/b"]}
    assert process_description(process, common) == {
        "name": "worker",
        "image": "i",
        "uid": 2,
        "environment": {"A": "1", "B": "3"},
        "secrets": {"s": "x", "t": "y"},
        "protected": {},
        "volumes": ["/a:/a", "/b:/b"],
    }


def test_a_colour_is_put_into_the_name_and_the_environment_and_lets_the_gates_be_seen() -> None:
    web = {"name": "app-web", "environment": {"GATE_FILE": "/gates/app-web-{colour}"}}
    made = process_description(web, {}, "green")
    assert (made["name"], made["environment"]["GATE_FILE"], made["gates"]) == (
        "app-web-green",
        "/gates/app-web-green",
        True,
    )
    assert "gates" not in process_description(web, {})


def test_the_two_colours_make_two_projects_that_differ_in_names_and_gate_only() -> None:
    common = {"image": "i", "uid": 9, "memory_mb": 64, "networks": ["app"], "healthcheck": {"test": ["CMD", "true"]}}
    web = {"name": "app-web", "environment": {"GATE_FILE": "/gates/{colour}"}}
    blue, green = (str(compose_project(process_description(web, common, c), STACK)) for c in ("blue", "green"))
    assert blue != green
    assert blue.replace("blue", "green") == green


def test_the_caller_s_description_stays_as_it_was() -> None:
    web: dict[str, Any] = {"name": "app-web", "environment": {"A": "{colour}"}, "volumes": ["/a:/a"]}
    process_description(web, {"volumes": ["/b:/b"]}, "blue")
    assert web == {"name": "app-web", "environment": {"A": "{colour}"}, "volumes": ["/a:/a"]}


def test_ansible_finds_the_filters_by_these_names() -> None:
    assert set(FilterModule().filters()) >= {"live_colour", "process_description", "target_colour"}
