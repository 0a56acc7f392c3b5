"""`make nuke` and `make uninstall` on a dev stack: refused without a change, or done with nothing lost.

A file of its own because it needs a stack of environment dev, which it takes apart.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.terminal import answered
from tools.kit.stacks import REPOSITORY, Stack

ROW = "the row that must survive"
QUESTION = "Type DESTROY to go on"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed dev stack with a row; without a guard, for it stands on the machine's engine."""
    stack = Stack(tmp_path_factory.mktemp("nuke"), environment="dev", variables={"volume_guard_mode": "off"})
    try:
        stack.deploy()
        stack.add_row(ROW)
        yield stack
    finally:
        if stack.containers() or stack.data.exists():
            code, shown = nuke(stack, "DESTROY")
            assert code == 0, shown[-3000:]


def environment(stack: Stack) -> dict[str, str]:
    given = {"ENV": stack.environment, "STACK": stack.name, "SETTINGS": str(stack.settings_file), "YES": "1"}
    return {**os.environ, **given, "ANSIBLE_NOCOLOR": "1"}


def nuke(stack: Stack, word: str) -> tuple[int, str]:
    """(exit code, what was shown) of `make nuke` at a terminal, where `word` is typed when it asks."""
    return answered(["scripts/play", "nuke"], REPOSITORY, environment(stack), QUESTION, word)


def all_is_there(stack: Stack, before: dict[str, tuple[str, str]]) -> None:
    assert stack.containers() == before
    assert stack.rows() == [ROW]


@pytest.mark.parametrize("word", ["destroy", "yes", ""])
def test_another_word_removes_nothing(dev: Stack, word: str) -> None:
    before = dev.containers()
    code, shown = nuke(dev, word)
    assert code != 0
    assert "wanted DESTROY; nothing was removed" in shown, shown[-2000:]
    all_is_there(dev, before)


def test_without_a_terminal_nothing_is_removed(dev: Stack) -> None:
    before = dev.containers()
    done = subprocess.run(
        ["scripts/play", "nuke"], cwd=REPOSITORY, env=environment(dev), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "wanted DESTROY; nothing was removed" in done.stdout + done.stderr
    all_is_there(dev, before)


def test_without_a_proven_backup_nothing_is_removed(dev: Stack) -> None:
    dev.docker("stop", f"{dev.id}-vault")
    try:
        before = dev.containers()
        code, shown = nuke(dev, "DESTROY")
        assert code != 0
        assert "no proven backup of what is there, so nothing was removed" in shown, shown[-2000:]
        all_is_there(dev, before)
    finally:
        dev.docker("start", f"{dev.id}-vault")
        dev.wait_until_healthy("vault")


@pytest.mark.parametrize("environment_name", ["ci", "prod.example"])
def test_another_environment_is_refused_before_anything_is_looked_at(tmp_path: Path, environment_name: str) -> None:
    stack = Stack(tmp_path, environment=environment_name)
    stack.settings["LEDGER_ENV"] = environment_name.removesuffix(".example")
    run = stack.play("nuke")
    assert run.status != 0
    assert "only dev stacks are removed with their data" in run.text, run.text[-2000:]


def test_uninstall_keeps_the_data_and_a_deploy_takes_it_up_again(dev: Stack) -> None:
    run = dev.play("uninstall")
    assert run.status == 0, run.text[-3000:]
    assert dev.containers() == {}
    assert not dev.docker("network", "ls", "--quiet", "--filter", f"name={dev.id}-")
    assert f"{dev.name}_dev_db_data" in dev.docker("volume", "ls", "--quiet")
    assert str(dev.data / "db_data") in run.text
    dev.deploy()
    assert dev.rows() == [ROW]


def test_the_word_removes_all_and_the_next_deploy_offers_the_kept_backup(dev: Stack, tmp_path: Path) -> None:
    code, shown = nuke(dev, "DESTROY")
    assert code == 0, shown[-3000:]
    assert dev.containers() == {}
    assert dev.name not in dev.docker("volume", "ls", "--quiet") + dev.docker("network", "ls", "--format", "{{.Name}}")
    assert not dev.data.exists()
    assert not dev.config.exists()
    kept = dev.data.with_name("dev-removed")
    assert kept.stat().st_mode & 0o777 == 0o700
    (backup,) = kept.glob("*.sql.gz")
    assert str(backup) in shown
    summary = tmp_path / "summary.txt"
    dev.deploy(play_summary_file=str(summary))
    offered = summary.read_text()
    assert dev.rows() == []
    commands = re.findall(r"^ *(install -.*|docker exec .*)$", offered, re.MULTILINE)
    assert len(commands) == 3, offered
    for command in commands:
        subprocess.run(["bash", "-c", command], check=True, timeout=300, capture_output=True)
    assert dev.sql("SELECT description FROM ledger_transaction", database="before") == ROW
