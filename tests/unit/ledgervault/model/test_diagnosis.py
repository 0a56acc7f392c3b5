"""The cause and the hint for a program's error output."""

from __future__ import annotations

import pytest

from ledgervault.model import (
    diagnosis,
)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ('ERROR:  extension "postgis" is not available', "inconclusive"),
        ('ERROR:  could not extend file "base/5/1": No space left on device', "inconclusive"),
        ("psql: error: server closed the connection unexpectedly", "inconclusive"),
        ("ERROR:  out of shared memory", "inconclusive"),
        ('ERROR:  relation "x" does not exist', "failed"),
        ('ERROR:  duplicate key value violates unique constraint "x"', "failed"),
        ("", "failed"),
    ],
)
def test_whose_fault_a_failed_restore_is(said: str, result: str) -> None:
    assert diagnosis.diagnose_restore(said)[0] == result


def test_a_dumps_error_comes_with_the_command_that_mends_it() -> None:
    said = "pg_dump: error: query failed: ERROR:  permission denied for large object 7"
    assert diagnosis.dump_hint(said, "b").startswith("GRANT SELECT ON LARGE OBJECT 7 TO b;")
    assert diagnosis.dump_hint("something new", "b") == "see the message above; nothing was kept"
    locked = "ERROR:  canceling statement due to statement timeout\npg_dump: detail: Query was: LOCK TABLE public.t"
    assert diagnosis.is_locked_out(locked)
    assert not diagnosis.is_locked_out("ERROR:  canceling statement due to statement timeout\nQuery was: COPY")
    assert diagnosis.summary("noise\nERROR:  a\n\nERROR:  b") == "ERROR:  a / ERROR:  b"
    assert diagnosis.summary("only this") == "only this"
