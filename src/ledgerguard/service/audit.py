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

MAX_TEXT, HOOK_SECONDS, MAX_PENDING_HOOKS = 400, 30, 100
SYSLOG_WARNING = "<84>"  # authpriv.warning


def timestamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def escape(content: Any) -> Any:
    """Texts cut and without control characters, inside lists and objects too."""
    if isinstance(content, str):
        return printable(content)[:MAX_TEXT]
    if isinstance(content, list | tuple):
        return [escape(content) for content in content]
    return {key: escape(content) for key, content in content.items()} if isinstance(content, dict) else content


@dataclass
class Audit:
    """Appends to `file`, renames it at `max_bytes`, keeps `generations` old ones. `hook` gets each line."""

    file: Path
    max_bytes: int = 5 << 20
    generations: int = 5
    hook: tuple[str, ...] = ()
    syslog: str = "/dev/log"
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _waiting: queue.Queue[bytes] = field(default_factory=lambda: queue.Queue(MAX_PENDING_HOOKS))
    _worker: threading.Thread | None = None

    def write(self, verdict: str, **facts: Any) -> bool:
        """One line; False when it could not be written to the file."""
        line = (json.dumps(escape({"time": timestamp(), "verdict": verdict, **facts}), sort_keys=True) + "\n").encode()
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
            _write_all(descriptor, line)
        finally:
            os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(self.generations, 0, -1):
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


def _write_all(descriptor: int, line: bytes) -> None:
    """All of a line or nothing: on a full disk part of one would spoil the next one too."""
    size = os.write(descriptor, line)
    if size < len(line):
        os.ftruncate(descriptor, os.fstat(descriptor).st_size - size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_lines(file: Path, generations: int = 5) -> Iterator[dict[str, Any]]:
    """All lines there are, the oldest first; one that was cut by a crash is left out."""
    for path in [*(file.with_name(f"{file.name}.{number}") for number in range(generations, 0, -1)), file]:
        if path.exists():
            for line in path.read_text(errors="replace").splitlines():
                with suppress(ValueError):
                    yield json.loads(line)


def is_selected(line: Mapping[str, Any], since: float | None, volume: str, verdict: str) -> bool:
    """Whether a line is wanted; `since` is seconds before now."""
    if since is not None:
        at = datetime.fromisoformat(str(line.get("time", "1970-01-01T00:00:00Z")).replace("Z", "+00:00"))
        if at.timestamp() < time.time() - since:
            return False
    return (not volume or volume in line.get("volumes", [])) and (not verdict or line.get("verdict") == verdict)
