"""What the probe says of a host is what is there: engine, listeners, files; and looking changes nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import socket
import socketserver
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from hypothesis import given
from hypothesis import strategies as st

from ledgerflow.host import readiness as host
from roles.host_facts.library import host_probe
from roles.host_facts.library.host_probe import (
    disk_free_mb,
    engine_facts,
    engine_get,
    memory_mb,
    object_facts,
    port_facts,
    probe,
    stack_facts,
    tree_digest,
)
from roles.service.library import service_files

INFO = {
    "ServerVersion": "26.1.5",
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "DockerRootDir": "/",
    "LiveRestoreEnabled": True,
}


class Engine(socketserver.ThreadingUnixStreamServer):
    """An HTTP server on a unix socket that answers as it is told; a route it was not told is a 500."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), Answer)
        self.path = str(path)
        self.answers: dict[str, Any] = {"/info": INFO, "/volumes": {"Volumes": None}, "/images/json": []}
        self.answers |= {"/containers/json?all=1": [], "/networks": []}
        self.requests: list[str] = []
        self.raw: bytes | None = None


class Answer(BaseHTTPRequestHandler):
    """Answers GET; anything else is the 501 of the base class."""

    server: Engine

    def handle(self) -> None:
        if self.server.raw is None:
            super().handle()
        else:
            self.request.recv(4096)
            self.request.sendall(self.server.raw)

    def do_GET(self) -> None:
        self.server.requests.append(self.path)
        known = self.path in self.server.answers
        answer = self.server.answers.get(self.path, {"message": f"no {self.path}"})
        body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200 if known else 500)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(tmp_path_factory.mktemp("e") / "s") as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# --- the engine ---


def test_an_engine_that_answers_runs_and_says_what_it_is(engine: Engine) -> None:
    facts = engine_facts(engine.path)
    assert (facts["running"], facts["installed"], facts["error"]) == (True, True, "")
    assert (facts["version"], facts["root_dir"], facts["live_restore"]) == ("26.1.5", "/", True)
    assert facts["security_options"] == INFO["SecurityOptions"]


@pytest.mark.parametrize(("changes", "rootless", "desktop"), [
    ({}, False, False),
    ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, True, False),
    ({"OperatingSystem": "Docker Desktop"}, False, True),
    ({"SecurityOptions": None}, False, False),
])  # fmt: skip
def test_an_engine_that_cannot_be_configured_is_told_from_one_that_can(
    engine: Engine, changes: dict[str, Any], rootless: bool, desktop: bool
) -> None:
    engine.answers["/info"] = {**INFO, **changes}
    facts = engine_facts(engine.path)
    assert (facts["rootless"], facts["desktop"]) == (rootless, desktop)


@pytest.mark.parametrize("raw", [
    b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{}", b"HTTP/1.1 200 OK\r\n\r\n{not json",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd",
])  # fmt: skip
def test_something_that_answers_badly_is_no_running_engine_and_the_reason_is_told(engine: Engine, raw: bytes) -> None:
    engine.raw = raw
    facts = engine_facts(engine.path)
    assert (facts["running"], facts["version"]) == (False, "")
    assert facts["error"]


def listening_nowhere(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text(""), listening_nowhere])
def test_where_nobody_listens_no_engine_runs_and_the_reason_is_told(
    tmp_path_factory: pytest.TempPathFactory, make: Callable[[Path], None]
) -> None:
    path = tmp_path_factory.mktemp("e") / "s"
    make(path)
    facts = engine_facts(str(path))
    assert facts["running"] is False
    assert facts["error"]


def test_the_reason_has_the_engine_s_own_words(engine: Engine) -> None:
    with pytest.raises(ValueError, match=r"GET /nothing: 500 .*no /nothing"):
        engine_get(engine.path, "/nothing")


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("script", "compose", "buildx"), [
    ('case "$1" in compose) echo 2.26.1;; buildx) echo "buildx 0.13";; esac', "2.26.1", "buildx 0.13"),
    ('test "$1" = compose && echo 2.26.1', "2.26.1", ""),
    ("echo 'docker: unknown command' ; exit 1", "", ""),
])  # fmt: skip
def test_the_plugins_are_those_the_client_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, compose: str, buildx: str
) -> None:
    program(tmp_path / "bin", "docker", script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    facts = engine_facts(str(tmp_path / "s"))
    assert (facts["compose"], facts["buildx"]) == (compose, buildx)


def test_a_host_without_a_client_has_no_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    facts = engine_facts(str(tmp_path / "s"))
    assert (facts["compose"], facts["buildx"]) == ("", "")


def test_an_engine_that_is_installed_but_stopped_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "bin", "dockerd", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    facts = engine_facts(str(tmp_path / "s"))
    assert (facts["installed"], facts["running"]) == (True, False)


# --- what the engine has ---


def container(**changes: Any) -> dict[str, Any]:
    """A container as the engine lists one."""
    least = {"Id": "c1", "Names": ["/ledger-dev-cache"], "Image": "redis:1", "ImageID": "sha256:i", "State": "running"}
    return {**least, "Status": "Up 5 minutes (healthy)", "Labels": {"a": "b"}, "Ports": [], "Mounts": [], **changes}


def containers(engine: Engine, *listed: dict[str, Any]) -> dict[str, Any]:
    engine.answers["/containers/json?all=1"] = list(listed)
    found = object_facts(engine.path)["containers"]
    assert isinstance(found, dict)
    return found


def test_a_container_is_known_by_its_name_with_what_it_runs(engine: Engine) -> None:
    mounts = [{"Type": "volume", "Name": "v", "Destination": "/data"}, {"Type": "bind", "Destination": "/config"}]
    assert containers(engine, container(Mounts=mounts)) == {
        "ledger-dev-cache": {
            "id": "c1",
            "image": "redis:1",
            "image_id": "sha256:i",
            "state": "running",
            "health": "healthy",
            "status": "Up 5 minutes (healthy)",
            "labels": {"a": "b"},
            "ports": [],
            "mounts": [{"name": "v", "target": "/data"}, {"name": "", "target": "/config"}],
        }
    }


@pytest.mark.parametrize(("status", "health"), [
    ("Up 5 minutes (healthy)", "healthy"), ("Up 2 seconds (unhealthy)", "unhealthy"), ("Up 5 minutes", "none"),
    ("Up 1 second (health: starting)", "starting"), ("Up 5 minutes (Paused)", "none"), ("Exited (0) 1 day ago", "none"),
    ("Created", "none"),
])  # fmt: skip
def test_health_is_read_from_the_status(engine: Engine, status: str, health: str) -> None:
    assert containers(engine, container(Status=status))["ledger-dev-cache"]["health"] == health


def test_only_published_ports_count(engine: Engine) -> None:
    published = {"IP": "127.0.0.1", "PrivatePort": 80, "PublicPort": 9001, "Type": "tcp"}
    found = containers(engine, container(Ports=[{"PrivatePort": 443, "Type": "tcp"}, published]))
    assert found["ledger-dev-cache"]["ports"] == [published]


def test_a_linked_container_keeps_its_own_name_and_one_being_removed_has_none(engine: Engine) -> None:
    linked = container(Names=["/other/alias", "/own"])
    assert list(containers(engine, linked, container(Names=None), container(Names=[]))) == ["own"]


def test_what_the_engine_leaves_out_is_empty(engine: Engine) -> None:
    found = containers(engine, container(Labels=None, Ports=None, Mounts=None))["ledger-dev-cache"]
    assert (found["labels"], found["ports"], found["mounts"]) == ({}, [], [])


def test_volumes_networks_and_images_are_known_by_name(engine: Engine) -> None:
    labels = {"com.ledgerflow.protect": "true"}
    engine.answers["/volumes"] = {"Volumes": [
        {"Name": "v", "Driver": "local", "Labels": labels, "Options": {"o": "bind"}},
        {"Name": "w", "Driver": "local", "Labels": None, "Options": None},
    ]}  # fmt: skip
    engine.answers["/networks"] = [{"Name": "n", "Driver": "bridge", "Internal": True, "Labels": None}]
    engine.answers["/images/json"] = [
        {"Id": "sha256:1", "RepoTags": ["a:1", "b:1"], "RepoDigests": ["a@sha256:9"]},
        {"Id": "sha256:2", "RepoTags": None, "RepoDigests": None},
    ]
    assert object_facts(engine.path) == {
        "containers": {},
        "volumes": {
            "v": {"driver": "local", "labels": labels, "options": {"o": "bind"}},
            "w": {"driver": "local", "labels": {}, "options": {}},
        },
        "networks": {"n": {"driver": "bridge", "internal": True, "labels": {}}},
        "images": {"a:1": "sha256:1", "b:1": "sha256:1"},
        "image_digests": {"a@sha256:9": "sha256:1"},
    }


# --- ports, by sockets that really listen ---

US = f"(pid {os.getpid()})"


@contextlib.contextmanager
def listener(address: str, family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
    with socket.socket(family) as listening:
        listening.bind((address, 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.mark.parametrize(("bound", "family", "seen"), [
    ("127.0.0.1", socket.AF_INET, "127.0.0.1"), ("127.8.7.6", socket.AF_INET, "127.8.7.6"),
    ("0.0.0.0", socket.AF_INET, "0.0.0.0"), ("::1", socket.AF_INET6, "[::]"),  # noqa: S104 a port of the test's own, for a moment
])  # fmt: skip
def test_a_port_that_a_program_listens_on_is_taken_by_it(bound: str, family: socket.AddressFamily, seen: str) -> None:
    with listener(bound, family) as port:
        found = port_facts([port], {})
    assert set(found) == {str(port)}
    assert found[str(port)]["address"] == seen
    assert found[str(port)]["program"].endswith(US)
    assert found[str(port)]["container"] == ""


def test_a_port_that_nobody_listens_on_is_not_taken() -> None:
    with listener("127.0.0.1") as port:
        assert port_facts([port], {}) != {}
    assert port_facts([port], {}) == {}


def test_a_port_that_nobody_asked_for_is_not_told() -> None:
    with listener("127.0.0.1"):
        assert port_facts([], {}) == {}


def test_a_connection_s_own_port_is_not_listened_on() -> None:
    with listener("127.0.0.1") as port, socket.create_connection(("127.0.0.1", port)) as connection:
        own = connection.getsockname()[1]
        assert set(port_facts([port, own], {})) == {str(port)}


def test_a_published_port_is_its_container_s_with_or_without_a_listener_to_be_seen() -> None:
    with listener("127.0.0.1") as port:
        published = {"ledger-dev-caddy": {"ports": [{"PublicPort": port}]}}
        seen = port_facts([port], published)[str(port)]
        assert (seen["address"], seen["container"]) == ("127.0.0.1", "ledger-dev-caddy")
    assert port_facts([port], published) == {str(port): {"address": "", "program": "", "container": "ledger-dev-caddy"}}


def test_a_listener_whose_holder_cannot_be_seen_has_no_program(tmp_path: Path) -> None:
    assert host_probe._socket_owner("0") == ""
    assert host_probe._holds(tmp_path / "a process that ended", "socket:[0]") is False


def test_a_descriptor_that_closes_while_it_is_looked_at_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "0").write_text("no link any more")
    (tmp_path / "1").symlink_to("socket:[7]")
    assert host_probe._holds(tmp_path, "socket:[7]") is True
    assert host_probe._holds(tmp_path, "socket:[8]") is False


# --- the digest of rendered files ---


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "cache"
    (root / "config").mkdir(parents=True)
    (root / "compose.yml").write_text("services: {}")
    (root / "config/redis.conf").write_text("save ''")
    (root / "config/link").symlink_to("redis.conf")
    return root


def become_a_link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def point_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("../compose.yml")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: (root / "compose.yml").write_text("services: {x: {}}"),
    "content of the same length": lambda root: (root / "compose.yml").write_text("services: []"),
    "mode of a file": lambda root: (root / "compose.yml").chmod(0o600),
    "mode of a directory": lambda root: (root / "config").chmod(0o700),
    "a link's target": lambda root: point_elsewhere(root / "config/link"),
    "a file that became a link to itself": lambda root: become_a_link(root / "compose.yml"),
    "a new file": lambda root: (root / "config/new").write_text(""),
    "a new hidden file": lambda root: (root / "config/.new").write_text(""),
    "a new empty directory": lambda root: (root / "config/new").mkdir(),
    "a new pipe": lambda root: os.mkfifo(root / "config/new"),
    "a file gone": lambda root: (root / "config/redis.conf").unlink(),
    "another name": lambda root: (root / "config/redis.conf").rename(root / "config/redis.cfg"),
    "everything gone": shutil.rmtree,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tree_that_was_changed_has_another_digest(tree: Path, change: str) -> None:
    before = tree_digest(tree)
    CHANGES[change](tree)
    assert tree_digest(tree) != before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away; ends where the tests run as root")
@pytest.mark.parametrize(("uid", "gid"), [(12345, -1), (-1, 12345)])
def test_a_tree_whose_owner_or_group_was_changed_has_another_digest(tree: Path, uid: int, gid: int) -> None:
    before = tree_digest(tree)
    os.chown(tree / "config/redis.conf", uid, gid)
    assert tree_digest(tree) != before


def test_a_tree_that_was_only_looked_at_moved_or_touched_has_the_same_digest(tree: Path, tmp_path: Path) -> None:
    before = tree_digest(tree)
    os.utime(tree / "compose.yml", (1, 1))
    moved = tree.rename(tmp_path / "elsewhere")
    assert tree_digest(moved) == before


def test_what_a_link_leads_to_is_not_part_of_the_tree(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("1")
    (tree / "config/out").symlink_to(tmp_path / "outside")
    before = tree_digest(tree)
    (tmp_path / "outside").write_text("2")
    assert tree_digest(tree) == before


@pytest.mark.parametrize("name", ["nothing", "compose.yml"])
def test_where_there_is_no_directory_there_is_no_digest(tree: Path, name: str) -> None:
    assert tree_digest(tree / name) == ""


# --- what a stack has on the host ---


def write(root: Path, **files: str) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def stack(tmp_path: Path) -> tuple[Path, Path]:
    config, data = tmp_path / "etc/ledger-dev", tmp_path / "srv/ledger/dev"
    write(config, **{
        "cache/compose.yml": "{}", "caddy/compose.yml": "{}", "secrets/token": "hidden-value", "secrets/password": "x",
        "state/gates/app-web-blue": "", "state/volumes/db_data.json": '{"uuid": "1"}', "state/volumes/media.json": "{}",
        "state/volumes/db_data.initialised": "", "state/fingerprints.json": '{"cache": {"inputs": "i"}}',
        "state/deployment.json": '{"commit": "abc"}', "state/vault/vault.json": '{"proven": true}', "README": "",
        "state/secrets/token": "",
    })  # fmt: skip
    write(data, **{"db_data/.ledgerflow.json": '{"uuid": "1"}', "media/data/a": "", "a file": ""})
    return config, data


def test_a_stack_s_files_records_and_sentinels_are_seen(stack: tuple[Path, Path]) -> None:
    facts = stack_facts(*stack)
    assert facts["files"] == {name: tree_digest(stack[0] / name) for name in ("cache", "caddy")}
    assert facts["gates"] == ["app-web-blue"]
    assert facts["records"] == {"db_data": '{"uuid": "1"}', "media": "{}"}
    assert facts["initialised"] == ["db_data"]
    assert facts["sentinels"] == {"db_data": '{"uuid": "1"}', "media": None}
    assert facts["stack_directories"] == ["gates", "secrets", "vault", "volumes"]
    assert facts["fingerprints"] == {"cache": {"inputs": "i"}}
    assert (facts["deployment"], facts["vault"]) == ({"commit": "abc"}, {"proven": True})


def test_of_secrets_only_the_names_are_told(stack: tuple[Path, Path]) -> None:
    facts = stack_facts(*stack)
    assert facts["secrets"] == ["password", "token"]
    assert facts["secrets_made"] == ["token"]
    assert facts["weak_secrets"] == {"password": "1 characters", "token": "12 characters"}
    assert "hidden-value" not in json.dumps(facts)


@given(st.one_of(st.text(max_size=40), st.text("abcdefgh", min_size=14, max_size=20)))
def test_a_secret_is_weak_exactly_where_the_service_s_files_would_refuse_it(value: str) -> None:
    try:
        taken = service_files._strong(value, "a secret") == value
    except service_files.SecretError:
        taken = False
    assert host_probe.strong(value) is taken
    assert host.is_strong(value) is taken


def test_where_there_is_no_stack_everything_is_empty(tmp_path: Path) -> None:
    facts = stack_facts(tmp_path / "etc", tmp_path / "srv")
    assert [name for name, value in facts.items() if value] == []


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "7"])
def test_a_damaged_record_of_a_deployment_is_as_good_as_none(stack: tuple[Path, Path], text: str) -> None:
    for name in ("fingerprints.json", "deployment.json", "vault/vault.json"):
        (stack[0] / "state" / name).write_text(text)
    facts = stack_facts(*stack)
    assert (facts["fingerprints"], facts["deployment"], facts["vault"]) == ({}, {}, {})


def test_a_sentinel_that_is_no_text_is_told_as_something_else_than_none(stack: tuple[Path, Path]) -> None:
    (stack[1] / "db_data/.ledgerflow.json").write_bytes(b"\xff\xfe")
    assert stack_facts(*stack)["sentinels"]["db_data"] == "\ufffd\ufffd"


def packed(name: str, text: bytes) -> bytes:
    """A file as the engine hands it out of a container."""
    whole, entry = io.BytesIO(), tarfile.TarInfo(name)
    entry.size = len(text)
    with tarfile.open(fileobj=whole, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(text))
    return whole.getvalue()


def test_where_the_engine_keeps_the_data_sentinels_are_read_through_it(
    engine: Engine, stack: tuple[Path, Path]
) -> None:
    mounts = [{"Name": f"ledger_dev_{what}", "Destination": f"/{what}"} for what in ("db_data", "media", "backups")]
    engine.answers["/containers/json?all=1"] = [
        container(Mounts=[*mounts, {"Name": "other_dev_db_data", "Destination": "/other"}, {"Destination": "/config"}])
    ]
    place = "/containers/c1/archive?path=/{}/.ledgerflow.json"
    engine.answers[place.format("db_data")] = packed(".ledgerflow.json", b'{"uuid": "1"}')
    engine.answers[place.format("media")] = packed("other", b"")
    facts = probe(engine.path, stack[0], None, [], prefix="ledger_dev_")
    assert facts["sentinels"] == {"db_data": '{"uuid": "1"}', "media": None, "backups": None}
    assert set(facts["disk_free_mb"]) == {str(stack[0]), "/"}
    assert facts["stack_mode"] == f"{stack[0].stat().st_mode & 0o7777:04o}"


# --- the host ---


def test_room_is_that_of_the_disk_that_holds_the_path_or_would_hold_it(tmp_path: Path) -> None:
    here = shutil.disk_usage(tmp_path).free // 2**20
    assert disk_free_mb(tmp_path) == pytest.approx(here, rel=0.2)  # others write on it too
    assert disk_free_mb(tmp_path / "not/yet/there") == pytest.approx(here, rel=0.2)


def test_memory_is_what_the_kernel_says_it_has() -> None:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    assert memory_mb() == pytest.approx(int(lines["MemTotal"].split()[0]) / 1024, abs=1)


def files_of(*roots: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_ctime_ns for root in roots for path in root.rglob("*")}


def test_looking_asks_the_engine_five_questions_and_changes_no_file(engine: Engine, stack: tuple[Path, Path]) -> None:
    before = files_of(*stack)
    facts = probe(engine.path, *stack, [])
    assert sorted(engine.requests) == sorted(engine.answers)
    assert files_of(*stack) == before
    assert facts["engine_was_running"] is True
    assert facts["cores"] == os.cpu_count()
    assert facts["root"] == (os.geteuid() == 0)
    assert set(facts["disk_free_mb"]) == {str(stack[0]), str(stack[1]), "/"}


def test_without_an_engine_the_rest_is_seen_all_the_same(stack: tuple[Path, Path], tmp_path: Path) -> None:
    with listener("127.0.0.1") as port:
        facts = probe(str(tmp_path / "no"), *stack, [port])
    assert (facts["engine"]["running"], facts["engine_was_running"]) == (False, False)
    assert (facts["containers"], facts["volumes"], facts["networks"], facts["images"]) == ({}, {}, {}, {})
    assert set(facts["ports"]) == {str(port)}
    assert facts["initialised"] == ["db_data"]
    assert "/var/lib/docker" in facts["disk_free_mb"]


# --- as Ansible runs it ---


def run(**given: Any) -> tuple[int, dict[str, Any]]:
    """The module's exit code and answer."""
    said = io.StringIO()
    with patch_module_args(given), contextlib.redirect_stdout(said), pytest.raises(SystemExit) as ended:
        host_probe.main()
    answer = json.loads(said.getvalue())
    assert isinstance(answer, dict)
    return int(str(ended.value.code)), answer


@pytest.mark.parametrize("check", [True, False])
def test_the_module_returns_the_facts_and_never_a_change(engine: Engine, stack: tuple[Path, Path], check: bool) -> None:
    places = {"socket": engine.path, "stack_dir": str(stack[0]), "data_dir": str(stack[1])}
    code, answer = run(**places, _ansible_check_mode=check)
    assert (code, answer["changed"]) == (0, False)
    assert answer["probe"]["engine"]["version"] == "26.1.5"
    assert answer["probe"]["secrets"] == ["password", "token"]


def test_an_engine_that_fails_half_way_is_a_failure_and_not_an_empty_engine(
    engine: Engine, stack: tuple[Path, Path]
) -> None:
    del engine.answers["/networks"]
    code, answer = run(socket=engine.path, stack_dir=str(stack[0]), data_dir=str(stack[1]))
    assert (code, answer["failed"]) == (1, True)
    assert answer["msg"].startswith("host_probe: could not look at this host: ")
    assert "GET /networks: 500" in answer["msg"]
    assert answer["msg"].endswith("HINT: docker info")
