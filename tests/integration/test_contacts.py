"""A deploy to production warns where nobody would be told of an incident: its own task, on the shipped inventories.

The hosts of the examples are not there; the task asks the inventory alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ansible_runner

from tools.kit.image_host import ENVIRONMENT, ROOT

PLAY = f"[{{hosts: all, gather_facts: false, tasks: [import_tasks: {ROOT}/playbooks/tasks/contacts.yml]}}]"
PERSON = {"name": "Eve", "reach": "eve@ledger.test", "for": "operator"}


def warned(folder: Path, inventory: str, **variables: Any) -> str:
    """What the task says on one line; "" where it has nothing to say."""
    (folder / "play.yml").write_text(PLAY)
    outcome = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=str(ROOT),
        playbook=str(folder / "play.yml"),
        inventory=str(ROOT / "inventory" / inventory),
        extravars=variables,
        envvars=ENVIRONMENT,
        quiet=True,
    )
    assert outcome.rc == 0
    told = [event for event in outcome.events if event["event"] == "runner_on_ok"]
    return " ".join(" ".join(event["event_data"]["res"]["msg"]) for event in told)


def test_prod_without_people_of_its_own_is_warned_with_where_to_name_them(tmp_path: Path) -> None:
    said = warned(tmp_path, "prod.example")
    assert (
        "inventory/prod/group_vars/all/incident.yml: incident_contacts, entry 1: '+1 555 0100' is the example's" in said
    )
    assert "HINT: " in said
    assert "nobody would be told" in warned(tmp_path, "prod.example", incident_contacts=[])


def test_somebody_who_can_be_reached_and_other_environments_are_not_warned(tmp_path: Path) -> None:
    assert warned(tmp_path, "prod.example", incident_contacts=[PERSON]) == ""
    assert warned(tmp_path, "staging.example") == ""
