#!/usr/bin/python
"""What is known about a host's Docker engine before anything is done to it.

A module of its own because the answer is needed where no engine, no Docker library and no gathered facts may be there
yet: it reads files, asks the engine's socket with the standard library only, and changes nothing. What follows from the
answer is decided by the filters in src/ledgerflow/host/engine.py.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: engine_state
short_description: Report a host's Docker engine, its packages and its configuration
description:
  - Reports whether an engine is installed and running, its version, its compose and buildx plugins, its daemon.json,
    the package it came from and what kind of host this is. Changes nothing, so it does the same in check mode.
options:
  wait_seconds:
    description: How long to wait for the engine to answer. 0 asks once.
    type: int
    default: 0
  apt_sources:
    description: Also return the text of the host's package sources.
    type: bool
    default: false
author: [LedgerFlow]
"""
EXAMPLES = r"""
- name: Look at the engine
  engine_state:
  register: seen
"""
RETURN = r"""
engine:
  description: What was seen. Text that is not known is empty, never absent.
  type: dict
  returned: always
"""

DAEMON_JSON = Path("/etc/docker/daemon.json")
RELOAD_PENDING = Path("/etc/docker/.ledgerflow-reload-pending")
PID_FILE = Path("/run/docker.pid")
LOG_FILE = Path("/var/log/docker.log")
ENGINE_PACKAGES = ("docker.io", "docker-ce", "moby-engine")
SOCKET_TIMEOUT_SECONDS = 5.0


@dataclass
class Engine:
    """One host's engine as seen; field names are the contract with the filters."""

    installed: bool = False
    running: bool = False
    version: str = ""
    compose: str = ""
    buildx: str = ""
    rootless: bool = False
    desktop: bool = False
    security_options: list[str] = field(default_factory=list)
    root_dir: str = ""
    live_restore: bool = False
    authorization: list[str] = field(default_factory=list)
    daemon_json: str = ""
    binary: str = ""
    socket: str = ""
    pid: int = 0
    flags: list[str] = field(default_factory=list)
    package: str = ""
    package_version: str = ""
    dpkg_interrupted: bool = False
    reload_pending: bool = False
    stale_pid_file: bool = False
    requests_importable: bool = True
    uid: int = 0
    system: str = ""
    distribution: str = ""
    distribution_version: str = ""
    systemd: bool = False
    apt_sources: dict[str, str] = field(default_factory=dict)
    log: str = ""


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=SOCKET_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


# Pure: text in, values out.


def os_release(text: str) -> dict[str, str]:
    """The assignments of an os-release file without their quotes."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): content.strip().strip("\"'") for key, content in pairs}


def from_info(engine: Engine, answer: dict[str, Any]) -> None:
    """Fill in what the engine's /info says."""
    engine.running = True
    engine.version = str(answer.get("ServerVersion", ""))
    engine.security_options = list(answer.get("SecurityOptions") or [])
    engine.rootless = any("rootless" in option for option in engine.security_options)
    engine.desktop = "docker desktop" in str(answer.get("OperatingSystem", "")).lower()
    engine.root_dir = str(answer.get("DockerRootDir", ""))
    engine.live_restore = bool(answer.get("LiveRestoreEnabled", False))
    engine.authorization = list((answer.get("Plugins") or {}).get("Authorization") or [])


def candidate_sockets(environment: dict[str, str], home: str) -> list[str]:
    """The sockets an engine may listen on, in the order they are tried."""
    docker_host = environment.get("DOCKER_HOST", "")
    if docker_host:
        return [docker_host.removeprefix("unix://")] if docker_host.startswith("unix://") else []
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    user_sockets = [f"{runtime}/docker.sock"] if runtime else []
    return [
        "/var/run/docker.sock",
        *user_sockets,
        f"{home}/.docker/run/docker.sock",
        f"{home}/.docker/desktop/docker.sock",
    ]


# Effects: reading files, the socket and the package database.


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _output(*argv: str, any_status: bool = False) -> str:
    try:
        process = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip() if any_status or process.returncode == 0 else ""


def ask(path: str, route: str) -> dict[str, Any] | None:
    """The engine's JSON answer, or None where nothing useful answers."""
    connection = _SocketConnection(path)
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        body = json.loads(response.read())
        return body if response.status == 200 and isinstance(body, dict) else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _see_engine(engine: Engine) -> None:
    for path in candidate_sockets(dict(os.environ), str(Path.home())):
        answer = ask(path, "/info")
        # An engine that still starts answers /info with an empty version or an error: not running yet.
        if answer and answer.get("ServerVersion"):
            engine.socket = path
            from_info(engine, answer)
            return


def _see_binary(engine: Engine) -> None:
    engine.binary = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin") or ""
    engine.installed = bool(engine.binary)
    if engine.installed and not engine.version:
        match = re.search(r"version ([^,\s]+)", _output(engine.binary, "--version"))
        engine.version = match.group(1) if match else ""
    if shutil.which("docker"):
        engine.compose = _output("docker", "compose", "version", "--short")
        match = re.search(r"\bv?(\d+\.\d+\S*)", _output("docker", "buildx", "version"))
        engine.buildx = match.group(1) if match else ""


def _see_process(engine: Engine) -> None:
    text = _text(PID_FILE).strip()
    pid = int(text) if text.isdigit() else 0
    command = _text(Path(f"/proc/{pid}/cmdline")).split("\0") if pid else []
    if command and Path(command[0]).name == "dockerd":
        engine.pid = pid
        engine.flags = [word for word in command[1:] if word]
    # A number that meanwhile belongs to another program keeps dockerd from starting.
    engine.stale_pid_file = bool(command) and not engine.pid


def _see_packages(engine: Engine) -> None:
    if not shutil.which("dpkg-query"):
        return
    for name in ENGINE_PACKAGES:
        line = _output("dpkg-query", "-W", "-f=${db:Status-Status} ${Version}", name)
        status, _, version = line.partition(" ")
        if status and status not in ("not-installed", "config-files"):
            engine.package, engine.package_version = name, version
            break
    updates = Path("/var/lib/dpkg/updates")
    leftover = updates.is_dir() and any(entry.name.isdigit() for entry in updates.iterdir())
    engine.dpkg_interrupted = leftover or bool(_output("dpkg", "--audit", any_status=True))


def _see_host(engine: Engine) -> None:
    release = os_release(_text(Path("/etc/os-release")))
    engine.system = platform.system()
    engine.distribution = release.get("ID", "")
    engine.distribution_version = release.get("VERSION_ID", "")
    engine.systemd = Path("/run/systemd/system").is_dir()
    engine.uid = os.geteuid()
    engine.daemon_json = _text(DAEMON_JSON)
    engine.reload_pending = RELOAD_PENDING.exists()
    # Only the system's Python can be given the package; another one is whoever made it's.
    engine.requests_importable = sys.prefix != "/usr" or importlib.util.find_spec("requests") is not None


def _apt_sources() -> dict[str, str]:
    base = Path("/etc/apt")
    parts = sorted((base / "sources.list.d").glob("*"))
    files = [base / "sources.list", *(path for path in parts if path.suffix in (".list", ".sources"))]
    return {str(path): _text(path) for path in files if path.is_file()}


def _last_log(systemd: bool) -> str:
    if systemd:
        return _output("journalctl", "--unit=docker.service", "--lines=15", "--no-pager", "--output=cat")
    return "\n".join(_text(LOG_FILE).splitlines()[-15:])


def observe(wait_seconds: int, apt_sources: bool) -> Engine:
    """Everything about this host's engine; waits for an answer as long as it is told to."""
    engine = Engine()
    end = time.monotonic() + wait_seconds
    _see_engine(engine)
    while not engine.running and time.monotonic() < end:
        time.sleep(0.2)
        _see_engine(engine)
    _see_binary(engine)
    _see_process(engine)
    _see_packages(engine)
    _see_host(engine)
    if apt_sources:
        engine.apt_sources = _apt_sources()
    if wait_seconds and not engine.running:
        engine.log = _last_log(engine.systemd)
    return engine


def main() -> None:
    spec = {"wait_seconds": {"type": "int", "default": 0}, "apt_sources": {"type": "bool", "default": False}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    engine = observe(module.params["wait_seconds"], module.params["apt_sources"])
    module.exit_json(changed=False, engine=asdict(engine))


if __name__ == "__main__":
    main()
