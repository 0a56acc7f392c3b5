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
    """A backup as the journal and the disk know it."""

    file: str
    path: Path
    line: Line
    verdict: str  # proven, failed, inconclusive, unproven
    ruling: Line | None
    intact: bool  # there, with the journal's size
    accepted: bool = False  # its loss, or that of a later one, was meant

    @property
    def proven(self) -> bool:
        return self.verdict == proof.PROVEN and self.intact

    @property
    def loss(self) -> str:
        """What its ruling proof said of rows lost since the baseline; NONE where there is none. A proof by an older
        version says whether it had shrunken."""
        data = self.ruling.data if self.ruling else {}
        return str(data.get("loss") or (proof.LOST if data.get("shrunken") else proof.NONE))

    @property
    def shrunken(self) -> bool:
        """Rows were lost, and nobody has said that it was meant."""
        return self.loss == proof.LOST and not self.accepted

    @property
    def is_baseline(self) -> bool:
        """Judged proven, and nothing lost unaccepted: later ones are compared with it, also if its file is missing."""
        return self.verdict == proof.PROVEN and (self.loss == proof.NONE or self.accepted)

    @property
    def complete(self) -> bool:
        """As `is_baseline`, and the file is as written: older ones may go."""
        return self.is_baseline and self.intact
