"""Numbers for people."""

from __future__ import annotations

from ledgervault.commands import report


def test_sizes_are_written_for_people() -> None:
    assert [report.size_text(n) for n in (0, 1023, 1024, 5 * 1024**3)] == ["0 B", "1023 B", "1.0 KB", "5.0 GB"]
