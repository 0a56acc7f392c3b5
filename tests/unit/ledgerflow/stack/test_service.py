"""A description becomes a project safe unasked, starts on its own volumes only, and is left alone if it stands."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filter_plugins.stack import FilterModule
from ledgerflow.stack.service import (
    DescriptionError,
    compose_project,
    digest,
    service_changed,
    service_fingerprints,
    service_inputs,
    service_is_current,
    service_start_script,
    tree_content_digest,
)

STACK = {
    "id": "ledger-dev",
    "name": "ledger",
    "environment": "dev",
    "config_root": "/etc/ledgerflow/ledger-dev",
    "volume_prefix": "ledger_dev",
}
Change = Callable[[dict[str, Any]], object]


def description(**changes: Any) -> dict[str, Any]:
    """The least that a service has to say about itself."""
    least = {
        "name": "cache",
        "image": "ledgerflow/redis:1",
        "uid": 6379,
        "networks": ["data"],
        "memory_mb": 128,
        "healthcheck": {"test": ["CMD", "true"]},
    }
    return {**least, **changes}


def service(**changes: Any) -> dict[str, Any]:
    """The one service of the project that a description becomes."""
    made = compose_project(description(**changes), STACK)["services"]["cache"]
    assert isinstance(made, dict)
    return made


# --- what a service is without being asked ---


def test_the_least_description_gives_a_service_that_can_do_no_harm() -> None:
    made = service()
    assert made["user"] == "6379:6379"
    assert made["read_only"] is True
    assert made["cap_drop"] == ["ALL"]
    assert "cap_add" not in made
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["mem_limit"] == made["memswap_limit"] == "128m"
    assert made["pids_limit"] > 0
    assert made["stop_grace_period"] == "30s"
    assert made["pull_policy"] == "never"
    assert "ports" not in made
    assert made["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}


def test_nothing_of_it_is_writable_or_secret_but_its_own_places() -> None:
    made = service()
    assert made["volumes"] == [
        "/etc/ledgerflow/ledger-dev/cache/config:/config:ro",
        "/etc/ledgerflow/ledger-dev/cache/secrets:/run/secrets:ro",
    ]
    assert [mount.split(":")[0] for mount in made["tmpfs"]] == ["/tmp"]


def test_a_service_returns_by_itself_and_a_one_off_step_does_not() -> None:
    lasting, step = service(), service(oneoff=True)
    assert (lasting["restart"], step["restart"]) == ("always", "no")
    assert lasting["healthcheck"]["test"] == ["CMD", "true"]
    assert step["healthcheck"] == {"disable": True}


def test_a_health_check_has_limits_that_a_description_may_change() -> None:
    assert service()["healthcheck"]["timeout"] == "5s"
    assert service(healthcheck={"test": ["CMD", "true"], "timeout": "9s"})["healthcheck"]["timeout"] == "9s"


@pytest.mark.parametrize(("version", "often"), [
    ("26.1.5+dfsg1", True), ("25.0.0", True), ("29.3.1", True), ("24.0.9", False), ("20.10.24+dfsg1", False),
    ("", False), ("dev", False),
])  # fmt: skip
def test_a_starting_service_is_asked_often_where_the_engine_can(version: str, often: bool) -> None:
    made = compose_project(description(), {**STACK, "engine_version": version})["services"]["cache"]["healthcheck"]
    assert ("start_interval" in made) == often
    assert "start_interval" not in service()["healthcheck"]


@pytest.mark.parametrize("changes", [
    {"uid": 0}, {"uid": "0"}, {"privileged": True}, {"network_mode": "host"}, {"user": "root"}, {"env_file": ".env"},
    {"protected": {"db_data": "/data"}}, {"protected": {"db_data": "/data"}, "entrypoint": [], "command": []},
])  # fmt: skip
def test_a_description_that_asks_for_too_much_is_refused_by_the_service_s_name(changes: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError, match=r"^service cache: "):
        compose_project(description(**changes), STACK)


@pytest.mark.parametrize("changes", [
    {"uid": 1}, {"uid": "6379"}, {"ports": ["127.0.0.1:1:1"]},
    {"protected": {"db_data": "/data"}, "command": ["redis-server"]},
    {"protected": {"db_data": "/data"}, "entrypoint": ["redis-server"]},
])  # fmt: skip
def test_its_harmless_twin_is_taken(changes: dict[str, Any]) -> None:
    assert compose_project(description(**changes), STACK)["name"] == "ledger-dev-cache"


@pytest.mark.parametrize("key", ["name", "image", "uid", "networks", "memory_mb", "healthcheck"])
def test_what_has_no_safe_default_must_be_said(key: str) -> None:
    short = description()
    del short[key]
    with pytest.raises(DescriptionError, match=f"{key} missing"):
        compose_project(short, STACK)


def test_a_one_off_step_needs_no_health_check() -> None:
    step = description(oneoff=True)
    del step["healthcheck"]
    assert compose_project(step, STACK)["services"]["cache"]["restart"] == "no"


def test_every_unknown_key_is_named() -> None:
    with pytest.raises(DescriptionError, match="unknown keys devices, privileged"):
        compose_project(description(privileged=True, devices=[]), STACK)


# --- names, networks, volumes ---


def test_names_and_labels_are_the_stack_s() -> None:
    project = compose_project(description(), STACK)
    made = project["services"]["cache"]
    assert project["name"] == made["container_name"] == made["hostname"] == "ledger-dev-cache"
    assert made["labels"]["com.ledgerflow.stack"] == "ledger"
    assert made["labels"]["com.ledgerflow.environment"] == "dev"
    assert made["labels"]["com.ledgerflow.service"] == "cache"


def test_networks_and_volumes_are_external_so_that_no_down_owns_them() -> None:
    project = compose_project(
        description(networks=["data", "app"], mounts={"scratch": "/s"}, protected={"d": "/d"}, command=["x"]), STACK
    )
    assert project["networks"] == {
        "data": {"external": True, "name": "ledger-dev-data"},
        "app": {"external": True, "name": "ledger-dev-app"},
    }
    assert project["volumes"] == {
        "d": {"external": True, "name": "ledger_dev_d"},
        "scratch": {"external": True, "name": "ledger_dev_scratch"},
    }
    assert project["services"]["cache"]["volumes"][2:] == ["d:/d", "scratch:/s"]


def test_a_service_without_networks_gets_none_and_not_a_new_one() -> None:
    made = service(networks=[])
    assert (made["network_mode"], "networks" in made) == ("none", False)
    assert "network_mode" not in service(networks=["data"])


def test_a_protected_volume_puts_the_check_before_the_program() -> None:
    made = service(protected={"db_data": "/data"}, entrypoint=["redis-server"], command=["/config/redis.conf"])
    assert made["entrypoint"] == ["/bin/sh", "/config/start", "redis-server"]
    assert made["command"] == ["/config/redis.conf"]
    assert service(entrypoint=["redis-server"])["entrypoint"] == ["redis-server"]


def test_gates_are_seen_read_only_and_only_by_those_who_ask() -> None:
    gates = "/etc/ledgerflow/ledger-dev/state/gates:/gates:ro"
    assert gates in service(gates=True)["volumes"]
    assert gates not in service()["volumes"]


def test_what_a_description_adds_is_added() -> None:
    made = service(
        shm_mb=64, stop_signal="SIGINT", grace_seconds=120, tmpfs=["/run/x"], working_dir="/w", read_only=False,
        environment={"A": 1, "B": True}, ports=["127.0.0.1:1:1"], volumes=["/a:/a:ro"], cap_add=["NET_BIND_SERVICE"],
    )  # fmt: skip
    assert (made["shm_size"], made["stop_signal"], made["stop_grace_period"]) == ("64m", "SIGINT", "120s")
    assert (made["tmpfs"][1], made["working_dir"], made["read_only"]) == ("/run/x", "/w", False)
    assert made["environment"] == {"A": "1", "B": "True"}
    assert (made["ports"], made["volumes"][-1]) == (["127.0.0.1:1:1"], "/a:/a:ro")
    assert (made["cap_drop"], made["cap_add"]) == (["ALL"], ["NET_BIND_SERVICE"])


# --- content that compose would not notice ---


@pytest.mark.parametrize("changes", [
    {"files": {"a.conf": "2"}}, {"files": {"b.conf": "1"}},
    {"files": {"a.conf": "1"}, "protected": {"d": "/d"}, "command": ["x"]},
])  # fmt: skip
def test_changed_files_or_volumes_make_another_container(changes: dict[str, Any]) -> None:
    label = "com.ledgerflow.content"
    before = compose_project(description(files={"a.conf": "1"}), STACK)["services"]["cache"]["labels"][label]
    after = compose_project(description(**changes), STACK)["services"]["cache"]["labels"][label]
    assert before != after


@given(st.permutations(["b.conf", "a.conf", "c.conf"]))
def test_the_order_of_a_description_makes_no_other_container(names: list[str]) -> None:
    files = dict.fromkeys(names, "x")
    assert compose_project(description(files=files), STACK) == compose_project(
        description(files=dict(sorted(files.items()))), STACK
    )
    assert digest({"a": 1, "b": files}) == digest({"b": files, "a": 1})


# --- the digest of sources ---


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("roles/a/tasks/main.yml", "roles/a/__pycache__/x.pyc", "plugin.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


SOURCE_CHANGES: dict[str, Change] = {
    "content": lambda tree: (tree["root"] / "roles/a/tasks/main.yml").write_text("x"),
    "a new file": lambda tree: (tree["root"] / "roles/a/new").write_text(""),
    "a new name": lambda tree: (tree["root"] / "roles/a/tasks/main.yml").rename(tree["root"] / "roles/a/tasks/b.yml"),
    "a file gone": lambda tree: (tree["root"] / "roles/a/tasks/main.yml").unlink(),
    "a single file": lambda tree: (tree["root"] / "plugin.py").write_text("x"),
}


@pytest.mark.parametrize("change", SOURCE_CHANGES)
def test_sources_that_differ_have_another_digest(tree: Path, change: str) -> None:
    before = tree_content_digest(["roles/a", "plugin.py"], str(tree))
    SOURCE_CHANGES[change]({"root": tree})
    assert tree_content_digest(["roles/a", "plugin.py"], str(tree)) != before


def test_byte_code_and_the_place_of_the_checkout_make_no_difference(tree: Path) -> None:
    before = tree_content_digest(["roles/a", "plugin.py"], str(tree))
    (tree / "roles/a/__pycache__/x.pyc").write_text("y")
    moved = tree.rename(tree.parent / f"{tree.name}-moved")
    assert tree_content_digest(["roles/a", "plugin.py"], str(moved)) == before


def test_sources_that_are_not_there_have_no_digest(tree: Path) -> None:
    with pytest.raises(DescriptionError, match="roles/b: not there"):
        tree_content_digest(["roles/a", "roles/b"], str(tree))


# --- whether it stands ---

SOURCES = "digest of the role"


def standing() -> dict[str, Any]:
    """Facts of a host on which the service was deployed and nothing has happened since."""
    container = {"id": "c1", "image_id": "sha256:i", "state": "running", "health": "healthy"}
    facts = {"files": {"cache": "f1"}, "containers": {"ledger-dev-cache": container}, "fingerprints": {}, "secrets": []}
    deployed = {"cache": service_inputs(description(), SOURCES)}
    return {**facts, "fingerprints": service_fingerprints(deployed, facts, STACK)}


def test_a_service_nothing_has_happened_to_stands() -> None:
    assert service_is_current(description(), standing(), STACK, SOURCES)
    assert not service_changed(description(), standing(), SOURCES)


HAPPENINGS: dict[str, Change] = {
    "a file was edited": lambda facts: facts["files"].update(cache="f2"),
    "its files are gone": lambda facts: facts["files"].clear(),
    "another container has its name": lambda facts: facts["containers"]["ledger-dev-cache"].update(id="c2"),
    "another image runs": lambda facts: facts["containers"]["ledger-dev-cache"].update(image_id="sha256:j"),
    "it stopped": lambda facts: facts["containers"]["ledger-dev-cache"].update(state="exited"),
    "it is ill": lambda facts: facts["containers"]["ledger-dev-cache"].update(health="unhealthy"),
    "it is starting": lambda facts: facts["containers"]["ledger-dev-cache"].update(health="starting"),
    "its container is gone": lambda facts: facts["containers"].clear(),
    "the record is gone": lambda facts: facts["fingerprints"].clear(),
}


@pytest.mark.parametrize("happening", HAPPENINGS)
def test_a_service_something_has_happened_to_does_not_stand_and_is_not_another_one(happening: str) -> None:
    facts = standing()
    HAPPENINGS[happening](facts)
    assert not service_is_current(description(), facts, STACK, SOURCES)
    assert service_changed(description(), facts, SOURCES) == (happening == "the record is gone")


@pytest.mark.parametrize("held", [{"protected": {"redis_data": "/data"}, "command": ["redis-server"]}, {}])
def test_where_a_guard_is_a_service_stands_only_if_it_is_declared(held: dict[str, Any]) -> None:
    made, facts = description(**held), standing()
    facts["fingerprints"]["cache"]["inputs"] = service_inputs(made, SOURCES)
    assert service_is_current(made, facts, STACK, SOURCES)
    for declared in ([], ["queue"], ["cache", "queue"]):
        facts["declarations"] = declared
        assert service_is_current(made, facts, {**STACK, "guarded": True}, SOURCES) is ("cache" in declared)
    assert not service_changed(made, facts, SOURCES)


def test_a_service_whose_secret_is_gone_from_the_store_is_made_anew_and_one_that_uses_others_stands() -> None:
    secrets = {"url": "redis://:{url:queue}@host/{secret:name}", "acl": "#{sha256:queue}", "none": "{secret:}"}
    facts = standing()
    made = description(secrets=secrets)
    facts["fingerprints"]["cache"]["inputs"] = service_inputs(made, SOURCES)
    for there, stands in ([], False), (["queue"], False), (["name", "queue"], True), (["name", "queue", "x"], True):
        facts["secrets"] = there
        assert service_is_current(made, facts, STACK, SOURCES) is stands
        assert service_changed(made, facts, SOURCES) is not stands


@pytest.mark.parametrize(("changes", "sources"), [
    ({"memory_mb": 129}, SOURCES), ({"image": "ledgerflow/redis:2"}, SOURCES), ({"files": {"a": "b"}}, SOURCES),
    ({}, "digest of another role"),
])  # fmt: skip
def test_another_description_or_other_sources_are_another_service(changes: dict[str, Any], sources: str) -> None:
    assert not service_is_current(description(**changes), standing(), STACK, sources)
    assert service_changed(description(**changes), standing(), sources)


def test_recording_one_service_keeps_the_others_records() -> None:
    facts = standing()
    facts["files"]["queue"] = "f9"
    made = service_fingerprints({"queue": "inputs"}, facts, STACK)
    assert made["cache"] == facts["fingerprints"]["cache"]
    assert made["queue"] == {"inputs": "inputs", "files": "f9", "image_id": "", "container": ""}
    assert "queue" not in facts["fingerprints"]


# --- the script that starts it, run ---

SENTINEL = json.dumps({"uuid": "1", "stack": "ledger", "environment": "dev", "note": '$(touch x) `id` "quoted" \\ %s'})


class Container:
    """What a container would see: its configuration, two volumes, and a program that says that it ran."""

    def __init__(self, root: Path) -> None:
        self.root, self.config = root, root / "config"
        self.volumes = {name: root / name for name in ("db_data", "media")}
        for name, target in self.volumes.items():
            target.mkdir()
            (target / ".ledgerflow.json").write_text(SENTINEL.replace("1", name))
            expected = self.config / "sentinels" / f"{name}.json"
            expected.parent.mkdir(parents=True, exist_ok=True)
            expected.write_text(SENTINEL.replace("1", name))
        (root / "bin").mkdir()
        (root / "bin/sleep").symlink_to("/bin/true")  # the clock: the script waits so that a restart does not spin
        self.ran = root / "ran"
        self.sentinel, self.record = self.volumes["media"] / ".ledgerflow.json", self.config / "sentinels/media.json"

    def start(self) -> subprocess.CompletedProcess[str]:
        """Runs the script as the engine would, with a program that has an argument of its own."""
        protected = {name: str(target) for name, target in self.volumes.items()}
        (self.config / "start").write_text(service_start_script(description(protected=protected), str(self.config)))
        program = ["/bin/sh", "-c", 'printf "%s" "$1" > "$0"', str(self.ran), "a b"]
        return subprocess.run(
            ["/bin/sh", str(self.config / "start"), *program], capture_output=True, text=True, cwd=self.root,
            env={"PATH": f"{self.root / 'bin'}{os.pathsep}{os.environ['PATH']}"}, timeout=30,
        )  # fmt: skip


@pytest.fixture
def container(tmp_path: Path) -> Container:
    return Container(tmp_path)


def test_on_its_own_volumes_the_program_runs_with_its_arguments(container: Container) -> None:
    done = container.start()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert container.ran.read_text() == "a b"


def test_a_service_without_protected_volumes_needs_no_sentinel(container: Container) -> None:
    container.volumes = {}
    assert container.start().returncode == 0
    assert container.ran.exists()


def put_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_a_dead_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def empty(*paths: Path) -> None:
    for path in paths:
        path.write_text("")


MISHAPS: dict[str, tuple[Callable[[Container], object], str]] = {
    "an empty directory in its place": (lambda it: it.sentinel.unlink(), "no sentinel .ledgerflow.json in "),
    "an empty sentinel": (lambda it: empty(it.sentinel), "no sentinel"),
    "a directory as sentinel": (lambda it: put_a_directory(it.sentinel), "no sentinel"),
    "a link that leads nowhere": (lambda it: put_a_dead_link(it.sentinel), "no sentinel"),
    "another stack's directory": (lambda it: it.sentinel.write_text('{"stack": 2}'), 'is another one: {"stack": 2}'),
    "the other volume's directory": (
        lambda it: it.sentinel.write_text(SENTINEL.replace("1", "db_data")),
        "another one",
    ),
    "no record to compare with": (lambda it: it.record.unlink(), "is another one: "),
    "an empty record": (lambda it: empty(it.record), "is another one: "),
    "neither sentinel nor record": (lambda it: empty(it.sentinel, it.record), "no sentinel"),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_on_anything_else_it_says_where_what_and_the_way_out_and_the_program_does_not_run(
    container: Container, mishap: str
) -> None:
    happen, what = MISHAPS[mishap]
    happen(container)
    done = container.start()
    assert done.returncode == 78
    assert not container.ran.exists()
    assert done.stdout == ""
    assert "volume media: " in done.stderr
    assert what in done.stderr
    assert str(container.volumes["media"]) in done.stderr
    assert "\nHINT: " in done.stderr
    assert sorted(path.name for path in container.root.iterdir()) == ["bin", "config", "db_data", "media"]


def test_a_sentinel_s_text_is_shown_as_it_is_and_never_run(container: Container) -> None:
    container.record.write_text("other")
    done = container.start()
    assert SENTINEL.replace("1", "media") in done.stderr
    assert not (container.root / "x").exists()


def test_it_waits_before_it_gives_up_so_that_a_restart_policy_does_not_spin(container: Container) -> None:
    (container.root / "bin/sleep").unlink()
    (container.root / "bin/sleep").write_text(f'#!/bin/sh\nprintf "%s" "$1" > {container.root}/slept\n')
    (container.root / "bin/sleep").chmod(0o755)
    container.record.unlink()
    assert container.start().returncode == 78
    assert int((container.root / "slept").read_text()) >= 1


def test_by_itself_the_script_looks_where_the_configuration_is_mounted() -> None:
    protected = description(protected={"db_data": "/data"}, command=["x"])
    assert service_start_script(protected) == service_start_script(protected, "/config")


def test_ansible_finds_the_filters_by_these_names() -> None:
    names = {
        "compose_project", "service_changed", "service_fingerprints", "service_inputs",
        "service_is_current", "service_start_script", "tree_content_digest",
    }  # fmt: skip
    assert set(FilterModule().filters()) >= names


def test_it_refuses_to_hand_a_container_the_engines_socket() -> None:
    with pytest.raises(DescriptionError, match="no container gets the engine's socket"):
        compose_project(description(volumes=["/var/run/docker.sock:/var/run/docker.sock"]), STACK)
