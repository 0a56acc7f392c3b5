"""Decides which backups may be removed. It uses the journal's facts and never looks at the disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backup as retention sees it. `seq` is its line in the journal."""

    file: str
    kind: str
    tier: str
    seq: int
    taken_at: datetime
    proven: bool
    shrunken: bool = False  # it lost rows, and nobody accepted that
    uncompared: bool = False  # it could not be compared, so a loss is possible


@dataclass(frozen=True, slots=True)
class Rule:
    """How long a tier keeps its backups, and how many proven ones of each kind it always keeps."""

    keep_hours: int
    least: int = 1


@dataclass(frozen=True, slots=True)
class Decision:
    file: str
    tier: str
    removed: bool
    reason: str


def removable(
    backups: Sequence[Candidate], tier: str, keep_hours: int, now: datetime, least: int = 1
) -> list[Candidate]:
    """A backup may go if it is older than its tier keeps, a newer one of its kind is proven without a loss, and it is
    not one of the newest proven ones of its tier. So the last backup before an unaccepted loss stays. Backups that show
    the loss go as soon as a newer one of their kind is proven."""
    rule = Rule(keep_hours, least)
    return [backup for backup in backups if backup.tier == tier and why_kept(backups, backup, rule, now) is None]


def why_kept(backups: Sequence[Candidate], backup: Candidate, rule: Rule, now: datetime) -> str | None:
    """Returns None if the backup may go."""
    if backup.taken_at >= now - timedelta(hours=rule.keep_hours):
        return f"younger than {rule.keep_hours} h"
    if not _newer_proven(backups, backup):
        return "no newer backup is proven and whole"
    if backup.seq in _newest_proven_of_tier(backups, backup, rule.least):
        return f"one of the {max(1, rule.least)} newest proven ones of its tier"
    return None


def _newer_proven(backups: Sequence[Candidate], backup: Candidate) -> bool:
    later_backups = [
        later for later in backups if later.seq > backup.seq and later.kind == backup.kind and later.proven
    ]
    shows_loss = backup.proven and backup.shrunken
    return any(shows_loss or not (later.shrunken or later.uncompared) for later in later_backups)


def _newest_proven_of_tier(backups: Sequence[Candidate], backup: Candidate, least: int) -> list[int]:
    proven = [
        other_backup.seq
        for other_backup in backups
        if other_backup.tier == backup.tier and other_backup.kind == backup.kind and other_backup.proven
    ]
    return sorted(proven)[-max(1, least) :]
