#!/usr/bin/python
"""What is known about a host's guard and its engine before anything is done to them.

A module of its own because one look replaces a dozen tasks, and because it needs nothing: the standard library, no
engine, no guard. It changes nothing; what follows from it is decided by the filters in src/ledgerflow/host/guard.py.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import shlex
import shutil
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: guard_state
short_description: Report a host's guard, its files, and what the engine says of itself
description: Changes nothing, so it does the same in check mode.
options:
  files:
    description: Files whose content, mode and owner are wanted.
    type: list
    elements: path
    default: []
author: [LedgerFlow]
"""
RETURN = r"""
guard:
  description: What was seen. What is not there is empty, never absent.
  type: dict
  returned: always
"""

GUARD_SOCKET = "/run/docker/plugins/ledgerguard.sock"
ENGINE_SOCKET = "/run/docker.sock"
DATA_ROOT = "/var/lib/docker"
DAEMON_JSON = "/etc/docker/daemon.json"
RELOAD_PENDING = "/etc/docker/.ledgerflow-reload-pending"
STARTERS = ("/etc/systemd/system/ledgerguard.service", "/usr/local/sbin/ledgerguard-supervise")
SUPERVISOR_PID = Path("/run/ledgerguard.pid")
ENGINE_PID = Path("/run/docker.pid")
ETC = Path("/etc")
SYSTEM_PYTHON = "/usr/bin/python3"
SERVICE, SOCKET = "ledgerguard.service", "ledgerguard.socket"
# A dead guard makes the engine wait for it 15 seconds; the guard itself answers at once.
GUARD_SECONDS, ENGINE_SECONDS = 5.0, 20.0

Facts = dict[str, Any]


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("localhost", timeout=seconds)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask(path: str, seconds: float, method: str, route: str) -> Any:
    """The JSON answer, or None where nothing useful answers."""
    connection = _SocketConnection(path, seconds)
    try:
        connection.request(method, route)
        response = connection.getresponse()
        body = json.loads(response.read())
        return body if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _output(*argv: str) -> str:
    try:
        process = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return process.stdout.strip()


# --- what answers ---------------------------------------------------------------------------------------------------


def _status() -> Facts:
    answer = ask(GUARD_SOCKET, GUARD_SECONDS, "POST", "/Ledgerguard.Status")
    return answer if isinstance(answer, dict) else {}


def foreign(containers: list[Facts]) -> list[str]:
    """Names of the containers that hold a volume and are none of LedgerFlow's."""
    return sorted(
        str((container.get("Names") or ["/"])[0]).lstrip("/")
        for container in containers
        if any(mount.get("Type") == "volume" for mount in container.get("Mounts") or [])
        and "com.ledgerflow.stack" not in (container.get("Labels") or {})
    )


def kept_containers(data_root: str) -> int:
    """How many containers an engine keeps, running or not; it need not run."""
    try:
        return sum(entry.is_dir() for entry in (Path(data_root) / "containers").iterdir())
    except OSError:
        return 0


def _engine(data_root: str) -> Facts:
    answer = ask(ENGINE_SOCKET, ENGINE_SECONDS, "GET", "/info") or {}
    running = bool(answer.get("ServerVersion"))
    containers = ask(ENGINE_SOCKET, ENGINE_SECONDS, "GET", "/containers/json") if running else []
    return {
        "running": running,
        "version": answer.get("ServerVersion", ""),
        "root_dir": answer.get("DockerRootDir", ""),
        "foreign": foreign(containers or []),
        "unseen": 0 if running else kept_containers(data_root),
    }


def asked(before: Facts, after: Facts) -> bool | None:
    """Whether the engine asks the guard: it was called between two of the guard's answers, which tell its counts. None
    where that cannot be told: no guard, or another one by then."""
    if not before or not after or before.get("started") != after.get("started"):
        return None
    first, second = (sum((status.get("decisions") or {}).values()) for status in (before, after))
    return bool(second > first)


def plugin_flags(command: str) -> list[str]:
    """The authorization plugins among the arguments of a process, as they were given; `command` as /proc has it."""
    words = command.split("\0")
    if Path(words[0]).name != "dockerd":
        return []
    return [word for word in words[1:] if re.match(r"--authorization-plugins?(=|$)", word)]


def _engine_flags() -> list[str]:
    pid = _text(str(ENGINE_PID)).strip()
    return plugin_flags(_text(f"/proc/{pid}/cmdline")) if pid.isdigit() else []


# --- what is installed ----------------------------------------------------------------------------------------------


def file_facts(path: str) -> Facts:
    """{sha256, mode, uid, gid} of a regular file; {} where there is none."""
    file = Path(path)
    try:
        status = file.lstat()
        if not stat.S_ISREG(status.st_mode):
            return {}
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return {}
    mode = f"{stat.S_IMODE(status.st_mode):04o}"
    return {"sha256": digest, "mode": mode, "uid": status.st_uid, "gid": status.st_gid}


def unit_facts(text: str) -> Facts:
    """What `systemctl show` says of one unit."""
    pairs = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {
        "active": pairs.get("ActiveState") == "active",
        "enabled": pairs.get("UnitFileState") == "enabled",
        "stale": pairs.get("NeedDaemonReload") == "yes",
        "known": pairs.get("LoadState") == "loaded",
    }


def _unit(name: str, systemd: bool) -> Facts:
    properties = "--property=ActiveState,UnitFileState,NeedDaemonReload,LoadState"
    return unit_facts(_output("systemctl", "show", properties, name) if systemd else "")


def starts_at_boot(etc: Path) -> bool:
    """Whether init scripts start the guard; also where nothing here knows how to arrange that."""
    return any(etc.glob("rc[2-5].d/S*ledgerguard")) or shutil.which("update-rc.d") is None


def _supervisor() -> int:
    """The process that starts the guard again where there is no systemd; 0 where there is none."""
    try:
        pid = int(SUPERVISOR_PID.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return 0
    return pid if b"ledgerguard-supervise" in command else 0


def installed_options(text: str) -> list[str]:
    """The options of `serve` in a unit or a shell script as this role writes them; [] where there are none."""
    line = next((line_ for line_ in text.splitlines() if re.search(r'ledgerguard"? "?serve', line_)), "")
    try:
        words = shlex.split(line.replace("$$", "$").replace("%%", "%") if line.startswith("ExecStart=") else line)
    except ValueError:
        return []
    return [word for word in words if word.startswith("--")]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def daemon_options(text: str) -> Facts:
    """The options of a daemon.json; {} where it is not one: the role docker_engine refuses that."""
    try:
        options = json.loads(text)
    except ValueError:
        return {}
    return options if isinstance(options, dict) else {}


def observe(files: list[str]) -> Facts:
    """Everything about this host's guard."""
    systemd = Path("/run/systemd/system").is_dir()
    options = daemon_options(_text(DAEMON_JSON))
    plugins, data_root = options.get("authorization-plugins"), str(options.get("data-root") or "")
    before, engine, status = _status(), _engine(data_root or DATA_ROOT), _status()
    return {
        "files": {path: file_facts(path) for path in files},
        "systemd": systemd,
        "service": _unit(SERVICE, systemd),
        "socket": _unit(SOCKET, systemd),
        "supervisor": _supervisor(),
        "boot": starts_at_boot(ETC),
        "status": status,
        "asked": asked(before, status) if engine["running"] else None,
        "flags": _engine_flags(),
        "options": installed_options("\n".join(_text(path) for path in STARTERS)),
        "plugins": [str(plugin) for plugin in plugins] if isinstance(plugins, list) else [],
        "reload_pending": Path(RELOAD_PENDING).exists(),
        "data_root": data_root,
        "engine": engine,
        "python": _output(SYSTEM_PYTHON, "-I", "-c", "import platform; print(platform.python_version())"),
        "uid": os.geteuid(),
    }


def main() -> None:
    """Entry point of Ansible."""
    spec = {"files": {"type": "list", "elements": "path", "default": []}}
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    module.exit_json(changed=False, guard=observe(module.params["files"]))


if __name__ == "__main__":
    main()
