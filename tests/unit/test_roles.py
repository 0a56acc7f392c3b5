"""Every role keeps its contract: the specification, the defaults, the README and the size of its task files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import role_docs

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
ROUTES = {f"ansible.builtin.{verb}_{what}" for verb in ("include", "import") for what in ("tasks", "role")}
# What a preflight may do: look and refuse.
LOOKS = ROUTES | {
    "ansible.builtin.assert",
    "ansible.builtin.debug",
    "ansible.builtin.fail",
    "ansible.builtin.set_fact",
    "ansible.builtin.setup",
    "ansible.builtin.slurp",
    "ansible.builtin.stat",
    "community.docker.docker_host_info",
    "community.docker.docker_network_info",
    "community.docker.docker_volume_info",
    "guard_state",
    "host_probe",
}
# Words that may stand beside a module in a task.
KEYWORDS = {
    "always", "any_errors_fatal", "args", "async", "become", "become_user", "block", "changed_when", "check_mode",
    "delay", "delegate_facts", "delegate_to", "diff", "environment", "failed_when", "ignore_errors", "listen", "loop",
    "loop_control", "module_defaults", "name", "no_log", "notify", "poll", "register", "rescue", "retries", "run_once",
    "tags", "throttle", "timeout", "until", "vars", "when",
}  # fmt: skip

Task = dict[str, Any]


def flat(tasks: list[Task] | None) -> Iterator[Task]:
    """Every task, those in blocks too."""
    for task in tasks or []:
        yield task
        for part in ("block", "rescue", "always"):
            yield from flat(task.get(part))


def modules(tasks: list[Task]) -> list[str]:
    """The module of each task; a block has none."""
    return [name for task in flat(tasks) for name in task if name not in KEYWORDS]


def load(path: Path) -> Any:
    """A YAML file, or None where there is none."""
    return yaml.safe_load(path.read_text()) if path.is_file() else None


@pytest.fixture(params=ROLES, ids=lambda role: role.name)
def role(request: pytest.FixtureRequest) -> Path:
    path = request.param
    assert isinstance(path, Path)
    return path


def test_the_specification_names_and_values_are_the_defaults(role: Path) -> None:
    options = role_docs.options_of(role_docs.load_spec(role))
    specified = {name: rule["default"] for name, rule in options.items() if "default" in rule}
    assert specified == (load(role / "defaults/main.yml") or {})


def test_what_has_no_default_is_required_and_stands_as_a_remark_in_the_defaults(role: Path) -> None:
    options = role_docs.options_of(role_docs.load_spec(role))
    without = [name for name, rule in options.items() if "default" not in rule]
    assert [name for name in without if not options[name].get("required")] == []
    defaults = role / "defaults/main.yml"
    remarks = [line for line in defaults.read_text().splitlines() if line.startswith("# ")] if defaults.exists() else []
    assert [name for name in without if not any(line.startswith(f"# {name}:") for line in remarks)] == []


def test_every_variable_is_named_after_the_role_and_explained(role: Path) -> None:
    options = role_docs.options_of(role_docs.load_spec(role))
    assert [name for name in options if not name.startswith(f"{role.name}_")] == []
    assert [name for name, rule in options.items() if not rule.get("description") or not rule.get("type")] == []


def test_the_table_in_the_readme_is_fresh(role: Path) -> None:
    assert role_docs.fault(role, write=False) is None


def test_the_readme_is_short(role: Path) -> None:
    text = (role / "README.md").read_text()
    outside = text.split(role_docs.START)[0] + text.split(role_docs.END)[-1]
    assert len(outside.splitlines()) <= 80


def test_main_only_routes(role: Path) -> None:
    used = modules(load(role / "tasks/main.yml") or [])
    assert set(used) <= ROUTES
    assert len(used) <= 6


def test_task_files_are_small(role: Path) -> None:
    files = [path for folder in ("tasks", "handlers") for path in (role / folder).rglob("*.yml")]
    sizes = {path.name: (len(modules(load(path) or [])), len(path.read_text().splitlines())) for path in files}
    assert {name: size for name, size in sizes.items() if size[0] > 12 or size[1] > 100} == {}


def test_the_preflight_only_looks(role: Path) -> None:
    preflight = role / "tasks/preflight.yml"
    if role.name in ("service", "deploy_lock"):
        assert not preflight.exists()  # a part of other roles, which have their own; what comes before all of them
    else:
        assert set(modules(load(preflight))) <= LOOKS


def test_there_are_roles_to_look_at() -> None:
    assert ROLES != []
