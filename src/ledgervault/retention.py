"""Which backups may go. Pure: decided from the journal's facts, never from a look at the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Kept:
    """A backup as retention sees it. `seq` is its place in the journal."""

    file: str
    kind: str
    tier: str
    seq: int
    taken: datetime
    proven: bool
    shrunken: bool = False


def removable(backups: Sequence[Kept], tier: str, keep_hours: int, now: datetime) -> list[Kept]:
    """Older than its tier's time **and** a newer one of its kind is proven and has not shrunk **and** it is not the
    newest proven one of its tier."""
    limit = now - timedelta(hours=keep_hours)
    chosen = []
    for backup in backups:
        if backup.tier != tier or backup.taken >= limit:
            continue
        if _newer_proven(backups, backup) and not _newest_proven_of_tier(backups, backup):
            chosen.append(backup)
    return chosen


def clock_went_back(backups: Sequence[Kept], now: datetime) -> bool:
    """A clock that stands before the newest backup makes ages meaningless: nothing is removed."""
    return any(backup.taken > now + timedelta(seconds=60) for backup in backups)


def _newer_proven(backups: Sequence[Kept], backup: Kept) -> bool:
    return any(
        other.seq > backup.seq and other.kind == backup.kind and other.proven and not other.shrunken
        for other in backups
    )


def _newest_proven_of_tier(backups: Sequence[Kept], backup: Kept) -> bool:
    proven = [o.seq for o in backups if o.tier == backup.tier and o.kind == backup.kind and o.proven]
    return bool(proven) and backup.seq == max(proven)
