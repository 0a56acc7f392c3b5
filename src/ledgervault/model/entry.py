"""A backup as the journal and the disk describe it.

Apart from the store, so that rules judge entries without a disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ledgervault.model import proof
from ledgervault.model.journal import Line

UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Entry:
    """A backup with its journal line, its verdict and the state of its file."""

    file: str
    path: Path
    line: Line
    verdict: str  # proven, failed, inconclusive, unproven
    ruling: Line | None
    intact: bool  # the file exists and has the journal's size
    accepted: bool = False  # a person accepted its loss or a later backup's
    restored: bool = False  # what is live began with it
    superseded: bool = False  # of something else than what is live since a restore

    @property
    def proven(self) -> bool:
        return self.verdict == proof.PROVEN and self.intact

    @property
    def loss(self) -> str:
        """What its ruling proof says about rows lost since the baseline. Proofs of an older version only say
        `shrunken`."""
        data = self.ruling.data if self.ruling else {}
        return str(data.get("loss") or (proof.LOST if data.get("shrunken") else proof.NONE))

    @property
    def shrunken(self) -> bool:
        """Rows were lost, and nobody accepted that."""
        return self.loss == proof.LOST and not self.accepted

    @property
    def is_baseline(self) -> bool:
        """Proven, and nothing lost unaccepted: later backups are compared with it, even if its file is missing. Backups
        of what a restore replaced are no baseline."""
        return self.verdict == proof.PROVEN and (self.loss == proof.NONE or self.accepted) and not self.superseded

    @property
    def complete(self) -> bool:
        """As `is_baseline`, and the file is intact: older backups may be removed."""
        return self.is_baseline and self.intact
