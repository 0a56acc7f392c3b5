"""The stack of an ordinary user, on an engine that cannot be configured: all but the promises that it says do not hold.

The machine's engine stands in for Docker Desktop or a rootless one: the user may talk to it and do nothing else. One
deploy for all tests, in the order of this file: the last but one leaves only the database, the last one nothing.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tools.kit.stacks import LOGS, REPOSITORY, Run, Stack

SOCKET = Path("/var/run/docker.sock")
PROTECTED = ("db_data", "redis_data", "media", "caddy_data", "backups")
ROW = "the row that must survive"
PASSED_ON = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "LANG", "LC_")


@dataclass
class Person:
    """A user who may use the engine, and nothing of root's."""

    name: str
    home: Path

    @property
    def checkout(self) -> Path:
        return self.home / "ledgerflow"

    @property
    def uid(self) -> int:
        return pwd.getpwnam(self.name).pw_uid

    def run(self, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a program as this person, in the checkout; nothing of root's environment but how packages are got."""
        kept = {key: value for key, value in os.environ.items() if key.startswith(PASSED_ON) or "proxy" in key.lower()}
        own = {"HOME": str(self.home), "USER": self.name, "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        become = ["setpriv", "--reuid", self.name, "--regid", self.name, "--init-groups"] if os.geteuid() == 0 else []
        return subprocess.run(
            [*become, *argv],
            cwd=self.checkout,
            env={**kept, **own, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1200,
            check=False,
        )

    def check_out(self) -> None:
        """The working tree as it is, in the person's home; .venv too where the person can run what is in it."""
        git = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others"]
        listed = subprocess.run([*git, "--exclude-standard"], capture_output=True, check=True, text=True).stdout
        for name in filter(None, listed.split("\0")):
            source, target = REPOSITORY / name, self.checkout / name
            if source.is_file() or source.is_symlink():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", "-h", f"{self.name}:", str(self.checkout)], check=True)
        if self.run("test", "-x", str(REPOSITORY / ".venv/bin/python")).returncode == 0:
            (self.checkout / ".venv").symlink_to(REPOSITORY / ".venv")


@dataclass
class ReducedStack(Stack):
    """A stack of that person's, through the same door that `make` uses."""

    person: Person = field(kw_only=True)

    @property
    def config(self) -> Path:
        return self.person.home / ".config/ledgerflow" / self.id

    @property
    def settings_file(self) -> Path:
        return self.person.checkout / f".env.{self.environment}"

    def play(self, playbook: str, cmdline: str = "", **variables: Any) -> Run:
        self.write_settings()
        self.runs += 1
        given = {"engine_reduced": "true", **variables}
        options = [word for name, value in given.items() for word in ("-e", f"{name}={value}")]
        started = time.monotonic()
        done = self.person.run("scripts/play", playbook, *options, ENV=self.environment)
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"deploy-test-{self.id}-{self.runs}-{playbook}.log").write_text(done.stdout)
        changed = sum(int(number) for number in re.findall(r"changed=(\d+)", done.stdout))
        tasks = re.findall(r"(?s)TASK \[([^\]]*)\][^\n]*\n(?:(?!TASK).)*?changed: ", done.stdout)
        return Run(done.returncode, changed, tasks, done.stdout, time.monotonic() - started)

    def volume(self, what: str) -> str:
        return f"{self.name}_{self.environment}_{what}"

    def in_volumes(self, *mounts: str, command: list[str]) -> str:
        """What a command says in a throw-away container with these volumes (`volume:target`)."""
        image = self.docker("inspect", "-f", "{{.Config.Image}}", f"{self.id}-vault")
        mounted = [word for mount in mounts for word in ("-v", mount)]
        options = ["--rm", "--network", "none", "--user", "0:0", "--entrypoint", command[0]]
        return self.docker("run", *options, *mounted, image, *command[1:])

    def left(self) -> list[str]:
        """What there still is of the stack."""
        lists = (
            ["ps", "-a", "--format", "{{.Names}}"],
            ["volume", "ls", "--format", "{{.Name}}"],
            ["network", "ls", "--format", "{{.Name}}"],
        )
        names = [name for argv in lists for name in self.docker(*argv).split() if name.startswith(self.name)]
        return names + ([str(self.config)] if self.config.exists() else [])


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """A user of its own, who is removed with all files; without root's rights it is whoever runs the tests."""
    if os.geteuid() != 0:
        yield Person(pwd.getpwuid(os.geteuid()).pw_name, tmp_path_factory.mktemp("home"))
        return
    name, group = f"lf{secrets.token_hex(3)}", str(SOCKET.stat().st_gid)
    subprocess.run(["useradd", "--create-home", "--user-group", "--groups", group, name], check=True)
    try:
        yield Person(name, Path(pwd.getpwnam(name).pw_dir))
    finally:
        subprocess.run(["userdel", "--remove", name], capture_output=True, check=True)


@pytest.fixture(scope="module")
def reduced(person: Person, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReducedStack]:
    """The deployed stack with one row in it; destroyed whatever the tests did."""
    person.checkout.mkdir()
    person.check_out()
    stack = ReducedStack(tmp_path_factory.mktemp("reduced"), person=person)
    try:
        stack.deploy()
        stack.add_row(ROW)
        yield stack
    finally:
        if stack.left():
            stack.destroy()


def test_every_service_is_healthy_and_what_does_not_hold_is_said_first(reduced: ReducedStack) -> None:
    reduced.wait_until_healthy()
    assert len(reduced.containers()) == 10
    assert reduced.play("health_check").status == 0
    status = reduced.play("status").text
    summary = status[status.index("PLAY RECAP") :].split("\n\n", 1)[1].lstrip()
    assert summary.startswith("engine guard: NOT ACTIVE here (")
    first, rest = summary.split("\n\n", 1)
    assert "does not hold: 1: " in first
    assert "does not hold: layer 1: " in first
    assert rest.startswith(reduced.id)
    assert f"    cat {reduced.config}/secrets/app_admin_password" in rest


def test_a_second_run_changes_nothing(reduced: ReducedStack) -> None:
    before = reduced.containers()
    run = reduced.deploy()
    assert run.changed == 0, run.tasks_changed
    assert reduced.containers() == before


def test_all_files_are_the_users_behind_a_closed_directory_and_nothing_is_outside(reduced: ReducedStack) -> None:
    status = reduced.config.stat()
    assert (status.st_uid, status.st_mode & 0o7777) == (reduced.person.uid, 0o700)
    files = [path for path in reduced.config.rglob("*") if path.parent != reduced.config / "state/vault"]
    assert {path.lstat().st_uid for path in files} == {reduced.person.uid}
    assert {path.stat().st_mode & 0o777 for path in (reduced.config / "secrets").iterdir()} == {0o400}
    assert not (Path("/etc/ledgerflow") / reduced.id).exists()
    assert not reduced.data.exists()


@pytest.mark.parametrize("what", PROTECTED)
def test_a_protected_volume_has_its_labels_and_shows_its_recorded_sentinel(reduced: ReducedStack, what: str) -> None:
    seen = json.loads(reduced.docker("volume", "inspect", reduced.volume(what)))[0]
    assert seen["Labels"]["com.ledgerflow.protect"] == "true"
    assert not seen["Options"]
    sentinel = reduced.in_volumes(f"{reduced.volume(what)}:/v:ro", command=["cat", "/v/.ledgerflow.json"])
    assert json.loads(sentinel) == json.loads((reduced.config / f"state/volumes/{what}.json").read_text())


def test_a_volume_removed_and_made_anew_does_not_become_a_ledger(reduced: ReducedStack) -> None:
    """And the copy of it that is brought back does, with its rows, after `down` as well."""
    container, volume, aside = f"{reduced.id}-postgres", reduced.volume("db_data"), reduced.volume("aside")
    labels = json.loads(reduced.docker("volume", "inspect", volume))[0]["Labels"]
    reduced.docker("stop", container)
    reduced.in_volumes(f"{volume}:/from:ro", f"{aside}:/to", command=["cp", "-a", "/from/.", "/to/"])
    reduced.docker("rm", container)
    reduced.docker("volume", "rm", volume)
    gone = reduced.play("deploy")
    assert (gone.status != 0, gone.changed) == (True, 0)
    assert f"volume {volume}: the engine does not have it" in gone.text
    assert volume not in reduced.docker("volume", "ls", "-q").split()

    reduced.docker("volume", "create", *(f"--label={key}={value}" for key, value in labels.items()), volume)
    empty = reduced.play("deploy")
    assert (empty.status != 0, empty.changed) == (True, 0)
    assert f"volume {volume}: it is empty" in empty.text
    project = ["compose", "--file", str(reduced.config / "postgres/compose.yml"), "--project-name", container]
    reduced.docker(*project, "up", "--detach")
    reduced.wait_for(lambda: "no sentinel .ledgerflow.json" in container_log(reduced, container))
    reduced.docker("rm", "--force", container)
    assert reduced.in_volumes(f"{volume}:/v:ro", command=["ls", "-A", "/v"]) == ""

    reduced.in_volumes(f"{aside}:/from:ro", f"{volume}:/to", command=["cp", "-a", "/from/.", "/to/"])
    reduced.docker("volume", "rm", aside)
    assert reduced.play("down").status == 0
    assert reduced.containers() == {}
    reduced.deploy(deploy_service="postgres")
    assert reduced.rows() == [ROW]


def container_log(stack: Stack, container: str) -> str:
    done = subprocess.run(["docker", "logs", container], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def test_destroy_removes_all(reduced: ReducedStack) -> None:
    run = reduced.play("destroy", confirm=reduced.id)
    assert run.status == 0, run.text[-3000:]
    assert reduced.left() == []
