"""Which backups were taken of what is live now. Pure.

A restore begins a history of its own with the backup that it put back. Its undoing goes back to the history before it:
what was lost there and not accepted is still lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledgervault.model.journal import RESTORED, Line


@dataclass(frozen=True, slots=True)
class History:
    """`spans` are the journal's lines, (first, last), that were written while this history was live."""

    chosen: str | None = None  # the backup that it began with; "" for one that nobody knows
    began: int = 0  # while it is live
    spans: tuple[tuple[int, int], ...] = ()

    def has(self, seq: int) -> bool:
        return seq >= self.began or any(first <= seq <= last for first, last in self.spans)


def live_history(lines: Iterable[Line]) -> History:
    current = History()
    replaced: dict[str, History] = {}  # by the restore that ended it
    for line in lines:
        if line.event != RESTORED:
            continue
        replaced[line.data["id"]] = replace(current, spans=(*current.spans, (current.began, line.seq)))
        before = replaced.get(str(line.data.get("undoes")), History(line.file))
        current = replace(before, began=line.seq)
    return current
