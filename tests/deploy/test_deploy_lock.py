"""Two deploys at once, killed ones and failed ones: one works, none disturbs another, and what failed is gone."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.test_kills import below
from tools.kit.stacks import REPOSITORY, Stack

# A migration that runs until the test lets it end.
WAITING = """
import pathlib, time
while not pathlib.Path("/tmp/go").exists():
    time.sleep(0.2)
print("ended by itself")
"""
SLOW = [{"name": "migrate", "command": ["python", "-c", WAITING], "unchanged_when": "ended by itself"}]
FAILING = [{"name": "migrate", "command": ["python", "-c", "raise SystemExit(3)"], "unchanged_when": "never"}]
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another copy of what a deploy reads, as on another person's machine."""
    place = tmp_path_factory.mktemp("checkout") / "ledgerflow"
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, place / name, follow_symlinks=False)
    return place


def command(stack: Stack, **variables: Any) -> list[str]:
    """A plain ansible-playbook."""
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", f"inventory/{stack.environment}"]
    return [*argv, "playbooks/deploy.yml", "-e", json.dumps(stack.extra_variables(**variables))]


def environment(stack: Stack, place: Path) -> dict[str, str]:
    return {**os.environ, **stack.environment_variables(), "ANSIBLE_CONFIG": str(place / "ansible.cfg")}


def step(stack: Stack) -> str:
    """The id of the migration's container, if it runs."""
    return stack.docker("ps", "-q", "--no-trunc", "--filter", f"name=^{stack.id}-app-migrate$")


@contextmanager
def migrating(stack: Stack, seconds: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A deploy of a new version whose migration runs, and the id of that migration's container."""
    stack.write_settings()
    argv = command(stack, deploy_service="app", app_drain_seconds=seconds, app_tasks=SLOW)
    run = subprocess.Popen(
        argv, cwd=REPOSITORY, env=environment(stack, REPOSITORY), text=True, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        stack.wait_for(lambda: bool(step(stack)) or run.poll() is not None, 600)
        assert run.poll() is None, run.communicate()[0][-3000:]
        yield run, step(stack)
    finally:
        for pid in [*below(run.pid), run.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run.wait()
        stack.docker("rm", "-f", f"{stack.id}-app-migrate", check=False)


def let_end(stack: Stack) -> None:
    stack.docker("exec", f"{stack.id}-app-migrate", "touch", "/tmp/go")


def ended(stack: Stack, container: str) -> subprocess.Popen[str]:
    """Waits for a container's end beside the test; its output is the exit status, 137 where it was killed."""
    argv = ["docker", "-H", f"unix://{stack.socket}", "wait", container]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)


def test_a_second_deploy_from_another_checkout_is_refused_and_the_firsts_migration_ends(
    stack: Stack, checkout: Path
) -> None:
    with migrating(stack, 38) as (first, migration):
        end = ended(stack, migration)
        argv = command(stack, deploy_service="app", app_drain_seconds=37)
        second = subprocess.run(
            argv, cwd=checkout, env=environment(stack, checkout), capture_output=True, text=True, check=False
        )
        assert second.returncode != 0
        said = re.sub(r"\s+", " ", second.stdout)
        assert f"{stack.id} on " in said
        assert f"(deploy, process {first.pid}), commit " in said
        assert re.search(r"since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC", said)
        assert step(stack) == migration
        for playbook, variables in (("down", {}), ("destroy", {"confirm": stack.id}), ("migrate", {})):
            run = stack.play(playbook, **variables)
            assert run.status != 0, playbook
            assert f"process {first.pid}" in run.text, playbook
            assert run.changed == 0, playbook
        let_end(stack)
        text = first.communicate(timeout=600)[0]
        assert first.returncode == 0, text[-4000:]
        assert end.communicate()[0].strip() == "0"
    assert stack.play("health_check").status == 0
    assert not Path(f"/etc/ledgerflow/{stack.id}.lock").exists()


def test_a_killed_deploys_migration_is_waited_for_and_then_the_next_one_heals(stack: Stack) -> None:
    with migrating(stack, 36) as (first, migration):
        end = ended(stack, migration)
        for pid in [*below(first.pid), first.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        first.communicate()
        assert step(stack) == migration
        later = threading.Timer(40, let_end, (stack,))
        later.start()
        stack.deploy(deploy_service="app")
        later.join()
        assert end.communicate()[0].strip() == "0"
    assert stack.deploy(deploy_service="app").changed == 0


def test_a_failed_migration_names_the_backup_taken_before_it(stack: Stack) -> None:
    before = stack.containers()
    run = stack.play("deploy", deploy_service="app", app_drain_seconds=35, app_tasks=FAILING)
    assert run.status != 0
    name = re.search(r"the backup taken and proven before it: (\S+_db_backup_\d{8}_\d{6}\.sql\.gz)", run.text)
    assert name, run.text[-3000:]
    assert name[1] in stack.docker("exec", f"{stack.id}-vault", "ledgervault", "list")
    assert stack.containers() == before


def broken(stack: Stack) -> dict[str, Any]:
    """The app's web process, which ends as soon as it is started."""
    web = {"networks": ["app", "data", "search"], "memory_mb": 512, "healthcheck": {"test": ["CMD", "false"]}}
    return {"app_web": {**web, "command": ["python", "-c", "raise SystemExit(1)"]}, "service_wait_seconds": 20}


def colours(stack: Stack) -> set[str]:
    return {name for name in stack.containers() if name.startswith("app-web-")}


def test_a_version_that_fails_is_removed_and_disturbs_nothing(stack: Stack) -> None:
    live = colours(stack)
    run = stack.play("deploy", deploy_service="app", **broken(stack))
    assert run.status != 0
    assert "--- its log ends with" in run.text
    assert colours(stack) == live
    assert stack.play("health_check").status == 0
    assert stack.play("deploy", cmdline="--check").changed == 0
    assert stack.deploy().changed == 0


def test_a_failed_version_that_a_killed_run_left_is_reported_and_removed(stack: Stack) -> None:
    (live,) = colours(stack)
    failed = live.replace("blue", "green") if live.endswith("blue") else live.replace("green", "blue")
    compose = stack.config / failed / "compose.yml"
    stack.docker("compose", "-p", f"{stack.id}-{failed}", "-f", str(compose), "up", "-d")
    status = ["ps", "-a", "--filter", f"name={failed}", "--format", "{{.Status}}"]
    stack.wait_for(lambda: stack.docker(*status).startswith("Restarting"))
    verdict = stack.play("health_check")
    assert verdict.status != 0
    assert f"service {failed}: a version that failed is still there" in verdict.text
    stack.deploy()
    assert colours(stack) == {live}
    assert stack.play("health_check").status == 0
    assert stack.deploy().changed == 0


def test_options_given_as_text_have_the_type_of_their_specification(stack: Stack) -> None:
    run = stack.play("deploy", cmdline="-e host_facts_minimum_disk_mb=5000 -e docker_engine_restart_allowed=false")
    assert (run.status, run.changed) == (0, 0), run.text[-3000:]
    assert "99000000 are needed" in stack.play("deploy", cmdline="-e host_facts_minimum_memory_mb=99000000").text
    assert stack.play("deploy", cmdline="-e host_facts_minimum_disk_mb=much").status != 0


@pytest.mark.parametrize("option", ["--tags app", "--skip-tags app", "--start-at-task x"])
def test_a_part_of_a_deploy_is_refused(stack: Stack, option: str) -> None:
    run = stack.play("deploy", cmdline=option)
    assert run.status != 0
    assert run.changed == 0
