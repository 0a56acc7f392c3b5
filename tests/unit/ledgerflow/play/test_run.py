"""What the one door to ansible-playbook leaves on disk and says: settings, lock, verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledgerflow.play import rights
from ledgerflow.play import run as play
from ledgerflow.play.request import Refusal, Request


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(play, "ROOT", tmp_path)
    (tmp_path / "build").mkdir()
    (tmp_path / ".env.example").write_text("LEDGER_ENV=dev\nAPP_PORT=9001\n")
    return tmp_path


def test_the_first_deploy_writes_the_settings_for_its_owner_only(root: Path) -> None:
    play.write_settings(Request("deploy", env="ci"))
    assert (root / ".env.ci").read_text().startswith("LEDGER_ENV=ci\n")
    assert (root / ".env.ci").stat().st_mode & 0o777 == 0o600


def test_settings_that_are_there_are_never_touched(root: Path) -> None:
    (root / ".env.dev").write_text("LEDGER_ENV=dev\nAPP_PORT=1\n")
    play.write_settings(Request("deploy"))
    assert "APP_PORT=1" in (root / ".env.dev").read_text()


@pytest.mark.parametrize("request_", [Request("status"), Request("deploy", settings="other")])
def test_only_a_deploy_with_the_usual_settings_writes_them(root: Path, request_: Request) -> None:
    play.write_settings(request_)
    assert not (root / ".env.dev").exists()


def test_a_half_written_file_of_a_killed_run_is_replaced(root: Path) -> None:
    (root / ".env.dev.new").write_text("LEDGER")
    play.write_settings(Request("deploy"))
    assert (root / ".env.dev").read_text() == "LEDGER_ENV=dev\nAPP_PORT=9001\n"


def test_a_second_run_on_the_same_stack_is_refused_by_the_holders_name_and_another_stack_is_not(root: Path) -> None:
    held = play.lock(Request("deploy"))
    with pytest.raises(Refusal) as caught:
        play.lock(Request("backup"))
    assert f"deploy (process {os.getpid()})" in caught.value.what
    os.close(play.lock(Request("deploy", stack="t1")))
    os.close(held)
    os.close(play.lock(Request("backup")))


def test_what_the_playbook_left_to_say_comes_last(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request("deploy")
    log, results = play.prepare(request)
    (results / "deploy-dev.txt").write_text("http://127.0.0.1:9001\n")
    assert play.finish(request, 0, log, results) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "http://127.0.0.1:9001"


def test_a_failed_run_names_its_log(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request("deploy")
    log, results = play.prepare(request)
    assert play.finish(request, 2, log, results) == 2
    assert "build/logs/deploy-dev.log" in capsys.readouterr().err


def test_an_old_verdict_does_not_count_and_a_good_one_does_not_hide_a_failure(root: Path) -> None:
    request = Request("prove", judge=True)
    log, results = play.prepare(request)
    (results / "prove.json").write_text('{"verdict": "proven"}')
    assert play.finish(request, 0, log, results) == 0
    assert play.finish(request, 4, log, results) == 4
    log, results = play.prepare(request)
    assert play.finish(request, 0, log, results) == 2


def test_without_agreement_nothing_starts_and_a_yes_is_kept(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The edge that cannot be had: a terminal with a person.
    monkeypatch.setattr(play, "collect_facts", lambda _request, consent: rights.Facts(
        uid=1000, sudo=True, sudo_free=True, terminal=True, agreed=consent.exists()))  # fmt: skip
    monkeypatch.setattr("builtins.input", lambda _prompt: "n")
    with pytest.raises(Refusal, match="not agreed"):
        play.settle_rights(Request("deploy"))
    monkeypatch.setattr("builtins.input", lambda _prompt: "y")
    assert play.settle_rights(Request("deploy")).become
    monkeypatch.delattr("builtins.input")
    assert play.settle_rights(Request("deploy")).become


def test_results_are_named_after_the_target() -> None:
    assert Request("restore_smoke").target == "restore-smoke"


def test_in_a_workflow_the_playbooks_page_joins_the_runs_page(tmp_path: Path) -> None:
    page, summary = tmp_path / "restore_smoke.md", tmp_path / "summary"
    play.show_in_workflow(page, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert not summary.exists()
    page.write_text("| proven |\n")
    play.show_in_workflow(page, {})
    play.show_in_workflow(page, {"GITHUB_STEP_SUMMARY": str(summary)})
    assert summary.read_text() == "| proven |\n\n"
