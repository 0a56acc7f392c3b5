"""What was refused and unlocked, as JSON lines and in syslog, and the hook a host may hang on it.

A module of its own because telling must never change a decision: what cannot be written is counted, and only an unlock
insists on its line.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledgerguard.refusal import printable

MAX_TEXT, HOOK_SECONDS, HOOKS_WAITING = 400, 30, 100
SYSLOG_WARNING = "<84>"  # authpriv.warning


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def escaped(value: Any) -> Any:
    """Texts cut and without control characters, inside lists and objects too."""
    if isinstance(value, str):
        return printable(value)[:MAX_TEXT]
    if isinstance(value, list | tuple):
        return [escaped(item) for item in value]
    return {key: escaped(item) for key, item in value.items()} if isinstance(value, dict) else value


@dataclass
class Audit:
    """Appends to `file`; at `max_bytes` it is put aside, `kept` old ones stay. `hook`: a program given each line."""

    file: Path
    max_bytes: int = 5 << 20
    kept: int = 5
    hook: tuple[str, ...] = ()
    syslog: str = "/dev/log"
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: queue.Queue[bytes] = field(default_factory=lambda: queue.Queue(HOOKS_WAITING))
    _worker: threading.Thread | None = None

    def write(self, verdict: str, **facts: Any) -> bool:
        """One line; False when it could not be written to the file."""
        line = (json.dumps(escaped({"time": now(), "verdict": verdict, **facts}), sort_keys=True) + "\n").encode()
        self._tell_syslog(line)
        self._tell_hook(line)
        try:
            with self._lock:
                self._append(line)
        except OSError:
            self.lost += 1
            return False
        return True

    def finish(self) -> None:
        """Waits until the hook was given what was written: for a process that ends then."""
        if self._worker is not None:
            self._waiting.join()

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            if os.fstat(descriptor).st_size + len(line) > self.max_bytes:
                self._rotate()
                os.close(descriptor)
                descriptor = os.open(self.file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            _whole(descriptor, line)
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(self.kept, 0, -1):
            older = self.file.with_name(f"{self.file.name}.{number}")
            newer = self.file.with_name(f"{self.file.name}.{number - 1}") if number > 1 else self.file
            if newer.exists():
                newer.replace(older)

    def _tell_syslog(self, line: bytes) -> None:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain:
            plain.setblocking(False)
            plain.sendto(f"{SYSLOG_WARNING}ledgerguard: ".encode() + line.rstrip(), self.syslog)

    def _tell_hook(self, line: bytes) -> None:
        if not self.hook:
            return
        with suppress(queue.Full):
            self._waiting.put_nowait(line)
            if self._worker is None:
                self._worker = threading.Thread(target=self._run_hooks, daemon=True)
                self._worker.start()

    def _run_hooks(self) -> None:
        import subprocess  # here: few guards have a hook, and all would pay for it in memory

        while True:
            line = self._waiting.get()
            with suppress(OSError, subprocess.SubprocessError):
                subprocess.run(self.hook, input=line, timeout=HOOK_SECONDS, check=False, stdout=subprocess.DEVNULL)
            self._waiting.task_done()


def _whole(descriptor: int, line: bytes) -> None:
    """All of a line or nothing: on a full disk part of one would spoil the next one too."""
    written = os.write(descriptor, line)
    if written < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def lines(file: Path, kept: int = 5) -> Iterator[dict[str, Any]]:
    """All lines there are, the oldest first; one that was cut by a crash is left out."""
    for path in [*(file.with_name(f"{file.name}.{number}") for number in range(kept, 0, -1)), file]:
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                with suppress(ValueError):
                    yield json.loads(line)


def chosen(line: Mapping[str, Any], since: float | None, volume: str, verdict: str) -> bool:
    """Whether a line is wanted; `since` is seconds before now."""
    if since is not None:
        at = datetime.fromisoformat(str(line.get("time", "1970-01-01T00:00:00Z")).replace("Z", "+00:00"))
        if at.timestamp() < time.time() - since:
            return False
    return (not volume or volume in line.get("volumes", [])) and (not verdict or line.get("verdict") == verdict)
