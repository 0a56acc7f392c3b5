"""The role images, run on this machine with state and work folders of a test's own.

A module of its own because the tests of other roles need real images too.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    "ANSIBLE_CACHE_PLUGIN": "memory",
    "ANSIBLE_NOCOLOR": "1",
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Run the role
      ansible.builtin.include_role:
        name: images
        tasks_from: "{{ entry }}"
      loop: "{{ entries }}"
      loop_control: {loop_var: entry}
    - name: Tell
      ansible.builtin.copy:
        content: "{{ images_refs | to_json }}"
        dest: "{{ told }}"
        mode: "0600"
      changed_when: false
"""


@dataclass(frozen=True)
class Result:
    status: int
    changed: int
    text: str
    refs: dict[str, str]
    modules: list[str]


class Host:
    """The machine, with folders of the test's own."""

    def __init__(self, base: Path) -> None:
        self.base, self.runs = base, 0
        self.state, self.work = base / "state", base / "work"

    def run(self, names: list[str], *entries: str, **variables: Any) -> Result:
        self.runs += 1
        private, report = self.base / f"run{self.runs}", self.base / f"told{self.runs}"
        private.mkdir(parents=True)
        (private / "play.yml").write_text(PLAY)
        bundle = next((os.environ[name] for name in ("PIP_CERT", "SSL_CERT_FILE") if os.environ.get(name)), "")
        image_variables = {
            "images_wanted": names,
            "images_source": "debian",
            "images_state_dir": str(self.state),
            "images_work_dir": str(self.work),
            "images_ca_bundle": bundle,
            "ansible_python_interpreter": sys.executable,
            "entries": list(entries) or ["main"],
            "told": str(report),
            **variables,
        }
        outcome = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(ROOT),
            playbook=str(private / "play.yml"),
            inventory="localhost ansible_connection=local",
            extravars=image_variables,
            envvars=ENVIRONMENT,
            quiet=True,
        )
        text = "\n".join(str(event.get("stdout", "")) for event in outcome.events)
        modules = [event["event_data"]["task_action"] for event in outcome.events if event["event"] == "runner_on_ok"]
        refs = json.loads(report.read_text()) if report.exists() else {}
        return Result(outcome.rc, sum((outcome.stats or {}).get("changed", {}).values()), text, refs, modules)
