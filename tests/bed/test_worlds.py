"""A world is the host with nothing of it to change: what happens inside stays inside, however it ends."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.bed import layout, templates, worlds

ROOT = Path(__file__).resolve().parents[2]
BED = [sys.executable, "-m", "tools.bed"]
PLACES = ("/etc", "/usr/local/bin", "/var/lib", "/var/log", "/var/cache", "/srv", "/run", "/tmp", "/root")


def run(*arguments: str, code: int = 0) -> str:
    done = subprocess.run([*BED, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not hold"
        time.sleep(0.05)


def left_of(world: str) -> list[str]:
    """What the host still has of a world: its files, mounts, control groups, processes."""
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{layout.CGROUP_PREFIX}{world}")]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if world in line]
    files = [str(path) for path in worlds.worlds_directory().glob(world)]
    return [*groups, *mounts, *files, *map(str, processes_with(world))]


def interfaces() -> set[str]:
    """The host's network interfaces; pairs of the machine's own containers come and go."""
    return {path.name for path in Path("/sys/class/net").iterdir() if not path.name.startswith("veth")}


def processes_with(word: str) -> list[int]:
    """Processes whose environment has a word: all that a world started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.fixture
def mark() -> str:
    """A word that no other file, volume or process has."""
    return f"mark{secrets.token_hex(6)}"


@pytest.fixture
def template(mark: str) -> Iterator[str]:
    """The name of a template that is removed after the test."""
    yield f"test-{mark}"
    shutil.rmtree(templates.templates_directory() / f"test-{mark}", ignore_errors=True)


def test_nothing_that_happens_in_a_world_reaches_the_host(mark: str) -> None:
    before = interfaces()
    writes = "; ".join(f"echo x > {place}/{mark}" for place in PLACES)
    create = f"docker volume create {mark}; docker network create {mark}"
    out = run("run", "--", "bash", "-euc", f"{writes}; {create}; ls /srv; echo $LEDGERFLOW_BED")
    assert mark in out
    for place in PLACES:
        assert not Path(place, mark).exists(), place
    assert interfaces() == before
    assert left_of(out.split()[-1]) == []


def test_the_engine_of_a_world_is_not_the_machines(mark: str) -> None:
    shown = run("run", "--", "docker", "ps", "-aq")
    assert shown.strip() == "", "a new world's engine has containers"
    root = run("run", "--", "stat", "-c", "%i", "/var/lib/docker").strip()
    assert not Path("/var/lib/docker").exists() or root != str(Path("/var/lib/docker").stat().st_ino)


def test_a_world_has_nothing_of_the_machines_deployment_engine_and_guard() -> None:
    places = " ".join(f"/{name}" for name in (*layout.HIDDEN_DIRECTORIES, *layout.HIDDEN_FILES))
    shown = run(
        "run", "--no-engine", "--", "bash", "-c", f"ls -d {places} 2>/dev/null; ls /etc/docker /etc/ledgerflow; true"
    )
    lines = set(shown.split())
    assert not lines & {f"/{name}" for name in layout.HIDDEN_FILES}
    assert not lines & {"/etc/ledgerguard", "/var/lib/ledgerguard", "/etc/systemd/system/docker.service.d"}
    assert lines - {"images", "daemon.json", "/etc/docker", "/etc/ledgerflow:", "/etc/docker:"} <= {
        "/etc/ledgerflow", "/var/lib/docker", "/var/lib/containerd",
    }  # fmt: skip


def test_a_world_without_a_network_reaches_nobody_outside() -> None:
    routes = run("run", "--no-engine", "--", "cat", "/proc/net/route").splitlines()
    assert len(routes) == 1, routes
    interfaces = run("run", "--no-engine", "--", "cat", "/proc/net/dev")
    assert "lo:" in interfaces
    assert "eth0:" not in interfaces


def test_exit_codes_and_the_working_directory_pass_through() -> None:
    assert run("run", "--no-engine", "--", "pwd").strip() == str(ROOT)
    run("run", "--no-engine", "--", "bash", "-c", "exit 7", code=7)
    run("run", "--no-engine", "--", "bash", "-c", "kill -9 $$", code=137)


def test_a_copy_has_what_its_template_had_and_nothing_flows_back(mark: str, template: str) -> None:
    make = (
        f"echo first > /srv/{mark}; echo first > /etc/{mark}; mkdir -p /var/lib/{mark}; rm -rf /usr/share/doc;"
        "mkdir /usr/share/doc; echo new > /usr/share/doc/new;"
        "tar -C / -c bin/busybox 2>/dev/null | docker import - nothing >/dev/null || true;"
        f"docker volume create {mark}"
    )
    run("run", f"--keep-as={template}", "--", "bash", "-euc", make)
    kept = templates.templates_directory() / template
    change = (
        f"cat /srv/{mark} /etc/{mark}; docker volume ls -q; ls /usr/share/doc /var/lib;"
        f"echo second > /srv/{mark}; echo second > /etc/{mark}; docker volume rm {mark}"
    )
    out = run("run", f"--from={template}", "--", "bash", "-euc", change)
    assert out.count("first") == 2
    assert mark in out
    assert "new" in out.split()
    assert "apt" not in out.split("new")[0].split()[-1:], "a directory that was made anew shows the host's"
    assert (kept / "root/srv" / mark).read_text() == "first\n"
    assert (kept / "root/etc" / mark).read_text() == "first\n"
    assert mark in run("run", f"--from={template}", "--", "docker", "volume", "ls", "-q")


def test_a_container_of_a_copy_changes_no_file_of_the_templates_image(mark: str, template: str) -> None:
    image = "mkdir /tmp/i; cp -L --parents $(ldd /bin/sh | grep -o '/[^ ]*') /bin/sh /bin/cp /tmp/i 2>/dev/null;"
    image += "cp -L --parents $(ldd /bin/cp | grep -o '/[^ ]*') /tmp/i; echo first > /tmp/i/file;"
    image += "tar -C /tmp/i -c . | docker import - tiny"
    run("run", f"--keep-as={template}", "--", "bash", "-uc", image)
    change = "docker run --network none tiny sh -c 'echo second > /file; while read line; do echo $line; done < /file'"
    assert "second" in run("run", f"--from={template}", "--", "bash", "-euc", change)
    read = change.replace("echo second > /file; ", "")
    assert "first" in run("run", f"--from={template}", "--", "bash", "-euc", read)


@contextmanager
def keeper_of(script: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A world that has begun its script, and its name; ended with the test."""
    argv = [*BED, "run", "--", "bash", "-c", f"{script}; echo $LEDGERFLOW_BED; sleep 300 & setsid sleep 300"]
    keeper = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if keeper.stdout is None:
        raise RuntimeError("no pipe")
    try:
        with keeper.stdout as output:
            yield keeper, output.readline().strip()
    finally:
        keeper.terminate()
        keeper.wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_world_ends_with_its_keeper_and_a_killed_ones_files_go_with_the_next_sweep(
    mark: str, number: signal.Signals
) -> None:
    with keeper_of(f"docker volume create {mark} >/dev/null") as (keeper, world):
        assert len(processes_with(world)) > 3
        keeper.send_signal(number)
        keeper.wait(60)
        wait_for(lambda: not processes_with(world))
        if number == signal.SIGKILL:
            assert world in worlds.sweep()
        wait_for(lambda: left_of(world) == [])


def test_a_sweep_leaves_worlds_that_are_in_use() -> None:
    with keeper_of("true") as (keeper, world):
        assert world not in worlds.sweep()
        assert (worlds.worlds_directory() / world).is_dir()
        assert keeper.poll() is None


def test_no_file_system_for_worlds_is_said_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERFLOW_BEDS", "/dev/shm/beds")
    with pytest.raises(worlds.BedError, match=r"/dev/shm/beds is on tmpfs\nHINT: LEDGERFLOW_BEDS="):
        worlds.worlds_directory()


def test_programs_of_administration_are_found_whatever_path_sudo_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert {"/usr/sbin", "/sbin", str(ROOT / ".venv/bin")} <= set(worlds.search_path().split(os.pathsep))
