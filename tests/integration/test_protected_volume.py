"""The role protected_volume on the machine's engine: real directories and volumes, names and places of its own."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ansible_runner
import docker
import pytest
from docker.models.volumes import Volume

ROOT = Path(__file__).resolve().parents[2]
SERVICE = 5432
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Preflight
      ansible.builtin.include_role: {name: protected_volume, tasks_from: preflight}
    - name: Converge
      ansible.builtin.include_role: {name: protected_volume}
      when: not preflight_only | default(false)
"""


class Stack:
    """One stack of its own, on the machine's engine."""

    def __init__(self, base: Path) -> None:
        self.name = f"t{secrets.token_hex(3)}"
        self.base = base
        self.engine = docker.from_env()
        self.volume_name = f"{self.name}_ci_db_data"
        self.path = base / "srv" / self.name / "ci/db_data"
        self.record = base / "etc/state/volumes/db_data.json"
        (base / "runner").mkdir(parents=True)
        (base / "play.yml").write_text(PLAY)
        self.settings: dict[str, Any] = {
            "protected_volume_stack": self.name,
            "protected_volume_environment": "ci",
            "protected_volume_root": str(base / "srv"),
            "protected_volume_state_dir": str(base / "etc/state"),
            "protected_volume_items": [{"name": "db_data", "service": "postgres", "uid": SERVICE, "gid": SERVICE}],
            "protected_volume_scratch_items": [{"name": "scratch"}],
        }

    def run(self, arguments: str = "", **changes: Any) -> tuple[str, str, dict[str, int]]:
        """(status, output, {changed, failures}) of one converge."""
        done = ansible_runner.run(
            private_data_dir=str(self.base / "runner"),
            playbook=str(self.base / "play.yml"),
            inventory="localhost ansible_connection=local ansible_python_interpreter={{ansible_playbook_python}}",
            envvars={"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_CACHE_PLUGIN": "memory"},
            extravars={**self.settings, **changes},
            cmdline=arguments or None,
            quiet=True,
        )
        changed = (done.stats or {}).get("changed", {}).get("localhost", 0)
        with done.stdout as output:
            return done.status, output.read(), {"changed": changed}

    def converged(self, **changes: Any) -> int:
        status, output, figures = self.run(**changes)
        assert status == "successful", output
        return figures["changed"]

    def refused(self, **changes: Any) -> str:
        status, output, figures = self.run(**changes)
        assert (status, figures["changed"]) == ("failed", 0), output
        assert "HINT: " in output
        return output

    def volume(self, what: str = "db_data") -> Volume:
        return self.engine.volumes.get(f"{self.name}_ci_{what}")

    def names(self) -> set[str]:
        return {volume.name for volume in self.engine.volumes.list() if volume.name.startswith(f"{self.name}_")}

    def remove(self) -> None:
        for name in self.names():
            self.engine.volumes.get(name).remove()
        self.engine.close()


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    made = Stack(tmp_path)
    yield made
    made.remove()


def test_it_makes_labelled_bind_backed_volumes_and_a_second_run_changes_nothing(stack: Stack) -> None:
    assert stack.converged() == 2
    attributes = stack.volume().attrs
    assert attributes["Labels"] == {
        "com.ledgerflow.protect": "true",
        "com.ledgerflow.stack": stack.name,
        "com.ledgerflow.environment": "ci",
        "com.ledgerflow.service": "postgres",
    }
    assert attributes["Options"] == {"type": "none", "o": "bind", "device": str(stack.path)}
    assert stack.volume("scratch").attrs["Labels"]["com.ledgerflow.scratch"] == "true"
    assert not stack.volume("scratch").attrs["Options"]
    assert (stack.path / ".ledgerflow.json").read_bytes() == stack.record.read_bytes()
    assert (stack.path / "data").stat().st_uid == SERVICE
    assert stack.converged() == 0
    status, output, figures = stack.run("--check --diff")
    assert (status, figures["changed"]) == ("successful", 0), output


def test_check_mode_before_the_first_converge_changes_nothing(stack: Stack) -> None:
    status, output, figures = stack.run("--check --diff")
    assert (status, figures["changed"]) == ("successful", 2), output
    assert stack.names() == set()
    assert not stack.path.exists()


def test_removing_the_volume_keeps_the_data_and_the_next_run_brings_the_volume_back(stack: Stack) -> None:
    stack.converged()
    (stack.path / "data/row").write_text("kept")
    stack.engine.api.remove_volume(stack.volume_name, force=True)
    assert (stack.path / "data/row").read_text() == "kept"
    assert stack.converged() == 1
    assert stack.volume().attrs["Options"]["device"] == str(stack.path)
    assert (stack.path / "data/row").read_text() == "kept"


def test_it_refuses_a_volume_without_the_protecting_label_and_names_the_way_out(stack: Stack) -> None:
    stack.converged()
    stack.volume().remove()
    options = {"type": "none", "o": "bind", "device": str(stack.path)}
    stack.engine.volumes.create(stack.volume_name, driver_opts=options, labels={"com.ledgerflow.stack": stack.name})
    output = stack.refused()
    assert "label com.ledgerflow.protect is missing" in output
    assert f"docker volume rm {stack.volume_name} removes only the engine's record" in output
    stack.volume().remove()
    assert stack.converged() == 1


def test_it_refuses_a_volume_whose_data_is_inside_the_engine_and_advises_against_removing_it(stack: Stack) -> None:
    stack.engine.volumes.create(stack.volume_name)
    output = stack.refused()
    assert "option device is missing" in output
    assert f"make adopt FROM=volume:{stack.volume_name}" in output
    assert not stack.path.exists()


def test_it_refuses_a_volume_bound_to_another_directory(stack: Stack, tmp_path: Path) -> None:
    stack.engine.volumes.create(stack.volume_name, driver_opts={"type": "none", "o": "bind", "device": str(tmp_path)})
    assert f"option device is '{tmp_path}', declared '{stack.path}'" in stack.refused()


def test_it_refuses_an_empty_directory_in_the_place_of_a_recorded_one(stack: Stack) -> None:
    stack.converged()
    record = stack.record.read_bytes()
    shutil.move(stack.path, stack.base / "disk")
    stack.path.mkdir()
    assert "is a disk not mounted?" in stack.refused()
    assert list(stack.path.iterdir()) == []
    stack.path.rmdir()
    shutil.move(stack.base / "disk", stack.path)
    assert stack.converged() == 0
    assert stack.record.read_bytes() == record


def test_the_preflight_alone_refuses_and_changes_nothing(stack: Stack) -> None:
    stack.path.mkdir(parents=True)
    (stack.path / "somebodys").touch()
    assert "foreign data" in stack.refused(preflight_only=True)
    (stack.path / "somebodys").unlink()
    assert stack.converged(preflight_only=True) == 0
    assert stack.names() == set()


@pytest.fixture
def plain(stack: Stack) -> Stack:
    """A stack whose data the engine keeps."""
    images = stack.engine.api.images(filters={"reference": "ledgerflow/base"})  # one call: others may go meanwhile
    assert images, "no base image on this engine; run `make test ONLY=images` first"
    stack.settings |= {"protected_volume_bind_backed": False, "protected_volume_image": images[0]["RepoTags"][0]}
    return stack


def inside(stack: Stack, script: str) -> str:
    """What a script says in the volume."""
    image, mounts = stack.settings["protected_volume_image"], {stack.volume_name: {"bind": "/v", "mode": "rw"}}
    options = {"volumes": mounts, "working_dir": "/v", "network_mode": "none", "remove": True}
    said = stack.engine.containers.run(image, ["sh", "-euc", script], **options)
    assert isinstance(said, bytes)
    return said.decode()


def test_without_bind_backing_plain_volumes_have_the_same_labels_and_their_sentinel_inside(plain: Stack) -> None:
    assert plain.converged() == 2
    assert plain.volume().attrs["Labels"]["com.ledgerflow.protect"] == "true"
    assert not plain.volume().attrs["Options"]
    assert not plain.path.exists()
    assert inside(plain, "cat .ledgerflow.json").encode() == plain.record.read_bytes()
    assert inside(plain, "stat -c '%u %g %a' . data").split() == ["0", "0", "755", str(SERVICE), str(SERVICE), "700"]
    assert plain.converged() == 0


def test_check_mode_before_a_plain_volume_is_made_changes_nothing(plain: Stack) -> None:
    status, output, figures = plain.run("--check --diff")
    assert (status, figures["changed"], plain.names()) == ("successful", 2, set()), output
    assert not plain.record.parent.exists()


def test_a_plain_volume_that_was_removed_is_not_made_anew_and_one_made_anew_is_not_used(plain: Stack) -> None:
    plain.converged()
    labels = plain.volume().attrs["Labels"]
    plain.volume().remove()
    assert "the engine does not have it, but its record says" in plain.refused()
    assert plain.volume_name not in plain.names()
    plain.engine.volumes.create(plain.volume_name, labels=labels)
    assert "it is empty, but its record says" in plain.refused()
    assert inside(plain, "ls -A") == ""


def test_foreign_data_in_a_plain_volume_is_refused_and_stays(plain: Stack) -> None:
    plain.converged()
    plain.record.unlink()
    inside(plain, "rm .ledgerflow.json; touch data/row")
    assert "foreign data" in plain.refused()
    assert inside(plain, "ls -A . data").split() == [".:", "data", "data:", "row"]


def test_a_name_declared_twice_is_refused(stack: Stack) -> None:
    twice = [{"name": "db_data"}]
    assert "'db_data' is declared twice" in stack.refused(protected_volume_scratch_items=twice)


def test_two_stacks_side_by_side_do_not_meet(stack: Stack, tmp_path: Path) -> None:
    stack.converged()
    other = Stack(tmp_path / "other")
    try:
        assert other.converged(protected_volume_root=str(tmp_path / "srv")) == 2
        first, second = json.loads(stack.record.read_text()), json.loads(other.record.read_text())
        assert first["uuid"] != second["uuid"]
        assert stack.converged() == 0
    finally:
        other.remove()
