"""Options for a running engine, with systemd and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://lf-engine-trixie", "ansible://lf-engine-bare"]
Converge = Callable[..., Any]


def ok(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.rc == 0, f"{command}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def test_an_option_is_merged_and_reloaded_without_a_restart(host: Host, converge: Converge) -> None:
    before = ok(host, "cat /run/docker.pid")
    done = converge(docker_engine_daemon_options={"insecure-registries": ["registry.example.org"]})
    assert (done.status, done.changed > 0) == (0, True), done.text
    assert "registry.example.org" in ok(host, "docker info --format '{{json .RegistryConfig.IndexConfigs}}'")
    assert ok(host, "docker info --format '{{.LiveRestoreEnabled}}'") == "true"
    assert ok(host, "cat /run/docker.pid") == before
    assert converge(docker_engine_daemon_options={"insecure-registries": ["registry.example.org"]}).changed == 0


def test_an_option_that_needs_a_restart_waits_for_permission(host: Host, small_image: str, converge: Converge) -> None:
    wanted = {"log-opts": {"max-size": "10m"}}
    before = host.file("/etc/docker/daemon.json").content
    done = converge(docker_engine_daemon_options=wanted)
    assert (done.status, done.changed) == (2, 0), done.text
    assert "log-opts need a restart" in done.text and "docker_engine_restart_allowed=true" in done.text
    assert host.file("/etc/docker/daemon.json").content == before
    pid = ok(host, "cat /run/docker.pid")
    done = converge(docker_engine_daemon_options=wanted, docker_engine_restart_allowed=True)
    assert done.status == 0, done.text
    assert ok(host, "cat /run/docker.pid") != pid
    ok(host, f"docker run --rm {small_image} echo works")
