"""The engine's files and its API as look-ups: what is read, what is kept, what is a failure and never a guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.lookups.engine_files import EngineFiles
from ledgerguard.model import Exec, Image, Volume
from ledgerguard.refusal import LookupFailed
from tests.unit.ledgerguard.lookups.test_bolt_file import database
from tests.unit.ledgerguard.stub_engine import stub_engine

ID = "ab" * 32
CONFIG: dict[str, Any] = {
    "ID": ID,
    "Name": "/web",
    "Image": "sha256:1",
    "State": {"Running": True},
    "Config": {
        "Entrypoint": ["/e"],
        "Cmd": None,
        "User": "5",
        "Env": ["A=1"],
        "WorkingDir": "/w",
        "Healthcheck": {"Test": ["CMD", "x"]},
    },
    "MountPoints": {
        "/v": {
            "Type": "volume",
            "Name": "v",
            "Destination": "/v",
            "RW": True,
            "Driver": "local",
            "Spec": {"Source": "v"},
        },
        "/b": {"Source": "/srv", "Destination": "/b", "RW": False, "Propagation": "rslave", "Spec": {"Source": "/srv"}},
        "/a": {"Type": "volume", "Name": "f" * 64, "Destination": "/a", "RW": True, "Spec": {}},
    },
}


def record(**more: Any) -> bytes:
    return json.dumps({"Name": "v", "Driver": "local", "Labels": None, "Options": None, **more}).encode()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "volumes/v/_data").mkdir(parents=True)
    (tmp_path / "volumes/metadata.db").write_bytes(
        database({b"v": record(Labels={"a": "b"}), b"w": record(Options={"o": "bind"})})
    )
    place = tmp_path / "containers" / ID
    place.mkdir(parents=True)
    (place / "config.v2.json").write_text(json.dumps(CONFIG))
    (place / "hostconfig.json").write_text(json.dumps({"Binds": ["v:/v", "/srv:/b:ro,rslave"], "Privileged": False}))
    return tmp_path


def files(root: Path, engine: Path | None = None) -> EngineFiles:
    return EngineFiles(root, EngineApi(str(engine or root / "no.sock"), 2.0))


def test_volumes_come_from_the_database_and_directories_without_a_record_count_too(root: Path) -> None:
    (root / "volumes/lost/_data").mkdir(parents=True)
    (root / "volumes/lost/opts.json").write_text(
        '{"MountType":"none","MountOpts":"bind","MountDevice":"/srv/x","Quota":{}}'
    )
    found = files(root).volumes()
    assert found["v"] == Volume("v", labels={"a": "b"})
    assert found["w"].options == {"o": "bind"}
    assert found["lost"].options == {"type": "none", "o": "bind", "device": "/srv/x"}
    assert set(found) == {"v", "w", "lost"}


def test_a_new_volume_is_seen_at_once(root: Path) -> None:
    one = files(root)
    assert "z" not in one.volumes()
    (root / "volumes/metadata.db").write_bytes(database({b"z": record(Name="z")}, second=9))
    assert "z" in one.volumes()


def test_where_the_database_cannot_be_read_the_engine_is_asked(root: Path) -> None:
    (root / "volumes/metadata.db").write_bytes(b"junk")
    listed = {"Volumes": [{"Name": "q", "Driver": "local", "Labels": {"l": "1"}, "Options": None}]}
    with stub_engine(root, lambda _method, _path: (200, listed)) as engine:
        assert files(root, engine).volumes() == {"q": Volume("q", labels={"l": "1"})}


def test_where_neither_answers_it_is_a_failure(root: Path) -> None:
    (root / "volumes/metadata.db").unlink()
    with pytest.raises(LookupFailed, match="volumes: "):
        files(root).volumes()


def test_a_container_is_read_with_its_mounts(root: Path) -> None:
    (found,) = files(root).containers("web")
    assert (found.id, found.image, found.running, found.entrypoint, found.user) == (ID, "sha256:1", True, ("/e",), "5")
    mounts = {mount.target: mount for mount in found.mounts}
    assert (mounts["/v"].source, mounts["/v"].read_only, mounts["/v"].is_named) == ("v", False, True)
    assert (mounts["/b"].kind, mounts["/b"].read_only, mounts["/b"].propagates) == ("bind", True, True)
    assert not mounts["/a"].is_named
    assert files(root).containers(ID[:3]) == files(root).containers("/web") == (found,)
    assert files(root).containers("nobody") == ()


def test_a_container_with_what_the_guard_does_not_know_is_named_and_not_judged(root: Path) -> None:
    odd = root / "containers" / ("cd" * 32)
    odd.mkdir()
    (odd / "config.v2.json").write_text(json.dumps({**CONFIG, "ID": odd.name, "Name": "/odd"}))
    (odd / "hostconfig.json").write_text(json.dumps({"Mounts": [{"Type": "cluster", "Source": "x", "Target": "/x"}]}))
    one = files(root)
    (found,) = one.containers("odd")
    assert "odd cannot be judged: a mount of type 'cluster'" in found.fault
    assert [each.fault for each in one.containers("web")] == [""]
    (odd / "config.v2.json").write_text("not JSON")
    with pytest.raises(LookupFailed, match="cdcd"):
        one.containers("web")


def test_a_container_that_changed_is_read_again_and_one_that_went_is_forgotten(root: Path) -> None:
    one = files(root)
    assert one.containers("web")
    file = root / "containers" / ID / "config.v2.json"
    aside = file.with_suffix(".tmp")
    aside.write_text(json.dumps({**CONFIG, "Name": "/renamed"}))
    aside.replace(file)
    assert one.containers("web") == ()
    assert one.containers("renamed")
    file.unlink()
    assert one.containers("renamed") == ()


def test_a_container_that_cannot_be_read_is_a_failure_not_a_missing_one(root: Path) -> None:
    (root / "containers" / ID / "hostconfig.json").write_text("{")
    with pytest.raises(LookupFailed, match="container abababababab"):
        files(root).containers("web")


def test_an_engine_that_never_had_a_container_has_none(tmp_path: Path) -> None:
    assert files(tmp_path).all_containers() == ()


def test_images_execs_and_the_version_are_asked_of_the_engine_and_ids_kept(root: Path) -> None:
    asked: list[str] = []

    def answer(_method: str, path: str) -> tuple[int, Any]:
        asked.append(path)
        if path == "/version":
            return 200, {"Version": "20.10.24+dfsg1"}
        if path.startswith("/images/known"):
            return 200, {
                "Id": "sha256:9",
                "Config": {"Cmd": ["c"], "Env": ["P=1"], "Healthcheck": {"Test": ["CMD", "h"]}},
            }
        if path == "/exec/e1/json":
            return 200, {
                "ContainerID": ID,
                "ProcessConfig": {"entrypoint": "rm", "arguments": ["-rf"], "privileged": True},
            }
        return 404, {"message": "no such"}

    with stub_engine(root, answer) as engine:
        one = files(root, engine)
        wanted = Image("sha256:9", command=("c",), environment=("P=1",), healthcheck=("CMD", "h"))
        assert one.image("known:1") == one.image("sha256:9") == wanted
        assert one.image("unknown") is None
        assert one.execution("e1") == Exec(ID, ("rm", "-rf"), privileged=True)
        assert one.execution("e2") is None
        assert one.recursive_read_only() is False
    assert asked.count("/images/known:1/json") == 1
    assert "/images/sha256:9/json" not in asked


@pytest.mark.parametrize("answer", [(500, {}), (200, b"not JSON")])
def test_an_answer_that_is_none_is_a_failure(root: Path, answer: tuple[int, Any]) -> None:
    with stub_engine(root, lambda *_: answer) as engine, pytest.raises(LookupFailed):
        files(root, engine).image("x")
