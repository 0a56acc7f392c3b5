"""Names decide what a restore may switch to, drop or bring back: nothing else is ever touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from ledgervault.model import kept_databases
from ledgervault.model.errors import UsageError
from ledgervault.model.kept_databases import Note, is_kept, is_leftover, read_note

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_a_restore_has_two_names_of_one_moment_in_utc() -> None:
    names = kept_databases.names("ledger", MOMENT.astimezone(timezone(timedelta(hours=5))))
    assert (names.copy, names.kept) == ("ledger_restored_20260102_030405", "ledger_before_20260102_030405")
    assert kept_databases.names_of_copy("ledger", names.copy) == names


def test_a_name_that_postgresql_would_cut_off_is_refused() -> None:
    limit = 63 - len("_restored_20260101_000000_restoring")
    assert len(kept_databases.names("x" * limit, MOMENT).copy + "_restoring") == 63
    with pytest.raises(UsageError, match="too long"):
        kept_databases.names("x" * (limit + 1), MOMENT)


@pytest.mark.parametrize(
    "copy",
    ["ledger", "postgres", "other_restored_20260102_030405", "ledger_before_20260102_030405", "ledger_restored_2026",
     "ledger_restored_20260102_030405_restoring", "ledger_restored_20260102_030405 "],
)  # fmt: skip
def test_only_a_finished_copy_of_this_database_is_one(copy: str) -> None:
    with pytest.raises(UsageError):
        kept_databases.names_of_copy("ledger", copy)


def test_leftovers_and_kept_databases_are_told_apart_by_their_whole_name() -> None:
    copy, kept = "ledger_restored_20260102_030405", "ledger_before_20260102_030405"
    assert is_leftover("ledger", copy)
    assert is_leftover("ledger", copy + "_restoring")
    assert is_kept("ledger", kept)
    for name in ("ledger", kept, copy + "x", "x" + copy, "ledger_restored"):
        assert not is_leftover("ledger", name), name
    for name in ("ledger", copy, kept + "0", "x" + kept, "ledger_before"):
        assert not is_kept("ledger", name), name
    assert not is_kept("l.dger", kept), "a name is no pattern"
    assert kept_databases.replaced_by("ledger", kept) == "20260102_030405"


def test_a_note_is_read_as_it_was_written_and_nothing_else_is_a_note() -> None:
    note = Note("20260102_030405", "file.sql.gz", "ledger_before_20260102_030405")
    undo = Note("20260102_030406", "", "ledger_before_20260102_030406", "20260102_030405")
    for one in (note, undo):
        assert read_note(one.text()) == one
    assert read_note('ledgervault {"id": "1", "file": "f", "kept": "k"}') == Note("1", "f", "k")
    assert read_note('ledgervault {"id": "1", "file": "f", "kept": "k", "undoes": 1}') is None
    assert "undoes" not in note.journal_data("ledger")
    assert undo.journal_data("ledger")["undoes"] == "20260102_030405"
    for comment in (None, "", "our ledger", "ledgervault", "ledgervault {", "ledgervault []", 'ledgervault {"id": 1}'):
        assert read_note(comment) is None, comment
