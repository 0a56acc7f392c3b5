"""Docker compose itself reads the projects that role service makes, and understands them as they are meant."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from ledgerflow.stack.service import compose_project

STACK = {
    "id": "t000000-ci",
    "name": "t000000",
    "environment": "ci",
    "config_root": "/etc/ledgerflow/t000000-ci",
    "volume_prefix": "t000000_ci",
    "engine_version": "26.1.5",
}
LEAST: dict[str, Any] = {
    "name": "cache",
    "image": "ledgerflow/redis:1",
    "uid": 6379,
    "networks": ["data"],
    "memory_mb": 128,
    "healthcheck": {"test": ["CMD", "true"]},
}
FULL: dict[str, Any] = {
    **LEAST,
    "networks": ["data", "app"],
    "protected": {"redis_data": "/data"},
    "mounts": {"scratch": "/scratch"},
    "volumes": ["/opt/code:/app:ro"],
    "gates": True,
    "entrypoint": ["redis-server"],
    "command": ["/config/redis.conf"],
    "environment": {"A": 1},
    "ports": ["127.0.0.1:9001:9001"],
    "tmpfs": ["/run/redis:uid=6379,mode=0755"],
    "stop_signal": "SIGINT",
    "grace_seconds": 120,
    "shm_mb": 64,
    "working_dir": "/data",
    "files": {"redis.conf": "save ''"},
}

pytestmark = pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode != 0,
    reason="no docker compose on this machine; ends with `make deploy` or `scripts/play engine`",
)


def understood(**description: Any) -> dict[str, Any]:
    """The project as compose understands it; an error of compose is the test's."""
    project = json.dumps(compose_project(description, STACK))  # JSON is YAML
    argv = ["docker", "compose", "-f", "-", "config", "--format", "json", "--no-path-resolution"]
    done = subprocess.run(argv, input=project, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    made = json.loads(done.stdout)
    assert isinstance(made, dict)
    return made


@pytest.mark.parametrize("description", [LEAST, FULL], ids=["least", "full"])
def test_compose_understands_it_as_hardened(description: dict[str, Any]) -> None:
    made = understood(**description)["services"]["cache"]
    assert made["user"] == "6379:6379"
    assert (made["read_only"], made["cap_drop"], made.get("cap_add")) == (True, ["ALL"], None)
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert int(made["mem_limit"]) == int(made["memswap_limit"]) == 128 * 2**20
    assert (made["restart"], made["pull_policy"], made["init"]) == ("always", "never", True)
    assert not made.get("privileged")
    assert (made["healthcheck"]["test"], made["healthcheck"]["start_interval"]) == (["CMD", "true"], "1s")


def test_compose_owns_no_network_and_no_volume_of_it() -> None:
    made = understood(**FULL)
    assert {item["name"] for item in made["networks"].values()} == {"t000000-ci-data", "t000000-ci-app"}
    assert {item["name"] for item in made["volumes"].values()} == {"t000000_ci_redis_data", "t000000_ci_scratch"}
    assert all(item["external"] is True for kind in ("networks", "volumes") for item in made[kind].values())


def test_a_service_without_networks_is_given_none_by_compose() -> None:
    made = understood(**{**LEAST, "networks": []})
    assert made.get("networks", {}) == {}
    assert made["services"]["cache"]["network_mode"] == "none"


def test_compose_mounts_configuration_and_secrets_read_only_and_the_volumes_writable() -> None:
    mounts = {item["target"]: item for item in understood(**FULL)["services"]["cache"]["volumes"]}
    assert {target for target, item in mounts.items() if item.get("read_only")} == {
        "/config", "/run/secrets", "/gates", "/app",
    }  # fmt: skip
    assert (mounts["/data"]["type"], mounts["/data"]["source"]) == ("volume", "redis_data")
    assert (mounts["/scratch"]["type"], mounts["/scratch"]["source"]) == ("volume", "scratch")


def test_compose_starts_the_check_before_the_program() -> None:
    made = understood(**FULL)["services"]["cache"]
    assert made["entrypoint"] == ["/bin/sh", "/config/start", "redis-server"]
    assert made["command"] == ["/config/redis.conf"]


def test_compose_publishes_on_loopback_only_what_says_so() -> None:
    (port,) = understood(**FULL)["services"]["cache"]["ports"]
    assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "9001", 9001)
    assert "ports" not in understood(**LEAST)["services"]["cache"]


def test_compose_takes_a_one_off_step_without_a_health_check_or_a_restart() -> None:
    step = {key: value for key, value in LEAST.items() if key != "healthcheck"}
    made = understood(**step, oneoff=True)["services"]["cache"]
    assert (made["restart"], made["healthcheck"]) == ("no", {"disable": True})
