"""A throw-away stack on the machine's engine: settings of its own, playbooks through ansible-runner, facts by the SDK.

A module of its own because every deploy test needs the same three things, and because it alone decides what a test may
touch: names that start with the stack's own, below a data root of its own.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import ansible_runner
from docker import DockerClient

REPOSITORY = Path(__file__).resolve().parents[2]
LOGS = REPOSITORY / "build/logs"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that the kernel says are free, all different."""
    with_sockets = [socket.socket() for _ in range(count)]
    try:
        for bound_socket in with_sockets:
            bound_socket.bind(("127.0.0.1", 0))
        return [bound_socket.getsockname()[1] for bound_socket in with_sockets]
    finally:
        for bound_socket in with_sockets:
            bound_socket.close()


@dataclass
class Run:
    """What a playbook said: exit status, counts and text."""

    status: int
    changed: int
    tasks_changed: list[str]
    text: str
    seconds: float


@dataclass
class Requests:
    """Requests made while something else happened, and what went wrong with the failed ones."""

    total: int = 0
    failed: list[str] = field(default_factory=list)


@dataclass
class Stack:
    """One stack of environment ci with a name, ports and places of its own."""

    directory: Path
    name: str = field(default_factory=lambda: "t" + secrets.token_hex(3))
    environment: str = "ci"
    socket: str = "/var/run/docker.sock"
    settings: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)  # given to every playbook
    runs: int = 0
    first_deploy_seconds: float = 0.0

    def __post_init__(self) -> None:
        app, searxng, adminer = free_ports(3)
        self.settings = {
            "LEDGER_ENV": self.environment,
            "STACK_NAME": self.name,
            "APP_PORT": str(app),
            "SEARXNG_PORT": str(searxng),
            "ADMINER_PORT": str(adminer),
            "DATA_ROOT": str(self.directory / "srv"),
            "IMAGES_SOURCE": os.environ.get("LEDGERFLOW_TEST_IMAGES_SOURCE", "auto"),
            **self.settings,
        }

    @property
    def id(self) -> str:
        return f"{self.name}-{self.environment}"

    @property
    def config(self) -> Path:
        return Path("/etc/ledgerflow") / self.id

    @property
    def data(self) -> Path:
        return Path(self.settings["DATA_ROOT"]) / self.name / self.environment

    @property
    def settings_file(self) -> Path:
        return self.directory / f".env.{self.environment}"

    def write_settings(self) -> None:
        """`.env.ci` as the first make deploy would write it, with this stack's values."""
        lines = []
        for line in (REPOSITORY / ".env.example").read_text().splitlines():
            name = line.split("=")[0]
            lines.append(f"{name}={self.settings[name]}" if name in self.settings else line)
        self.settings_file.write_text("\n".join(lines) + "\n")

    def environment_variables(self) -> dict[str, str]:
        return {
            "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.directory / "facts"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "DOCKER_HOST": f"unix://{self.socket}",
        }

    def extra_variables(self, **more: Any) -> dict[str, Any]:
        """What a playbook is given beside the inventory."""
        settings = {"settings_file": str(self.settings_file), "host_facts_socket": self.socket}
        # Whatever the environment: a test's stack never guards the machine's engine.
        settings["volume_guard_mode"] = "off"
        return {**settings, **self.variables, **more}

    def play(self, playbook: str, cmdline: str = "", **variables: Any) -> Run:
        """Runs a playbook through ansible-runner; its log is kept in build/logs."""
        self.write_settings()
        self.runs += 1
        private = self.directory / f"run{self.runs}"
        private.mkdir(parents=True)
        started = time.monotonic()
        outcome = ansible_runner.run(
            private_data_dir=str(private),
            project_dir=str(REPOSITORY),
            playbook=f"playbooks/{playbook}.yml",
            inventory=str(REPOSITORY / "inventory" / self.environment),
            extravars=self.extra_variables(**variables),
            envvars=self.environment_variables(),
            cmdline=cmdline or None,
            quiet=True,
        )
        text = "\n".join(event.get("stdout", "") for event in outcome.events)
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / f"deploy-test-{self.id}-{self.runs}-{playbook}.log").write_text(text)
        changed = [
            event["event_data"]["task"]
            for event in outcome.events
            if event["event"] == "runner_on_ok" and event["event_data"]["res"].get("changed")
        ]
        stats = outcome.stats or {}
        shutil.rmtree(private / "artifacts", ignore_errors=True)
        return Run(outcome.rc, sum(stats.get("changed", {}).values()), changed, text, time.monotonic() - started)

    def deploy(self, **variables: Any) -> Run:
        """A deploy that must end well."""
        run = self.play("deploy", **variables)
        assert run.status == 0, run.text[-6000:]
        self.first_deploy_seconds = self.first_deploy_seconds or run.seconds
        return run

    def docker(self, *arguments: str, check: bool = True, stdin: str | None = None) -> str:
        """The docker command line on this stack's engine; its stdout."""
        process = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, "DOCKER_HOST": f"unix://{self.socket}"},
            capture_output=True,
            text=True,
            input=stdin,
            timeout=180,
            check=False,
        )
        assert not check or process.returncode == 0, f"docker {arguments}: {process.stderr}\n{process.stdout}"
        return process.stdout.strip()

    def said(self, service: str, since: float | None = None) -> str:
        """What a service said since then (seconds of the epoch; from the beginning), on standard error too."""
        with closing(self.client()) as client:
            output: bytes = client.containers.get(f"{self.id}-{service}").logs(since=since)
            return output.decode(errors="replace")

    def client(self) -> DockerClient:
        return DockerClient(base_url=f"unix://{self.socket}")

    def containers(self) -> dict[str, tuple[str, str]]:
        """Service → (container id, start time) of every container of the stack."""
        with closing(self.client()) as client:
            containers = client.containers.list(all=True, ignore_removed=True)
            started = {str(item.name): (str(item.id), str(item.attrs["State"]["StartedAt"])) for item in containers}
        prefix = f"{self.id}-"
        return {name.removeprefix(prefix): state for name, state in started.items() if name.startswith(prefix)}

    def sql(self, statement: str, database: str = "ledger") -> str:
        """The statement's result, by the administrator's psql in the container."""
        return self.docker(
            "exec",
            "-i",
            f"{self.id}-postgres",
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            stdin=statement,
        )

    def manage(self, *arguments: str, stdin: str | None = None) -> str:
        """manage.py in the live colour's container."""
        live = next(name for name in self.containers() if name.startswith("app-web-"))
        return self.docker("exec", "-i", f"{self.id}-{live}", "python", "manage.py", *arguments, stdin=stdin)

    def add_row(self, description: str) -> None:
        """One transaction of 12.34, the way a statement brings it."""
        line = f'"01/02/2025","12.34","*","","{description}"\n'
        self.manage("import_statement", "-", "--account", "Test", "--filename", "test.csv", stdin=line)

    def rows(self) -> list[str]:
        """The descriptions of all transactions, in the order they came."""
        return self.sql("SELECT description FROM ledger_transaction ORDER BY id").splitlines()

    def secret(self, name: str) -> str:
        return (self.config / "secrets" / name).read_text()

    def url(self, site: str = "APP", path: str = "/") -> str:
        return f"http://127.0.0.1:{self.settings[f'{site}_PORT']}{path}"

    def wait_for(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Polls until the condition holds; fails after `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return
            time.sleep(0.5)
        raise AssertionError(f"{self.id}: the condition did not hold within {seconds} s")

    def crash(self, pid: int) -> None:
        """Kills one process of one of this stack's containers, as a crash would."""
        os.kill(pid, signal.SIGKILL)

    def health(self, service: str) -> str:
        return self.docker("inspect", "-f", "{{.State.Health.Status}}", f"{self.id}-{service}", check=False)

    def is_healthy(self, service: str) -> bool:
        return self.health(service) == "healthy"

    def wait_until_healthy(self, *services: str, seconds: float = 90) -> None:
        for service in services or tuple(self.containers()):
            self.wait_for(partial(self.is_healthy, service), seconds)

    @contextmanager
    def requests(self, path: str = "/readyz") -> Iterator[Requests]:
        """Asks the app through Caddy ten times a second until the block ends."""
        counts, stop = Requests(), threading.Event()

        def ask() -> None:
            while not stop.wait(0.1):
                counts.total += 1
                try:
                    with urllib.request.urlopen(self.url(path=path), timeout=20) as answer:
                        answer.read()
                except OSError as error:
                    counts.failed.append(str(error))

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield counts
        finally:
            stop.set()
            thread.join()

    def destroy(self) -> None:
        """Removes the stack by its own playbook; a test's stack must leave nothing."""
        run = self.play("destroy", confirm=self.id)
        assert run.status == 0, run.text[-4000:]
        shutil.rmtree(self.directory, ignore_errors=True)


def new_stack(directory: Path, **settings: str) -> Iterator[Stack]:
    """A stack that is destroyed whatever the test did."""
    stack = Stack(directory, settings=settings)
    try:
        yield stack
    finally:
        stack.destroy()


def warm_stack(settings_file: Path, directory: Path) -> Stack:
    """A stack that runs already and is left running, for quick work on one test."""
    lines = [line for line in settings_file.read_text().splitlines() if "=" in line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines)
    stack = Stack(directory, name=settings["STACK_NAME"], settings=settings)
    if not stack.rows():
        stack.add_row("the row that must survive")
    return stack


def deployment(stack: Stack) -> dict[str, Any]:
    """What state/deployment.json says."""
    document = json.loads((stack.config / "state/deployment.json").read_text())
    assert isinstance(document, dict)
    return document
