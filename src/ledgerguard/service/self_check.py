"""Is the guard really active? It attacks a volume of its own through the engine, and looks at what could be wrong.

A module of its own because it asks from outside what the guard cannot know of itself: an engine that dropped a plugin
still lists it. Each finding has a stable id; *could not check* is a finding too.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ledgerguard.declarations.model import DeclarationError
from ledgerguard.lookups.declarations_file import load_declarations
from ledgerguard.lookups.engine_api import send_request
from ledgerguard.model import PROTECT, Container
from ledgerguard.refusal import LookupFailed, Refusal, printable
from ledgerguard.rules import ownership
from ledgerguard.rules.policy import Context, Policy
from ledgerguard.service import audit, findings, server
from ledgerguard.service.daemon import Settings, build_guard
from ledgerguard.service.findings import BAD, GOOD, UNKNOWN, Finding, worst_verdict

CANARY, CANARY_TEXT = "ledgerguard-canary", "attacked on purpose by ledgerguard check; it has to survive\n"
CALL_SECONDS = 30.0
SYSTEMD = Path("/run/systemd/system")
RUNBOOK = "docs/runbooks/guard-down.md"
UNGUARDED_HINT = f'{RUNBOOK}, "The engine works without its guard"'


def run_checks(settings: Settings, daemon_json: Path, existing: bool) -> list[Finding]:
    """`settings.mode` is the mode it is meant to have."""
    results = [
        *_check_running(settings),
        *_check_canary(settings),
        *_check_daemon_json(settings, daemon_json),
        *_check_file_owners(settings),
    ]
    results += _check_volumes(settings)
    return results + (list(_check_containers(settings)) if existing else [])


def exit_code(results: list[Finding]) -> int:
    """0 holds, 1 something is bad, 2 something could not be checked."""
    return {GOOD: 0, BAD: 1}.get(worst_verdict(results), 2)


def save_verdict(settings: Settings, results: list[Finding]) -> list[Finding]:
    """Keeps the verdict for the guard's status, tells audit and hook; a finding where that could not be done."""
    summary = findings.summarize(results)
    log = audit.Audit(settings.audit_file, hook=settings.hook)
    facts = {key: summary[key] for key in ("looked_at", "not_well", "findings")}
    is_logged = log.write("checked", outcome=summary["verdict"], reason=summary["text"], **facts)
    log.finish()
    failed = [] if is_logged else [_unsaved(settings.audit_file, "cannot be written")]
    try:
        findings.save_summary(settings.state_dir, summary)
    except OSError as error:
        failed.append(_unsaved(settings.state_dir, str(error.strerror)))
    return failed


def _unsaved(path: Path, why: str) -> Finding:
    return Finding(
        "kept", UNKNOWN, f"{path}: the verdict is not kept: {why}", f"df {path}; ledgerguard check --existing"
    )


def service_hint(verb: str) -> str:
    """The command that does this to the guard's service on this host."""
    return f"systemctl {verb} ledgerguard" if SYSTEMD.is_dir() else f"service ledgerguard {verb}"


def wait_for_engine(engine: Path, seconds: float) -> None:
    """Until it answers, whatever that is, or lets a caller wait: what that means is for `check` to say."""
    end = time.monotonic() + seconds
    while (seconds_left := end - time.monotonic()) > 0:
        try:
            send_request(str(engine), seconds_left, "GET", "/_ping")
            return
        except OSError:
            time.sleep(min(0.2, seconds_left))


# --- is it there, and does it refuse? ---------------------------------------------------------------------------------


def _check_running(settings: Settings) -> Iterator[Finding]:
    hint = f"{service_hint('restart')}; the engine starts only while its guard answers; {RUNBOOK}"
    try:
        status = server.ask_status(settings.socket)
    except (OSError, ValueError, StopIteration) as error:
        yield Finding("guard-answers", BAD, f"{settings.socket}: {error}", hint)
        return
    yield Finding("guard-answers", GOOD, f"process {status.get('pid')}, started {status.get('started')}")
    mode, expected = status.get("mode"), settings.mode
    if mode == expected:
        yield Finding("mode", GOOD, f"mode {mode}")
    else:
        yield Finding("mode", BAD, f"mode {mode}, expected {expected}", f"serve --mode {expected}")
    if lines_lost := status.get("audit_lines_lost"):
        problem = f"{settings.audit_file}: {lines_lost} lines could not be written since {status.get('started')}"
        yield Finding("audit", BAD, problem, f"df {settings.audit_file.parent}; then {service_hint('restart')}")
    if status.get("fault"):
        yield Finding("declarations", BAD, str(status["fault"]), "ledgerguard declare FILE")


def _check_canary(settings: Settings) -> Iterator[Finding]:
    """Deletes the canary through the engine. Only a refusal, and the canary's file still there, is good; of a guard
    that is meant to observe, a line of the audit; one that is off is not attacked."""
    if settings.mode == "off":
        yield Finding("canary", GOOD, "not attacked: the guard is meant to be off, and protects nothing")
        return
    with _exclusive(settings.state_dir):
        yield from _attack_canary(settings)


@contextmanager
def _exclusive(state_dir: Path) -> Iterator[None]:
    """One attack at a time: where the guard observes, two would take the canary from each other, and both be told."""
    try:
        descriptor = os.open(state_dir / "check.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:  # no directory, or a full disk: told by others
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _attack_canary(settings: Settings) -> Iterator[Finding]:
    file = settings.data_root / "volumes" / CANARY / "_data" / "canary"
    try:
        status, text = _create_canary(settings)
        if status not in (200, 201):
            hint = "ledgerguard audit" if status < 500 else RUNBOOK
            yield Finding("canary", UNKNOWN, f"it cannot be made: {status} {text[:200]}", hint)
            return
        file.write_text(CANARY_TEXT)
        lines_before = len(_observed_lines(settings))
        status, text = _call_engine(settings, "DELETE", f"/volumes/{CANARY}")
    except OSError as error:
        problem = f"the engine at {settings.engine} does not answer: {error}"
        yield Finding("canary", UNKNOWN, problem, f"docker info; {RUNBOOK}")
        return
    if settings.mode == "observe" and status == 204:
        yield _observed_removal(len(_observed_lines(settings)) > lines_before)
    else:
        is_intact = file.exists() and file.read_text() == CANARY_TEXT
        yield _removal_answer(status, text, is_intact, settings.socket.stem)


def _observed_removal(is_logged: bool) -> Finding:
    if is_logged:
        return Finding("canary", GOOD, "its removal was let through and written down")
    return Finding("canary", BAD, "NOT ACTIVE: its removal was not seen", UNGUARDED_HINT)


def _removal_answer(status: int, text: str, is_intact: bool, plugin: str) -> Finding:
    """What the engine's answer to the canary's removal means."""
    if not is_intact:
        return Finding("canary", BAD, f"NOT ACTIVE: the engine removed a protected volume ({status})", UNGUARDED_HINT)
    if status == 403 and plugin in text:
        return Finding("canary", GOOD, "its removal was refused and its file is there")
    return Finding("canary", UNKNOWN, f"its removal was answered {status} {text[:160]!r}, not by a refusal of ours")


def _create_canary(settings: Settings) -> tuple[int, str]:
    """Makes the canary where it is not there. One whose label the engine has lost nobody protects, so it is made anew:
    its removal would look like a guard that is not active."""
    document = {"Name": CANARY, "Labels": {PROTECT: "true"}}
    status, text = _call_engine(settings, "POST", "/volumes/create", document)
    if status not in (200, 201) or not _is_unlabelled(text):
        return status, text
    _call_engine(settings, "DELETE", f"/volumes/{CANARY}")
    return _call_engine(settings, "POST", "/volumes/create", document)


def _is_unlabelled(answer: str) -> bool:
    """Whether the engine's record of the canary has lost the protecting label."""
    try:
        return PROTECT not in (json.loads(answer).get("Labels", {PROTECT: "true"}) or {})
    except (ValueError, AttributeError):
        return False


def _observed_lines(settings: Settings) -> list[dict[str, Any]]:
    lines = audit.read_lines(settings.audit_file)
    return [line for line in lines if line.get("verdict") == "would-refuse" and CANARY in line.get("volumes", [])]


def _call_engine(settings: Settings, method: str, path: str, body: Any = None) -> tuple[int, str]:
    text = json.dumps(body).encode() if body is not None else b""
    status, answer = send_request(str(settings.engine), CALL_SECONDS, method, path, text)
    return status, printable(answer[:4096].decode(errors="replace").strip())


# --- what stands in files ---------------------------------------------------------------------------------------------


def _check_daemon_json(settings: Settings, daemon_json: Path) -> Iterator[Finding]:
    """The engine is not asked: it lists the plugins it was started with, whatever a reload changed."""
    name = settings.socket.stem
    hint = f'"authorization-plugins": ["{name}"] in {daemon_json}, then reload the engine'
    try:
        plugins = json.loads(daemon_json.read_text()).get("authorization-plugins", [])
        is_listed = name in plugins
    except (OSError, ValueError, AttributeError) as error:
        yield Finding("daemon.json", BAD, f"{daemon_json}: {error}", hint)
        return
    if is_listed:
        yield Finding("daemon.json", GOOD, f"authorization-plugins {plugins}")
    else:
        yield Finding("daemon.json", BAD, f"authorization-plugins {plugins}", hint)


def _check_file_owners(settings: Settings) -> Iterator[Finding]:
    """Whoever else may write these may let anything through."""
    paths = [settings.config, settings.config.parent, settings.state_dir, settings.socket, settings.socket.parent]
    failures = 0
    for path in paths:
        try:
            status = path.stat()
        except FileNotFoundError:
            if path not in (settings.config, settings.config.parent):  # nothing declared is no fault
                failures += 1
                yield Finding("owner", BAD, f"{path} is not there", "ledgerguard serve makes it")
            continue
        is_writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid != os.geteuid() or is_writable:
            failures += 1
            text = f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
            yield Finding("owner", BAD, text, f"chown root {path}; chmod go-w {path}")
    if not failures:
        yield Finding("owner", GOOD, f"{len(paths)} files and directories looked at")


# --- volumes and containers -------------------------------------------------------------------------------------------


def _build_context(settings: Settings) -> Context:
    guard = build_guard(settings)
    return Context(Policy(load_declarations(settings.config), settings.profile, guard.areas), guard.lookups)


def _check_volumes(settings: Settings) -> Iterator[Finding]:
    """Declared volumes that lost their record, label, options or directory."""
    try:
        context = _build_context(settings)
        volumes = context.volumes
    except (LookupFailed, DeclarationError, OSError) as error:
        yield Finding("volumes", UNKNOWN, str(error), "ledgerguard declare FILE")
        return
    for name, declared in sorted(context.policy.declarations.volumes.items()):
        volume = volumes.get(name)
        if volume is None:
            yield Finding("volume", BAD, f"{name}: the engine has no record of it", "make deploy")
        elif dict(volume.labels) != dict(declared.labels) or dict(volume.options) != dict(declared.options):
            actual = f"labels {dict(volume.labels)}, options {dict(volume.options)}"
            yield Finding(
                "volume", BAD, printable(f"{name}: not as declared: {actual}"), "docs/runbooks, recreate-volume"
            )
        elif declared.device and not Path(declared.device).is_dir():
            yield Finding("volume", BAD, f"{name}: its directory {declared.device} is not there", "mount its disk")
        else:
            yield Finding("volume", GOOD, f"{name}: as declared")
    yield from _check_schema(context)


def _container_hint(container: Container, refusal: Refusal) -> str:
    """It may be somebody's database: what lets it be comes first, and nobody is sent to stop it."""
    name = container.name
    if refusal.verdict.volumes:
        return f"docker inspect {name}; if it is meant to hold it: ledgerguard grant {name}, then ledgerguard declare"
    return f"docker inspect {name}; {refusal.verdict.safe}"


def _check_schema(context: Context) -> Iterator[Finding]:
    """Declarations of before host settings, networks and values were compared: they go on as they did."""
    outdated = sorted(
        {
            description.container
            for description in context.policy.declarations.descriptions
            if not description.is_described
        }
    )
    if outdated:
        text = f"{', '.join(outdated)}: declared by schema 1, so host settings, networks and values are not compared"
        yield Finding("described", GOOD, printable(text), "make deploy (its next run declares them)")


def _check_containers(settings: Settings) -> Iterator[Finding]:
    """Containers that a restart policy may have brought back without any request. A guard that is not meant to refuse
    lets them be: they are told, and no fault."""
    guard = build_guard(settings)
    try:
        context = Context(Policy(load_declarations(settings.config), settings.profile, guard.areas), guard.lookups)
        containers = guard.lookups.containers("")
    except (LookupFailed, DeclarationError, OSError) as error:
        yield Finding("existing", UNKNOWN, str(error))
        return
    failures = 0
    for container in containers:
        try:
            ownership.check_container(container, context, to_be_created=False)
        except Refusal as refusal:
            state = "running" if container.running else "stopped"
            text = printable(f"{container.name} ({state}): {refusal.verdict.reason}")
            if settings.mode != "enforce":
                yield Finding("existing", GOOD, f"would be refused: {text}")
                continue
            failures += 1
            yield Finding("existing", BAD, text, _container_hint(container, refusal))
        except LookupFailed as error:
            yield Finding("existing", UNKNOWN, f"{container.name}: {error}")
    if not failures:
        yield Finding("existing", GOOD, f"{len(containers)} containers looked at")
