"""`ledger_docker` with the real docker and compose, on projects and volumes of the test's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENTRY = "import sys; from ledger_docker.cli import main; sys.exit(main())"
COMPOSE = """
name: {name}-shop
services:
  web:
    image: {image}
    pull_policy: never
    entrypoint: ["sleep", "600"]
    stop_grace_period: 0s
    network_mode: none
    labels: {{com.ledgerflow.environment: ci}}
    volumes: ["data:/kept", "scratch:/scratch"]
  spare:
    image: {image}
    pull_policy: never
    profiles: [spare]
    network_mode: none
    volumes: ["spare:/spare"]
volumes:
  data:
    name: {name}-data
    labels: {{com.ledgerflow.protect: "true", com.ledgerflow.environment: ci}}
  scratch: {{name: "{name}-scratch"}}
  spare:
    name: {name}-spare
    labels: {{com.ledgerflow.protect: "true", com.ledgerflow.environment: ci}}
"""


@dataclass
class Shop:
    """A running project whose volume `data` is protected and, wrongly, the project's own."""

    name: str
    root: Path

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "LEDGER_DOCKER_LOG": str(self.root / "log"),
            **more,
        }
        return subprocess.run(
            argv, cwd=self.root, env=environment, capture_output=True, text=True, timeout=120, start_new_session=True
        )

    def docker(self, *arguments: str) -> str:
        done = self.run("docker", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ledger_docker(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-c", ENTRY, *arguments, **more)

    def volumes(self) -> set[str]:
        found = self.docker("volume", "ls", "-q", "--filter", f"name={self.name}").split()
        return {name.removeprefix(f"{self.name}-") for name in found}

    def running(self) -> bool:
        return bool(self.docker("ps", "-q", "--filter", f"name={self.name}").strip())


@pytest.fixture(scope="module")
def image() -> str:
    found = os.environ.get("REDIS_IMAGE")
    if not found:
        argv = ["docker", "image", "ls", "ledgerflow/redis", "--format", "{{.Repository}}:{{.Tag}}"]
        found = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split("\n")[0]
    assert found, "no image of ours on this engine; `make test ONLY=images` makes them"
    return found


@pytest.fixture
def shop(tmp_path: Path, image: str) -> Iterator[Shop]:
    made = Shop(f"t{token_hex(3)}", tmp_path)
    (tmp_path / "compose.yml").write_text(COMPOSE.format(name=made.name, image=image))
    try:
        made.docker("volume", "create", "--label", "com.ledgerflow.protect=true", f"{made.name}-spare")
        made.docker("compose", "up", "-d")
        yield made
    finally:
        made.run("docker", "compose", "--profile", "*", "down", "-v", "-t", "0")
        for volume in made.volumes():
            made.docker("volume", "rm", f"{made.name}-{volume}")


@pytest.mark.parametrize("arguments", [
    ["compose", "down", "-v"], ["compose", "-f", "compose.yml", "down", "-t", "0", "--volumes=true"],
    ["--log-level", "error", "compose", "--project-directory", ".", "down", "--remove-orphans", "-v"],
    ["compose", "--profile", "spare", "down", "-v"],
])  # fmt: skip
def test_nothing_is_stopped_or_removed_when_it_refuses(shop: Shop, arguments: list[str]) -> None:
    done = shop.ledger_docker(*arguments)
    assert done.returncode == 77, done.stderr
    assert f"{shop.name}-data (environment ci)" in done.stderr
    assert shop.volumes() == {"data", "scratch", "spare"}
    assert shop.running()


def test_by_the_projects_name_alone_from_anywhere_it_refuses_too(shop: Shop) -> None:
    elsewhere = Shop(shop.name, shop.root / "elsewhere")
    elsewhere.root.mkdir()
    done = elsewhere.ledger_docker("compose", "-p", f"{shop.name}-shop", "down", "-v")
    assert done.returncode == 77, done.stderr
    assert f"{shop.name}-data" in done.stderr
    assert shop.running()


def test_by_hand_it_refuses_the_protected_one_and_lets_the_others_go(shop: Shop) -> None:
    done = shop.ledger_docker("volume", "rm", "-f", f"{shop.name}-scratch", f"{shop.name}-spare")
    assert done.returncode == 77, done.stderr
    assert shop.volumes() == {"data", "scratch", "spare"}
    shop.docker("volume", "create", f"{shop.name}-more")
    assert shop.ledger_docker("volume", "rm", f"{shop.name}-more").returncode == 0
    assert shop.ledger_docker("volume", "rm", f"{shop.name}-nonesuch").returncode == 1


def test_the_safe_command_that_it_names_stops_the_project_and_keeps_the_volumes(shop: Shop) -> None:
    hint = shop.ledger_docker("compose", "down", "-t", "0", "-v").stderr.splitlines()[1]
    argv = hint[hint.index("docker ") :].split()[1:]
    done = shop.ledger_docker(*argv)
    assert done.returncode == 0, done.stderr
    assert not shop.running()
    assert shop.volumes() == {"data", "scratch", "spare"}


def test_without_it_the_same_command_removes_the_volume(shop: Shop) -> None:
    shop.docker("compose", "down", "-v", "-t", "0")
    assert shop.volumes() == {"spare"}, "the refusals above would prove nothing"


def test_an_external_volume_lets_down_with_volumes_through(shop: Shop) -> None:
    text = (shop.root / "compose.yml").read_text()
    labels = '    labels: {com.ledgerflow.protect: "true", com.ledgerflow.environment: ci}\n'
    assert labels in text
    (shop.root / "compose.yml").write_text(text.replace(labels, "    external: true\n"))
    done = shop.ledger_docker("compose", "down", "-v", "-t", "0")
    assert done.returncode == 0, done.stderr
    assert shop.volumes() == {"data", "spare"}


def test_exit_codes_and_words_inside_a_container_are_not_its_business(shop: Shop) -> None:
    done = shop.ledger_docker("compose", "exec", "-T", "web", "echo", "down -v")
    assert (done.returncode, done.stdout) == (0, "down -v\n")
    assert shop.ledger_docker("compose", "exec", "-T", "web", "sh", "-c", "exit 42").returncode == 42
    assert shop.ledger_docker("exec", f"{shop.name}-shop-web-1", "sh", "-c", "exit 7").returncode == 7


def test_a_container_of_production_is_asked_about_whatever_the_shell_says(shop: Shop) -> None:
    web = f"{shop.name}-shop-web-1"
    assert shop.ledger_docker("restart", "-t", "0", web, LEDGER_ENV="dev").returncode == 0
    text = (
        (shop.root / "compose.yml")
        .read_text()
        .replace("environment: ci}\n    volumes", "environment: prod}\n    volumes")
    )
    (shop.root / "compose.yml").write_text(text)
    shop.docker("compose", "up", "-d", "-t", "0")
    for arguments in (["restart", web], ["stop", web], ["compose", "stop"], ["rm", "-f", web], ["compose", "up", "-d"]):
        done = shop.ledger_docker(*arguments, LEDGER_ENV="dev")
        assert done.returncode == 77, (arguments, done.stderr)
        assert "environment prod" in done.stderr
    assert shop.running()


def test_an_engine_that_does_not_answer_is_no_leave_to_remove(shop: Shop) -> None:
    gone = f"unix://{shop.root}/none.sock"
    done = shop.ledger_docker("-H", gone, "volume", "rm", "any")
    assert done.returncode == 77
    assert "could not look" in done.stderr
    assert shop.ledger_docker("-H", gone, "ps").returncode == 1
