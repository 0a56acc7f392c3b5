"""The probe on the machine's own engine: what was just made there is what it sees. Makes a few things of its own."""

from __future__ import annotations

import contextlib
import io
import secrets
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import DockerException
from docker.models.containers import Container

from ledgerflow.host.readiness import port_findings
from roles.host_facts.library.host_probe import probe

SOCKET = "/var/run/docker.sock"


SECOND = 1_000_000_000  # the engine counts in nanoseconds


@dataclass(frozen=True)
class Made:
    """What was made, all of it called by one name, and the loopback port that its container publishes."""

    name: str
    port: int
    container: Container
    image: str


def shell_alone() -> bytes:
    """A root file system of one program, this machine's sh, so that no image has to be there."""
    shell = Path(shutil.which("sh") or "/bin/sh").resolve()
    listed = subprocess.run(["ldd", str(shell)], capture_output=True, text=True, check=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", dereference=True) as tar:
        tar.add(shell, "bin/sh")
        for library in libraries:
            tar.add(library, library.lstrip("/"))
    return packed.getvalue()


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.DockerClient(base_url=f"unix://{SOCKET}")
        client.ping()
    except DockerException as error:
        pytest.skip(f"no engine answers here ({error}); ends with `make deploy` or `scripts/play engine`")
    yield client
    client.close()


@pytest.fixture(scope="module")
def made(engine: docker.DockerClient) -> Iterator[Made]:
    name = f"t{secrets.token_hex(3)}-ci-probe"
    labels = {"com.ledgerflow.test": name}
    with contextlib.ExitStack() as undo:
        engine.api.import_image_from_data(shell_alone(), repository=name, tag="1")
        undo.callback(engine.images.remove, f"{name}:1")
        undo.callback(engine.volumes.create(name, labels=labels).remove)
        undo.callback(engine.networks.create(f"{name}-inside", internal=True, labels=labels).remove)
        undo.callback(engine.networks.create(name, labels=labels).remove)
        container = engine.containers.run(
            f"{name}:1", ["/bin/sh", "-c", "read line"], name=name, detach=True, stdin_open=True, labels=labels,
            network=name, ports={"8000/tcp": ("127.0.0.1", 0)}, volumes={name: {"bind": "/data"}}, mem_limit="32m",
            healthcheck={"test": ["CMD", "/bin/sh", "-c", "exit 0"], "interval": SECOND // 2, "timeout": 5 * SECOND},
        )  # fmt: skip
        undo.callback(container.remove, force=True)
        container.reload()
        port = int(container.attrs["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"])
        yield Made(name, port, container, str(engine.images.get(f"{name}:1").id))


def seen(made: Made, tmp_path: Path) -> dict[str, Any]:
    return probe(SOCKET, tmp_path / "etc", tmp_path / "srv", [made.port])


def container_seen(made: Made, tmp_path: Path, health: str) -> dict[str, Any]:
    """The container as the probe sees it, waited for until its health is the one that is to be seen."""
    deadline = time.monotonic() + 30
    while (found := seen(made, tmp_path)["containers"][made.name])["health"] != health:
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
    assert isinstance(found, dict)
    return found


def test_it_sees_what_kind_of_engine_runs(engine: docker.DockerClient, made: Made, tmp_path: Path) -> None:
    facts = seen(made, tmp_path)["engine"]
    assert (facts["running"], facts["error"]) == (True, "")
    assert facts["version"] == engine.version()["Version"]
    assert facts["root_dir"] == engine.info()["DockerRootDir"]


def test_it_sees_a_running_container_with_its_image_health_and_volume(made: Made, tmp_path: Path) -> None:
    found = container_seen(made, tmp_path, "healthy")
    assert (found["id"], found["image"], found["state"]) == (made.container.id, f"{made.name}:1", "running")
    assert found["image_id"] == made.image
    assert found["labels"]["com.ledgerflow.test"] == made.name
    assert {"name": made.name, "target": "/data"} in found["mounts"]


def test_it_sees_volumes_networks_and_images_with_their_labels(made: Made, tmp_path: Path) -> None:
    facts = seen(made, tmp_path)
    labels = {"com.ledgerflow.test": made.name}
    assert facts["volumes"][made.name] == {"driver": "local", "labels": labels, "options": {}}
    assert facts["networks"][made.name] == {"driver": "bridge", "internal": False, "labels": labels}
    assert facts["networks"][f"{made.name}-inside"]["internal"] is True
    assert facts["images"][f"{made.name}:1"] == made.image


def test_a_port_that_a_container_publishes_is_told_to_be_its(made: Made, tmp_path: Path) -> None:
    taken = seen(made, tmp_path)["ports"][str(made.port)]
    assert taken["container"] == made.name
    assert taken["address"] in {"127.0.0.1", ""}  # "" where the engine listens in a machine of its own
    (found,) = port_findings({"ports": {str(made.port): taken}}, {"APP_PORT": made.port}, "other-dev", ".env.dev")
    assert f"taken by container {made.name}" in found["what"]


def test_a_stopped_container_is_still_seen_and_its_port_is_free(made: Made, tmp_path: Path) -> None:
    made.container.stop(timeout=1)
    facts = seen(made, tmp_path)
    assert (facts["containers"][made.name]["state"], facts["containers"][made.name]["health"]) == ("exited", "none")
    assert facts["ports"] == {}
