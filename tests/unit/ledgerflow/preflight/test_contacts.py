"""Who is told of an incident: the examples' people are not, an inventory's own are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from filter_plugins.preflight import FilterModule
from ledgerflow.preflight.contacts import contact_findings

INVENTORY = Path(__file__).resolve().parents[4] / "inventory"
GOOD = {"name": "Eve", "reach": "eve@ledger.test", "for": "operator"}


def examples(name: str) -> Any:
    return yaml.safe_load((INVENTORY / name / "group_vars/all/incident.yml").read_text())["incident_contacts"]


def test_somebody_who_can_be_reached_is_enough() -> None:
    assert contact_findings([GOOD], "prod") == []


@pytest.mark.parametrize("contacts", [[], None, "eve", {}])
def test_nobody_is_told_with_where_to_name_people(contacts: Any) -> None:
    (found,) = contact_findings(contacts, "prod")
    assert found["where"] == "inventory/prod/group_vars/all/incident.yml"
    assert "nobody would be told" in found["what"]
    assert contact_findings(yaml.safe_load((INVENTORY / "common/incident.yml").read_text())["incident_contacts"], "dev")


@pytest.mark.parametrize(
    ("contact", "fault"),
    [("eve", "'eve' is not"), ({**GOOD, "reach": " "}, "reach not set"), ({"name": "Eve"}, "reach, for not set")],
)
def test_an_entry_that_reaches_nobody_is_told_by_its_number(contact: Any, fault: str) -> None:
    (found,) = contact_findings([GOOD, contact], "prod")
    assert found["what"].startswith(f"incident_contacts, entry 2: {fault}")


@pytest.mark.parametrize("name", ["staging.example", "prod.example"])
def test_each_of_the_examples_people_is_whole_and_told_to_be_the_examples(name: str) -> None:
    found = contact_findings(examples(name), "prod")
    assert len(found) == len(examples(name)) > 2
    assert all(one["what"].endswith("is the example's") for one in found)


def test_the_playbooks_find_the_filter() -> None:
    assert set(FilterModule().filters()) >= {"contact_findings"}
