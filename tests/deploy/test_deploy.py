"""What a deploy promises: it ends well, changes nothing the second time, and work on one service touches no other."""

from __future__ import annotations

import json
import urllib.request
from contextlib import closing

import pytest

from tools.kit.stacks import Stack, deployment


def test_every_service_is_healthy_and_the_summary_says_how_to_get_in(stack: Stack) -> None:
    run = stack.play("status")
    assert run.status == 0
    assert f"http://localhost:{stack.settings['APP_PORT']}" in run.text
    assert f"{stack.config}/secrets/app_admin_password" in run.text
    assert "last proven backup: ledgerflow_db_backup_" in run.text  # the first deploy took it
    assert stack.play("health_check").status == 0
    with urllib.request.urlopen(stack.url(path="/readyz"), timeout=10) as answer:
        assert json.load(answer)["status"] == "ok"


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    before = stack.containers()
    run = stack.deploy()
    assert run.changed == 0, run.tasks_changed
    assert stack.containers() == before


@pytest.mark.soak
def test_a_second_run_without_fingerprints_changes_nothing_either(stack: Stack) -> None:
    before = stack.containers()
    run = stack.deploy(service_fingerprints_enabled=False)
    assert run.changed == 0, run.tasks_changed
    assert stack.containers() == before


def test_check_mode_on_a_deployed_stack_reports_no_change(stack: Stack) -> None:
    run = stack.play("deploy", cmdline="--check --diff", service_fingerprints_enabled=False)
    assert run.status == 0, run.text[-4000:]
    assert run.changed == 0, run.tasks_changed


def test_deploying_changing_and_removing_searxng_touches_no_other_container(stack: Stack) -> None:
    """The task of 2025-04-22, replayed."""
    others = {name: seen for name, seen in stack.containers().items() if name != "searxng"}
    searxng, rows = stack.containers()["searxng"], stack.rows()

    stack.deploy(deploy_service="searxng", searxng_instance_name="Another name")
    assert stack.containers()["searxng"] != searxng, "the change did not reach the container"
    assert {name: seen for name, seen in stack.containers().items() if name != "searxng"} == others

    assert stack.play("down", deploy_service="searxng").status == 0
    assert stack.containers() == others

    stack.deploy(deploy_service="searxng")
    assert "searxng" in stack.containers()
    assert {name: seen for name, seen in stack.containers().items() if name != "searxng"} == others
    assert stack.rows() == rows != []


def test_a_container_that_a_killed_run_left_half_exchanged_is_no_hindrance(stack: Stack) -> None:
    """compose removes it and wants its name at the same time; this one takes two seconds to go: it would lose."""
    with closing(stack.client()) as client:
        old = client.containers.get(f"{stack.id}-searxng")
        left = f"{old.id[:12]}_{old.name}"
        labels = {name: value for name, value in old.labels.items() if name.startswith("com.docker.compose.")}
        labels["com.docker.compose.config-hash"] = "another"
        given = [f"--label={name}={value}" for name, value in labels.items()]
        stack.docker("run", "--detach", f"--name={left}", "--stop-timeout=2", "--network=none", *given,
                     "--entrypoint=sleep", old.image.id, "600")  # fmt: skip
        try:
            old.stop()
            stack.deploy(deploy_service="searxng", searxng_instance_name="A third name")
            assert client.containers.get(old.name).id != old.id
            assert left not in [each.name for each in client.containers.list(all=True, ignore_removed=True)]
        finally:
            stack.docker("rm", "--force", left, check=False)


def test_an_unknown_service_is_refused_by_name(stack: Stack) -> None:
    run = stack.play("deploy", deploy_service="mysql")
    assert run.status != 0
    assert "SERVICE: mysql is not one of postgres" in run.text
    assert "HINT: make deploy SERVICE=" in run.text


def test_the_deployment_is_told_to_others(stack: Stack) -> None:
    told = deployment(stack)
    assert told["environment"] == "ci"
    running = {name: stack.docker("inspect", "-f", "{{.Image}}", f"{stack.id}-{name}") for name in stack.containers()}
    assert {name: item["image_id"] for name, item in told["services"].items()} == running


def test_the_worker_really_runs_a_task(stack: Stack) -> None:
    live = next(name for name in stack.containers() if name.startswith("app-web-"))
    code = "from ledger.tasks import heartbeat; heartbeat.delay()"
    before = int(stack.sql("SELECT COALESCE(sum(beats), 0) FROM ledger_workerheartbeat"))
    stack.docker("exec", f"{stack.id}-{live}", "python", "manage.py", "shell", "-v0", "-c", code)
    stack.wait_for(lambda: int(stack.sql("SELECT COALESCE(sum(beats), 0) FROM ledger_workerheartbeat")) > before)


def test_a_changed_app_goes_to_the_other_colour_without_a_failed_request(stack: Stack) -> None:
    live = {name for name in stack.containers() if name.startswith("app-web-")}
    others = {name: seen for name, seen in stack.containers().items() if not name.startswith("app-")}
    with stack.requests() as seen:
        stack.deploy(deploy_service="app", app_drain_seconds=39)
    after = {name for name in stack.containers() if name.startswith("app-web-")}
    assert len(after) == 1
    assert after != live
    assert {name: seen for name, seen in stack.containers().items() if not name.startswith("app-")} == others
    assert seen.total > 20
    assert seen.failed == []
    stack.deploy(deploy_service="app")
