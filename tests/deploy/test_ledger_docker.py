"""`ledger_docker` on a deployed stack: its volumes are refused, and our own work is never in its way."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_docker.arguments import read_command
from ledger_docker.inspection import Inspector
from ledger_docker.judgement import ALLOW, judge
from tools.kit.stacks import REPOSITORY, Stack

ENTRY = "import sys; from ledger_docker.cli import main; sys.exit(main())"


def ledger_docker(
    stack: Stack, folder: Path, *arguments: str, environment: str = "prod"
) -> subprocess.CompletedProcess[str]:
    """The wrapper in a shell of production, without a terminal: what it asks about it would refuse."""
    own = {"PYTHONPATH": str(REPOSITORY / "src"), "LEDGER_DOCKER_LOG": str(folder / "log"), "LEDGER_ENV": environment}
    return subprocess.run(
        [sys.executable, "-c", ENTRY, *arguments], env={**os.environ, **own, "DOCKER_HOST": f"unix://{stack.socket}"},
        capture_output=True, text=True, timeout=180, start_new_session=True,
    )  # fmt: skip


def test_a_protected_volume_is_refused_with_its_environment_and_directory(stack: Stack, tmp_path: Path) -> None:
    volume = f"{stack.name}_ci_db_data"
    done = ledger_docker(stack, tmp_path, "volume", "rm", "-f", volume, environment="ci")
    assert done.returncode == 77
    assert f"{volume} (environment ci, data in {stack.data}/db_data)" in done.stderr
    assert stack.docker("volume", "inspect", "-f", "{{.Name}}", volume) == volume


@pytest.mark.parametrize("command", [
    ["vault", "ledgervault", "backup", "--prove"], ["vault", "ledgervault", "list"],
    ["postgres", "pg_isready", "-h", "127.0.0.1"], ["postgres", "psql", "-XAtc", "SELECT 'docker compose down -v'"],
])  # fmt: skip
def test_our_own_backup_and_questions_go_through_in_production_unasked(
    stack: Stack, command: list[str], tmp_path: Path
) -> None:
    done = ledger_docker(stack, tmp_path, "exec", f"{stack.id}-{command[0]}", *command[1:])
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "log").exists()


def test_every_project_of_the_stack_may_be_taken_down_with_volumes_as_it_owns_none(stack: Stack) -> None:
    docker = shutil.which("docker")
    assert docker is not None
    files = sorted(stack.config.glob("*/compose.yml"))
    assert files != []
    for file in files:
        command = read_command(["-H", f"unix://{stack.socket}", "compose", "-f", str(file), "down", "-v"])
        assert command is not None
        seen = Inspector(docker, {}).look(command)
        assert (seen.failed, judge(command, seen, "ci").what) == ("", ALLOW), file
        assert seen.environments == {"ci"}
