"""Who speaks for a decision that does not come.

A module of its own because a decision is made by the thread that read the request: handing it to another and waiting
for that one costs more than most decisions. So somebody else has to look at the clock.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

LOOKS = 10  # in the time of one deadline


@dataclass
class Deadlines:
    """`seconds`: after so long, and at most a tenth more, `late` answers instead. Safe for threads."""

    seconds: float
    _due: dict[int, tuple[float, Callable[[], None]]] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, late: Callable[[], None]) -> int:
        """The number of a decision that begins now."""
        with self._lock:
            number = next(self._numbers)
            self._due[number] = (time.monotonic() + self.seconds, late)
        return number

    def end(self, number: int) -> bool:
        """Whether it came in time. If not, `late` has answered, or is about to."""
        with self._lock:
            return self._due.pop(number, None) is not None

    def watch(self, stop: threading.Event) -> None:
        """Speaks for all that are late, until `stop` is set."""
        while not stop.wait(self.seconds / LOOKS):
            for late in self._late():
                late()

    def _late(self) -> list[Callable[[], None]]:
        now = time.monotonic()
        with self._lock:
            numbers = [number for number, (due, _) in self._due.items() if due <= now]
            return [self._due.pop(number)[1] for number in numbers]
