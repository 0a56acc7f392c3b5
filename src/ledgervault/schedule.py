"""The container's main process: a backup each hour, its proof in a queue of its own, then retention.

Each run is a process of its own, so that a run that is killed or leaks takes nothing with it and this one stays small.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ledgervault import files
from ledgervault.context import Context
from ledgervault.errors import CouldNot
from ledgervault.journal import PROOF, Line
from ledgervault.proof import ALL, DEFINITIONS, PROVEN

HEARTBEAT = "heartbeat"
STALE_SECONDS = 60
_TICK_SECONDS = 1.0
_STOP_SECONDS = 10
_EVERY_INDEX = timedelta(hours=23, minutes=30)  # the hourly proofs are not to the second


def next_due(last: datetime | None, now: datetime, minute: int) -> datetime:
    """The next time of the hour. One that was missed (the host was off, the last backup is more than an hour old) is
    due at once; before the very first backup nothing is missed, the deploy takes that one."""
    if last is not None and now - last > timedelta(hours=1, minutes=1):
        return now
    mark = now.replace(minute=minute, second=0, microsecond=0)
    if mark < now:
        mark += timedelta(hours=1)
    if last is not None and mark - last < timedelta(minutes=1):
        mark += timedelta(hours=1)
    return mark


def every_index_is_due(proofs: Iterable[Line], now: datetime) -> bool:
    """Once a day a proof builds every index; the others compare the definitions of those that are not unique."""
    return not any(
        line.data.get("verdict") == PROVEN
        and line.data.get("indexes") == ALL
        and line.data.get("level") == "data"
        and now - datetime.fromisoformat(line.time) < _EVERY_INDEX
        for line in proofs
    )


@dataclass
class Schedule:
    context: Context
    config_path: Path
    queue: deque[str] = field(default_factory=deque)
    backup: subprocess.Popen[bytes] | None = None
    proof: subprocess.Popen[bytes] | None = None
    due: datetime | None = None
    stopping: bool = False
    ran: bool = False  # this process has run a backup

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._queue_unproven()
        self.due = self._next()
        self.context.say(f"schedule: next backup at {files.stamp(self.due)}")
        while not self.stopping:
            self.tick(files.now())
            time.sleep(_TICK_SECONDS)
        self._stop_children()
        return 0

    def tick(self, now: datetime) -> None:
        (self.context.scratch / HEARTBEAT).touch()
        if self.backup is not None and self.backup.poll() is not None:
            self.backup = None
            self._queue_unproven()
            self.due = self._next()
            self.context.say(f"schedule: next backup at {files.stamp(self.due)}")
        if self.backup is None and self.due is not None and now >= self.due:
            self.backup, self.ran = self._start("backup"), True
            self.due = None
        if self.proof is not None and self.proof.poll() is not None:
            self.proof = None
        if self.proof is None and self.queue:
            indexes = ALL if every_index_is_due(self._proofs(), now) else DEFINITIONS
            self.proof = self._start("prove", "--then-prune", "--indexes", indexes, self.queue.popleft())

    def _next(self) -> datetime:
        """After a run, good or bad, the next time of the hour; at the start also what was missed."""
        now, minute = files.now(), self.context.config.tiers["hourly"].minute
        return next_due(now if self.ran else self._last(), now, minute)

    def _last(self) -> datetime | None:
        entries = self.context.store.entries()
        return datetime.fromisoformat(entries[-1].line.time) if entries else None

    def _proofs(self) -> list[Line]:
        return [line for line in self.context.store.journal().lines if line.event == PROOF]

    def _queue_unproven(self) -> None:
        """The newest one only: older ones without a proof are not worth the hour's time."""
        entries = self.context.store.entries()
        if entries and entries[-1].verdict == "unproven" and entries[-1].file not in self.queue:
            self.queue.append(entries[-1].file)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "ledgervault", "--config", str(self.config_path), *arguments]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _stop_children(self) -> None:
        children = [child for child in (self.backup, self.proof) if child is not None]
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()


def healthy(context: Context) -> str:
    """For the container's health check: the schedule ticks."""
    beat = context.scratch / HEARTBEAT
    try:
        age = time.time() - beat.stat().st_mtime
    except OSError as error:
        raise CouldNot(
            str(beat), f"no heartbeat: {error.strerror}", "is `ledgervault schedule` running here?"
        ) from error
    if age > STALE_SECONDS:
        raise CouldNot(str(beat), f"the last heartbeat is {age:.0f} s old", "restart the vault's container")
    return f"schedule: heartbeat {age:.0f} s ago"
