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
from ledgerguard.service.atomic_files import write_whole

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


def seconds_of(span: str) -> int:
    """Seconds of 30s, 5m or 1h."""
    match = _SPAN.fullmatch(span)
    found = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < found <= MAX_SECONDS:
        raise UnlockError(f"--for {span!r}: expected something like 5m, at most 1h")
    return found


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
        write_whole(self._file(unlock.volume, unlock.operation), json.dumps(asdict(unlock)), 0o600)

    def find(self, volume: str, operation: str) -> Unlock | None:
        """The unlock if it is there and has not expired."""
        return _read(self._file(volume, operation))

    def take(self, volume: str, operation: str) -> Unlock | None:
        """The same, used up by this call."""
        file = self._file(volume, operation)
        taken = file.with_name(f".taken.{os.getpid()}.{time.monotonic_ns()}")
        try:
            file.rename(taken)
        except OSError:
            return None
        try:
            return _read(taken)
        finally:
            with suppress(OSError):
                taken.unlink()

    def all(self) -> list[Unlock]:
        files = sorted(self.place.glob("*.json")) if self.place.exists() else []
        return [found for file in files if not file.name.startswith(".") and (found := _read(file))]

    def clear(self, volume: str = "") -> int:
        """Removes all, or one volume's; the number removed."""
        wanted = [one for one in self.all() if volume in ("", one.volume)]
        for one in wanted:
            self._file(one.volume, one.operation).unlink(missing_ok=True)
        return len(wanted)


def _read(file: Path) -> Unlock | None:
    """None for what cannot be read or has expired; the clock may have been set back, so too far ahead counts as bad."""
    try:
        found = Unlock(**json.loads(file.read_text()))
        left = float(found.expires) - time.time()
    except (OSError, ValueError, TypeError):
        return None
    return found if 0 < left <= MAX_SECONDS else None
