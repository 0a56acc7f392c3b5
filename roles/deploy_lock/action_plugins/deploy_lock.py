"""Says who takes a stack's lock, and renews it for as long as this run of ansible-playbook lives.

A module of its own because it runs on the controller, which alone knows its own process. On the host itself the lock's
module looks at that process; over ssh it cannot, so there a small process of ours renews the lease, and releases it
when the run ends in any way but a clean one.
"""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import os
import select
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from ansible import context
from ansible.plugins.action import ActionBase

RENEW_SECONDS, RETRY_SECONDS = 15.0, 5.0
# A connection that hangs must not keep the renewing process from seeing that its run has ended.
CALL_SECONDS, FIRST_SECONDS = 40, 60
LOST = 3

# Under the same flock as the module's: the record is read and what follows from it done as one.
_SCRIPT = """
grep -qs '"token": "'"$1"'"' "$2" || exit 3
case $3 in
  renew) cut -d ' ' -f 1 /proc/uptime > "$2.renewed.new" && mv "$2.renewed.new" "$2.renewed" ;;
  release) rm -f "$2" "$2.renewed" ;;
esac
"""


def lease_command(verb: str, token: str, path: str) -> str:
    """The shell line that renews or releases a lease on its host; it ends with LOST where another holds the lock."""
    argv = ["flock", str(Path(path).parent), "sh", "-c", _SCRIPT, "deploy-lock", token, path, verb]
    return shlex.join(argv)


def process_start(pid: int) -> str:
    """When a running process began; empty where it has ended. The module has the same rule; a test compares them."""
    if Path("/proc/self/stat").exists():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return ""
        return "" if fields[0] in "ZX" else fields[19]
    process = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return process.stdout.strip()


def _text(path: str, is_link: bool = False) -> str:
    with contextlib.suppress(OSError):
        return str(Path(path).readlink()) if is_link else Path(path).read_text().strip()
    return ""


def holder() -> str:
    """The person or the workflow's run, and the machine."""
    run = os.environ.get("GITHUB_RUN_ID")
    if run:
        return f"{os.environ.get('GITHUB_ACTOR', '?')} in run {run} of {os.environ.get('GITHUB_REPOSITORY', '?')}"
    with contextlib.suppress(OSError, KeyError):  # a uid without a name
        return f"{getpass.getuser()}@{socket.gethostname()}"
    return f"uid {os.getuid()}@{socket.gethostname()}"


def make_claim(pid: int, is_local: bool, commit: str) -> dict[str, Any]:
    """What the module writes down of the run whose main process is `pid`; the same for each task of that run."""
    process = {
        "pid": pid,
        "start": process_start(pid),
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "namespace": _text("/proc/self/ns/pid", is_link=True),
    }
    identity = "\0".join([socket.gethostname(), *(str(fact) for fact in process.values())])
    playbooks = " ".join(Path(name).stem for name in context.CLIARGS.get("args", ()))
    return {
        "token": hashlib.sha256(identity.encode()).hexdigest()[:32],
        "holder": holder(),
        "command": playbooks or "ansible",
        "commit": commit,
        "process": {**process, "local": is_local},
    }


class Renewal:
    """Keeps one lease until its run ends; lives in a process of its own, which no task waits for."""

    def __init__(self, pid: int, call: Callable[[str], int]) -> None:
        """`pid` is the run's main process; `call` runs renew or release on the host and gives the exit status."""
        self.pid, self.start, self.call = pid, process_start(pid), call

    def keep(self, report: Callable[[int], None]) -> None:
        """Renews until the run has ended, then releases; `report` gets the status of the first renewal."""
        status = self._call("renew")
        report(status)
        due = time.monotonic() + RENEW_SECONDS
        while status != LOST and process_start(self.pid) == self.start:
            time.sleep(0.5)
            if time.monotonic() >= due:
                status = self._call("renew")
                due = time.monotonic() + (RENEW_SECONDS if status == 0 else RETRY_SECONDS)
        if status == LOST:
            self._stop_run()
        else:
            self._call("release")

    def _call(self, verb: str) -> int:
        """The status; 255 where the host cannot be reached in time."""
        signal.signal(signal.SIGALRM, _raise_timeout)
        signal.alarm(CALL_SECONDS)
        try:
            return self.call(verb)
        except Exception:  # whatever a connection plugin raises: the next renewal may pass
            return 255
        finally:
            signal.alarm(0)

    def _stop_run(self) -> None:
        """Two runs must not work on one stack: this one could not renew in time, and another has the lock now."""
        with contextlib.suppress(OSError), Path(f"/proc/{self.pid}/fd/2").open("w") as terminal:
            terminal.write(
                "deploy lock: lost, as it could not be renewed in time and another run has taken it; this run stops\n"
                "HINT: look at the connection, wait for the other run's end and run this again\n"
            )
        if process_start(self.pid) == self.start:
            os.kill(self.pid, signal.SIGTERM)


def _raise_timeout(*_: Any) -> NoReturn:
    raise TimeoutError


def spawn(renewal: Renewal) -> tuple[int, int]:
    """Starts the renewing process; (its id, the status of its first renewal), which is 255 where none came in time."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _renew_detached(renewal, writer)
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    end, output = time.monotonic() + FIRST_SECONDS, b""
    while output.count(b"\n") < 2 and select.select([reader], [], [], max(0.0, end - time.monotonic()))[0]:
        part = os.read(reader, 100)
        if not part:
            break
        output += part
    os.close(reader)
    numbers = [int(line) for line in output.decode().split()]
    return (numbers[0] if numbers else 0), (numbers[1] if len(numbers) > 1 else 255)


def _renew_detached(renewal: Renewal, writer: int) -> None:
    os.setsid()
    if os.fork() != 0:
        return
    # Nothing that the run's end closes may stay open here, or whoever reads its output would wait for this process.
    null_device = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null_device, number)
    for number in (int(name) for name in os.listdir("/dev/fd")):  # noqa: PTH208 names that are numbers, not paths
        if number > 2 and number != writer:
            with contextlib.suppress(OSError):
                os.close(number)
    os.write(writer, f"{os.getpid()}\n".encode())

    def report(status: int) -> None:
        with contextlib.suppress(OSError):
            os.write(writer, f"{status}\n".encode())
            os.close(writer)

    renewal.keep(report)
    # An ssh that hangs is of this session; the master of a shared connection is not, and other tasks may use it.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.killpg(os.getpgid(0), signal.SIGTERM)


class ActionModule(ActionBase):  # type: ignore[misc]  # ansible publishes no types; until it does
    """What Ansible loads."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Runs the module on the host, and has its lease renewed where there is one."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        run_pid, renewing = os.getppid(), int(arguments.pop("renewing", 0) or 0)
        is_local = str(self._connection.transport).rpartition("_")[2] == "local"
        claim = make_claim(run_pid, is_local, str(arguments.pop("commit", "")))
        if arguments.get("state") == "released" and renewing:
            with contextlib.suppress(ProcessLookupError):
                os.kill(renewing, signal.SIGTERM)
        result.update(self._execute_module(module_args={**arguments, "claim": claim}, task_vars=task_vars))
        if result.get("failed") or not result.get("lease"):
            return result
        renewal = self._renew(run_pid, claim["token"], result["path"])
        if renewal.get("failed"):
            release = {**arguments, "claim": claim, "state": "released"}
            self._execute_module(module_args=release, task_vars=task_vars)
        return {**result, **renewal}

    def _renew(self, run_pid: int, token: str, path: str) -> dict[str, Any]:
        def call(verb: str) -> int:
            return int(self._low_level_execute_command(lease_command(verb, token, path))["rc"])

        pid, status = spawn(Renewal(run_pid, call))
        if status == 0:
            return {"renewing": pid}
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        problem = f"deploy lock: its lease cannot be renewed over this connection ({self._connection.transport})"
        return {"failed": True, "msg": f"{problem}, status {status}\nHINT: run this without STRATEGY=mitogen"}
