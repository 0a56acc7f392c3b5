"""The engine that the role installed really works, comes back, and is left alone afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from testinfra.host import Host

testinfra_hosts = ["ansible://all"]
Converge = Callable[..., Any]


def has_systemd(host: Host) -> bool:
    return bool(host.file("/run/systemd/system").exists)


def ok(host: Host, command: str) -> str:
    done = host.run(command)
    assert done.rc == 0, f"{command}\n{done.stdout}{done.stderr}"
    return str(done.stdout).strip()


def test_the_engine_runs_a_container(host: Host, small_image: str) -> None:
    assert ok(host, f"docker run --rm {small_image} echo it runs") == "it runs"


def test_compose_2_and_buildx_are_there_and_work(host: Host, small_image: str) -> None:
    assert ok(host, "docker compose version --short").startswith("2.")
    ok(host, "docker buildx version")
    project = f"services: {{s: {{image: '{small_image}', command: [sleep, '60'], init: true}}}}"
    ok(host, f'mkdir -p /root/project && echo "{project}" > /root/project/compose.yml')
    ok(host, "cd /root/project && docker compose up --detach --quiet-pull && docker compose down --timeout 1")


def test_the_image_of_a_dockerfile_is_built(host: Host, small_image: str) -> None:
    ok(host, f"printf 'FROM {small_image}\\nRUN echo built > /made\\n' | docker build --tag test/built:1 -")
    assert ok(host, "docker run --rm test/built:1 cat /made") == "built"


def test_the_engine_started_with_the_recommended_options(host: Host) -> None:
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {"live-restore": True}
    assert ok(host, "docker info --format '{{.LiveRestoreEnabled}}'") == "true"


def test_debian_12_takes_the_four_packages_from_debian_13_and_nothing_else(host: Host) -> None:
    if host.system_info.release.split(".")[0] != "12":
        assert not host.file("/etc/apt/preferences.d/ledgerflow-docker").exists
        return
    script = (
        "import apt; names = {p.name: {o.codename for o in p.installed.origins} for p in apt.Cache() if p.installed}; "
        "print(*sorted(n for n, c in names.items() if any(x.startswith('trixie') for x in c) and 'bookworm' not in c))"
    )
    foreign = ok(host, f'python3 -c "{script}"').split()
    assert foreign == ["docker-buildx", "docker-cli", "docker-compose", "docker.io"]
    assert "deb12" in ok(host, "dpkg-query -W -f='${Version}' containerd")


def test_check_mode_on_a_converged_host_reports_nothing(converge: Converge) -> None:
    done = converge("--check", "--diff")
    assert (done.status, done.changed) == (0, 0), done.text


def test_a_reboot_brings_the_engine_and_its_containers_back(
    host: Host, small_image: str, reboot: Callable[[], None], converge: Converge
) -> None:
    ok(host, "docker rm --force stays >/dev/null 2>&1; true")
    ok(host, f"docker run --detach --init --name stays --restart unless-stopped {small_image} sleep 600")
    reboot()
    if not has_systemd(host):
        # Nothing starts services there; the next run does.
        assert converge().status == 0
    state = "docker inspect --format '{{.State.Running}}' stays"
    wait = "for i in 1 2 3 4 5 6 7 8 9; do docker info >/dev/null 2>&1 && break; sleep 1; done"
    assert ok(host, f"{wait}; {state}") == "true"
    ok(host, "docker rm --force stays")


def test_an_interrupted_dpkg_is_healed(host: Host, small_image: str, converge: Converge) -> None:
    stop_engine(host)
    ok(host, "cd /root && apt-get download -qq docker.io && dpkg --unpack ./docker.io_*.deb && rm docker.io_*.deb")
    assert ok(host, "dpkg --audit || true") != ""
    done = converge()
    assert done.status == 0, done.text
    assert ok(host, "dpkg --audit") == ""
    ok(host, f"docker run --rm {small_image} echo works")


def test_only_a_missing_plugin_is_installed_and_the_engine_keeps_running(host: Host, converge: Converge) -> None:
    pid = ok(host, "cat /run/docker.pid")
    ok(host, "dpkg --remove docker-compose")
    done = converge()
    assert done.status == 0, done.text
    assert ok(host, "docker compose version --short").startswith("2.")
    assert ok(host, "cat /run/docker.pid") == pid


def stop_engine(host: Host) -> None:
    if has_systemd(host):
        ok(host, "systemctl stop docker.socket docker")
    else:
        ok(host, "start-stop-daemon --stop --retry TERM/30 --pidfile /run/docker.pid")


def test_a_start_that_fails_says_why_and_a_mended_one_works(host: Host, converge: Converge) -> None:
    if not has_systemd(host):
        return
    stop_engine(host)
    ok(host, "mv /var/lib/docker/network /root/network && touch /var/lib/docker/network")
    try:
        done = converge()
        assert done.status == 2, done.text
        assert "engine: does not answer after it was started; its last lines:" in done.text
        assert "/var/lib/docker/network" in done.text
    finally:
        ok(host, "rm /var/lib/docker/network && mv /root/network /var/lib/docker/network")
    assert converge().status == 0
    ok(host, "docker info")
