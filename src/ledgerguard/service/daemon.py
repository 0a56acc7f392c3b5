"""Starts the guard and keeps it telling that it lives: state files for others, systemd's watchdog.

A module of its own because it puts the parts together; the parts know nothing of each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledgerguard.api.request import Request
from ledgerguard.lookups.declarations_file import DeclarationsFile
from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.lookups.engine_files import EngineFiles
from ledgerguard.rules.decision import decide
from ledgerguard.rules.host_areas import ENGINE_SOCKETS, SOCKETS, HostAreas
from ledgerguard.rules.policy import Policy
from ledgerguard.service import server
from ledgerguard.service.atomic_files import write_atomically
from ledgerguard.service.audit import Audit
from ledgerguard.service.deadlines import Deadlines
from ledgerguard.service.guard import Decide, Guard
from ledgerguard.service.unlocks import Unlocks

HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Settings:
    """What `serve` is started with. `engine` and `socket` are paths of sockets."""

    socket: Path
    engine: Path
    data_root: Path
    config: Path
    state_dir: Path
    audit_file: Path
    state_files: tuple[Path, ...] = ()
    mode: str = "enforce"
    profile: str = "standard"
    deadline: float = 5.0
    hook: tuple[str, ...] = ()


def build_guard(settings: Settings, decider: Decide = decide) -> Guard:
    data_root = Path(os.path.realpath(settings.data_root))
    engine = str(settings.engine)
    areas = HostAreas(
        data_root=str(data_root),
        guard_directories=(str(settings.config.parent), str(settings.state_dir), str(settings.audit_file.parent)),
        sockets=(*SOCKETS, engine),
        engine_sockets=ENGINE_SOCKETS | {engine},
    )
    return Guard(
        lookups=EngineFiles(data_root, EngineApi(engine)),
        watched=DeclarationsFile(settings.config),
        unlocks=Unlocks(settings.state_dir / "unlocks"),
        audit=Audit(settings.audit_file, hook=settings.hook),
        areas=areas,
        mode=settings.mode,
        profile=settings.profile,
        decide=decider,
        state_dir=settings.state_dir,
    )


def serve(settings: Settings, decider: Decide = decide) -> None:
    """Runs until SIGTERM or SIGINT. Raises OSError where the socket or a directory cannot be made."""
    for directory in (settings.state_dir, settings.audit_file.parent):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    guard = build_guard(settings, decider)
    guard.program, guard.arguments = program_digest(Path(sys.argv[0])), tuple(sys.argv[1:])
    with server.listen(settings.socket) as plain:
        running = server.Server(plain, guard, Deadlines(settings.deadline))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: running.stop.set())
        threading.Thread(target=_heartbeat, args=(guard, settings, running.stop), daemon=True).start()
        server.notify_systemd("READY=1")
        running.run()
        server.notify_systemd("STOPPING=1")


def program_digest(file: Path) -> str:
    """sha256 of the zipapp that runs; "" where the guard is not one file."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _heartbeat(guard: Guard, settings: Settings, stop: threading.Event) -> None:
    """The watchdog is fed only while decisions come: a hung guard is started again."""
    while not stop.is_set():
        if _is_alive(guard):
            server.notify_systemd("WATCHDOG=1")
        write_state(guard, settings)
        stop.wait(HEARTBEAT_SECONDS)


def _is_alive(guard: Guard) -> bool:
    """A decision that has to be a refusal, asked past the counts and the audit."""
    return not guard.decide(Request("POST", "/ledgerguard/alive", {}), Policy(areas=guard.areas), guard.lookups).allow


def write_state(guard: Guard, settings: Settings) -> None:
    text = json.dumps(guard.status(), indent=1, sort_keys=True) + "\n"
    files = [settings.state_dir / "guard.json", *(path for file in settings.state_files for path in _expand(file))]
    for file in files:
        with suppress(OSError):
            write_atomically(file, text, 0o644)


def _expand(file: Path) -> list[Path]:
    """The file in each directory that its own path, a pattern, leads to: stacks come and go while the guard runs."""
    return [place / file.name for place in Path("/").glob(str(file.parent).lstrip("/")) if place.is_dir()]
