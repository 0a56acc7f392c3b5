"""What the scenarios' verifications share: applying a scenario's playbook again, and rebooting a host."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = Path(os.environ.get("MOLECULE_SCENARIO_DIRECTORY", "."))


@dataclass(frozen=True)
class Run:
    """What a playbook said."""

    status: int
    changed: int
    text: str


def name_of(host: Host) -> str:
    return str(host.backend.host)


def program(*arguments: str) -> None:
    subprocess.run([str(ROOT / "molecule/shared/hosts.py"), *arguments], check=True)


@pytest.fixture
def converge(host: Host) -> Callable[..., Run]:
    """Applies the scenario's playbook to this host; keyword arguments are variables."""

    def run(*options: str, **variables: Any) -> Run:
        # molecule wants colours, which would hide the figures below.
        environment = {key: value for key, value in os.environ.items() if key != "ANSIBLE_FORCE_COLOR"}
        environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory"}
        environment["ANSIBLE_PIPELINING"] = "true"
        argv = ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "--limit", name_of(host), *options]
        argv += ["--extra-vars", json.dumps(variables), str(SCENARIO / "converge.yml")]
        done = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        text = done.stdout + done.stderr
        figures = re.findall(rf"^{name_of(host)}\s.*\bchanged=(\d+)", text, re.MULTILINE)
        assert len(figures) == 1, text
        return Run(done.returncode, int(figures[0]), text)

    return run


@pytest.fixture
def reboot(host: Host) -> Callable[[], None]:
    """Ends every process of the host and boots it again."""

    def run() -> None:
        program("restart", name_of(host))

    return run


@pytest.fixture
def small_image(host: Host) -> str:
    """An image inside the host's engine, made of the host's own static busybox: no registry is asked."""
    tag = "test/busybox:1"
    if host.run("docker image inspect %s", tag).rc:
        made = host.run(
            "d=$(mktemp -d) && install -D /bin/busybox $d/bin/busybox && ln -s busybox $d/bin/sh && "
            "for tool in cat echo sleep; do ln -s busybox $d/bin/$tool; done && tar -C $d -c . | docker import - %s",
            tag,
        )
        assert made.rc == 0, made.stderr
    return tag
