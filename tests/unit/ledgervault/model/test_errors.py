"""Errors carry their exit code and hint."""

from __future__ import annotations

from ledgervault.model.errors import Bad, CouldNot, UsageError


def test_errors_carry_their_exit_code_and_hint() -> None:
    assert (Bad("a", "b").code, CouldNot("a", "b").code, UsageError("a", "b").code) == (1, 2, 64)
    assert CouldNot("a", "b", "c").text() == "a: b\nHINT: c"
    assert CouldNot("a", "b").text() == "a: b"
