"""The module that makes protected directories: what it makes, what it refuses, and that a killed run heals."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[3] / "roles/protected_volume/library/volume_directory.py"
OWNER = os.geteuid()
# Root can give data/ away, as the role does; another user can only keep it.
SERVICE = 12345 if OWNER == 0 else OWNER
STACK = {"stack": "t0a1b2c", "environment": "dev"}
ITEM = {"name": "db_data", "service": "postgres", "uid": SERVICE, "gid": SERVICE, "mode": "0700"}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("volume_directory", MODULE)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


directory = load()


class Host:
    """A root and a state directory of their own."""

    def __init__(self, base: Path) -> None:
        self.params: dict[str, Any] = {
            "root": str(base / "srv"),
            "state_dir": str(base / "etc/state"),
            **STACK,
            "volumes": [ITEM],
        }
        self.path = base / "srv/t0a1b2c/dev/db_data"
        self.records = base / "etc/state/volumes"
        self.record = self.records / "db_data.json"
        self.initialised = self.records / "db_data.initialised"
        self.sentinel = self.path / ".ledgerflow.json"

    def run(self, check_mode: bool = False, **changes: Any) -> tuple[list[str], list[dict[str, Any]]]:
        volumes = directory.volumes_of({**self.params, **changes})
        result: tuple[list[str], list[dict[str, Any]]] = directory._converge_locked(volumes, OWNER, check_mode)
        return result

    def made(self, **changes: Any) -> dict[str, Any]:
        refusals, results = self.run(**changes)
        assert refusals == []
        return results[0]

    def refused(self, **changes: Any) -> str:
        before = tree(self.path.parents[2])
        refusals, results = self.run(**changes)
        assert results == []
        assert tree(self.path.parents[2]) == before
        assert "HINT: " in refusals[0]
        return refusals[0]

    def of(self, **changes: Any) -> list[dict[str, Any]]:
        return [{**ITEM, **changes}]


def tree(root: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every path with mode, owner and content."""
    found = {}
    for path in sorted(root.rglob("*")):
        state = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(root))] = (state.st_mode, state.st_uid, state.st_gid, content)
    return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def fill(host: Host) -> None:
    """What a service leaves."""
    file = host.path / "data/PG_VERSION"
    file.write_text("17\n")
    os.chown(file, SERVICE, SERVICE)


def forget(host: Host) -> None:
    """The host was installed anew: no state, the disk is there."""
    shutil.rmtree(host.records)


# What it makes


def test_it_makes_directory_data_sentinel_and_a_record_of_the_same_bytes(host: Host) -> None:
    assert host.made()["action"] == "create"
    assert host.record.read_bytes() == host.sentinel.read_bytes()
    assert (host.path.stat().st_mode & 0o7777, host.sentinel.stat().st_mode & 0o7777) == (0o755, 0o444)
    data = (host.path / "data").stat()
    assert (data.st_uid, data.st_gid, data.st_mode & 0o7777) == (SERVICE, SERVICE, 0o700)
    content = json.loads(host.sentinel.read_text())
    assert {key: content[key] for key in ("stack", "environment", "service", "volume")} == {
        "stack": "t0a1b2c", "environment": "dev", "service": "postgres", "volume": "db_data",
    }  # fmt: skip
    assert content["uuid"] and content["created"].endswith("+00:00")
    assert not host.initialised.exists()


def test_a_second_run_changes_nothing(host: Host, tmp_path: Path) -> None:
    host.made()
    before = tree(tmp_path)
    assert host.made()["action"] == "none"
    assert tree(tmp_path) == before


def test_check_mode_tells_and_changes_nothing(host: Host, tmp_path: Path) -> None:
    assert host.made(check_mode=True)["action"] == "create"
    assert tree(tmp_path) == {}


def test_a_new_file_system_with_lost_and_found_counts_as_empty(host: Host) -> None:
    (host.path / "lost+found").mkdir(parents=True)
    assert host.made()["action"] == "create"


def test_owner_and_mode_that_drifted_are_put_right(host: Host) -> None:
    host.made()
    host.path.chmod(0o777)
    (host.path / "data").chmod(0o755)
    host.sentinel.chmod(0o644)
    assert host.made()["action"] == "mend"
    assert host.path.stat().st_mode & 0o7777 == 0o755
    assert (host.path / "data").stat().st_mode & 0o7777 == 0o700
    assert host.sentinel.stat().st_mode & 0o7777 == 0o444
    assert host.made()["action"] == "none"


def test_an_empty_data_directory_is_made_again_before_its_service_has_started(host: Host) -> None:
    host.made()
    (host.path / "data").rmdir()
    assert host.made()["action"] == "mend"
    assert (host.path / "data").is_dir()


def test_all_volumes_are_made_in_one_call(host: Host) -> None:
    volumes = host.of() + host.of(name="media", service="app")
    refusals, results = host.run(volumes=volumes)
    assert (refusals, [item["volume"] for item in results]) == ([], ["t0a1b2c_dev_db_data", "t0a1b2c_dev_media"])


# What it takes over


def test_data_kept_on_its_disk_is_taken_over_by_a_host_installed_anew(host: Host) -> None:
    host.made()
    fill(host)
    kept = host.sentinel.read_bytes()
    forget(host)
    result = host.made()
    assert (result["action"], result["initialised"]) == ("adopt", True)
    assert host.record.read_bytes() == kept
    assert host.initialised.read_bytes() == b""
    assert host.made()["action"] == "none"


def test_a_directory_without_data_is_taken_over_as_not_yet_initialised(host: Host) -> None:
    host.made()
    forget(host)
    assert host.made()["initialised"] is False
    assert not host.initialised.exists()


# What it refuses


def test_it_refuses_when_the_recorded_directory_is_missing(host: Host) -> None:
    host.made()
    shutil.rmtree(host.path)
    assert "does not exist, but its record says" in host.refused()


def test_it_refuses_when_the_recorded_directory_is_empty(host: Host) -> None:
    host.made()
    shutil.rmtree(host.path)
    (host.path / "lost+found").mkdir(parents=True)
    message = host.refused()
    assert "is empty" in message and f"rm -f {host.record} {host.initialised}" in message


def test_the_way_out_of_lost_data_works(host: Host) -> None:
    host.made()
    host.initialised.touch()
    shutil.rmtree(host.path)
    host.record.unlink()
    host.initialised.unlink()
    assert host.made()["action"] == "create"


def test_it_refuses_a_lost_sentinel_and_takes_it_back_from_the_record(host: Host) -> None:
    host.made()
    fill(host)
    host.sentinel.unlink()
    assert f"install -o root -g root -m 0444 {host.record} {host.sentinel}" in host.refused()
    shutil.copyfile(host.record, host.sentinel)
    assert host.made()["action"] == "mend"
    assert host.made()["action"] == "none"


def test_it_refuses_another_directory_in_the_place_of_the_recorded_one(host: Host, tmp_path: Path) -> None:
    host.made()
    other = Host(tmp_path / "other")
    other.made()
    shutil.rmtree(host.path)
    shutil.copytree(other.path, host.path)
    message = host.refused()
    assert "is of another volume" in message and json.loads(other.record.read_text())["uuid"] in message


@pytest.mark.parametrize("change", [{"stack": "other"}, {"environment": "prod"}, {"service": "redis-queue"}])
def test_it_refuses_the_sentinel_of_another_owner(host: Host, change: dict[str, str]) -> None:
    host.made()
    forget(host)
    content = {**json.loads(host.sentinel.read_text()), **change}
    host.sentinel.chmod(0o644)
    host.sentinel.write_text(json.dumps(content))
    assert f"{next(iter(change))} {next(iter(change.values()))}" in host.refused()


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}"])
def test_it_refuses_a_sentinel_that_is_none(host: Host, text: str) -> None:
    host.path.mkdir(parents=True)
    host.sentinel.write_text(text)
    assert "not a sentinel" in host.refused()


def test_it_refuses_a_record_of_another_service(host: Host) -> None:
    host.made()
    assert "is of another volume: stack t0a1b2c" in host.refused(volumes=host.of(service="redis-queue"))


def test_it_refuses_files_without_sentinel_and_record(host: Host) -> None:
    host.path.mkdir(parents=True)
    (host.path / "somebodys").touch()
    assert "foreign data" in host.refused()
    (host.path / "somebodys").unlink()
    assert host.made()["action"] == "create"


def test_it_refuses_data_without_sentinel_and_record(host: Host) -> None:
    (host.path / "data").mkdir(parents=True)
    (host.path / "data/PG_VERSION").touch()
    assert "foreign data" in host.refused()


def test_it_refuses_a_fresh_directory_where_a_service_has_started_before(host: Host) -> None:
    host.made()
    host.initialised.touch()
    host.record.unlink()
    shutil.rmtree(host.path)
    assert str(host.initialised) in host.refused()


def test_it_refuses_a_missing_data_directory_where_a_service_has_started_before(host: Host) -> None:
    host.made()
    host.initialised.touch()
    (host.path / "data").rmdir()
    assert "has already started on it" in host.refused()


@pytest.mark.skipif(OWNER != 0, reason="only root can give files to another user; until never")
def test_it_refuses_files_of_another_uid(host: Host) -> None:
    host.made()
    fill(host)
    assert f"chown -R {SERVICE + 1}:" in host.refused(volumes=host.of(uid=SERVICE + 1))


def test_an_empty_data_directory_is_given_to_another_uid(host: Host) -> None:
    host.made()
    (host.path / "data").chmod(0o750)
    assert host.made(volumes=host.of(mode="0770"))["action"] == "mend"


@pytest.mark.parametrize("part", ["srv/t0a1b2c", "srv/t0a1b2c/dev", "srv/t0a1b2c/dev/db_data"])
def test_it_refuses_a_link_in_the_path(host: Host, tmp_path: Path, part: str) -> None:
    host.made()
    path = tmp_path / part
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert f"{path} is a symbolic link" in host.refused()


def test_it_refuses_a_link_in_the_place_of_data(host: Host, tmp_path: Path) -> None:
    host.made()
    (host.path / "data").rmdir()
    (host.path / "data").symlink_to(tmp_path)
    assert "is a symbolic link, not a directory" in host.refused()


def test_it_refuses_a_file_in_the_place_of_the_directory(host: Host) -> None:
    host.path.parent.mkdir(parents=True)
    host.path.touch()
    assert "is file, not a directory" in host.refused()


def test_one_refusal_keeps_every_other_volume_unmade(host: Host) -> None:
    foreign = host.path.parent / "media"
    foreign.mkdir(parents=True)
    (foreign / "somebodys").touch()
    assert "t0a1b2c_dev_media" in host.refused(volumes=host.of() + host.of(name="media", service="app"))
    assert not host.path.exists()


# Killed anywhere

CHANGES = {"open", "os.mkdir", "os.chown", "os.chmod", "os.rename", "os.remove"}


def killed(work: Callable[[], object], at: int, below: Path) -> bool:
    """Run `work` in a child that dies before its change number `at` below a directory; False if it ended before."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # Everything that `work` changes goes through these events, so each one is a moment at which it can be killed.
        nonlocal at
        if event in CHANGES and str(arguments[0]).startswith(str(below)):
            at -= 1
            if at < 0:
                os._exit(9)

    child = os.fork()
    if child == 0:
        try:
            sys.addaudithook(hook)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 9), f"the child failed with {status}"
    return status == 9


@pytest.mark.parametrize("adopting", [False, True], ids=["making", "taking over"])
def test_a_run_killed_before_any_of_its_steps_is_healed_by_the_next(tmp_path: Path, adopting: bool) -> None:
    steps = 0
    while True:
        base = tmp_path / str(steps)
        base.mkdir()
        host = Host(base)
        if adopting:
            host.made()
            fill(host)
            forget(host)
        was_killed = killed(host.run, steps, base)
        result = host.made()
        assert result["sentinel"].encode() == host.sentinel.read_bytes() == host.record.read_bytes()
        assert host.initialised.exists() is adopting
        assert (host.path / "data").stat().st_uid == SERVICE
        assert host.made()["action"] == "none"
        names = {path.name for path in [*host.path.iterdir(), *host.records.iterdir()]}
        assert names - {"data", ".ledgerflow.json", "db_data.json", "db_data.initialised"} == set()
        if not was_killed:
            break
        steps += 1
    assert steps > (5 if adopting else 12)


def test_a_second_run_waits_for_the_first(host: Host) -> None:
    results = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            try:
                host.run()
                os._exit(0)
            finally:
                os._exit(1)
        results.append(child)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in results] == [0, 0, 0, 0]
    assert host.record.read_bytes() == host.sentinel.read_bytes()
