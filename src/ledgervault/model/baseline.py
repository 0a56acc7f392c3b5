"""Which backup later data is compared with: the newest proven one that lost nothing, or whose loss was accepted.

Pure, and apart from losses: listing and retention ask this without a database.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledgervault.model import proof
from ledgervault.storage.store import Entry


def newest(entries: Sequence[Entry], before: str | None = None, kind: str = "db") -> Entry | None:
    """Of those older than the backup `before`. Also one whose file is missing: an older one instead of it would hide
    what was lost in between.
    """
    chosen = None
    for entry in entries:
        if entry.file == before:
            break
        if entry.is_baseline and (entry.line.data["kind"] == kind or entry.restored):
            chosen = entry
    return chosen


def open_loss(entries: Sequence[Entry]) -> Entry | None:
    """The first backup since the baseline that shows a loss nobody accepted."""
    base = newest(entries)
    later = [entry for entry in entries if base is None or entry.line.seq > base.line.seq]
    return next((entry for entry in later if entry.proven and entry.shrunken and not entry.superseded), None)


def lost_tables(entries: Sequence[Entry], base: Entry, before: str | None = None) -> set[str]:
    """Those that backups since the baseline, up to `before`, were reported for."""
    tables: set[str] = set()
    for entry in entries:
        if entry.file == before:
            break
        is_later = entry.line.seq > base.line.seq and not entry.superseded
        if is_later and entry.proven and entry.loss == proof.LOST and entry.ruling:
            tables |= {str(name) for name in entry.ruling.data.get("lost") or ()}
    return tables
