"""Files are whole or as they were, and nothing is left aside."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledgerguard.service.atomic_files import write_atomically


@pytest.mark.parametrize("synced", [False, True])
def test_a_file_is_replaced_with_its_mode(tmp_path: Path, synced: bool) -> None:
    file = tmp_path / "one"
    file.write_text("before, and longer")
    write_atomically(file, "after", 0o640, is_synced=synced)
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("after", 0o640)
    assert [*tmp_path.iterdir()] == [file]


def test_what_cannot_be_named_leaves_nothing_aside(tmp_path: Path) -> None:
    file = tmp_path / "one"
    file.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(file, "after", 0o600)
    assert [*tmp_path.iterdir()] == [file]
