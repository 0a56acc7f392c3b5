"""A backup put back over the live database: what was live is kept, and a restore that stops leaves it as it was."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kit import Result, Vault

from ledgervault.commands import restore_switch
from ledgervault.postgres import databases as postgres_databases
from ledgervault.postgres import dump_loader

ROWS = 200
COUNT = "SELECT count(*) FROM public.transaction"


@pytest.fixture(autouse=True)
def no_databases_stay(vault: Vault) -> Iterator[None]:
    yield
    for name in databases(vault):
        if name != vault.database:
            vault.cluster.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")
    if vault.database not in databases(vault):
        vault.cluster.run("postgres", f"CREATE DATABASE {vault.database}")


def databases(vault: Vault) -> list[str]:
    query = f"SELECT datname FROM pg_database WHERE datname LIKE '{vault.database}%' ORDER BY 1"
    return [name for (name,) in vault.cluster.run("postgres", query)]


def count(vault: Vault, database: str | None = None) -> int:
    return int(vault.cluster.run(database or vault.database, COUNT)[0][0])


def planned(vault: Vault, file: str = "latest") -> dict[str, Any]:
    result = vault("restore-plan", file)
    assert result.code == 0, result.error
    plan = result.data["plan"]
    assert isinstance(plan, dict)
    return plan


def prepared(vault: Vault, plan: dict[str, Any]) -> None:
    result = vault("restore-prepare", plan["file"], "--copy", plan["copy"])
    assert result.code == 0, result.error


def switched(vault: Vault, plan: dict[str, Any], safety: str = "none") -> Result:
    return vault("restore-switch", plan["file"], "--copy", plan["copy"], "--safety", safety)


def restored(vault: Vault, file: str = "latest", safety: str = "none") -> dict[str, Any]:
    plan = planned(vault, file)
    prepared(vault, plan)
    result = switched(vault, plan, safety)
    assert result.code == 0, result.error
    return plan


def events(vault: Vault) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (vault.backups / "journal.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == "restored"]


def with_a_proven_backup(vault: Vault) -> Path:
    path = vault.taken()
    vault.proven(path)
    return path


# ----------------------------------------------------------------------------------------------------------- the plan


def test_the_plan_names_what_is_lost_and_what_comes_back_and_changes_nothing(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 30")
    vault.sql("INSERT INTO public.transaction (amount, description, day) VALUES (5, 'since', '2025-06-01')")
    before = databases(vault)
    plan = planned(vault)
    table = next(one for one in plan["tables"] if one["name"] == "public.transaction")
    assert plan["file"] == path.name
    assert (table["backup"], table["live"], table["missing"], table["added"]) == (ROWS, ROWS - 29, 30, 1)
    assert table["keys"] == ["id=201"]
    text = "\n".join(vault("restore-plan", "latest").data["lines"])
    assert "is lost: 1 added" in text
    assert "comes back: 30" in text
    assert plan["kept"].startswith(f"{vault.database}_before_")
    assert plan["needed_bytes"] > plan["live_bytes"]
    assert databases(vault) == before


def test_the_plan_says_that_nothing_is_lost_only_when_nothing_is(vault: Vault) -> None:
    with_a_proven_backup(vault)
    assert "nothing that is live now is lost" in "\n".join(vault("restore-plan", "latest").data["lines"])
    vault.sql("UPDATE public.category SET name = 'Food' WHERE id = 1")
    lines = "\n".join(vault("restore-plan", "latest").data["lines"])
    assert "nothing that is live now is lost" not in lines
    assert "public.category" in lines


def test_the_plan_names_what_no_comparison_reaches(vault: Vault) -> None:
    volatile = '\n[[tables]]\nname = "public.category"\nrows = "volatile"\n'
    vault.config.write_text(vault.config.read_text() + volatile)
    with_a_proven_backup(vault)
    vault.sql("CREATE TABLE public.made_since (id int PRIMARY KEY)")
    vault.sql("SELECT lo_create(4711)")
    lines = "\n".join(vault("restore-plan", "latest").data["lines"])
    assert (
        "not compared, becomes what the backup holds: public.category (2 live), large objects (1 made since)" in lines
    )
    assert "nothing else that is live now is lost" in lines
    vault.sql("INSERT INTO public.made_since VALUES (1)")
    lines = "\n".join(vault("restore-plan", "latest").data["lines"])
    assert "public.made_since: 0 rows in the backup, 1 live" in lines
    assert "nothing else that is live" not in lines


def test_the_plan_shows_the_newest_row_where_a_column_is_configured(vault: Vault) -> None:
    vault.config.write_text(vault.config.read_text().replace('noun = "tr', 'newest_column = "day"\nnoun = "tr'))
    with_a_proven_backup(vault)
    table = next(one for one in planned(vault)["tables"] if one["name"] == "public.transaction")
    assert table["newest"] == str(vault.sql("SELECT max(day) FROM public.transaction")[0][0])


def test_a_backup_of_another_environment_or_without_a_proof_is_refused(vault: Vault) -> None:
    path = vault.taken()
    assert vault("restore-plan", path.name).code == 2
    vault.proven(path)
    assert vault("restore-plan", path.name).code == 0
    vault.config.write_text(vault.config.read_text().replace('environment = "ci"', 'environment = "dev"'))
    refused = vault("restore-plan", path.name)
    assert refused.code != 0
    assert "environment" in refused.error


def test_latest_passes_over_a_backup_that_has_lost_rows(vault: Vault) -> None:
    good = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    bad = with_a_proven_backup(vault)
    plan = planned(vault)
    assert plan["file"] == good.name
    assert plan["passed_over"] == [bad.name]
    assert planned(vault, bad.name)["file"] == bad.name


def test_the_plan_names_the_migrations_between_backup_and_database(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    vault.sql("INSERT INTO public.heads VALUES ('ledger', '0002_more')")
    assert planned(vault)["to_migrate"] == ["ledger 0002_more"]
    assert planned(vault)["unknown_migrations"] == ["ledger 0001_initial"]  # this query gives the newest one only
    assert planned(vault, path.name)["file"] == path.name


# --------------------------------------------------------------------------------------------------------- the restore


def test_the_backup_becomes_live_and_what_was_live_is_kept(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 30")
    plan = planned(vault)
    prepared(vault, plan)
    assert count(vault) == ROWS - 30, "the copy is beside"
    with vault.cluster.connect(vault.database, "ledger_app") as session:
        result = switched(vault, plan)
        assert result.code == 0, result.error
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    figures = result.data["switched"]
    assert figures["rows_before"]["public.transaction"] == ROWS - 30
    assert figures["rows_after"]["public.transaction"] == ROWS
    assert 0 < figures["seconds_refused"] < 5
    assert count(vault) == ROWS
    assert count(vault, plan["kept"]) == ROWS - 30
    assert databases(vault) == sorted([vault.database, plan["kept"]])
    assert [(line["file"], line["data"]["kept"]) for line in events(vault)] == [(path.name, plan["kept"])]
    vault.cluster.run(vault.database, "INSERT INTO public.category (name) VALUES ('new')", "ledger_app")


def test_owner_grants_and_settings_of_the_database_come_with_it(vault: Vault) -> None:
    vault.sql(f"ALTER DATABASE {vault.database} SET work_mem = '7MB'")
    vault.sql(f"REVOKE CONNECT ON DATABASE {vault.database} FROM PUBLIC")
    vault.sql(f"GRANT CONNECT ON DATABASE {vault.database} TO ledger_app, ledger_backup, ledger_restore")
    with_a_proven_backup(vault)
    facts = (
        "SELECT pg_get_userbyid(datdba), datacl::text, (SELECT setconfig::text FROM pg_db_role_setting"
        " WHERE setdatabase = d.oid AND setrole = 0) FROM pg_database d WHERE datname = current_database()"
    )
    before = vault.sql(facts)
    restored(vault)
    assert vault.sql(facts) == before


def test_later_backups_are_compared_with_the_one_that_was_put_back(vault: Vault) -> None:
    first = with_a_proven_backup(vault)
    vault.sql("INSERT INTO public.transaction (amount, description, day) SELECT 5, 'x', '2025-06-01'"
              " FROM generate_series(1, 100)")  # fmt: skip
    with_a_proven_backup(vault)
    restored(vault, first.name)
    assert vault("verify-data").data["file"] == first.name
    after = vault.proven()
    assert not after.data["shrunken"], "the rows were given up by the restore"
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    assert vault.proven().data["shrunken"], "and a later loss is one"


def test_a_loss_that_a_restore_undid_is_no_alarm_any_more(vault: Vault) -> None:
    with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    with_a_proven_backup(vault)
    assert vault("state").data["unaccepted_loss"]
    restored(vault)
    assert not vault("state").data["unaccepted_loss"]
    assert vault("audit").code == 0


def test_the_backup_before_a_restore_is_no_baseline_and_never_latest(vault: Vault) -> None:
    good = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    taken = vault("backup", "--kind", "pre_restore", "--prove")
    assert taken.code == 0, taken.error
    assert "_pre_restore_backup_" in taken.data["file"]
    assert planned(vault)["file"] == good.name
    facts = vault("state").data
    assert facts["newest_proven"]["file"] == good.name
    assert not facts["unaccepted_loss"]
    assert (vault.backups / "hourly/latest.sql.gz").resolve().name == good.name
    assert vault("audit").code == 0


def test_a_copy_that_differs_from_its_manifest_is_dropped_and_the_live_database_untouched(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_a_proven_backup(vault)
    load = dump_loader.load_with_psql

    def lossy(*arguments: Any) -> Any:
        result = load(*arguments)
        vault.cluster.run(arguments[1].database, "DELETE FROM public.transaction WHERE id = 7")
        return result

    monkeypatch.setattr(dump_loader, "load_with_psql", lossy)
    plan = planned(vault)
    result = vault("restore-prepare", plan["file"], "--copy", plan["copy"])
    assert result.code == 1
    assert "public.transaction" in result.error
    assert databases(vault) == [vault.database]
    assert switched(vault, plan).code == 2, "there is nothing to switch to"
    assert count(vault) == ROWS
    assert events(vault) == []


def test_a_session_that_may_not_be_ended_is_named_and_everything_stays(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_switch, "WAIT_SECONDS", 1.0)
    with_a_proven_backup(vault)
    plan = planned(vault)
    prepared(vault, plan)
    with vault.cluster.connect(vault.database, "ledger_backup"), vault.cluster.connect(vault.database) as app:
        app.execute("SET SESSION AUTHORIZATION ledger_app")
        result = switched(vault, plan)
        assert result.code == 2
        assert "ledger_backup" in result.error
        assert "as it was" in result.error
        app.execute("SELECT 1")
    assert sorted(databases(vault)) == sorted([vault.database, plan["copy"]])
    assert switched(vault, plan).code == 0, "and once it is gone it goes on"


def test_a_lock_on_the_database_is_not_waited_for_while_nobody_can_connect(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_switch, "WAIT_SECONDS", 1.0)
    monkeypatch.setattr(postgres_databases, "_LOCK_SECONDS", 1)
    with_a_proven_backup(vault)
    plan = planned(vault)
    prepared(vault, plan)
    with vault.cluster.connect("postgres") as other:
        other.execute("BEGIN")
        other.execute(f"COMMENT ON DATABASE {vault.database} IS 'a transaction that stays open'".encode())
        end = threading.Timer(20, other.close)  # where nothing else ends the wait
        end.start()
        began = time.monotonic()
        result = switched(vault, plan)
        assert time.monotonic() - began < 10
        end.cancel()
        other.execute("ROLLBACK")
    assert result.code == 2
    assert "COMMENT or ALTER" in result.error
    assert sorted(databases(vault)) == sorted([vault.database, plan["copy"]])
    assert switched(vault, plan).code == 0


def test_a_switch_that_is_made_is_never_reported_as_a_failure(vault: Vault) -> None:
    with_a_proven_backup(vault)
    plan = planned(vault)
    prepared(vault, plan)
    vault.config.write_text(vault.config.read_text().replace("vault.json", "gone/vault.json"))
    result = switched(vault, plan)
    assert result.code == 0, result.error
    assert "NOT all of it was recorded" in "\n".join(result.data["lines"])
    assert result.data["switched"]["kept"] == plan["kept"]


def test_a_broken_journal_is_said_before_anything_is_switched(vault: Vault) -> None:
    with_a_proven_backup(vault)
    plan = planned(vault)
    prepared(vault, plan)
    journal = vault.backups / "journal.jsonl"
    journal.write_text(journal.read_text() + "no line\n")
    result = switched(vault, plan)
    assert result.code == 2
    assert "journal" in result.error
    assert plan["kept"] not in databases(vault)


def test_only_a_copy_of_this_database_can_become_live(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    for name in ("postgres", vault.database, f"{vault.database}_before_20260101_000000", "x_restored_20260101_000000"):
        assert vault("restore-switch", path.name, "--copy", name, "--safety", "none").code == 64, name
        assert vault("restore-prepare", path.name, "--copy", name).code == 64, name
    assert count(vault) == ROWS


# ------------------------------------------------------------------------------------------------------- undo and drop


def test_undo_brings_back_what_was_live_and_can_be_undone(vault: Vault) -> None:
    with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 30")
    safety = vault("backup", "--kind", "pre_restore", "--prove").data["file"]
    first = restored(vault, safety=safety)
    time.sleep(1.1)  # names hold seconds
    undone = vault("restore-undo")
    assert undone.code == 0, undone.error
    assert count(vault) == ROWS - 30
    assert first["kept"] not in databases(vault)
    assert [line["file"] for line in events(vault)] == [first["file"], safety]
    assert undone.data["lines"][0].endswith(f"is now what was kept as {first['kept']}")
    assert vault.proven().data["shrunken"], "nobody accepted that loss: it is there again"
    time.sleep(1.1)
    assert vault("restore-undo").code == 0
    assert count(vault) == ROWS


def test_an_undo_accepts_no_loss(vault: Vault) -> None:
    good = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    bad = with_a_proven_backup(vault)
    safety = vault("backup", "--kind", "pre_restore", "--prove").data["file"]
    restored(vault, safety=safety)
    beside = with_a_proven_backup(vault)
    time.sleep(1.1)
    assert vault("restore-undo").code == 0
    facts = vault("state").data
    assert facts["baseline"]["file"] == good.name, "neither the backup before the restore nor one of its copy"
    assert facts["unaccepted_loss"]["file"] == bad.name
    assert planned(vault)["file"] == good.name
    assert vault("verify-data").code == 1
    assert vault.proven().data["shrunken"]
    time.sleep(1.1)
    assert vault("restore-undo").code == 0, "and it can be undone"
    assert vault("state").data["baseline"]["file"] == beside.name
    assert not vault("state").data["unaccepted_loss"]
    assert not vault.proven().data["shrunken"]


def test_a_loss_that_was_accepted_after_a_restore_is_not_accepted_before_it(vault: Vault) -> None:
    with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 100")
    bad = with_a_proven_backup(vault)
    restored(vault)
    vault.sql("DELETE FROM public.transaction WHERE id > 100")
    other = with_a_proven_backup(vault)
    assert vault("state").data["unaccepted_loss"]["file"] == other.name
    assert vault("accept", other.name, "--reason", "the test").code == 0
    assert not vault("state").data["unaccepted_loss"]
    time.sleep(1.1)
    assert vault("restore-undo").code == 0
    assert vault("state").data["unaccepted_loss"]["file"] == bad.name
    time.sleep(1.1)
    assert vault("restore-undo").code == 0
    assert not vault("state").data["unaccepted_loss"]


def test_undo_never_takes_an_older_database_by_itself(vault: Vault) -> None:
    with_a_proven_backup(vault)
    first = restored(vault)
    vault.cluster.run("postgres", f"CREATE DATABASE {vault.database}_before_20990101_000000 OWNER ledger_admin")
    time.sleep(1.1)
    assert vault("restore-undo").code == 0, "that one is newer by its name alone"
    assert count(vault) == ROWS
    (kept,) = [name for name in databases(vault) if "_before_" in name and "2099" not in name]
    assert first["kept"] not in databases(vault)
    assert vault("restore-drop", kept).code == 0
    refused = vault("restore-undo")
    assert refused.code == 64
    assert f"{vault.database}_before_20990101_000000" in refused.error, "it can be named"
    assert count(vault) == ROWS


def test_undo_says_which_migrations_come_off(vault: Vault) -> None:
    with_a_proven_backup(vault)
    assert "NOT migrated" not in "\n".join(switched_lines(vault))
    vault.sql("INSERT INTO public.heads VALUES ('ledger', '0002_more')")
    time.sleep(1.1)
    lines = vault("restore-undo").data["lines"]
    assert "  NOT migrated, as what was live: ledger 0002_more (make migrate)" in lines


def switched_lines(vault: Vault) -> list[str]:
    plan = planned(vault)
    prepared(vault, plan)
    return [str(line) for line in switched(vault, plan).data["lines"]]


def test_undo_without_a_kept_database_is_refused(vault: Vault) -> None:
    assert vault("restore-undo").code == 64
    assert count(vault) == ROWS


def test_drop_removes_a_kept_database_and_nothing_else(vault: Vault) -> None:
    with_a_proven_backup(vault)
    plan = restored(vault)
    for name in (vault.database, "postgres", "pattern", f"{vault.database}_restored_20260101_000000"):
        assert vault("restore-drop", name).code == 64, name
    kept = vault("restore-kept").data["kept"]
    assert [one["name"] for one in kept] == [plan["kept"]]
    assert kept[0]["bytes"] > 1 << 20
    with vault.cluster.connect(plan["kept"]):
        refused = vault("restore-drop", plan["kept"])
        assert refused.code == 2
        assert "in use" in refused.error
    assert vault("restore-drop", plan["kept"]).code == 0
    assert databases(vault) == [vault.database]


# --------------------------------------------------------------------------------------------------------------- kills


RUN = """
import sys
from ledgervault import cli
config, file, copy = sys.argv[1:]
code = cli.main(["--config", config, "restore-prepare", file, "--copy", copy])
sys.exit(code or cli.main(["--config", config, "restore-switch", file, "--copy", copy, "--safety", "none"]))
"""


@pytest.mark.parametrize("seed", range(int(os.environ.get("LEDGERVAULT_KILLS", "3"))))
def test_killed_at_any_moment_it_is_old_or_new_and_the_next_run_heals(vault: Vault, seed: int) -> None:
    path = with_a_proven_backup(vault)
    vault.sql("DELETE FROM public.transaction WHERE id <= 30")
    plan = planned(vault)
    argv = [sys.executable, "-c", RUN, str(vault.config), path.name]
    began = time.monotonic()
    assert subprocess.run([*argv, plan["copy"]], stdout=subprocess.DEVNULL).returncode == 0
    whole = time.monotonic() - began
    time.sleep(1.1)
    assert vault("restore-undo").code == 0
    assert count(vault) == ROWS - 30
    time.sleep(1.1)
    plan = planned(vault)
    moment = whole * (0.3 + 0.7 * random.Random(seed).random())  # noqa: S311 - a seeded moment, no secret
    process = subprocess.Popen([*argv, plan["copy"]], stdout=subprocess.DEVNULL)
    time.sleep(moment)
    process.kill()
    process.wait()
    is_switched = plan["kept"] in databases(vault)
    assert count(vault) == (ROWS if is_switched else ROWS - 30)
    if is_switched:
        assert count(vault, plan["kept"]) == ROWS - 30
    time.sleep(1.1)
    again = restored(vault)
    assert count(vault) == ROWS
    assert not [name for name in databases(vault) if "_restored_" in name], "what the killed run left"
    assert events(vault)[-1]["data"]["kept"] == again["kept"]
    ids = [line["data"]["id"] for line in events(vault)]
    assert len(ids) == len(set(ids))
    assert (plan["id"] in ids) == is_switched


def test_a_switch_killed_before_its_line_in_the_journal_is_recorded_by_the_next_backup(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = with_a_proven_backup(vault)
    vault.sql("INSERT INTO public.transaction (amount, description, day) SELECT 5, 'x', '2025-06-01'"
              " FROM generate_series(1, 100)")  # fmt: skip
    with_a_proven_backup(vault)
    plan = planned(vault, first.name)
    prepared(vault, plan)
    with monkeypatch.context() as patch:
        patch.setattr(restore_switch, "record", _killed)
        assert switched(vault, plan).code == 2
    assert count(vault) == ROWS
    assert events(vault) == []
    result = vault.proven()
    assert [line["file"] for line in events(vault)] == [first.name]
    assert not result.data["shrunken"]


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_copies_of_killed_runs_are_dropped_and_other_databases_are_not(vault: Vault) -> None:
    name = vault.database
    left = [f"{name}_restored_20260101_000000", f"{name}_restored_20260102_000000_restoring"]
    others = [f"{name}_restored", f"{name}_before_20260101_000000", f"{name}_mine"]
    for database in (*left, *others):
        vault.cluster.run("postgres", f"CREATE DATABASE {database} OWNER ledger_admin")
    with_a_proven_backup(vault)
    assert planned(vault)["leftovers"] == left
    assert vault("restore-clean").data["dropped"] == left
    assert databases(vault) == sorted([name, *others])


# ------------------------------------------------------------------------------------------------------------- damages


def _spoil(vault: Vault, table: str, data: bytes) -> None:
    """The table's file on the disk is overwritten, and no buffer remembers how it was."""
    (path,) = vault.sql(f"SELECT pg_relation_filepath('{table}')")[0]
    vault.cluster.run("postgres", "CREATE EXTENSION IF NOT EXISTS pg_buffercache")
    vault.cluster.run("postgres", "CHECKPOINT")
    file = vault.cluster.sockets.parent / "data" / path
    evict = (
        "SELECT count(pg_buffercache_evict(bufferid)) FROM pg_buffercache b JOIN pg_database d ON d.oid = b.reldatabase"
        f" WHERE d.datname = '{vault.database}'"
    )
    vault.cluster.run("postgres", evict)
    file.write_bytes((data * file.stat().st_size)[: file.stat().st_size])


def test_a_table_whose_file_is_garbage_is_planned_around_and_kept(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    _spoil(vault, "public.transaction", b"\xa5")
    assert vault("backup", "--kind", "pre_restore", "--prove").code != 0, "no safety backup can be taken"
    plan = planned(vault, path.name)
    table = next(one for one in plan["tables"] if one["name"] == "public.transaction")
    assert table["live"] is None
    assert "invalid page" in table["problem"]
    prepared(vault, plan)
    result = switched(vault, plan)
    assert result.code == 0, result.error
    assert "invalid page" in str(result.data["switched"]["rows_before"]["public.transaction"])
    assert count(vault) == ROWS
    assert plan["kept"] in databases(vault)


def test_large_objects_that_cannot_be_listed_do_not_end_the_plan(vault: Vault) -> None:
    vault.sql("SELECT lo_create(4711)")
    vault.sql("GRANT SELECT ON LARGE OBJECT 4711 TO ledger_backup")
    path = with_a_proven_backup(vault)
    _spoil(vault, "pg_largeobject_metadata", b"\xa5")
    plan = planned(vault, path.name)
    assert "invalid page" in plan["database_problem"]
    assert "nothing" not in "\n".join(vault("restore-plan", path.name).data["lines"])


def test_a_table_whose_file_is_zeros_comes_back(vault: Vault) -> None:
    with_a_proven_backup(vault)
    _spoil(vault, "public.transaction", b"\x00")
    assert count(vault) == 0
    restored(vault)
    assert count(vault) == ROWS


def test_a_dropped_schema_comes_back(vault: Vault) -> None:
    path = with_a_proven_backup(vault)
    vault.sql("DROP SCHEMA public CASCADE")
    plan = planned(vault, path.name)
    prepared(vault, plan)
    assert switched(vault, plan).code == 0
    assert count(vault) == ROWS
    assert vault.cluster.run(plan["kept"], "SELECT to_regnamespace('public')::text") == [(None,)]
