"""Workflows are thin, pinned and of least rights, and their linters are not blind."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$")
GOOD = """
name: good
on: push
permissions: {contents: read}
jobs:
  one:
    name: one
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - name: Lint
        run: make lint
"""
LINTERS = {
    "actionlint": (str(ROOT / "tests/workflows/actionlint"),),
    "schema": (str(ROOT / ".venv/bin/check-jsonschema"), "--builtin-schema", "vendor.github-workflows"),
    "zizmor": (str(ROOT / ".venv/bin/zizmor"), "--offline", "--quiet", "--no-progress"),
}
FAULTS = {
    "actionlint": ("run: make lint", "run: make ${{ github.nonsense }}"),
    "schema": ("runs-on: ubuntu-24.04", "runs_on: ubuntu-24.04"),
    "zizmor": ("run: make lint", "run: echo ${{ github.event.head_commit.message }}"),
}


def jobs(workflow: Path) -> dict[str, Any]:
    value = yaml.safe_load(workflow.read_text())["jobs"]
    assert isinstance(value, dict)
    return value


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(workflow).values() for step in job["steps"]]


def lint(linter: str, text: str, folder: Path) -> int:
    file = folder / ".github/workflows/one.yml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return subprocess.run([*LINTERS[linter], str(file)], cwd=ROOT, capture_output=True, timeout=120).returncode


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_step_calls_a_make_target_that_exists(workflow: Path) -> None:
    runs = [step["run"] for step in steps(workflow) if "run" in step]
    assert runs != []
    for run in runs:
        words = run.split()
        assert words[0] == "make", run
        dry = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_action_is_pinned_by_its_commit_with_the_version_beside(workflow: Path) -> None:
    uses = [line.strip().removeprefix("- ") for line in workflow.read_text().splitlines() if "uses:" in line]
    assert uses != []
    assert [line for line in uses if not PINNED.fullmatch(line)] == []


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_every_job_has_a_time_limit_and_no_more_rights_than_reading(workflow: Path) -> None:
    top = yaml.safe_load(workflow.read_text())
    assert top["permissions"] == {"contents": "read"}
    assert "concurrency" in top or all("concurrency" in job for job in jobs(workflow).values())
    assert [name for name, job in jobs(workflow).items() if "timeout-minutes" not in job] == []
    checkouts = [step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_passes_a_good_workflow(linter: str, tmp_path: Path) -> None:
    assert lint(linter, GOOD, tmp_path) == 0


@pytest.mark.parametrize("linter", LINTERS)
def test_the_linter_finds_what_it_is_there_for(linter: str, tmp_path: Path) -> None:
    assert GOOD.count(FAULTS[linter][0]) == 1
    assert lint(linter, GOOD.replace(*FAULTS[linter]), tmp_path) != 0
