"""The whole check: on this repository it holds, on one line that loses data it does not, and it says where."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ledgerflow.checks import compose as compose_checks
from ledgerflow.checks import volumes as check_volumes
from ledgerflow.checks.compose import Finding
from ledgerflow.checks.script_sources import SHELL
from ledgerflow.checks.volumes import Report, check_command, check_scripts, main
from ledgerflow.repository import ROOT
from ledgerflow.stack.topology import read_topology

LOSES = "#!/bin/sh\nset -eu\ndocker compose down -v\n"


@pytest.fixture(autouse=True)
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(check_volumes, "RESULT", tmp_path / "build/results/check-volumes.json")
    return tmp_path / "build/results/check-volumes.json"


def test_this_repository_holds_and_much_was_looked_at(result: Path) -> None:
    assert main([]) == 0
    written = json.loads(result.read_text())
    assert written["verdict"] == "holds"
    assert written["figures"]["files"] > 50
    assert written["figures"]["projects"] > 30


@pytest.mark.parametrize("environment", check_volumes.ENVIRONMENTS)
def test_a_project_that_would_own_a_protected_volume_is_found(environment: str) -> None:
    stack = read_topology(environment, ROOT)
    rules = check_volumes.rules_of([stack])
    text = check_volumes.project_text(next(one for one in stack.services if one.name == "postgres"), stack)
    assert compose_checks.check_text(text, "x", "/", rules) == []
    owned = text.replace("external: true\n    name: ledger", "external: false\n    name: ledger")
    assert owned != text
    assert [one.id for one in compose_checks.check_text(owned, "x", "/", rules)] == ["compose.external"]


def test_a_bind_or_port_of_a_role_reaches_the_check() -> None:
    stack = read_topology("dev", ROOT)
    vault = next(one for one in stack.services if one.name == "vault")
    assert any(bind.endswith(":/stack-state:ro") for bind in vault.binds)
    bad = dataclasses.replace(vault, binds=(*vault.binds, "/srv/ledger/dev/db_data:/x"), ports=("127.0.0.1:5432",))
    found = compose_checks.check_text(check_volumes.project_text(bad, stack), "x", "/", check_volumes.rules_of([stack]))
    assert {one.id for one in found} == {"compose.bind", "compose.port"}


def test_a_finding_names_file_line_what_and_hint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], result: Path
) -> None:
    (tmp_path / "stop.sh").write_text(LOSES)
    (tmp_path / "compose.yml").write_text("volumes:\n  db: {name: ledger_dev_db_data}\n")
    assert main([str(tmp_path / "stop.sh"), str(tmp_path / "compose.yml")]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{tmp_path}/stop.sh:3: `docker compose down --volumes` removes volumes")
    assert lines[1].startswith("HINT: docker compose down, without --volumes")
    assert lines[2].startswith(f"{tmp_path}/compose.yml:2: volume db: ledger_dev_db_data is protected")
    assert lines[-1] == "VERDICT: bad"
    assert json.loads(result.read_text())["figures"]["findings"][0]["line"] == 3


def test_json_is_all_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stop.sh").write_text(LOSES)
    assert main(["--json", str(tmp_path / "stop.sh")]) == 1
    assert json.loads(capsys.readouterr().out)["exit"] == 1


@pytest.mark.parametrize("remark", [
    "docker compose down -v # check-volumes: allow a test's own, until it has its own engine",
    "# check-volumes: allow a test's own\ndocker compose down -v",
])  # fmt: skip
def test_a_remark_with_a_reason_allows_it(remark: str, tmp_path: Path) -> None:
    (tmp_path / "stop.sh").write_text(f"#!/bin/sh\n{remark}\n")
    assert main([str(tmp_path / "stop.sh")]) == 0


@pytest.mark.parametrize("remark", [
    "docker compose down -v # check-volumes: allow", "docker compose down -v # check-volumes: allow ",
    "true # check-volumes: allow this\ndocker compose down -v", "# check-volumes: allow this\n\ndocker compose down -v",
])  # fmt: skip
def test_one_without_a_reason_or_elsewhere_does_not(remark: str, tmp_path: Path) -> None:
    (tmp_path / "stop.sh").write_text(f"#!/bin/sh\n{remark}\n")
    assert main([str(tmp_path / "stop.sh")]) == 1


def test_what_cannot_be_checked_is_inconclusive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("docker compose down -v")
    assert main([str(tmp_path / "notes.txt")]) == 2
    assert main([str(tmp_path / "none.yml")]) == 2
    (tmp_path / "compose.yml").write_text("services: [")
    assert main([str(tmp_path / "compose.yml")]) == 2
    assert "VERDICT: inconclusive" in capsys.readouterr().out
    assert Report().code == 2, "nothing looked at is no pass"
    with pytest.raises(SystemExit) as stop:
        main(["--nonsense"])
    assert stop.value.code == 64


def test_something_bad_beside_something_unknown_is_bad() -> None:
    unknown, bad = Finding("a", "x", 1, "", "", unknown=True), Finding("b", "x", 1, "", "")
    assert (Report(1, 0, [unknown]).code, Report(1, 0, [unknown, bad]).code) == (2, 1)


def test_a_compose_file_is_known_by_its_services_when_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "stack.yml").write_text("services: {db: {image: postgres, ports: ['5432:5432']}}\n")
    assert main([str(tmp_path / "stack.yml")]) == 1


def test_a_template_is_rendered_with_the_values_of_dev(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    template = tmp_path / "compose.yml.j2"
    template.write_text("name: x\nvolumes:\n  db:\n    name: {{ stack_name }}_{{ ledger_env }}_db_data\n")
    assert main([str(template)]) == 1
    assert "(rendered):3: volume db: ledger_dev_db_data is protected" in capsys.readouterr().out
    template.write_text("name: {{ of_a_host }}\n")
    assert main([str(template)]) == 2


def test_a_file_of_settings_beside_a_compose_file_counts(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text("services: {web: {image: web, volumes: ['$ROOT/x:/x']}}\n")
    assert main([str(tmp_path / "compose.yml")]) == 2
    (tmp_path / "compose.yml").write_text("services: {web: {image: web, volumes: ['${PWD}/x:/x']}}\n")
    assert main([str(tmp_path / "compose.yml")]) == 0
    (tmp_path / "compose.yml").write_text("services: {web: {image: web, volumes: ['$ROOT/x:/x']}}\n")
    (tmp_path / ".env").write_text("ROOT=/srv\n")
    assert main([str(tmp_path / "compose.yml")]) == 0
    (tmp_path / ".env").write_text("ROOT=/srv/ledger\n")
    (tmp_path / "compose.yml").write_text("services: {web: {image: web, volumes: ['$ROOT:/x']}}\n")
    assert main([str(tmp_path / "compose.yml")]) == 1


@pytest.mark.parametrize("words", [
    "docker compose -f x down -t 0 -v", "docker-compose down --volumes", "/usr/bin/docker volume rm x",
    "docker volume prune",
    "docker volume prune -af", "docker system prune -af", "docker system prune --volumes", "ledger_docker volume rm x",
    "docker volume prune --filter label!=other", "docker compose up -y",
])  # fmt: skip
def test_a_command_that_removes_volumes_is_found(words: str) -> None:
    assert [one.line for one in check_command(words.split(), 7, "x")] == [7]


@pytest.mark.parametrize("words", [
    "docker compose down", "docker volume ls", "docker volume prune -af --filter label!=com.ledgerflow.protect",
    "docker system prune -f --volumes --filter label!=com.ledgerflow.protect", "docker image prune -af",
    "docker rm -fv x",
    "docker volume prune --filter label=com.example.test", "echo docker volume rm x",
    "docker exec x docker volume rm y",
    "docker compose down -v --dry-run",
])  # fmt: skip
def test_its_twin_is_let_alone(words: str) -> None:
    assert check_command(words.split(), 7, "x") == []


def test_one_command_on_one_line_is_told_once() -> None:
    assert len(check_scripts(SHELL, "for x in 1; do docker volume rm a || sudo docker volume rm a; done", "x")) == 1
