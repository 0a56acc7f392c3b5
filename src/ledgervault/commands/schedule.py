"""The container's main process: an hourly backup, a queue of proofs, then retention.

Each run is a process of its own: a run that is killed or leaks memory does not affect the schedule.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ledgervault.commands import health, state
from ledgervault.commands.context import Context
from ledgervault.host import process
from ledgervault.model.errors import VaultError
from ledgervault.model.journal import PROOF, Line
from ledgervault.model.proof import ALL, DEFINITIONS, PROVEN
from ledgervault.storage import files

_TICK_SECONDS = 1.0
_STOP_SECONDS = 10
_LONGEST = timedelta(hours=1, minutes=1)  # from one backup to the next
_KILL_SECONDS = 300  # after all its own time-outs
_EVERY_INDEX = timedelta(hours=23, minutes=30)  # the hourly proofs are not to the second


def next_due(last: datetime | None, now: datetime, minute: int) -> datetime:
    """The next time of the hour, or now if a backup was missed: the host was off, or the last backup is over an hour
    old. Before the first backup nothing is missed, because the deploy takes it. A last backup in the future is ignored:
    the clock was ahead."""
    if last is not None and last > now:
        last = None
    if last is not None and now - last > _LONGEST:
        return now
    mark = now.replace(minute=minute, second=0, microsecond=0)
    if mark < now:
        mark += timedelta(hours=1)
    if last is not None and mark - last < timedelta(minutes=1):
        mark += timedelta(hours=1)
    return mark


def every_index_is_due(proofs: Iterable[Line], now: datetime) -> bool:
    """Once a day a proof builds every index. Other proofs compare the definitions of secondary indexes."""
    return not any(
        line.data.get("verdict") == PROVEN
        and line.data.get("indexes") == ALL
        and line.data.get("level") == "data"
        and abs(now - datetime.fromisoformat(line.time)) < _EVERY_INDEX  # one of the future says nothing
        for line in proofs
    )


@dataclass
class Schedule:
    context: Context
    config_path: Path
    queue: deque[str] = field(default_factory=deque)
    backup: process.Child | None = None
    proof: process.Child | None = None
    due: datetime | None = None
    stopping: bool = False
    ran: bool = False  # this process has run a backup
    ends: dict[int, float] = field(default_factory=dict)  # of a run, by its pid: when it is killed
    announced: bool = False
    trouble: str = ""  # what was said of it last

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._trouble_of(partial(health.note_start, self.context))
        while not self.stopping:
            self.tick(files.now())
            time.sleep(_TICK_SECONDS)
        self._stop_children()
        return 0

    def tick(self, now: datetime) -> None:
        """Runs every step even if one fails: a full or unreadable directory may work again in an hour."""
        steps = (partial(health.beat, self.context), self._kill_overdue, partial(self._tick, now))
        trouble = "; ".join([text for step in steps if (text := self._trouble_of(step))])
        if trouble and trouble != self.trouble:
            self.context.say(f"schedule: {trouble}")
        self.trouble = trouble

    def _trouble_of(self, step: Callable[[], None]) -> str:
        try:
            step()
        except (OSError, VaultError) as error:
            return str(error)
        return ""

    def _tick(self, now: datetime) -> None:
        if not self.announced:  # since when it runs: an hour of patience begins
            self.announced = True
            state.update(self.context)
        if self.backup is not None and self.backup.poll() is not None:
            self.backup = None
            self._note_end()
        if self.proof is not None and self.proof.poll() is not None:
            self.proof = None
            self._note_end()
        if self.backup is None and (self.due is None or self.due - now > _LONGEST):  # the clock was ahead then
            self._queue_unproven()
            self.due = self._next(now)
            self.context.say(f"schedule: next backup at {files.stamp(self.due)}")
        if self.backup is None and self.due is not None and now >= self.due:
            self.due, self.ran = None, True
            self.backup = self._start(self._backup_seconds, "backup")
        if self.proof is None and self.queue:
            indexes = ALL if every_index_is_due(self._proofs(), now) else DEFINITIONS
            arguments = ("prove", "--then-prune", "--indexes", indexes, self.queue.popleft())
            self.proof = self._start(self.context.config.limits.proof_timeout_seconds, *arguments)

    @property
    def _backup_seconds(self) -> int:
        limits = self.context.config.limits
        return limits.lock_wait_seconds + limits.backup_timeout_seconds

    def _next(self, now: datetime) -> datetime:
        """After a run the next time of the hour; at the start also a missed backup."""
        return next_due(now if self.ran else self._last(), now, self.context.config.tiers["hourly"].minute)

    def _last(self) -> datetime | None:
        entries = self.context.store.entries()
        return datetime.fromisoformat(entries[-1].line.time) if entries else None

    def _proofs(self) -> list[Line]:
        return [line for line in self.context.store.journal().lines if line.event == PROOF]

    def _queue_unproven(self) -> None:
        """Queues only the newest backup: proving older ones is not worth the hour's time."""
        entries = self.context.store.entries()
        if entries and entries[-1].verdict == "unproven" and entries[-1].file not in self.queue:
            self.queue.append(entries[-1].file)

    def _note_end(self) -> None:
        """Updates the state file, because a failed run does not write it."""
        self._queue_unproven()
        state.update(self.context)

    def _start(self, seconds: float, *arguments: str) -> process.Child:
        command = [sys.executable, "-P", "-m", "ledgervault", "--config", str(self.config_path), *arguments]
        child = process.start_child(command)
        self.ends[child.pid] = time.monotonic() + seconds + _KILL_SECONDS
        return child

    def _kill_overdue(self) -> None:
        """Kills a run that its own time-outs did not end."""
        for child in (self.backup, self.proof):
            if child is not None and time.monotonic() > self.ends[child.pid]:
                child.kill()

    def _stop(self, *_: object) -> None:
        self.stopping = True

    def _stop_children(self) -> None:
        children = [child for child in (self.backup, self.proof) if child is not None]
        for child in children:
            child.terminate()
        for child in children:
            process.stop_child(child, _STOP_SECONDS)
