"""The role networks on the machine's engine: networks of a stack of the test's own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import pytest

from tools.kit.image_host import ENVIRONMENT, ROOT

ITEMS = [{"name": "data", "internal": True}, {"name": "edge", "internal": False}]
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Run the role
      ansible.builtin.include_role:
        name: networks
        tasks_from: "{{ entry }}"
      loop: "{{ entries }}"
      loop_control: {loop_var: entry}
"""


class Stack:
    def __init__(self, base: Path) -> None:
        self.base, self.runs, self.id = base, 0, f"t{secrets.token_hex(3)}-ci"

    def run(self, *entries: str, **variables: Any) -> tuple[int, int, str]:
        """Status, number of changed tasks, and what was said on one line."""
        self.runs += 1
        private = self.base / f"run{self.runs}"
        private.mkdir(parents=True)
        (private / "play.yml").write_text(PLAY)
        given = {"networks_stack_id": self.id, "networks_items": ITEMS, "entries": list(entries), **variables}
        outcome = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(ROOT),
            playbook=str(private / "play.yml"),
            inventory="localhost ansible_connection=local",
            extravars={"ansible_python_interpreter": sys.executable, **given},
            envvars=ENVIRONMENT,
            quiet=True,
        )
        text = " ".join(" ".join(str(event.get("stdout", "")) for event in outcome.events).split())
        return outcome.rc, sum((outcome.stats or {}).get("changed", {}).values()), text

    def inspect(self, name: str) -> dict[str, Any]:
        done = subprocess.run(["docker", "network", "inspect", f"{self.id}-{name}"], capture_output=True, check=False)
        found: list[dict[str, Any]] = json.loads(done.stdout or "[]")
        return found[0] if found else {}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    one = Stack(tmp_path)
    yield one
    names = [f"{one.id}-{item['name']}" for item in ITEMS]
    subprocess.run(["docker", "network", "rm", *names], capture_output=True, check=False)


def test_networks_are_made_as_declared_once_and_taken_away_with_their_stack(stack: Stack) -> None:
    status, changed, text = stack.run("preflight", "main")
    assert (status, changed) == (0, 1), text
    assert (stack.inspect("data")["Internal"], stack.inspect("edge")["Internal"]) == (True, False)
    status, changed, text = stack.run("preflight", "main")
    assert (status, changed) == (0, 0), text
    status, _, text = stack.run("destroy")
    assert status == 0, text
    assert stack.inspect("data") == {}


def test_with_the_hosts_facts_at_hand_nothing_is_asked_again(stack: Stack) -> None:
    label = "com.ledgerflow.network"
    known = {
        f"{stack.id}-{item['name']}": {**item, "driver": "bridge", "labels": {label: f"{stack.id}-{item['name']}"}}
        for item in ITEMS
    }
    status, changed, text = stack.run("preflight", "main", host_probe={"engine": {"running": True}, "networks": known})
    assert (status, changed) == (0, 0), text
    assert "List the engine's networks" not in text
    assert stack.inspect("data") == {}


@pytest.mark.parametrize("entry", ["preflight", "main"])
def test_a_network_of_our_name_that_lets_data_out_is_refused_and_left_as_it_is(stack: Stack, entry: str) -> None:
    name = f"{stack.id}-data"
    label = f"com.ledgerflow.network={name}"
    subprocess.run(["docker", "network", "create", "--label", label, name], capture_output=True, check=True)
    before = stack.inspect("data")["Id"]
    status, _, text = stack.run(entry)
    assert status != 0
    assert f"network {name}: internal is false, true is declared HINT: docker network inspect {name}" in text
    assert stack.inspect("data")["Id"] == before
    assert stack.inspect("edge") == {}

    subprocess.run(["docker", "network", "rm", name], capture_output=True, check=True)
    subprocess.run(
        ["docker", "network", "create", "--internal", "--label", label, name], capture_output=True, check=True
    )
    status, _, text = stack.run("preflight", "main")
    assert status == 0, text
