"""The journal: one line per event, each with the hash of the line before. The journal, not the clock, gives the order.

A backup's line is written *before* its files get their names; until then they have partial names. If the writer is
killed in between, the next run finishes the renaming from the journal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ledgervault.model import backup_names
from ledgervault.model.proof import FAILED, PROVEN
from ledgervault.model.records import NewerError, RecordError, from_json, plain

SCHEMA = 3  # of a line. 1: backups, proofs and removals; a line of it does not name its schema. 3: restores too
BACKUP, PROOF, REMOVED = "backup", "proof", "removed"
ACCEPTED = "accepted"  # a backup's loss was intended: it becomes the baseline
FORGOTTEN = "forgotten"  # a backup that counts for nothing any more; its file goes when its time is up
RESTORED = "restored"  # a backup replaced the live database: later ones are compared with it
GENESIS = "0" * 64

_SCHEMA_OF = {BACKUP: 1, PROOF: 1, REMOVED: 1, ACCEPTED: 2, FORGOTTEN: 2, RESTORED: 3}
_DATA: Mapping[str, Mapping[str, type]] = {  # what others read of a line's data, without asking again
    BACKUP: {"kind": str, "tier": str, "size": int, "sha256": str, "taken": str, "rows": int, "tables": int}
    | {"watched": dict, "environment": str, "database": str},
    PROOF: {"level": str, "verdict": str, "proof": str, "proof_sha256": str},
    REMOVED: {},
    ACCEPTED: {"reason": str},
    FORGOTTEN: {"reason": str},
    RESTORED: {"id": str, "database": str, "kept": str},
}


@dataclass(frozen=True, slots=True)
class Line:
    seq: int
    time: str
    event: str
    file: str
    manifest_sha256: str | None
    previous: str
    data: dict[str, Any] = field(default_factory=dict)
    schema: int = 1


@dataclass(frozen=True, slots=True)
class Head:
    """The hash of the last line, stored outside the journal: no later line confirms the last one."""

    lines: int
    head: str


@dataclass(frozen=True, slots=True)
class Journal:
    lines: tuple[Line, ...]
    head: str  # sha256 of the last line
    torn: int = 0  # bytes of an unfinished last line: a writer was killed
    broken: str | None = None  # the first error of the chain
    newer: str | None = None  # the line that a later version wrote: this one cannot say what it means

    def of(self, file: str, event: str | None = None) -> list[Line]:
        return [line for line in self.lines if line.file == file and event in (None, line.event)]

    def backup_of(self, file: str) -> Line | None:
        return next(iter(self.of(file, BACKUP)), None)


def encode_line(line: Line) -> bytes:
    fields = plain(line)
    if line.schema == 1:
        del fields["schema"]  # schema 1 did not write it
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def digest(encoded: bytes) -> str:
    return hashlib.sha256(encoded).hexdigest()


def next_line(
    journal: Journal, time: str, event: str, file: str, manifest_sha256: str | None, data: dict[str, Any]
) -> Line:
    seq = journal.lines[-1].seq + 1 if journal.lines else 1
    return Line(seq, time, event, file, manifest_sha256, journal.head, data, _SCHEMA_OF[event])


def parse_journal(text: bytes) -> Journal:
    """Never raises: `broken` says what is wrong with a journal, with the line's number."""
    complete, _, torn = text.rpartition(b"\n")
    lines: list[Line] = []
    head = GENESIS
    for number, raw in enumerate(complete.split(b"\n") if complete else [], start=1):
        try:
            line = _line(raw)
        except NewerError as error:
            return Journal(tuple(lines), head, len(torn), newer=f"line {number}: {error}")
        except RecordError as error:
            return Journal(tuple(lines), head, len(torn), f"line {number}: {error}")
        if line.previous != head or line.seq != number:
            return Journal(tuple(lines), head, len(torn), f"line {number}: does not follow the line before it")
        lines.append(line)
        head = digest(raw + b"\n")
    return Journal(tuple(lines), head, len(torn))


def check_line_data(journal: Journal) -> Journal:
    """Ends the journal before the first line whose data is incomplete for its event, and marks it broken."""
    for place, line in enumerate(journal.lines):
        wrong = _wrong_data(line)
        if wrong:
            before = journal.lines[:place]
            return replace(journal, lines=before, head=line.previous, broken=f"line {line.seq}: {wrong}")
    return journal


def head_problem(journal: Journal, expected: Head) -> str | None:
    """Compares the journal with the head that was stored when its last line was written."""
    count = len(journal.lines)
    if expected.lines > count:
        return f"{count} lines, {expected.lines} were written: the last ones are gone"
    actual = journal.head if expected.lines == count else journal.lines[expected.lines].previous
    if actual != expected.head:
        return f"line {expected.lines} is not the one that was written: {actual[:12]}, kept {expected.head[:12]}"
    return None


def removed_files(lines: Iterable[Line]) -> set[str]:
    return {line.file for line in lines if line.event == REMOVED}


def forgotten_lines(lines: Iterable[Line]) -> dict[str, Line]:
    return {line.file: line for line in lines if line.event == FORGOTTEN}


def lines_without(lines: Sequence[Line], files: Collection[str]) -> list[Line]:
    """The lines whose times count. A forgotten backup may be from the future; the line that forgets it counts."""
    return [line for line in lines if line.file not in files or line.event == FORGOTTEN]


def accepted_lines(lines: Iterable[Line]) -> dict[str, Line]:
    return {line.file: line for line in lines if line.event == ACCEPTED}


def find_ruling(lines: Sequence[Line], file: str) -> Line | None:
    """The proof that decides a backup's verdict: the newest decision of level data, or a later one that its bytes are
    bad. An inconclusive proof does not replace a decision; it counts only while there is none."""
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


def _line(raw: bytes) -> Line:
    line = from_json(Line, raw, SCHEMA)
    if line.event not in _DATA:
        raise NewerError(f"the event '{line.event}' is unknown here: written by a newer ledgervault")
    return line


def _wrong_data(line: Line) -> str | None:
    for key, kind in _DATA[line.event].items():
        if not isinstance(line.data.get(key), kind):
            return f"{line.event}: {key} is {line.data.get(key)!r}, expected {kind.__name__}"
    if line.event == BACKUP and line.data["tier"] not in backup_names.TIERS:
        return f"{line.event}: unknown tier '{line.data['tier']}'"
    try:
        times = [line.time, *([line.data["taken"]] if line.event == BACKUP else [])]
        wrong = [time for time in times if datetime.fromisoformat(time).tzinfo is None]
    except ValueError as error:
        return f"{line.event}: {error}"
    return f"{line.event}: {wrong[0]} is in no time zone" if wrong else None
