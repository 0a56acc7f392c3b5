"""The plan says what is lost and what comes back; it never says "nothing" where something is."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ledgervault.model import restore_plan
from ledgervault.model.restore_plan import Plan, Table

NOW = datetime(2026, 1, 2, 5, tzinfo=UTC)
TABLE = Table("public.t", "rows", 10, 8, missing=2)
PLAN = Plan(
    id="20260102_030405",
    environment="ci",
    database="ledger",
    file="b.sql.gz",
    taken="2026-01-02T03:00:00+00:00",
    verdict="proven",
    rows=10,
    copy="ledger_restored_20260102_030405",
    kept="ledger_before_20260102_030405",
    tables=(TABLE,),
    uncompared=(),
    database_problem="",
    to_migrate=(),
    unknown_migrations=(),
    passed_over=(),
    live_bytes=5 << 20,
    needed_bytes=70 << 20,
    leftovers=(),
    kept_databases=(),
)


def text(**changes: object) -> str:
    return "\n".join(replace(PLAN, **changes).lines(NOW))  # type: ignore[arg-type]


def test_it_names_backup_age_rows_and_where_the_old_database_goes() -> None:
    lines = text()
    for part in ("b.sql.gz", "environment ci", "120 min old", "proven", "10 rows", "8 live", "comes back: 2", "70 MB"):
        assert part in lines
    assert "kept as ledger_before_20260102_030405" in lines
    assert "nothing that is live now is lost" in lines


def test_added_or_changed_rows_are_lost_and_named() -> None:
    for table in (replace(TABLE, added=1, keys=("id=5",)), replace(TABLE, changed=1, keys=("id=5",))):
        lines = text(tables=(table,))
        assert "is lost: 1" in lines
        assert "id=5" in lines
        assert "nothing that is live" not in lines


def test_what_is_not_compared_is_not_called_unharmed() -> None:
    lines = text(uncompared=("public.session (3 live)",))
    assert "nothing that is live" not in lines
    assert "nothing else that is live now is lost" in lines
    assert "becomes what the backup holds: public.session (3 live)" in lines


def test_a_database_that_could_not_be_compared_is_not_called_unharmed() -> None:
    lines = text(database_problem="invalid page", tables=(replace(TABLE, live=None, problem="invalid page"),))
    assert "nothing that is live" not in lines
    assert "cannot be compared row by row: invalid page" in lines
    assert "cannot be read: invalid page" in lines


def test_what_else_happens_is_said() -> None:
    lines = text(
        to_migrate=("ledger 0002",), unknown_migrations=("ledger 0003",), passed_over=("c.sql.gz",), leftovers=("l",),
        kept_databases=("k",),
    )  # fmt: skip
    for part in ("run on the copy: ledger 0002", "NEWER", "ledger 0003", "c.sql.gz", "was stopped: l", "restores: k"):
        assert part in lines


def test_migrations_are_compared_as_sets_and_not_where_one_side_is_unknown() -> None:
    old, new = (("a", "1"),), (("a", "1"), ("a", "2"))
    assert restore_plan.migrations_between(old, new) == (("a 2",), ())
    assert restore_plan.migrations_between(new, old) == ((), ("a 2",))
    assert restore_plan.migrations_between(None, new) == restore_plan.migrations_between(old, None) == ((), ())


def test_a_live_database_that_lost_its_rows_is_no_measure_of_the_room_wanted() -> None:
    assert restore_plan.needed_bytes(1 << 20, 1 << 30) > 2 << 30
    assert restore_plan.needed_bytes(8 << 30, 1 << 30) > 8 << 30
    assert restore_plan.needed_bytes(None, 1 << 30) > 2 << 30


def test_watched_tables_come_first_and_unchanged_others_not_at_all() -> None:
    other, changed = Table("public.a", "rows", 1, 1), Table("public.b", "rows", 1, 2, added=1)
    chosen = restore_plan.chosen_tables([other, changed, TABLE], ["public.t"])
    assert chosen == (TABLE, changed)
