"""Runs of ansible-playbook hold the lock of a stack for as long as they live: real runs, real files.

The host is this machine. For a host that cannot see the run's process, as over ssh, the connection plugin `beside`
stands in: it does what `local` does, under another name.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from roles.deploy_lock.library import deploy_lock as lock

ROOT = Path(__file__).resolve().parents[2]
PATH = os.environ["PATH"]
BESIDE = """
from ansible.plugins.connection.local import Connection as Local, DOCUMENTATION
DOCUMENTATION = DOCUMENTATION.replace("name: local", "name: beside")
class Connection(Local):
    transport = "beside"
"""
PLAY = f"""
- hosts: all
  gather_facts: false
  tasks:
    - import_tasks: {ROOT}/playbooks/tasks/lock.yml
    - command: {{argv: [sh, -c, "touch $PLACE/taken-{{{{ who }}}}; while [ ! -e $PLACE/go ]; do sleep 0.1; done"]}}
    - command: "{{{{ then }}}}"
    - import_tasks: {ROOT}/playbooks/tasks/unlock.yml
"""


@dataclass
class Host:
    """A host with one stack; runs started on it are ended with the test."""

    place: Path
    runs: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def lock(self) -> lock.Place:
        return lock.Place(self.place / "locks", "t-ci")

    def start(self, who: str, *arguments: str, then: str = "true", **more: Any) -> subprocess.Popen[str]:
        variables = {
            "deploy_lock_stack": "t-ci", "deploy_lock_directory": str(self.place / "locks"), "who": who, "then": then,
            "deploy_lock_socket": str(self.place / "no-engine"), "deploy_lock_commit": "0123abc",
            "deploy_lock_wait_seconds": 0, **more,
        }  # fmt: skip
        argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory", "play.yml", *arguments]
        run = subprocess.Popen(
            [*argv, "-e", json.dumps(variables)], cwd=self.place, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "PLACE": str(self.place), "ANSIBLE_NOCOLOR": "1", "PATH": f"{self.place}/bin:{PATH}"},
        )  # fmt: skip
        self.runs.append(run)
        return run

    def wait(self, condition: Any, what: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, what
            time.sleep(0.1)

    def holding(self, who: str, **more: Any) -> subprocess.Popen[str]:
        """A run that has the lock and goes on."""
        run = self.start(who, **more)
        self.wait(lambda: (self.place / f"taken-{who}").exists() or run.poll() is not None, f"{who} took no lock")
        assert run.poll() is None, run.communicate()[0]
        return run

    def end(self, run: subprocess.Popen[str]) -> str:
        (self.place / "go").touch()
        return run.communicate(timeout=60)[0]


@contextmanager
def host_of(tmp_path: Path, connection: str) -> Iterator[Host]:
    (tmp_path / "locks").mkdir()
    (tmp_path / "connection_plugins").mkdir()
    (tmp_path / "connection_plugins/beside.py").write_text(BESIDE)
    settings = f"roles_path={ROOT}/roles\nconnection_plugins=connection_plugins\n"
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\n{settings}")
    python = f"ansible_python_interpreter={sys.executable}"
    (tmp_path / "inventory").write_text(f"here ansible_connection={connection} {python}\n")
    (tmp_path / "play.yml").write_text(PLAY)
    made = Host(tmp_path)
    try:
        yield made
    finally:
        (tmp_path / "go").touch()
        for run in made.runs:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            if run.stdout:
                run.stdout.close()
        made.wait(lambda: renewing(made) == [], "a renewing process was left")


@pytest.fixture(params=["local", "beside"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    with host_of(tmp_path, request.param) as made:
        yield made


@pytest.fixture
def far(tmp_path: Path) -> Iterator[Host]:
    with host_of(tmp_path, "beside") as made:
        yield made


def renewing(host: Host) -> list[int]:
    """Processes that belong to this test's runs: their command line names its directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(host.place).encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def test_a_second_run_is_refused_and_the_first_goes_on(host: Host) -> None:
    first = host.holding("first")
    text = host.start("second", deploy_lock_wait_seconds=40).communicate(timeout=60)[0]
    assert "t-ci on " in text
    assert f"process {first.pid}" in text
    assert "0123abc" in text
    assert "failed=1" in text
    assert not (host.place / "taken-second").exists()
    ended = host.end(first)
    assert first.returncode == 0, ended
    assert "changed=2" in ended, "the lock counts as a change"
    assert list((host.place / "locks").iterdir()) == []


def test_after_a_run_that_ended_well_the_next_one_has_it_at_once(host: Host) -> None:
    host.end(host.holding("first"))
    second = host.start("second")
    assert "failed=0" in second.communicate(timeout=60)[0]


def test_a_run_that_failed_frees_it_without_being_asked(host: Host) -> None:
    assert "failed=1" in host.end(host.holding("first", then="false"))
    (host.place / "go").unlink()
    host.holding("second", deploy_lock_wait_seconds=20)


def test_a_run_that_was_killed_frees_it(host: Host) -> None:
    first = host.holding("first")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    host.holding("second", deploy_lock_wait_seconds=20)


def test_a_run_with_check_neither_takes_nor_disturbs_it(host: Host) -> None:
    assert "failed=0" in host.start("looker", "--check").communicate(timeout=60)[0]
    assert list((host.place / "locks").iterdir()) == []
    host.holding("first")
    assert "failed=0" in host.start("looker", "--check").communicate(timeout=60)[0]
    assert host.lock.record.exists()


def test_where_all_of_a_run_is_killed_its_lease_lapses(far: Host) -> None:
    far.holding("first")
    for pid in renewing(far):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    far.wait(lambda: renewing(far) == [], "processes are left")
    assert far.lock.record.exists()
    assert "locked by" in far.start("early").communicate(timeout=60)[0]
    far.lock.renewed.write_text(f"{lock.uptime() - 61:.2f}\n")
    far.holding("second")


def test_a_run_renews_its_lease(far: Host) -> None:
    far.holding("first")
    far.lock.renewed.write_text(f"{lock.uptime() - 50:.2f}\n")
    far.wait(lambda: far.lock.renewal_age() < 10, "it was not renewed", 30)


def test_a_run_whose_lease_another_has_stops_and_says_so(far: Host) -> None:
    first = far.holding("first")
    record = json.loads(far.lock.record.read_text())
    far.lock.write({**record, "token": "another"})
    text = first.communicate(timeout=60)[0]
    assert first.returncode != 0
    assert "deploy lock: lost" in text
    assert json.loads(far.lock.record.read_text())["token"] == "another"


def test_a_lease_that_cannot_be_renewed_is_refused_and_not_left_behind(far: Host) -> None:
    (far.place / "bin").mkdir()
    (far.place / "bin/flock").write_text("#!/bin/sh\nexit 1\n")  # stands in for a connection that does not carry it
    (far.place / "bin/flock").chmod(0o755)
    text = far.start("first").communicate(timeout=60)[0]
    assert "its lease cannot be renewed over this connection" in text
    assert "failed=1" in text
    assert list((far.place / "locks").iterdir()) == []
