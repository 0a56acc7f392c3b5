"""Options given as text get the type of their specification, for each option of each role."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from playbooks.callback_plugins import option_types
from tools import role_docs

ROOT = Path(__file__).resolve().parents[3]
INVENTORY = yaml.safe_load((ROOT / "inventory/argument_specs.yml").read_text())["argument_specs"]
OPTIONS: dict[str, Any] = {
    name: rule
    for spec in [*(role_docs.load_spec(path) for path in sorted((ROOT / "roles").iterdir())), INVENTORY]
    for name, rule in role_docs.options_of(spec).items()
}
TYPED = {name: rule for name, rule in OPTIONS.items() if rule["type"] not in ("str", "path")}
# Type → what a person types, and its value. A type that is missing here fails the tests.
TEXTS: dict[str, list[tuple[str, Any]]] = {
    "bool": [("false", False), ("no", False), ("0", False), ("true", True), ("yes", True), ("True", True)],
    "int": [("5000", 5000), ("0", 0), (" 7 ", 7)],
    "list of str": [("a,b", ["a", "b"]), ('["a", "b"]', ["a", "b"]), ("[a]", ["a"]), ("", [])],
    "list of path": [("/a,/b", ["/a", "/b"])],
    "list of int": [("1,2", [1, 2]), ("[1, 2]", [1, 2]), ('["1"]', [1])],
    "list of dict": [('[{"a": 1}]', [{"a": 1}]), ("[]", [])],
    "dict": [('{"a": "b"}', {"a": "b"}), ("a=b", {"a": "b"}), ("{}", {}), ("", {})],
}
WRONG = {"bool": "maybe", "int": "many", "list of int": "1,x", "list of dict": "a", "dict": "a"}


def kind(rule: dict[str, Any]) -> str:
    return f"{rule['type']} of {rule['elements']}" if rule["type"] == "list" else str(rule["type"])


@pytest.mark.parametrize("name", TYPED)
def test_text_becomes_the_type_of_the_option(name: str) -> None:
    for text, value in TEXTS[kind(TYPED[name])]:
        converted, refused = option_types.conversions({name: text})
        assert (converted, refused) == ({name: value}, [])
        assert type(converted[name]) is type(value)


@pytest.mark.parametrize("name", [name for name in TYPED if kind(TYPED[name]) in WRONG])
def test_text_that_is_not_of_the_type_is_refused_by_name(name: str) -> None:
    text = WRONG[kind(TYPED[name])]
    assert option_types.conversions({name: text}) == ({}, [f"{name}: {text!r} is not of type {TYPED[name]['type']}"])


@pytest.mark.parametrize("name", [name for name in OPTIONS if name not in TYPED])
def test_text_of_a_text_option_stays_as_it_is(name: str) -> None:
    assert option_types.conversions({name: "5000"}) == ({}, [])


def test_values_that_have_their_type_templates_and_other_peoples_variables_stay() -> None:
    given = {"host_facts_minimum_disk_mb": 5, "postgres_memory_mb": "{{ 5 }}", "somebody_elses": "false", "app": "1"}
    assert option_types.conversions(given) == ({}, [])


def test_every_typed_variable_of_the_inventory_has_a_specification() -> None:
    files = [path for path in (ROOT / "inventory").rglob("*.yml") if path.parent.name in ("common", "all")]
    given = {name: value for path in files for name, value in (yaml.safe_load(path.read_text()) or {}).items()}
    typed = [name for name, value in given.items() if isinstance(value, bool | int | dict | list)]
    own = [name for name in typed if name not in OPTIONS and not name.startswith(("smoke_", "restore_smoke_"))]
    assert own == []
    assert len(typed) > 10


def play(tmp_path: Path, *arguments: str, inventory: str = "", **files: str) -> subprocess.CompletedProcess[str]:
    """A run that prints the type of each typed option that is set."""
    (tmp_path / "hosts").write_text(f"here ansible_connection=local {inventory}\n")
    for path, text in files.items():
        (tmp_path / path).mkdir()
        (tmp_path / path / f"{'here' if path == 'host_vars' else 'all'}.yml").write_text(text)
    names = ", ".join(f"'{name}'" for name in TYPED)
    message = "{% for name in [" + names + "] if name in vars %}{{ name }}={{ vars[name] | type_debug }} {% endfor %}"
    tasks = [{"ansible.builtin.debug": {"msg": message}}]
    (tmp_path / "play.yml").write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\ncallback_plugins={ROOT}/playbooks/callback_plugins\n")
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "hosts", "play.yml", *arguments]
    return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)


def test_on_the_command_line_every_option_arrives_with_its_type(tmp_path: Path) -> None:
    texts = {name: TEXTS[kind(rule)][0][0] for name, rule in TYPED.items()}
    done = play(tmp_path, "-e", json.dumps(texts))
    assert done.returncode == 0, done.stderr
    wrong = [name for name, rule in TYPED.items() if f"{name}={rule['type']} " not in done.stdout.replace("\n", " ")]
    assert wrong == []


def test_the_plain_form_of_the_command_line_is_converted_too(tmp_path: Path) -> None:
    arguments = ["-e", "docker_engine_restart_allowed=false", "-e", "host_facts_minimum_disk_mb=5000"]
    done = play(tmp_path, *arguments)
    assert "docker_engine_restart_allowed=bool" in done.stdout
    assert "host_facts_minimum_disk_mb=int" in done.stdout


def test_text_of_the_inventory_and_of_group_vars_is_converted(tmp_path: Path) -> None:
    done = play(tmp_path, inventory="adminer_enabled=no", group_vars="docker_engine_restart_allowed: 'false'\n")
    assert "adminer_enabled=bool" in done.stdout
    assert "docker_engine_restart_allowed=bool" in done.stdout


def test_text_of_host_vars_is_refused_as_nothing_outranks_it(tmp_path: Path) -> None:
    done = play(tmp_path, host_vars="docker_engine_restart_allowed: 'false'\n")
    assert done.returncode != 0
    assert "docker_engine_restart_allowed: text in host_vars" in done.stderr


def test_what_cannot_be_converted_ends_the_run_before_its_first_task(tmp_path: Path) -> None:
    done = play(tmp_path, "-e", "host_facts_minimum_disk_mb=much")
    assert done.returncode != 0
    assert "host_facts_minimum_disk_mb: 'much' is not of type int" in done.stderr
    assert "TASK" not in done.stdout
