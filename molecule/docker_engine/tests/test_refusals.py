"""Configurations the role refuses. The decision does not depend on the host, so one host is enough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://lf-engine-trixie"]
Converge = Callable[..., Any]


def ok(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.rc == 0, f"{command}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def test_a_conflict_shows_both_values_and_changes_nothing(host: Host, converge: Converge) -> None:
    before = host.file("/etc/docker/daemon.json").content
    done = converge(docker_engine_daemon_options={"live-restore": False})
    assert (done.status, done.changed) == (2, 0), done.text
    assert "live-restore is true, LedgerFlow wants false" in done.text
    assert host.file("/etc/docker/daemon.json").content == before


def test_a_daemon_json_that_is_not_json_is_refused_with_its_line(host: Host, converge: Converge) -> None:
    ok(
        host,
        "cp /etc/docker/daemon.json /root/kept.json && printf '{\\n  \"debug\" true\\n}\\n' > /etc/docker/daemon.json",
    )
    try:
        done = converge()
        assert (done.status, done.changed) == (2, 0), done.text
        assert "/etc/docker/daemon.json: line 2" in done.text
    finally:
        ok(host, "mv /root/kept.json /etc/docker/daemon.json")


def test_options_the_engine_does_not_know_are_refused_by_its_own_check(host: Host, converge: Converge) -> None:
    before = host.file("/etc/docker/daemon.json").content
    done = converge(docker_engine_daemon_options={"no-such-option": True}, docker_engine_restart_allowed=True)
    assert done.status == 2, done.text
    assert host.file("/etc/docker/daemon.json").content == before
    ok(host, "docker info")
    done = converge()
    assert done.status == 0, done.text
