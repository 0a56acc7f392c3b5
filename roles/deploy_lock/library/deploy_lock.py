#!/usr/bin/python
"""Takes, and releases, the lock of one stack on the host that runs it.

A module of its own because it decides whether two runs may change a stack at the same time, so the decision is made on
the host, where every laptop, workflow and plain C(ansible-playbook) meets. Standard library only. A lock is a small
file; each change of it is made while C(flock) is held on its directory, which is never removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: deploy_lock
short_description: Take or release the lock of one stack
description:
  - Never reports a change. In check mode it does nothing.
  - The action plugin of the same name fills in C(claim) and, over ssh, renews the lease.
options:
  state:
    description: Whether the lock is to be held or released afterwards.
    type: str
    choices: [taken, released]
    default: taken
  stack:
    description: The stack's id, for messages and as the file's name.
    type: str
    required: true
  directory:
    description: Where locks are.
    type: path
    required: true
  socket:
    description: The engine's unix socket.
    type: path
    default: /var/run/docker.sock
  step_labels:
    description: Labels of the one-off containers that a run of this stack starts.
    type: dict
    default: {}
  wait_seconds:
    description: How long to wait for a lease that may lapse, or for a step that a killed run left running.
    type: int
    default: 90
  claim:
    description: >-
      Who takes it, as the action plugin says: token, holder, command, commit and process (local, pid, start, boot,
      namespace). One token is one process.
    type: dict
    required: true
author: [LedgerFlow]
"""
RETURN = r"""
path:
  description: The lock's file.
  type: str
  returned: always
lease:
  description: Whether the lock ends unless it is renewed, as its process cannot be seen from the host.
  type: bool
  returned: when taken
"""

# A lease ends this long after its last renewal; one comes each 15 seconds, and a slow network delays it.
LAPSE_SECONDS = 60
ENGINE_SECONDS = 20.0  # a dead guard makes the engine wait for it 15 seconds

FREE, PROCESS, LEASE, STEP, UNREADABLE = "free", "process", "lease", "step", "unreadable"

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Place:
    """One lock: its record, and beside it the time of its last renewal."""

    directory: Path
    stack: str

    @property
    def record(self) -> Path:
        """The file that says who holds the lock."""
        return self.directory / f"{self.stack}.lock"

    @property
    def renewed(self) -> Path:
        """The host's seconds since its start at the last renewal; the action plugin writes it too."""
        return self.directory / f"{self.stack}.lock.renewed"

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nobody else reads or changes a lock of this directory meanwhile."""
        self.directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.directory, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def read(self) -> Record | None:
        """The record, None where there is none; ValueError where it is damaged."""
        try:
            record = json.loads(self.record.read_text())
        except FileNotFoundError:
            return None
        if not isinstance(record, dict) or not {"token", "process", "since"} <= set(record):
            raise ValueError(f"{self.record}: not a lock's record")
        return record

    def write(self, record: Record) -> None:
        """The renewal comes first: a lease that is read without one would have lapsed."""
        _replace(self.renewed, f"{uptime():.2f}\n")
        _replace(self.record, json.dumps(record, indent=2) + "\n")

    def remove(self) -> None:
        """The record goes first, for the same reason."""
        self.record.unlink(missing_ok=True)
        self.renewed.unlink(missing_ok=True)

    def renewal_age(self) -> float:
        """Seconds since the last renewal; endless where none can be read."""
        try:
            return uptime() - float(self.renewed.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return float("inf")


def _replace(path: Path, text: str) -> None:
    beside = path.with_name(path.name + ".new")
    with beside.open("w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(path)


def uptime() -> float:
    """Seconds since the host's start: no change of its clock ends a lease, or makes one endless."""
    try:
        return float(Path("/proc/uptime").read_text().split()[0])
    except OSError:  # macOS
        return time.monotonic()


def boot() -> str:
    """What differs after each start of the host; empty where the system does not say."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ""


def process_namespace() -> str:
    """Process ids mean the same only within one such namespace; empty where there are none."""
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def process_start(pid: int) -> str:
    """When a running process began, which tells it from a later one of the same id; empty where it has ended."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    process = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return process.stdout.strip()


@dataclass(frozen=True)
class Judgement:
    """Who keeps the lock from being taken, if anybody."""

    kind: str
    record: Record | None = None
    detail: str = ""


def judge(place: Place, token: str, lapse_seconds: float, steps: Callable[[], list[str]]) -> Judgement:
    """Whether the lock may be taken by `token`. To be called while the directory is held."""
    try:
        record = place.read()
    except (OSError, ValueError) as error:
        return Judgement(UNREADABLE, None, str(error))
    if record is not None:
        if record["token"] == token:
            return Judgement(FREE, record)
        if kind := _alive(place, record, lapse_seconds):
            return Judgement(kind, record)
    running = steps()
    return Judgement(STEP, record, ", ".join(running)) if running else Judgement(FREE, record)


def _alive(place: Place, record: Record, lapse_seconds: float) -> str:
    """PROCESS or LEASE where the holder runs, or may run; else empty."""
    process = record["process"]
    if record.get("boot") != boot():
        return ""  # the host was started anew, so nothing that the holder began on it still runs
    if not process["local"]:
        return LEASE if place.renewal_age() < lapse_seconds else ""
    if process["namespace"] != process_namespace():
        return PROCESS  # it cannot be seen from within this namespace
    return PROCESS if process_start(int(process["pid"])) == process["start"] else ""


class Refusal(Exception):
    """The lock cannot be had."""

    def __init__(self, judgement: Judgement) -> None:
        super().__init__(judgement.kind)
        self.judgement = judgement


def take(
    place: Place,
    claim: Record,
    steps: Callable[[], list[str]],
    wait_seconds: float,
    lapse_seconds: float = LAPSE_SECONDS,
) -> None:
    """Takes the lock; raises Refusal at once where its holder lives, else when the wait is over."""
    end, first_renewal = time.monotonic() + wait_seconds, None
    while True:
        with place.exclusive():
            judgement = judge(place, claim["token"], lapse_seconds, steps)
            if judgement.kind == FREE:
                since = (judgement.record or {}).get("since") if _is_own(judgement.record, claim) else None
                place.write({**claim, "boot": boot(), "since": since or _now()})
                return
            renewal = place.renewed.read_text() if judgement.kind == LEASE else None
        first_renewal = first_renewal or renewal
        renewed_meanwhile = renewal is not None and renewal != first_renewal
        if judgement.kind in (PROCESS, UNREADABLE) or renewed_meanwhile or time.monotonic() >= end:
            raise Refusal(judgement)
        time.sleep(0.5)


def release(place: Place, token: str) -> None:
    """Releases the lock where this token holds it."""
    with place.exclusive(), contextlib.suppress(ValueError):
        if _is_own(place.read(), {"token": token}):
            place.remove()


def _is_own(record: Record | None, claim: Record) -> bool:
    return record is not None and record["token"] == claim["token"]


def _now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")  # noqa: UP017 a host's Python may be 3.9


def running_steps(socket_path: str, labels: Mapping[str, str]) -> list[str]:
    """Names of the stack's one-off containers that run.

    None where the engine does not answer or lacks its guard: the deploy that repairs it must not be kept out, and no
    deploy removes a step that runs.
    """
    label_filters = [f"{key}={label}" for key, label in labels.items()] + ["com.docker.compose.oneoff=True"]
    filters = {"label": label_filters, "status": ["running", "paused", "restarting"]}
    query = urllib.parse.urlencode({"filters": json.dumps(filters)})
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.sock.settimeout(ENGINE_SECONDS)
    try:
        connection.sock.connect(socket_path)
        connection.request("GET", f"/containers/json?{query}")
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException):
        return []
    finally:
        connection.close()
    return sorted(container["Names"][0].lstrip("/") for container in json.loads(body)) if answer.status == 200 else []


def refusal_text(stack: str, place: Place, judgement: Judgement) -> str:
    """What is said of a lock that cannot be had: holder, host, commit, since when, and the way out."""
    record = judgement.record
    holder = "a run"
    if record is not None:
        process = f"{record.get('command', '?')}, process {record['process'].get('pid', '?')}"
        holder = (
            f"{record.get('holder', '?')} ({process}), commit {record.get('commit') or 'unknown'}, "
            f"since {record['since']}"
        )
    stack_text = f"{stack} on {socket.gethostname()}"
    if judgement.kind == UNREADABLE:
        return (
            f"{stack_text}: its lock is damaged ({judgement.detail})\nHINT: rm {place.record}, if no deploy is running"
        )
    if judgement.kind == STEP:
        return (
            f"{stack_text}: step {judgement.detail} is still running; it was started by {holder}, which has ended\n"
            f"HINT: docker logs -f {judgement.detail.split(', ')[0]} shows it; wait for its end and run this again"
        )
    ends = f"the lock of a killed run ends within {LAPSE_SECONDS} s"
    if record is not None and judgement.kind == PROCESS and record["process"]["namespace"] != process_namespace():
        ends = f"its process cannot be seen from here; if it has ended: rm {place.record}"
    return f"{stack_text}: locked by {holder}\nHINT: wait for its end and run this again ({ends})"


def main() -> None:
    """Entry point of Ansible."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["taken", "released"], "default": "taken"},
            "stack": {"type": "str", "required": True},
            "directory": {"type": "path", "required": True},
            "socket": {"type": "path", "default": "/var/run/docker.sock"},
            "step_labels": {"type": "dict", "default": {}},
            "wait_seconds": {"type": "int", "default": 90},
            "claim": {"type": "dict", "required": True},
        },
        supports_check_mode=True,
    )
    params = module.params
    place = Place(Path(params["directory"]), params["stack"])
    if module.check_mode:
        module.exit_json(changed=False, path=str(place.record), lease=False)
    try:
        if params["state"] == "released":
            release(place, params["claim"]["token"])
        else:
            steps = lambda: running_steps(params["socket"], params["step_labels"])  # noqa: E731 asked for as often as needed
            take(place, params["claim"], steps, params["wait_seconds"])
    except Refusal as refusal:
        module.fail_json(msg=refusal_text(params["stack"], place, refusal.judgement))
    except (OSError, ValueError, KeyError) as error:
        module.fail_json(msg=f"{place.record}: cannot be locked: {error!r}\nHINT: make deploy asks for the rights")
    lease = params["state"] == "taken" and not params["claim"]["process"]["local"]
    module.exit_json(changed=False, path=str(place.record), lease=lease)


if __name__ == "__main__":
    main()
