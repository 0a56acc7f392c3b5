"""Unlocks: permissions of one use that expire, each a file of root's.

A module of its own because the one that is used up must be used up exactly once, whoever asks at the same moment: the
file is renamed away first, and only who succeeded may go on.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ledgerguard.refusal import OPERATIONS
from ledgerguard.service.atomic_files import write_atomically

MAX_SECONDS = 3600
_SPAN = re.compile(r"([0-9]+)(s|m|h)")
_UNITS = {"s": 1, "m": 60, "h": 3600}


class UnlockError(ValueError):
    """What is wrong, with the value seen."""


@dataclass(frozen=True)
class Unlock:
    """`expires` in seconds since the epoch; `evidence` names the proven backup or the typed phrase."""

    volume: str
    operation: str
    reason: str
    expires: float
    evidence: str = ""


def parse_span(span: str) -> int:
    """Seconds of 30s, 5m or 1h."""
    match = _SPAN.fullmatch(span)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= MAX_SECONDS:
        raise UnlockError(f"--for {span!r}: expected something like 5m, at most 1h")
    return seconds


@dataclass(frozen=True)
class Unlocks:
    """The unlocks in a directory."""

    place: Path

    def _file(self, volume: str, operation: str) -> Path:
        return self.place / f"{volume}.{operation}.json"

    def add(self, unlock: Unlock) -> None:
        if unlock.operation not in OPERATIONS:
            raise UnlockError(f"--operation {unlock.operation!r}: expected one of {', '.join(OPERATIONS)}")
        self.place.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(self._file(unlock.volume, unlock.operation), json.dumps(asdict(unlock)), 0o600)

    def find(self, volume: str, operation: str) -> Unlock | None:
        """The unlock if it is there and has not expired."""
        return _read_unlock(self._file(volume, operation))

    def take(self, volume: str, operation: str) -> Unlock | None:
        """The same, used up by this call."""
        file = self._file(volume, operation)
        claimed = file.with_name(f".taken.{os.getpid()}.{time.monotonic_ns()}")
        try:
            file.rename(claimed)
        except OSError:
            return None
        try:
            return _read_unlock(claimed)
        finally:
            with suppress(OSError):
                claimed.unlink()

    def all(self) -> list[Unlock]:
        files = sorted(self.place.glob("*.json")) if self.place.exists() else []
        return [unlock for file in files if not file.name.startswith(".") and (unlock := _read_unlock(file))]

    def clear(self, volume: str = "") -> int:
        """Removes all, or one volume's; the number removed."""
        selected = [unlock for unlock in self.all() if volume in ("", unlock.volume)]
        for unlock in selected:
            self._file(unlock.volume, unlock.operation).unlink(missing_ok=True)
        return len(selected)


def _read_unlock(file: Path) -> Unlock | None:
    """None for what cannot be read or has expired; the clock may have been set back, so too far ahead counts as bad."""
    try:
        unlock = Unlock(**json.loads(file.read_text()))
        seconds_left = float(unlock.expires) - time.time()
    except (OSError, ValueError, TypeError):
        return None
    return unlock if 0 < seconds_left <= MAX_SECONDS else None
