"""What both files of tests do to guarded hosts: run a command that has to work or to be refused, apply a playbook.

A module of its own because pytest imports neither file from the other.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testinfra.host import Host

from tests.runbooks import Runbook

PAGE = Runbook("guard-down.md")  # one for both files: together they type all of it
ROOT = Path(__file__).resolve().parents[3]
DENIED = "authorization denied by plugin ledgerguard: protected volume"
BARE = "lf-guard-bare"


def name_of(host: Host) -> str:
    return str(host.backend.host)


def ok(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.rc == 0, f"{name_of(host)}: {command}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def refused(host: Host, command: str) -> None:
    done = host.run(command)
    assert done.rc != 0 and DENIED in done.stderr, f"{name_of(host)}: {command}\n{done.stdout}{done.stderr}"


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds:.0f} s: {what}"
        time.sleep(0.2)


def status(host: Host) -> dict[str, Any]:
    """What the guard says of itself; {} where it does not."""
    done = host.run("ledgerguard status --json")
    return dict(json.loads(done.stdout)) if done.rc in (0, 1) else {}


def last_check(host: Host) -> tuple[str, str]:
    """When the containers were checked last, and the verdict."""
    found = status(host).get("check") or {"time": "", "verdict": "none"}
    return found["time"], found["verdict"]


def checked_since(host: Host, before: str, verdict: str) -> None:
    """Waits for the verdict of the check that comes with each start of the engine."""
    wait_for(lambda: last_check(host)[0] > before, f"{name_of(host)}: no check since {before!r}")
    assert last_check(host)[1] == verdict, status(host)["check"]


def typed(host: Host, command: str) -> tuple[int, str]:
    """What a person types, all of it, whatever the first lines say; the last one's exit code and what all said."""
    done = host.run(f"timeout 60 bash <<'TYPED' 2>&1\n{command}\nTYPED")
    return done.rc, done.stdout


def follow(host: Host, heading: str, *numbers: int) -> str:
    """Types the blocks below a heading (all, or some), which all have to end well; what they said."""
    told = [typed(host, f"set -e\n{block}") for block in PAGE.under(heading, *numbers)]
    assert [code for code, _text in told] == [0] * len(told), told
    return "".join(text for _code, text in told)


def started(host: Host, container: str) -> str:
    return ok(host, f"docker inspect --format '{{{{.State.StartedAt}}}} {{{{.State.Pid}}}}' {container}")


def play(playbook: str, *options: str, status: int = 0, **variables: Any) -> tuple[str, dict[str, int]]:
    """Applies a playbook to all hosts; what it said, and the number of changes of each host."""
    environment = {key: value for key, value in os.environ.items() if key != "ANSIBLE_FORCE_COLOR"}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory"}
    environment["ANSIBLE_PIPELINING"] = "true"
    argv = ["ansible-playbook", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "--limit", "all:!localhost", *options]
    argv += ["--extra-vars", json.dumps(variables), str(ROOT / playbook)]
    done = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    text = done.stdout + done.stderr
    assert done.returncode == status, text
    return text, {name: int(number) for name, number in re.findall(r"^(\S+)\s.*\bchanged=(\d+)", text, re.MULTILINE)}


def converge(*options: str, **variables: Any) -> dict[str, int]:
    return play("molecule/volume_guard/converge.yml", *options, **variables)[1]
