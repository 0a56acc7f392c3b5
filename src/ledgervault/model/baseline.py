"""Chooses the baseline: the newest proven backup that lost nothing or whose loss was accepted.

Apart from losses, because listing and retention need it without a database.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledgervault.model import proof
from ledgervault.model.entry import Entry


def find_baseline(entries: Sequence[Entry], before: str | None = None, kind: str = "db") -> Entry | None:
    """The newest baseline older than the backup `before`. It is also returned if its file is missing: an older one
    would hide what was lost in between."""
    newest_entry = None
    for entry in entries:
        if entry.file == before:
            break
        if entry.is_baseline and (entry.line.data["kind"] == kind or entry.restored):
            newest_entry = entry
    return newest_entry


def find_open_loss(entries: Sequence[Entry]) -> Entry | None:
    """The first backup since the baseline that shows a loss nobody accepted."""
    base = find_baseline(entries)
    later = [entry for entry in entries if base is None or entry.line.seq > base.line.seq]
    return next((entry for entry in later if entry.proven and entry.shrunken and not entry.superseded), None)


def lost_tables(entries: Sequence[Entry], base: Entry, before: str | None = None) -> set[str]:
    """The tables for which backups after the baseline and older than `before` reported a loss."""
    tables: set[str] = set()
    for entry in entries:
        if entry.file == before:
            break
        is_later = entry.line.seq > base.line.seq and not entry.superseded
        if is_later and entry.proven and entry.loss == proof.LOST and entry.ruling:
            tables |= {str(name) for name in entry.ruling.data.get("lost") or ()}
    return tables
