"""What docker tells is read as it is meant; what cannot be read is never nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledger_docker.arguments import read_command
from ledger_docker.inspection import (
    Inspector,
    container_facts,
    prune_filters,
    read_declarations,
    read_project,
    volume_of,
)
from ledger_docker.judgement import Inspection


def test_a_projects_own_volumes_are_those_that_are_not_external() -> None:
    told = {
        "name": "shop",
        "services": {"db": {"labels": {"com.ledgerflow.environment": "prod"}}, "web": {}},
        "volumes": {"a": {"name": "ledger_dev_a"}, "b": {"name": "kept", "external": True}, "c": None},
    }
    project = read_project(json.dumps(told))
    assert (project.name, project.volumes) == ("shop", ("ledger_dev_a", "shop_c"))
    assert project.environments == {"prod"}


def test_containers_and_volumes_are_read_as_the_engine_writes_them() -> None:
    mounts = [{"Type": "volume", "Name": "a"}, {"Type": "bind", "Source": "/x"}]
    assert container_facts({"Config": {"Labels": {"k": "v"}}, "Mounts": mounts}) == {
        "labels": {"k": "v"},
        "volumes": ["a"],
    }
    volume = volume_of({"Name": "a", "Labels": None, "Options": {"device": "/srv/a", "o": "bind"}})
    assert (volume.name, volume.device, volume.protected) == ("a", "/srv/a", False)


def test_filters_of_dockers_own_configuration_count(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"pruneFilters": ["label!=kept"]}')
    command = read_command(["--config", str(tmp_path), "volume", "prune", "--filter", "label!=mine"])
    assert command is not None
    assert prune_filters(command) == ("label!=mine", "label!=kept")


@pytest.mark.parametrize("volumes", [{"db": {"environment": "prod"}}, [{"name": "db", "environment": "prod"}]])
def test_declarations_are_read(volumes: object, tmp_path: Path) -> None:
    (tmp_path / "volumes.json").write_text(json.dumps({"schema": 1, "volumes": volumes}))
    assert read_declarations(tmp_path / "volumes.json") == {"db": "prod"}


def test_declarations_that_may_not_be_read_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Is a directory"):
        read_declarations(tmp_path)


def test_no_declarations_are_none_and_broken_ones_are_told(tmp_path: Path) -> None:
    file = tmp_path / "volumes.json"
    assert read_declarations(file) == {}
    for text in ("{", "[]", '{"volumes": 1}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"volumes\.json"):
            read_declarations(file)


# --- a look, with a small program in docker's place that answers as docker does --------------------------------------

ANSWERS = {
    "version": "1.45",
    "volume ls": "kept labelled",
    "volume inspect": '[{"Name": "kept", "Labels": {"com.ledgerflow.protect": "true"}}, {"Name": "labelled"}]',
    "config --format json": '{"name": "shop", "volumes": {"own": {"name": "kept"}}}',
    "ps -aq": "one",
    "container inspect": '[{"Config": {"Labels": {"com.ledgerflow.environment": "prod"}}, "Mounts": '
    '[{"Type": "volume", "Name": "kept"}]}]',
}


def docker(folder: Path, **changes: str) -> str:
    """A docker that prints ANSWERS, changed by name with underscores; an answer that begins with ! is an error."""
    answers = {**ANSWERS, **{name.replace("_", " "): text for name, text in changes.items()}}
    cases = []
    for words, text in answers.items():
        (folder / words.replace(" ", "-")).write_text(text.removeprefix("!"))
        told = f"cat '{folder}/{words.replace(' ', '-')}'"
        cases.append(f'*"{words}"*) ' + (f"{told} >&2; exit 1" if text.startswith("!") else told) + " ;;")
    program = folder / "docker"
    program.write_text('#!/bin/sh\necho "$*" >>"$0.calls"\ncase "$*" in\n' + "\n".join(cases) + "\nesac\n")
    program.chmod(0o755)
    return str(program)


def look(folder: Path, line: str, declared: dict[str, str] | None = None, **changes: str) -> Inspection:
    command = read_command(line.split())
    assert command is not None
    return Inspector(docker(folder, **changes), declared or {}).look(command)


def test_a_prune_looks_at_every_protected_volume_and_the_api(tmp_path: Path) -> None:
    seen = look(tmp_path, "volume prune -a --filter label=x", {"declared": "prod"})
    assert [volume.name for volume in seen.volumes] == ["kept", "labelled"]
    assert (seen.api, seen.filters, seen.failed) == ((1, 45), ("label=x",), "")
    assert "volume inspect declared kept labelled" in (tmp_path / "docker.calls").read_text()
    assert look(tmp_path, "volume prune", version="!no").api == ()


def test_down_looks_at_the_projects_volumes_with_the_same_options(tmp_path: Path) -> None:
    seen = look(tmp_path, "-H unix:///s compose -f a.yml down -v")
    assert [volume.name for volume in seen.volumes] == ["kept", "labelled"]
    assert seen.environments == {"prod"}
    assert "--host=unix:///s compose --file=a.yml --profile=* config" in (tmp_path / "docker.calls").read_text()


NO_FILE = {"config_--format_json": "!no configuration file provided: not found"}


def test_a_project_without_a_file_is_known_by_its_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    assert look(tmp_path, "compose down -v", **NO_FILE) == Inspection()  # compose says so itself
    for line in ("compose -p shop down -v", "compose down -v"):
        assert [volume.name for volume in look(tmp_path, line, **NO_FILE).volumes] == ["kept", "labelled"]
        assert "label=com.docker.compose.project=shop" in (tmp_path / "docker.calls").read_text()
        monkeypatch.setenv("COMPOSE_PROJECT_NAME", "shop")


@pytest.mark.parametrize(("line", "changes", "why"), [
    ("compose down -v", {"config_--format_json": "!x\nservices.web is wrong"}, "services.web is wrong"),
    ("compose down -v", {"config_--format_json": "text"}, "not JSON"),
    ("compose down -v", {"ps_-aq": "!Cannot connect"}, "Cannot connect"),
    ("volume prune", {"volume_ls": "!Cannot connect"}, "Cannot connect"),
    ("volume rm kept", {"volume_inspect": "!Cannot connect"}, "Cannot connect"),
    ("volume rm kept", {"volume_inspect": "!"}, "no answer"),
])  # fmt: skip
def test_a_look_that_fails_says_why(tmp_path: Path, line: str, changes: dict[str, str], why: str) -> None:
    seen = look(tmp_path, line, **changes)
    assert why in seen.failed
    assert seen.volumes == ()


def test_a_docker_that_cannot_be_run_says_why(tmp_path: Path) -> None:
    command = read_command(["volume", "rm", "x"])
    assert command is not None
    assert "No such file" in Inspector(str(tmp_path / "none"), {}).look(command).failed


def test_a_volume_that_is_not_there_is_dockers_to_complain_about(tmp_path: Path) -> None:
    seen = look(tmp_path, "volume rm gone", volume_inspect="!Error: get gone: no such volume")
    assert (seen.failed, seen.volumes) == ("", ())


@pytest.mark.parametrize("line", ["rm -v web", "compose rm -fsv", "compose up -V"])
def test_what_goes_with_its_container_is_looked_at_through_the_container(tmp_path: Path, line: str) -> None:
    assert "kept" in [volume.name for volume in look(tmp_path, line).volumes]


def test_declared_volumes_count_where_the_engine_is_silent(tmp_path: Path) -> None:
    seen = look(tmp_path, "volume rm kept other", {"kept": "prod"}, volume_inspect="!Cannot connect")
    assert [(volume.name, volume.declared) for volume in seen.volumes] == [("kept", True)]
    assert seen.failed


def test_a_command_without_containers_or_volumes_looks_at_nothing(tmp_path: Path) -> None:
    assert look(tmp_path, "swarm leave") == Inspection()
    assert not (tmp_path / "docker.calls").exists()
