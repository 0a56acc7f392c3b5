"""The list of linters: each is really run, and one that is missing is not fine."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tools import lint
from tools.lint import Outcome, Step


def test_a_clean_step_is_fine_and_a_finding_is_shown() -> None:
    good = lint.run(Step("good", (sys.executable, "-c", "print('all well')")))
    bad = lint.run(Step("bad", (sys.executable, "-c", "print('file:1: wrong'); raise SystemExit(1)")))
    told = lint.report([good, bad])
    assert (good.code, bad.code) == (0, 1)
    assert "file:1: wrong" in told
    assert "all well" not in told


def test_a_linter_that_is_missing_could_not_check() -> None:
    outcome = lint.run(Step("none", ("/no/such/linter",)))
    assert (outcome.code, "could not check" in outcome.output) == (2, True)


def test_it_ends_badly_when_one_step_does(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    step = Step("any", ("any",))
    for code in (0, 1, 2):
        monkeypatch.setattr(lint, "steps", lambda: (step,))
        monkeypatch.setattr(lint, "run", lambda step, code=code: Outcome(step, code, "", 0.0))
        assert lint.main("") == min(code, 1)
    assert lint.main("nonsense") == 64
    assert "HINT: one of: any" in capsys.readouterr().err


@pytest.mark.parametrize(("first", "shell"), [
    ("#!/usr/bin/env bash", True), ("#!/bin/sh", True), ("#!/bin/sh -eu", True), ("#!/usr/bin/python3", False),
    ("sh", False), ("", False),
])  # fmt: skip
def test_a_shell_script_is_known_by_its_first_line(first: str, shell: bool, tmp_path: Path) -> None:
    (tmp_path / "x").write_text(first + "\n")
    assert lint.is_shell(tmp_path / "x") is shell


def test_every_script_and_workflow_of_the_repository_is_looked_at() -> None:
    assert {"scripts/bootstrap", "scripts/play", ".ci/run", "tests/workflows/actionlint"} <= set(lint.shell_scripts())
    assert ".github/workflows/ci.yml" in next(step.argv for step in lint.steps() if step.name == "zizmor")
