"""A stack whose backups stopped turns red everywhere, and the deploy that repairs it is not kept out."""

from __future__ import annotations

import json
from pathlib import Path

from tools.kit.stacks import Stack

RED_SECONDS = 180  # three health checks in a row, on a machine with other work


def vault(stack: Stack, *arguments: str, check: bool = True) -> str:
    return stack.docker("exec", f"{stack.id}-vault", *arguments, check=check)


def health(stack: Stack) -> str:
    return stack.docker("inspect", "--format", "{{.State.Health.Status}}", f"{stack.id}-vault").strip()


def test_backups_that_stopped_are_red_and_the_deploy_that_repairs_them_goes_through(
    stack: Stack, tmp_path: Path
) -> None:
    verdict = tmp_path / "health_check.json"
    stack.docker("stop", f"{stack.id}-postgres")
    vault(stack, "ledgervault", "backup", check=False)
    vault(stack, "touch", "--date", "5 hours ago", "/scratch/started")  # the hour of patience is over
    vault(stack, "ledgervault", "state")
    stack.wait_for(lambda: health(stack) == "unhealthy", RED_SECONDS)

    before = stack.containers()["vault"]
    run = stack.play("health_check", play_verdict_file=str(verdict))
    assert run.status != 0
    told = json.loads(verdict.read_text())
    findings = {finding["where"]: finding["what"] for finding in told["figures"]["unwell"]}
    assert told["verdict"] == "bad"
    assert "last failure" in findings["backups"]
    assert "backup FAILED" in findings["backups"]
    assert "unhealthy" in findings["service vault"]
    assert "NOT WELL: last failure" in stack.play("status").text

    stack.deploy()
    assert health(stack) == "unhealthy", "no backup was taken yet: a deploy makes nothing green"
    assert stack.containers()["vault"] == before, "the same vault goes on"

    assert stack.play("backup").status == 0
    stack.wait_for(lambda: health(stack) == "healthy", RED_SECONDS)
    run = stack.play("health_check", play_verdict_file=str(verdict))
    assert run.status == 0, run.text[-3000:]
