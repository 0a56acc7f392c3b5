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
from ledgerguard.lookups.declarations_file import load
from ledgerguard.lookups.engine_api import call
from ledgerguard.model import PROTECT, Container
from ledgerguard.refusal import LookupFailed, Refused, printable
from ledgerguard.rules import ownership
from ledgerguard.rules.policy import Policy, Scene
from ledgerguard.service import audit, findings, server
from ledgerguard.service.daemon import Settings, guard_of
from ledgerguard.service.findings import BAD, GOOD, UNKNOWN, Finding, worst

CANARY, CANARY_TEXT = "ledgerguard-canary", "attacked on purpose by ledgerguard check; it has to survive\n"
CALL_SECONDS = 30.0
SYSTEMD = Path("/run/systemd/system")
RUNBOOK = "docs/runbooks/guard-down.md"


def check(settings: Settings, daemon_json: Path, existing: bool) -> list[Finding]:
    """`settings.mode` is the mode it is meant to have."""
    found = [*_running(settings), *_attacked(settings), *_configured(settings, daemon_json), *_owned(settings)]
    found += _volumes(settings)
    return found + (list(_containers(settings)) if existing else [])


def exit_code(found: list[Finding]) -> int:
    """0 holds, 1 something is bad, 2 something could not be checked."""
    return {GOOD: 0, BAD: 1}.get(worst(found), 2)


def keep(settings: Settings, found: list[Finding]) -> list[Finding]:
    """Keeps the verdict for the guard's status, tells audit and hook; a finding where that could not be done."""
    told = findings.summary(found)
    log = audit.Audit(settings.audit_file, hook=settings.hook)
    facts = {key: told[key] for key in ("looked_at", "not_well", "findings")}
    noted = log.write("checked", outcome=told["verdict"], reason=told["text"], **facts)
    log.finish()
    failed = [] if noted else [_not_kept(settings.audit_file, "cannot be written")]
    try:
        findings.keep(settings.state_dir, told)
    except OSError as error:
        failed.append(_not_kept(settings.state_dir, str(error.strerror)))
    return failed


def _not_kept(place: Path, why: str) -> Finding:
    return Finding(
        "kept", UNKNOWN, f"{place}: the verdict is not kept: {why}", f"df {place}; ledgerguard check --existing"
    )


def service_hint(verb: str) -> str:
    """The command that does this to the guard's service on this host."""
    return f"systemctl {verb} ledgerguard" if SYSTEMD.is_dir() else f"service ledgerguard {verb}"


def wait_for_engine(engine: Path, seconds: float) -> None:
    """Until it answers, whatever that is, or lets a caller wait: what that means is for `check` to say."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        try:
            call(str(engine), left, "GET", "/_ping")
            return
        except OSError:
            time.sleep(min(0.2, left))


# --- is it there, and does it refuse? ---------------------------------------------------------------------------------


def _running(settings: Settings) -> Iterator[Finding]:
    hint = f"{service_hint('restart')}; the engine starts only while its guard answers; {RUNBOOK}"
    try:
        status = server.ask_status(settings.socket)
    except (OSError, ValueError, StopIteration) as error:
        yield Finding("guard-answers", BAD, f"{settings.socket}: {error}", hint)
        return
    yield Finding("guard-answers", GOOD, f"process {status.get('pid')}, started {status.get('started')}")
    mode, wanted = status.get("mode"), settings.mode
    told = f"mode {mode}" + ("" if mode == wanted else f", expected {wanted}")
    yield Finding("mode", GOOD if mode == wanted else BAD, told, "" if mode == wanted else f"serve --mode {wanted}")
    if missed := status.get("audit_lines_lost"):
        what = f"{settings.audit_file}: {missed} lines could not be written since {status.get('started')}"
        yield Finding("audit", BAD, what, f"df {settings.audit_file.parent}; then {service_hint('restart')}")
    if status.get("fault"):
        yield Finding("declarations", BAD, str(status["fault"]), "ledgerguard declare FILE")


def _attacked(settings: Settings) -> Iterator[Finding]:
    """Deletes the canary through the engine. Only a refusal, and the canary's file still there, is good; of a guard
    that is meant to observe, a line of the audit; one that is off is not attacked."""
    if settings.mode == "off":
        yield Finding("canary", GOOD, "not attacked: the guard is meant to be off, and protects nothing")
        return
    with _alone(settings.state_dir):
        yield from _attack(settings)


@contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
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


def _attack(settings: Settings) -> Iterator[Finding]:
    hint = f'{RUNBOOK}, "The engine works without its guard"'
    file = settings.data_root / "volumes" / CANARY / "_data" / "canary"
    try:
        made = _canary(settings)
        if made[0] not in (200, 201):
            yield Finding(
                "canary",
                UNKNOWN,
                f"it cannot be made: {made[0]} {made[1][:200]}",
                "ledgerguard audit" if made[0] < 500 else RUNBOOK,
            )
            return
        file.write_text(CANARY_TEXT)
        before = len(_observed(settings))
        status, text = _call(settings, "DELETE", f"/volumes/{CANARY}")
    except OSError as error:
        yield Finding(
            "canary", UNKNOWN, f"the engine at {settings.engine} does not answer: {error}", f"docker info; {RUNBOOK}"
        )
        return
    there = file.exists() and file.read_text() == CANARY_TEXT
    if settings.mode == "observe" and status == 204:
        seen = len(_observed(settings)) > before
        told = "its removal was let through and written down" if seen else "NOT ACTIVE: its removal was not seen"
        yield Finding("canary", GOOD if seen else BAD, told, "" if seen else hint)
    elif status == 403 and settings.socket.stem in text and there:
        yield Finding("canary", GOOD, "its removal was refused and its file is there")
    elif there:
        yield Finding("canary", UNKNOWN, f"its removal was answered {status} {text[:160]!r}, not by a refusal of ours")
    else:
        yield Finding("canary", BAD, f"NOT ACTIVE: the engine removed a protected volume ({status})", hint)


def _canary(settings: Settings) -> tuple[int, str]:
    """Makes the canary where it is not there. One whose label the engine has lost nobody protects, so it is made anew:
    its removal would look like a guard that is not active."""
    wanted = {"Name": CANARY, "Labels": {PROTECT: "true"}}
    status, text = _call(settings, "POST", "/volumes/create", wanted)
    try:
        lost = status in (200, 201) and PROTECT not in (json.loads(text).get("Labels", wanted["Labels"]) or {})
    except (ValueError, AttributeError):
        lost = False
    if not lost:
        return status, text
    _call(settings, "DELETE", f"/volumes/{CANARY}")
    return _call(settings, "POST", "/volumes/create", wanted)


def _observed(settings: Settings) -> list[dict[str, Any]]:
    found = audit.lines(settings.audit_file)
    return [line for line in found if line.get("verdict") == "would-refuse" and CANARY in line.get("volumes", [])]


def _call(settings: Settings, method: str, path: str, body: Any = None) -> tuple[int, str]:
    text = json.dumps(body).encode() if body is not None else b""
    status, answer = call(str(settings.engine), CALL_SECONDS, method, path, text)
    return status, printable(answer[:4096].decode(errors="replace").strip())


# --- what stands in files ---------------------------------------------------------------------------------------------


def _configured(settings: Settings, daemon_json: Path) -> Iterator[Finding]:
    """The engine is not asked: it lists the plugins it was started with, whatever a reload changed."""
    name = settings.socket.stem
    hint = f'"authorization-plugins": ["{name}"] in {daemon_json}, then reload the engine'
    try:
        plugins = json.loads(daemon_json.read_text()).get("authorization-plugins", [])
        found = name in plugins
        yield Finding("daemon.json", GOOD if found else BAD, f"authorization-plugins {plugins}", "" if found else hint)
    except (OSError, ValueError, AttributeError) as error:
        yield Finding("daemon.json", BAD, f"{daemon_json}: {error}", hint)


def _owned(settings: Settings) -> Iterator[Finding]:
    """Whoever else may write these may let anything through."""
    wanted = [settings.config, settings.config.parent, settings.state_dir, settings.socket, settings.socket.parent]
    bad = 0
    for path in wanted:
        try:
            status = path.stat()
        except FileNotFoundError:
            if path not in (settings.config, settings.config.parent):  # nothing declared is no fault
                bad += 1
                yield Finding("owner", BAD, f"{path} is not there", "ledgerguard serve makes it")
            continue
        loose = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        if status.st_uid != os.geteuid() or loose:
            bad += 1
            told = f"{path}: owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
            yield Finding("owner", BAD, told, f"chown root {path}; chmod go-w {path}")
    if not bad:
        yield Finding("owner", GOOD, f"{len(wanted)} files and directories looked at")


# --- volumes and containers -------------------------------------------------------------------------------------------


def _scene(settings: Settings) -> Scene:
    guard = guard_of(settings)
    return Scene(Policy(load(settings.config), settings.profile, guard.places), guard.lookups)


def _volumes(settings: Settings) -> Iterator[Finding]:
    """Declared volumes that lost their record, label, options or directory."""
    try:
        scene = _scene(settings)
        known = scene.volumes
    except (LookupFailed, DeclarationError, OSError) as error:
        yield Finding("volumes", UNKNOWN, str(error), "ledgerguard declare FILE")
        return
    for name, declared in sorted(scene.policy.declarations.volumes.items()):
        volume = known.get(name)
        if volume is None:
            yield Finding("volume", BAD, f"{name}: the engine has no record of it", "make deploy")
        elif dict(volume.labels) != dict(declared.labels) or dict(volume.options) != dict(declared.options):
            found = f"labels {dict(volume.labels)}, options {dict(volume.options)}"
            yield Finding(
                "volume", BAD, printable(f"{name}: not as declared: {found}"), "docs/runbooks, recreate-volume"
            )
        elif declared.device and not Path(declared.device).is_dir():
            yield Finding("volume", BAD, f"{name}: its directory {declared.device} is not there", "mount its disk")
        else:
            yield Finding("volume", GOOD, f"{name}: as declared")
    yield from _undescribed(scene)


def _way_out(container: Container, refusal: Refused) -> str:
    """It may be somebody's database: what lets it be comes first, and nobody is sent to stop it."""
    name = container.name
    if refusal.verdict.volumes:
        return f"docker inspect {name}; if it is meant to hold it: ledgerguard grant {name}, then ledgerguard declare"
    return f"docker inspect {name}; {refusal.verdict.safe}"


def _undescribed(scene: Scene) -> Iterator[Finding]:
    """Declarations of before host settings, networks and values were compared: they go on as they did."""
    old = sorted({one.container for one in scene.policy.declarations.descriptions if not one.described})
    if old:
        told = f"{', '.join(old)}: declared by schema 1, so host settings, networks and values are not compared"
        yield Finding("described", GOOD, printable(told), "make deploy (its next run declares them)")


def _containers(settings: Settings) -> Iterator[Finding]:
    """Containers that a restart policy may have brought back without any request. A guard that is not meant to refuse
    lets them be: they are told, and no fault."""
    guard = guard_of(settings)
    try:
        scene = Scene(Policy(load(settings.config), settings.profile, guard.places), guard.lookups)
        everything = guard.lookups.containers("")
    except (LookupFailed, DeclarationError, OSError) as error:
        yield Finding("existing", UNKNOWN, str(error))
        return
    wrong = 0
    for container in everything:
        try:
            ownership.check(container, scene, to_be_created=False)
        except Refused as refusal:
            state = "running" if container.running else "stopped"
            told = printable(f"{container.name} ({state}): {refusal.verdict.reason}")
            if settings.mode != "enforce":
                yield Finding("existing", GOOD, f"would be refused: {told}")
                continue
            wrong += 1
            yield Finding("existing", BAD, told, _way_out(container, refusal))
        except LookupFailed as error:
            yield Finding("existing", UNKNOWN, f"{container.name}: {error}")
    if not wrong:
        yield Finding("existing", GOOD, f"{len(everything)} containers looked at")
