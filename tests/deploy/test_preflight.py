"""The owner's checklists on a deployed stack: they hold, change nothing, and see what was made wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tools.kit.stacks import Run, Stack


def checked(stack: Stack, operation: str, folder: Path) -> tuple[Run, dict[str, Any], str]:
    """(the run, its verdict file, the text for people) of one checklist."""
    told = {"play_verdict_file": str(folder / "preflight.json"), "play_summary_file": str(folder / "preflight.txt")}
    run = stack.play("preflight", preflight_operation=operation, **told)
    return run, json.loads((folder / "preflight.json").read_text()), (folder / "preflight.txt").read_text()


def bad_lines(written: dict[str, Any]) -> list[dict[str, str]]:
    return [line for line in written["figures"]["lines"] if line["verdict"] == "bad"]


@contextmanager
def changed_file(path: Path, old: str, new: str) -> Iterator[None]:
    """A file with one text replaced, put back afterwards."""
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    try:
        yield
    finally:
        path.write_text(before)


@pytest.mark.parametrize("operation", ["volume", "database", "deploy"])
def test_on_a_good_stack_every_checklist_holds_and_changes_nothing(
    stack: Stack, operation: str, tmp_path: Path
) -> None:
    before = stack.containers()
    run, written, text = checked(stack, operation, tmp_path)
    assert (run.status, run.changed) == (0, 0), run.text[-3000:]
    assert (written["verdict"], written["exit"], written["figures"]["operation"]) == ("holds", 0, operation)
    assert "VERDICT: holds" in run.text
    assert stack.id in text
    assert len(text.splitlines()) > 6
    assert stack.containers() == before


def test_a_container_of_others_that_holds_a_protected_volume_is_named(stack: Stack, tmp_path: Path) -> None:
    image = stack.docker("inspect", "-f", "{{.Config.Image}}", f"{stack.id}-redis-cache")
    stranger, volume = f"{stack.name}-stranger", f"{stack.name}_ci_db_data"
    stack.docker("create", "--name", stranger, "-v", f"{volume}:/x:ro", "--network", "none", image)
    try:
        run, written, _text = checked(stack, "volume", tmp_path)
    finally:
        stack.docker("rm", "-f", stranger)
    assert run.status != 0
    (line,) = bad_lines(written)
    assert (line["id"], stranger in line["what"], volume in line["what"]) == ("mounts", True, True)
    assert written["exit"] == 1


def test_a_rendered_compose_file_that_would_own_the_volume_is_told_with_its_line(stack: Stack, tmp_path: Path) -> None:
    file = stack.config / "postgres/compose.yml"
    with changed_file(
        file, "external: true\n    name: " + f"{stack.name}_ci_db_data", f"name: {stack.name}_ci_db_data"
    ):
        run, written, _text = checked(stack, "volume", tmp_path)
    assert run.status != 0
    (line,) = bad_lines(written)
    assert line["what"].startswith(f"{file}:")
    assert f"{stack.name}_ci_db_data is protected" in line["what"]


def test_a_shell_of_another_environment_stops_the_checklist_and_down_before_anything_is_removed(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stack.containers()
    monkeypatch.setenv("LEDGER_ENV", "prod")
    run, written, _text = checked(stack, "deploy", tmp_path)
    assert run.status != 0
    assert [line["id"] for line in bad_lines(written)] == ["environment"]
    down = stack.play("down", deploy_service="searxng")
    assert down.status != 0
    assert "LEDGER_ENV is prod, the inventory is for ci" in " ".join(down.text.split())
    assert stack.containers() == before


def test_a_vault_that_does_not_answer_is_inconclusive(stack: Stack, tmp_path: Path) -> None:
    stack.docker("pause", f"{stack.id}-vault")
    try:
        run, written, text = checked(stack, "database", tmp_path)
    finally:
        stack.docker("unpause", f"{stack.id}-vault")
    assert run.status != 0
    assert (written["verdict"], written["exit"]) == ("inconclusive", 2)
    assert "paused" in text


def test_a_migration_goes_through_the_checklist_of_the_database(stack: Stack, tmp_path: Path) -> None:
    run = stack.play("migrate", play_verdict_file=str(tmp_path / "migrate.json"))
    assert run.status == 0, run.text[-3000:]
    assert "backup proven" in run.text
    assert run.text.index("backup proven") < run.text.index("Run the migrations")
    assert json.loads((tmp_path / "migrate.json").read_text())["verdict"] == "holds"
