"""Checks, verdicts and proofs. Only this module turns checks into a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

SCHEMA = 1
PROVEN, FAILED, INCONCLUSIVE = "proven", "failed", "inconclusive"
EXIT = {PROVEN: 0, FAILED: 1, INCONCLUSIVE: 2}
# What a proof did with secondary indexes: built them over the rows, or compared their definitions alone.
ALL, DEFINITIONS = "all", "definitions"

# Rows since the baseline: none is lost, some are lost, or they could not be compared.
NONE, LOST, UNKNOWN = "none", "lost", "unknown"

LOST_ID = "shrunken "  # of a check that reports lost rows; then the table's name

OK, NOTE = "ok", "note"  # a note says something and decides nothing


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. `id` is stable for machines; `text` names the subject and its values."""

    id: str
    result: str  # ok, failed, inconclusive, note
    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    schema: int
    file: str
    manifest_sha256: str | None
    level: str  # bytes or data
    verdict: str
    begun: str
    finished: str
    seconds: float
    checks: tuple[Check, ...]
    figures: dict[str, float] = field(default_factory=dict)
    shrunken: bool = False
    loss: str = NONE
    baseline: str | None = None  # the backup that `loss` is reckoned from
    written: dict[str, str] = field(default_factory=dict)  # definitions that a restored copy writes otherwise

    @property
    def lost_tables(self) -> list[str]:
        return [check.id.removeprefix(LOST_ID) for check in self.checks if check.id.startswith(LOST_ID)]


def verdict(checks: Iterable[Check], compared: bool) -> str:
    """failed beats inconclusive beats proven. If nothing was compared, nothing is proven."""
    results = {check.result for check in checks}
    if FAILED in results:
        return FAILED
    if INCONCLUSIVE in results or not compared or OK not in results:
        return INCONCLUSIVE
    return PROVEN


def ok(id_: str, text: str) -> Check:
    return Check(id_, OK, text)


def failed(id_: str, text: str, hint: str = "") -> Check:
    return Check(id_, FAILED, text, hint)


def inconclusive(id_: str, text: str, hint: str = "") -> Check:
    return Check(id_, INCONCLUSIVE, text, hint)


def note(id_: str, text: str) -> Check:
    return Check(id_, NOTE, text)
