"""The journal: one line per event, each with the hash of the line before. Order comes from here, not from the clock.

A backup's line is written *before* its files get their names (they lie beside, whole and synced, under partial names):
whoever is killed in between leaves a journal from which the next run finishes the renaming.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledgervault.proof import FAILED, PROVEN
from ledgervault.records import RecordError, from_json, plain

BACKUP, PROOF, REMOVED = "backup", "proof", "removed"
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Line:
    seq: int
    time: str
    event: str
    file: str
    manifest_sha256: str | None
    previous: str
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Journal:
    lines: tuple[Line, ...]
    head: str  # sha256 of the last line
    torn: int = 0  # bytes of an unfinished last line: a writer was killed
    broken: str | None = None  # what is wrong with the chain, if anything

    def of(self, file: str, event: str | None = None) -> list[Line]:
        return [line for line in self.lines if line.file == file and event in (None, line.event)]

    def backup_of(self, file: str) -> Line | None:
        return next(iter(self.of(file, BACKUP)), None)


def encode(line: Line) -> bytes:
    return json.dumps(plain(line), sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def digest(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()


def next_line(
    journal: Journal, time: str, event: str, file: str, manifest_sha256: str | None, data: dict[str, Any]
) -> Line:
    seq = journal.lines[-1].seq + 1 if journal.lines else 1
    return Line(seq, time, event, file, manifest_sha256, journal.head, data)


def read(text: bytes) -> Journal:
    """Never raises: a journal that cannot be believed says so in `broken`, with the line's number."""
    whole, _, torn = text.rpartition(b"\n")
    lines: list[Line] = []
    head = GENESIS
    for number, raw in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            line = from_json(Line, raw)
        except RecordError as error:
            return Journal(tuple(lines), head, len(torn), f"line {number}: {error}")
        if line.previous != head or line.seq != number:
            return Journal(tuple(lines), head, len(torn), f"line {number}: does not follow the line before it")
        lines.append(line)
        head = digest(raw + b"\n")
    return Journal(tuple(lines), head, len(torn))


def removed(lines: Iterable[Line]) -> set[str]:
    return {line.file for line in lines if line.event == REMOVED}


def status(lines: Sequence[Line], file: str) -> Line | None:
    """The line that rules on a file: its newest decision of level data, or a later find that its bytes are bad.

    A proof that could not decide (scratch was full) takes no decision away; it rules only while there is none.
    """
    ruling: Line | None = None
    for line in lines:
        if line.file != file or line.event != PROOF:
            continue
        verdict = line.data.get("verdict")
        is_decision = verdict == FAILED or (line.data.get("level") == "data" and verdict == PROVEN)
        if is_decision or (line.data.get("level") == "data" and not _decided(ruling)):
            ruling = line
    return ruling


def _decided(ruling: Line | None) -> bool:
    return ruling is not None and ruling.data.get("verdict") in (PROVEN, FAILED)
