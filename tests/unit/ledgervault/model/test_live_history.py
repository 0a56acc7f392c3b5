"""Backups of what a restore replaced count again when the restore is undone, with the losses that they show."""

from __future__ import annotations

from ledgervault.model.journal import BACKUP, RESTORED, Line
from ledgervault.model.live_history import live_history


def restored(seq: int, id_: str, file: str, undoes: str = "") -> Line:
    data = {"id": id_, "database": "d", "kept": f"d_before_{id_}"} | ({"undoes": undoes} if undoes else {})
    return Line(seq, "t", RESTORED, file, None, "p", data)


def counted(*lines: Line) -> tuple[list[int], str | None]:
    history = live_history([Line(1, "t", BACKUP, "f1", "m", "p", {}), *lines])
    return [seq for seq in range(1, 60) if history.has(seq) and seq % 10 == 5], history.chosen


def test_without_a_restore_every_backup_counts() -> None:
    assert counted() == ([5, 15, 25, 35, 45, 55], None)


def test_after_a_restore_only_its_backup_and_later_ones_count() -> None:
    assert counted(restored(10, "A", "f1"), restored(30, "B", "f2")) == ([35, 45, 55], "f2")


def test_an_undo_goes_back_to_what_was_before_and_can_be_undone() -> None:
    restore, undo = restored(10, "A", "f1"), restored(20, "B", "safety", "A")
    assert counted(restore, undo) == ([5, 25, 35, 45, 55], None)
    assert counted(restore, undo, restored(40, "C", "f1", "B")) == ([15, 45, 55], "f1")
    assert counted(restore, undo, restored(40, "C", "f1", "B"), restored(50, "D", "", "C")) == ([5, 25, 35, 55], None)


def test_an_older_kept_database_brings_its_own_history() -> None:
    restores = restored(10, "A", "f1"), restored(30, "B", "f2")
    assert counted(*restores, restored(40, "C", "", "A")) == ([5, 45, 55], None)
    assert counted(*restores, restored(40, "C", "", "B")) == ([15, 25, 45, 55], "f1")


def test_an_undo_of_a_restore_that_is_in_no_journal_is_a_restore_of_its_backup() -> None:
    assert counted(restored(20, "B", "safety", "A")) == ([25, 35, 45, 55], "safety")
