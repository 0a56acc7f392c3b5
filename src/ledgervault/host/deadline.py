"""The time-out of a whole backup or proof.

A module of its own because any thread may wait: for a server, for a program, or for another thread. Programs and
connections register here when they start. When the time is up, programs are killed and connections are cut, so every
wait ends. There is one deadline at a time, because each backup and each proof is a run of its own.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledgervault.model.errors import CouldNot

_current: Deadline | None = None


class Deadline:
    def __init__(self, operation: str, seconds: float, setting: str) -> None:
        self._what, self._seconds, self._setting = operation, seconds, setting
        self._ends: list[Callable[[], object]] = []
        self._end = time.monotonic() + seconds
        self._lock = threading.Lock()
        self.passed = False

    @property
    def error(self) -> CouldNot:
        text = f"still running after {self._seconds:.0f} s ({self._setting}), stopped"
        return CouldNot(self._what, text, f"is the server up and reachable? a slow one needs a higher {self._setting}")

    @property
    def seconds_left(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def enter(self, end: Callable[[], object]) -> None:
        with self._lock:
            if not self.passed:
                self._ends.append(end)
                return
        end()

    def expire(self) -> None:
        with self._lock:
            self.passed = True
        for end in self._ends:
            end()


def enter(end: Callable[[], object]) -> None:
    """Registers `end`, which stops a program or connection. Another thread calls it, perhaps after that has already
    ended."""
    if _current is not None:
        _current.enter(end)


def check() -> None:
    """Nothing starts after the time is up."""
    if _current is not None and _current.passed:
        raise _current.error


def bounded(seconds: int) -> int:
    """Limits a wait that cannot be cut to the remaining time, at least one second."""
    return seconds if _current is None else min(seconds, max(1, math.ceil(_current.seconds_left)))


def has_passed() -> bool:
    return _current is not None and _current.passed


@contextmanager
def within(operation: str, seconds: float, setting: str) -> Iterator[Deadline]:
    """Stops the block's waits after `seconds` and raises CouldNot for the resulting error."""
    global _current
    before, _current = _current, Deadline(operation, seconds, setting)
    deadline = _current
    timer = threading.Timer(seconds, deadline.expire)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    except Exception as error:
        if deadline.passed:
            raise deadline.error from error
        raise
    finally:
        timer.cancel()
        _current = before
