"""Runs one playbook the way every Make target does.

A module of its own because it is the one door between a person (or a workflow) and ansible-playbook: it refuses an
unknown environment, settles rights, writes the settings file on the first deploy, keeps the log and the time, and
ends with what the playbook has to say. `python -m ledgerflow.play.run deploy`, with the same variables as `make`.
"""

from __future__ import annotations

import ctypes
import dataclasses
import fcntl
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ledgerflow.play import remote_inputs, rights
from ledgerflow.play.request import (
    READ_ONLY,
    REDUCED,
    REMOTE,
    Refusal,
    Request,
    check_request,
    is_yes,
    playbook_argv,
    playbook_environment,
    read_request,
    read_verdict,
    settings_text,
)
from ledgerflow.repository import ROOT


def engine_kind() -> tuple[bool, bool]:
    """(Docker Desktop, rootless) as the engine that answers this user says of itself."""
    argv = ["docker", "info", "--format", "{{.OperatingSystem}}|{{json .SecurityOptions}}"]
    try:
        description = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False, False
    return "Docker Desktop" in description, "name=rootless" in description


def engine_endpoint() -> str:
    """Where the engine of the `docker` command line listens: that program reads contexts, Ansible's modules do not."""
    argv = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    try:
        endpoint = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        endpoint = ""
    return os.environ.get("DOCKER_HOST") or endpoint


def sudo_kind() -> tuple[bool, bool]:
    """(sudo is there, it asks no password)."""
    try:
        return True, subprocess.run(["sudo", "-n", "true"], capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.SubprocessError):
        return False, False


def collect_facts(request: Request, consent: Path) -> rights.Facts:
    """Looks at the machine; as root, or for hosts over ssh, there is nothing to look at."""
    remote = request.env in REMOTE
    if remote or os.geteuid() == 0:
        return rights.Facts(uid=os.geteuid(), remote=remote)
    desktop, rootless = engine_kind()
    sudo, sudo_free = sudo_kind()
    return rights.Facts(
        uid=os.geteuid(),
        system=platform.system(),
        desktop=desktop,
        rootless=rootless,
        reduced=is_yes(str(request.variables.get(REDUCED, ""))),
        endpoint=engine_endpoint(),
        sudo=sudo,
        sudo_free=sudo_free,
        terminal=sys.stdin.isatty(),
        agreed=request.yes or consent.exists(),
    )


def settle_rights(request: Request) -> rights.Decision:
    """Tells, asks and remembers; raises Refusal where the run must not start."""
    steps = rights.READ_STEPS if request.playbook in READ_ONLY else rights.CHANGE_STEPS
    consent = ROOT / "build" / rights.consent_name(steps)
    decision = rights.decide(collect_facts(request, consent), steps, request.command)
    if decision.refusal:
        raise Refusal(decision.refusal, decision.hint, code=2)
    if decision.tell:
        print("\n".join(decision.tell), flush=True)
    if decision.ask:
        if input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise Refusal("rights: not agreed; nothing was done", f"{request.command} YES=1", code=2)
        consent.touch()
    return decision


def with_inputs(request: Request) -> tuple[Request, dict[str, str]]:
    """The request with what opens the inventory's secrets, and how Ansible gets to hosts over ssh; raises Refusal."""
    if request.env not in REMOTE:
        return request, {}
    inputs = remote_inputs.ansible_environment(ROOT, request.env)
    options = remote_inputs.vault_options(ROOT, request.env, {**os.environ, **inputs}, sys.stdin.isatty())
    return dataclasses.replace(request, extra=(*options, *request.extra)), inputs


def write_settings(request: Request) -> None:
    """Writes .env.<env> from the example before the first deploy; never touches one that is there."""
    target, example = ROOT / f".env.{request.env}", ROOT / ".env.example"
    if request.playbook != "deploy" or request.settings or target.exists() or not example.exists():
        return
    aside = target.with_name(target.name + ".new")
    aside.unlink(missing_ok=True)
    aside.touch(0o600, exist_ok=False)
    aside.write_text(settings_text(example.read_text(), request.env))
    aside.rename(target)
    print(f"settings: wrote {target.name} from .env.example; edit it to change ports, limits and places", flush=True)


def lock(request: Request) -> int:
    """One run at a time changes a stack; gives the open file that holds the lock."""
    path = ROOT / "build/locks" / f"{request.stack or 'default'}-{request.env}"
    path.parent.mkdir(exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(file, 200).decode() or "another run"
        raise Refusal(f"{request.command}: {holder} is at work on this stack", "wait for it to end", code=2) from None
    os.ftruncate(file, 0)
    os.write(file, f"{request.playbook} (process {os.getpid()})".encode())
    return file


def die_with_parent() -> None:
    """Asks Linux to end this process when its parent is killed, so that no playbook runs on without its lock."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def run(argv: list[str], environ: Mapping[str, str]) -> int:
    """Runs ansible-playbook on this terminal; a SIGTERM meant for us is passed on."""
    child = subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **environ}, preexec_fn=die_with_parent)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the child as well, which tells of it
    return child.wait()


def keep_time(request: Request, started: float, seconds: float, code: int) -> None:
    """One line a run, for bench and for whoever wonders."""
    line = {
        "playbook": request.playbook,
        "env": request.env,
        "stack": request.stack,
        "service": request.service,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "seconds": round(seconds, 2),
        "exit": code,
    }
    with (ROOT / "build/logs/times.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")


def prepare(request: Request) -> tuple[Path, Path]:
    """Makes build/, puts the last run's log aside and removes its summary and verdict."""
    for name in ("logs", "results", "facts"):
        (ROOT / "build" / name).mkdir(parents=True, exist_ok=True)
    log, results_folder = ROOT / "build/logs" / f"{request.name}.log", ROOT / "build/results"
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    log.touch(0o600)
    for leftover in (f"{request.name}.txt", f"{request.target}.json", f"{request.target}.md"):
        (results_folder / leftover).unlink(missing_ok=True)
    return log, results_folder


def finish(request: Request, code: int, log: Path, results_folder: Path) -> int:
    """Says what the playbook left to say, last; gives the exit code."""
    summary, verdict_file = results_folder / f"{request.name}.txt", results_folder / f"{request.target}.json"
    if summary.exists():
        print("\n" + summary.read_text().rstrip(), flush=True)
    if code != 0 and not (request.judge and verdict_file.exists()):
        print(f"{request.command}: failed; the log is {log.relative_to(ROOT)}", file=sys.stderr)
    if request.judge:
        line, judged = read_verdict(verdict_file.read_text() if verdict_file.exists() else None)
        code = max(code, judged) if judged == 0 else judged
        print(line, flush=True)
    show_in_workflow(results_folder / f"{request.target}.md", os.environ)
    return code


def show_in_workflow(page: Path, environ: Mapping[str, str]) -> None:
    """In a workflow, what a playbook wrote for people goes onto the page of the run."""
    if (summary := environ.get("GITHUB_STEP_SUMMARY")) and page.exists():
        with Path(summary).open("a") as file:
            file.write(page.read_text().rstrip() + "\n\n")


def main(argv: list[str]) -> int:
    """Returns the exit code."""
    try:
        request = read_request(argv, os.environ)
        playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
        check_request(request, playbooks, {path.parent.name for path in (ROOT / "inventory").glob("*/hosts.yml")})
        log, results_folder = prepare(request)
        lock_file = None if request.playbook in READ_ONLY else lock(request)
        decision = settle_rights(request)
        request, inputs = with_inputs(request)
        write_settings(request)
    except Refusal as refusal:
        print(f"{refusal.what}\nHINT: {refusal.hint}", file=sys.stderr)
        return refusal.code
    started, clock = time.time(), time.monotonic()
    environment = playbook_environment(request, decision, ROOT, log)
    code = run(playbook_argv(request, decision, ROOT), {**environment, **inputs})
    keep_time(request, started, time.monotonic() - clock, code)
    code = finish(request, code, log, results_folder)
    if lock_file is not None:
        os.close(lock_file)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
