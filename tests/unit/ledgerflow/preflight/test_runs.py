"""A run that would leave out a part of its playbook, or deploy to several hosts, does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ledgerflow.preflight import runs

ROOT = Path(__file__).resolve().parents[4]
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
# They change a host, or an engine, and no stack.
OF_ANY_HOSTS = {"engine", "images", "protect", "test_images", "unprotect"}
WHOLE: dict[str, Any] = {"tags": ("all",), "skip_tags": (), "start_at_task": None}


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("tags", ("app",), "--tags app"),
        ("tags", ("app", "db"), "--tags app,db"),
        ("tags", ("all", "never"), "--tags all,never"),
        ("skip_tags", ("slow",), "--skip-tags slow"),
        ("start_at_task", "Ask", "--start-at-task Ask"),
    ],
)
def test_an_option_that_leaves_out_tasks_is_named(option: str, value: Any, said: str) -> None:
    assert runs.partial_options({**WHOLE, option: value}) == [said]


@pytest.mark.parametrize("listing", ["", "listtags", "listtasks", "listhosts", "syntax"])
def test_a_whole_run_and_a_listing_leave_out_nothing(listing: str) -> None:
    options = {**WHOLE, "tags": ["never", "all"], listing: True} if listing else WHOLE
    assert runs.partial_options(options) == []


@pytest.mark.parametrize("names", [[], ["a", "b"]])
def test_an_inventory_of_no_host_or_several_is_refused(names: list[str]) -> None:
    with pytest.raises(Exception, match=f"the inventory has {len(names)} hosts"):
        runs.single_host(names)


def test_an_inventory_of_one_host_is_fine() -> None:
    assert runs.single_host(["a"]) == "all"


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_every_playbook_asks_before_its_first_play(playbook: Path) -> None:
    asked = yaml.safe_load(playbook.read_text())[0]["hosts"]
    assert "| whole_run" in asked
    assert ("single_host" in asked) == (playbook.stem not in OF_ANY_HOSTS)


def play(tmp_path: Path, *arguments: str, hosts: int = 1) -> subprocess.CompletedProcess[str]:
    """A playbook of the repository's form, by ansible-playbook itself."""
    names = [f"host{number} ansible_connection=local" for number in range(hosts)]
    (tmp_path / "inventory").write_text("[all]\n" + "\n".join(names) + "\n")
    first = yaml.safe_load((ROOT / "playbooks/deploy.yml").read_text())[0]["hosts"]
    tasks = [{"name": "Work", "ansible.builtin.debug": {"msg": "worked"}, "tags": ["app"]}]
    book = tmp_path / "play.yml"
    book.write_text(yaml.safe_dump([{"hosts": first, "gather_facts": False, "tasks": tasks}]))
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", "inventory", "play.yml", *arguments]
    (tmp_path / "ansible.cfg").write_text(f"[defaults]\nfilter_plugins={ROOT}/filter_plugins\n")
    return subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["--tags", "app"], ["--skip-tags", "app"], ["--start-at-task", "Work"]])
def test_ansible_does_not_start_a_part_of_a_playbook(tmp_path: Path, arguments: list[str]) -> None:
    done = play(tmp_path, *arguments)
    assert done.returncode != 0
    assert f"play.yml: run with {' '.join(arguments)}" in done.stderr
    assert "HINT: run the whole playbook" in done.stderr
    assert "worked" not in done.stdout


@pytest.mark.parametrize(("hosts", "arguments"), [(0, []), (2, []), (2, ["--limit", "host0"])])
def test_ansible_starts_on_one_host_only(tmp_path: Path, hosts: int, arguments: list[str]) -> None:
    done = play(tmp_path, *arguments, hosts=hosts)
    assert done.returncode != 0
    assert f"the inventory has {hosts} hosts" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--list-tasks"]])
def test_a_whole_playbook_starts(tmp_path: Path, arguments: list[str]) -> None:
    done = play(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
