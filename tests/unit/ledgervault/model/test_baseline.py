"""Which backup later data is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledgervault.model import baseline, journal
from ledgervault.model.entry import Entry


def entry(seq: int, verdict: str = "proven", loss: str | None = None, accepted: bool = False, **data: Any) -> Entry:
    line = journal.Line(seq, "t", journal.BACKUP, f"f{seq}", "m", "p", {"kind": "db"})
    ruling = journal.Line(
        99, "t", journal.PROOF, f"f{seq}", "m", "p", {"verdict": verdict, **({"loss": loss} if loss else {}), **data}
    )
    return Entry(f"f{seq}", Path(f"/b/f{seq}"), line, verdict, ruling, True, accepted)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(1), entry(2, loss="none")], "f2"),
        ([entry(1), entry(2, loss="lost")], "f1"),
        ([entry(1), entry(2, loss="unknown")], "f1"),
        ([entry(1), entry(2, "failed")], "f1"),
        ([entry(1), entry(2, shrunken=True)], "f1"),
        ([entry(1), entry(2, loss="lost", accepted=True)], "f2"),
        ([entry(1), replace(entry(2), intact=False)], "f2"),
        ([entry(1, loss="lost")], None),
        ([], None),
    ],
    ids=[
        "nothing lost",
        "lost",
        "unknown",
        "failed",
        "shrunken, of an older version",
        "accepted",
        "not as written",
        "none",
        "empty",
    ],
)
def test_the_baseline_is_the_newest_that_lost_nothing_unaccepted(entries: list[Entry], expected: str | None) -> None:
    chosen = baseline.find_baseline(entries)
    assert (chosen.file if chosen else None) == expected


def test_a_backup_is_compared_with_one_before_it_and_a_loss_stays_open_until_accepted() -> None:
    entries = [entry(1), entry(2, loss="lost", lost=["t"]), entry(3, loss="lost", lost=["u"])]
    assert (baseline.find_baseline(entries, "f1"), baseline.find_baseline(entries, "f3")) == (None, entries[0])
    assert baseline.find_open_loss(entries) == entries[1]
    assert baseline.lost_tables(entries, entries[0]) == {"t", "u"}
    assert baseline.lost_tables(entries, entries[0], "f3") == {"t"}
    accepted = [entries[0], *(replace(each, accepted=True) for each in entries[1:])]
    assert baseline.find_open_loss(accepted) is None
