"""CATALOGUE.md, part B, line by line: what each fault of a backup must be judged."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kit import HERE, Cluster, Vault

from ledgervault.commands import restored_copy
from ledgervault.model import comparison, dump_format
from ledgervault.postgres import dump_loader, row_loader

SHARED = Path("/data/databases")
BACKUPS_UNDER_LOAD = int(os.environ.get("LEDGERVAULT_BACKUPS_UNDER_LOAD", "20"))
PROVISION = Path("/roles/postgres/templates/database.sql.j2")


def test_an_untouched_backup_is_proven_and_every_table_is_named(vault: Vault) -> None:
    result = vault.proven()
    assert "table public.transaction: 200 rows, content equal" in result.said
    assert "200 transactions" in result.said
    assert vault("list").data[0]["verdict"] == "proven"
    assert (vault.backups / "hourly" / "latest.sql.gz").readlink() == Path(result.data["file"])


def test_b01_a_file_of_0_bytes_is_failed(vault: Vault) -> None:
    path = vault.taken()
    path.write_bytes(b"")
    result = vault("prove", path.name)
    assert (result.code, result.verdict) == (1, "failed")
    assert "0 bytes" in result.bad


@pytest.mark.parametrize("share", [0.01, 0.10, 0.50, 0.99, "last byte"])
def test_b02_a_truncated_file_is_failed(vault: Vault, share: float | str) -> None:
    path = vault.taken()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] if share == "last byte" else whole[: int(len(whole) * float(share))])
    assert vault("verify", path.name).verdict == "failed"
    assert vault("prove", path.name).verdict == "failed"


def test_b02_a_file_cut_at_the_boundary_of_a_gzip_member_is_failed_even_if_the_manifest_fits(vault: Vault) -> None:
    path = vault.taken()
    text = gzip.decompress(path.read_bytes())
    result = vault.forged(path, gzip.compress(text[: len(text) // 2]) + gzip.compress(b""))
    assert result.verdict == "failed"
    assert "end marker" in result.bad


def test_b03_one_bit_flipped_anywhere_is_failed(vault: Vault) -> None:
    path = vault.taken()
    whole = path.read_bytes()
    for place in range(0, len(whole), len(whole) // 23):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << (place % 8)
        path.write_bytes(bytes(flipped))
        assert vault("verify", path.name, "--no-record").verdict == "failed", f"byte {place}"
    path.write_bytes(whole)
    assert vault("verify", path.name, "--no-record").verdict == "proven"


@pytest.mark.parametrize("text", [b"", b"hello\n", b"-- MySQL dump 10.13\nCREATE TABLE `a` (`b` int);\n"])
def test_b04_a_valid_gzip_of_something_else_is_failed(vault: Vault, text: bytes) -> None:
    path = vault.taken()
    assert vault.forged(path, gzip.compress(text)).verdict == "failed"
    path.write_bytes(gzip.compress(text))
    assert vault("prove", path.name).verdict == "failed"


def test_b05_a_valid_dump_of_an_empty_database_is_failed_when_the_source_had_rows(vault: Vault) -> None:
    result = vault.doctored(lambda sql: _without_copy_rows(sql))
    assert (result.code, result.verdict) == (1, "failed")
    assert "table public.transaction: 0 rows restored, 200 in the manifest" in result.bad


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda line: "", "table public.transaction: 199 rows restored, 200 in the manifest"),
        (
            lambda line: line + line.replace("7\t", "999\t", 1),
            "table public.transaction: 201 rows restored, 200 in the manifest",
        ),
    ],
    ids=["one row missing", "one row more"],
)
def test_b06_one_row_missing_or_twice_is_failed_and_the_table_named(
    vault: Vault, damage: Callable[[str], str], told: str
) -> None:
    assert told in vault.doctored(lambda sql: _line(sql, "7\t", damage)).bad


def test_b06_one_row_doubled_is_failed_by_the_key_or_where_there_is_none_by_the_count(
    vault: Vault, bare: Callable[..., Vault]
) -> None:
    bad = vault.doctored(lambda sql: _line(sql, "7\t", lambda line: line + line)).bad
    assert "transaction_pkey" in bad
    without = bare(None)
    without.sql("CREATE TABLE public.t (a int); INSERT INTO public.t VALUES (1), (2)")
    bad = without.doctored(lambda sql: sql.replace("stdin;\n1\n", "stdin;\n1\n1\n")).bad
    assert "table public.t: 3 rows restored, 2 in the manifest" in bad


def test_b06_one_row_twice_in_place_of_another_is_failed(bare: Callable[..., Vault]) -> None:
    vault = bare(None)
    vault.sql("CREATE TABLE public.t (a int, b text); INSERT INTO public.t VALUES (1, 'x'), (2, 'y'), (3, 'z')")
    result = vault.doctored(lambda sql: sql.replace("2\ty\n", "1\tx\n"))
    assert "table public.t: 3 rows as in the manifest, but their content differs" in result.bad


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-22.9300", "-22.9200"),
        ("\t2\t-22.9300", "\t\\N\t-22.9300"),
        ("Shop 7", "Shop 77"),
        ('{"row": 1.0}', '{"row": 1.00}'),
    ],
    ids=["one cent", "category unset", "description", "jsonb scale"],
)
def test_b07_one_value_changed_is_failed(vault: Vault, before: str, after: str) -> None:
    result = vault.doctored(lambda sql: _line(sql, "7\t", lambda line: line.replace(before, after)))
    assert "table public.transaction: 200 rows as in the manifest, but their content differs" in result.bad


def test_b07_two_values_that_changed_places_are_failed(vault: Vault) -> None:
    def swap(sql: str) -> str:
        return sql.replace("Shop 7\t", "Shop @\t").replace("Shop 8\t", "Shop 7\t").replace("Shop @\t", "Shop 8\t")

    assert "their content differs" in vault.doctored(swap).bad


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("CREATE INDEX transaction_day", "-- CREATE INDEX transaction_day", "index public.transaction_day: missing"),
        ("transaction_day ON public.transaction USING btree (day)",
         "transaction_day ON public.transaction USING btree (day DESC)", "index public.transaction_day: restored"),
        ("    CONSTRAINT sane CHECK ((amount <> (0)::numeric))\n", "    CONSTRAINT sane CHECK ((amount <> (1)::numeric))\n",
         "constraint public.transaction.sane: restored"),
        ("CREATE TRIGGER keep", "-- CREATE TRIGGER keep", "trigger public.transaction.keep: missing"),
        ("CREATE VIEW public.spent AS\n SELECT sum(amount)", "CREATE VIEW public.spent AS\n SELECT max(amount)", "view public.spent: restored"),
        ("BEGIN RETURN NEW; END", "BEGIN RETURN OLD; END", "function public.no_change(): restored"),
        ("setval('public.receipt', 42, true)", "setval('public.receipt', 41, true)", "sets other sequence values"),
        ("GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.transaction TO ledger_app;", "-- no grant", "table public.transaction: restored"),
        ("ALTER TABLE public.category OWNER TO ledger_admin;", "-- no owner", "table public.category: restored"),
        ("FOREIGN KEY (category_id) REFERENCES public.category(id);", "CHECK (true);", "constraint public.transaction.transaction_category_id_fkey"),
    ],
)  # fmt: skip
def test_b08_an_object_missing_or_changed_is_failed_and_named(vault: Vault, before: str, after: str, told: str) -> None:
    result = vault.doctored(lambda sql: sql.replace(before, after))
    assert result.verdict == "failed"
    assert told in result.bad


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("CREATE INDEX transaction_day", "-- CREATE INDEX transaction_day", "index public.transaction_day: missing"),
        ("btree (day);", "btree (day DESC);", "index public.transaction_day: restored"),
        ("btree (day);", "btree (day, nowhere);", 'column "nowhere" does not exist'),
        ("\t2\t-22.9300", "\t\\N\t-22.9300", "table public.transaction: 200 rows as in the manifest"),
    ],
)
def test_b08_a_proof_that_builds_no_secondary_index_compares_their_definitions_and_all_rows(
    vault: Vault, monkeypatch: Any, before: str, after: str, told: str
) -> None:
    monkeypatch.setattr(restored_copy, "_SMALL", 0)
    path = vault.taken()
    good = vault("prove", path.name, "--indexes", "definitions")
    assert good.verdict == "proven", good.bad
    assert "indexes: 1 secondary ones defined and compared" in good.said
    assert "table public.transaction: 200 rows, content equal" in good.said
    text = gzip.decompress(path.read_bytes()).decode()
    assert before in text
    bad = vault.forged(path, gzip.compress(text.replace(before, after).encode()), None, "--indexes", "definitions")
    assert bad.verdict == "failed"
    assert told in bad.bad


def test_b08_an_index_that_cannot_be_built_is_failed_and_its_column_named(vault: Vault) -> None:
    bad = vault.doctored(lambda sql: sql.replace("btree (day);", "btree (day, nowhere);"))
    assert bad.verdict == "failed"
    assert 'column "nowhere" does not exist' in bad.bad


def test_b08_rows_that_cannot_be_loaded_are_failed_and_the_table_named(vault: Vault) -> None:
    vault.sql("INSERT INTO public.transaction (amount, description, day)"
              " SELECT 1, md5(i::text), '2025-01-01' FROM generate_series(1, 60000) i")  # fmt: skip
    bad = vault.doctored(lambda sql: sql.replace("CREATE TABLE public.transaction (", "CREATE TABLE public.other ("))
    assert bad.verdict == "failed"
    assert 'relation "public.transaction" does not exist' in bad.bad


def _large(vault: Vault) -> None:
    vault.sql("CREATE TABLE public.large (id bigint NOT NULL, code text NOT NULL, category_id bigint, filler text);"
              " INSERT INTO public.large SELECT i, 'c' || i, 1 + i % 2, repeat('x', 200)"
              " FROM generate_series(1, 60000) i;"
              " ALTER TABLE public.large ADD PRIMARY KEY (id), ADD UNIQUE (code, id),"
              " ADD FOREIGN KEY (category_id) REFERENCES public.category;"
              " CREATE TABLE public.refers (large_id bigint REFERENCES public.large);"
              " INSERT INTO public.refers VALUES (5); CREATE INDEX ON public.large (category_id)")  # fmt: skip


@pytest.mark.parametrize("indexes", ["all", "definitions"])
def test_a_large_tables_keys_are_made_beside_its_reading(vault: Vault, indexes: str, monkeypatch: Any) -> None:
    _large(vault)
    path, attached, run = vault.taken(), [], dump_loader.execute

    def noted(connection: Any, entries: Any) -> None:
        chosen = list(entries)
        attached.extend(entry for entry in chosen if b"USING INDEX" in entry.text)
        run(connection, chosen)

    monkeypatch.setattr(dump_loader, "execute", noted)
    assert vault("prove", path.name, "--indexes", indexes).verdict == "proven"
    assert len(attached) == 2


def test_a_large_tables_rows_are_shared_by_two_and_its_mark_is_as_it_was(vault: Vault, monkeypatch: Any) -> None:
    _large(vault)
    vault.sql("CREATE UNLOGGED TABLE public.unlogged AS SELECT id, code FROM public.large;"
              " CREATE TABLE public.logged AS SELECT id, code FROM public.large;"
              " ALTER TABLE public.large ALTER COLUMN filler SET STORAGE EXTERNAL;"
              " UPDATE public.large SET filler = repeat('y', 9000) WHERE id % 1000 = 0")  # fmt: skip
    path, shared, original = vault.taken(), [], row_loader._copy_shared

    def noted(connections: Any, table: str, header: bytes) -> Any:
        shared.append(table)
        return original(connections, table, header)

    monkeypatch.setattr(row_loader, "_copy_shared", noted)
    assert vault("prove", path.name).verdict == "proven"
    assert sorted(shared) == ["public.large", "public.logged", "public.unlogged"]
    for before, after in (("UNLOGGED TABLE public.unlogged", "TABLE public.unlogged"),
                          ("TABLE public.logged", "UNLOGGED TABLE public.logged")):  # fmt: skip
        bad = vault.doctored(lambda sql, b=before, a=after: sql.replace(f"CREATE {b}", f"CREATE {a}"))  # type: ignore[misc]
        assert (bad.verdict, before.split()[-1] in bad.bad) == ("failed", True), bad.bad


@pytest.mark.parametrize("row", [1, 30000, 60000])
def test_a_row_of_a_large_table_that_does_not_load_is_failed_and_named(vault: Vault, row: int) -> None:
    """Whichever of the two gets it, nobody waits for the other."""
    _large(vault)
    bad = vault.doctored(lambda sql: sql.replace(f"\n{row}\tc{row}\t", f"\nno number\tc{row}\t"))
    assert bad.verdict == "failed"
    assert 'invalid input syntax for type bigint: "no number"' in bad.bad


def test_b06_a_row_twice_in_a_large_table_is_failed_and_its_key_named(vault: Vault) -> None:
    _large(vault)
    row = "7\tc7\t2\t" + "x" * 200 + "\n"
    bad = vault.doctored(lambda sql: sql.replace(row, row + row))
    assert bad.verdict == "failed"
    assert 'could not create unique index "large_' in bad.bad


def test_a_dump_that_only_loads_the_plain_way_is_judged_by_that(vault: Vault, monkeypatch: Any) -> None:
    path = vault.taken()
    whole = dump_format.split_post_data
    monkeypatch.setattr(dump_format, "split_post_data", lambda rest: whole(rest.replace(b"PRIMARY KEY", b"NO KEY")))
    assert vault("prove", path.name).verdict == "proven"


def test_b08_a_table_missing_is_failed_and_named(vault: Vault) -> None:
    vault.sql("CREATE TABLE public.extra (a int)")
    result = vault.doctored(
        lambda sql: (
            _cut(sql, "CREATE TABLE public.extra", ");")
            .replace("ALTER TABLE public.extra OWNER TO postgres;", "")
            .replace(_between(sql, "COPY public.extra", "\\.\n"), "")
        )
    )
    assert "table public.extra: missing, 0 rows in the manifest" in result.bad


def test_b08_a_sequence_that_ends_up_behind_the_dump_is_failed(vault: Vault) -> None:
    result = vault.doctored(lambda sql: sql + "\n").bad
    assert "end marker" in result
    result = vault.doctored(
        lambda sql: sql.replace(
            "-- PostgreSQL database dump complete", "SELECT pg_catalog.setval('public.receipt', 7, true);\n--"
        )
    )
    assert "sequence public.receipt: restored 7, the dump holds 42" in result.bad


def test_b09_a_missing_manifest_is_inconclusive(vault: Vault) -> None:
    path = vault.taken()
    path.with_name(path.name + ".manifest.json").unlink()
    for command in ("verify", "prove"):
        result = vault(command, path.name)
        assert (result.code, result.verdict) == (2, "inconclusive")
        assert "manifest.json: missing" in result.bad


def test_b10_the_manifest_of_another_backup_is_failed(vault: Vault) -> None:
    first, second = vault.taken(), vault.taken()
    second.with_name(second.name + ".manifest.json").write_bytes(
        first.with_name(first.name + ".manifest.json").read_bytes()
    )
    result = vault("prove", second.name)
    assert result.verdict == "failed"
    assert f"the manifest is of {first.name}" in result.bad


def test_b10_an_edited_manifest_is_failed(vault: Vault) -> None:
    path = vault.taken()
    manifest = path.with_name(path.name + ".manifest.json")
    manifest.write_bytes(manifest.read_bytes().replace(b'"secrets": "not included"', b'"secrets": "included"'))
    result = vault("prove", path.name)
    assert "knows another manifest" in result.bad
    assert vault("audit").code == 1
    manifest.write_text("{")
    assert "not a manifest of ours" in vault("prove", path.name).bad


def test_b10_a_broken_chain_is_failed_and_nothing_is_added_to_it(vault: Vault) -> None:
    path = vault.taken()
    vault.proven(path)
    journal = vault.backups / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"rows":203', b'"rows":204'))
    assert "chain is broken: line 2" in vault("prove", path.name, "--no-record").bad
    assert vault("audit").code == 1
    assert "line 2" in vault("backup").error
    assert not [*(vault.backups / "hourly").glob(".*")]
    assert vault("list").code == 2


def test_b11_a_backup_of_another_environment_or_database_is_failed(vault: Vault) -> None:
    path = vault.taken()
    vault.configure(environment="prod")
    assert "environment: a backup of 'ci', expected 'prod'" in vault("prove", path.name, "--no-record").bad
    vault.configure(name="other")
    assert "database: a backup of" in vault("prove", path.name, "--no-record").bad
    vault.configure()
    assert vault("prove", path.name, "--no-record").verdict == "proven"


def test_b12_a_backup_of_a_newer_major_is_inconclusive_with_the_hint(vault: Vault) -> None:
    path = vault.taken()
    result = vault.forged(path, path.read_bytes(), lambda facts: facts.update(server_version_num=180001))
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert "made by PostgreSQL 18" in result.bad
    assert "newer vault image" in result.data["checks"][-1]["hint"]


def test_b13_a_good_backup_below_the_size_floor_is_proven_and_says_why(bare: Callable[..., Vault]) -> None:
    vault = bare(None)
    vault.sql("CREATE TABLE public.element AS SELECT i, 'element ' || i AS name FROM generate_series(1, 118) i")
    result = vault.proven()
    assert result.data["figures"]["size"] < 10240
    assert "smaller than the floor of 10240 bytes" in result.said


def test_b14_a_database_without_tables_or_without_rows_is_inconclusive(bare: Callable[..., Vault]) -> None:
    vault = bare(None)
    path = vault.taken()
    result = vault("prove", path.name)
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert "no tables: nothing was compared" in result.bad
    vault.sql("CREATE TABLE public.a (i int); CREATE TABLE public.b (i int)")
    result = vault("prove", vault.taken().name)
    assert result.verdict == "inconclusive"
    assert "all 2 tables were empty" in result.bad


def test_b14_a_fresh_ledger_is_proven_and_says_that_it_is_empty(vault: Vault) -> None:
    vault.sql("TRUNCATE public.transaction")
    assert "0 transactions: the ledger is empty" in vault.proven().said


def test_b14_a_table_that_had_rows_once_and_has_none_is_inconclusive(vault: Vault) -> None:
    vault.proven()
    vault.sql("TRUNCATE public.transaction")
    result = vault("prove", vault.taken().name)
    assert result.verdict == "inconclusive"
    assert "0 transactions here and in the manifest, where rows are expected" in result.bad
    vault.configure(expect="never")
    assert vault("prove", vault.taken().name).verdict == "proven"


def test_b40_a_proof_that_could_not_decide_takes_no_verdict_away(vault: Vault) -> None:
    path = vault.taken()
    vault.proven(path)
    vault.configure(scratch=vault.place / "not_mounted")
    assert vault("prove", path.name).verdict == "inconclusive"
    assert vault("list").data[0]["verdict"] == "proven"
    assert (path.parent / "latest.sql.gz").is_symlink()
    assert json.loads((vault.place / "vault.json").read_text())["newest_proven"]["file"] == path.name
    vault.configure()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert vault("prove", path.name).verdict == "failed"
    path.write_bytes(whole)
    vault.configure(scratch=vault.place / "not_mounted")
    assert vault("prove", path.name).verdict == "inconclusive"
    assert vault("list").data[0]["verdict"] == "failed", "failed overrides proven, and stays"


def test_b15_far_fewer_rows_than_in_the_last_proven_backup_are_proven_and_marked_shrunken(vault: Vault) -> None:
    vault.proven()
    vault.sql("DELETE FROM public.transaction WHERE id > 150")
    result = vault.proven()
    assert result.data["shrunken"]
    assert "SHRUNKEN: 150 transactions, 200 in" in result.said
    vault.sql("DELETE FROM public.transaction WHERE id = 150")
    second = vault.proven()
    assert second.data["shrunken"], "until somebody accepts it"
    assert vault("accept", second.data["file"], "--reason", "a test").code == 0
    assert not vault.proven().data["shrunken"]


def test_b39_an_alarm_of_shrinkage_stays_and_the_last_good_backup_is_kept(vault: Vault) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    good = vault.taken()
    vault.proven(good)
    vault.sql("DELETE FROM public.transaction WHERE id > 5")
    for _ in range(3):
        assert vault.proven().data["shrunken"]
        vault("prune")
        assert good.exists()
    assert [entry["shrunken"] for entry in vault("list").data] == [False, True], "shrunken ones thin out"
    assert vault("accept", "latest", "--reason", "a test").code == 0
    assert not vault.proven().data["shrunken"]
    vault("prune")
    assert not good.exists()


LOAD = [
    "INSERT INTO public.transaction (amount, description, day) VALUES (1, 'load', now())",
    "UPDATE public.transaction SET amount = amount + 1 WHERE id = 1 AND amount <> -1",
    "DELETE FROM public.transaction WHERE id = (SELECT max(id) - 5 FROM public.transaction)",
]


@contextmanager
def _busy(cluster: Cluster, database: str, statements: list[str], writers: int = 2) -> Iterator[list[int]]:
    """Writers that never stop meanwhile; gives how many statements went through."""
    stop, written = threading.Event(), [0] * writers

    def write(number: int) -> None:
        with cluster.connect(database) as connection:
            while not stop.is_set():
                for statement in statements:
                    connection.execute(statement.encode())
                written[number] += len(statements)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    try:
        yield written
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_b20_twenty_backups_under_write_load_are_all_proven(vault: Vault, cluster: Cluster) -> None:
    with _busy(cluster, vault.database, LOAD) as written:
        paths = [vault.taken() for _ in range(BACKUPS_UNDER_LOAD)]
    assert min(written) > BACKUPS_UNDER_LOAD, "there was no load"
    for path in paths:
        vault.proven(path)
    assert {entry["verdict"] for entry in vault("list").data} == {"proven"}


def test_b25_one_of_each_thing_a_database_may_hold_is_proven(bare: Callable[..., Vault], cluster: Cluster) -> None:
    vault = bare(None)
    cluster.script(vault.database, HERE / "everything.sql")
    cluster.run(vault.database, f"ALTER DATABASE {vault.database} SET DateStyle = 'SQL, DMY'")
    cluster.run(vault.database, f"ALTER ROLE ledger_app IN DATABASE {vault.database} SET work_mem = '8MB'")
    cluster.run(vault.database, f"ALTER DATABASE {vault.database} SET default_transaction_read_only = on")
    vault.configure(user="postgres")
    result = vault.proven()
    assert "large objects: 3 equal" in result.said
    assert 'table "Büro"."Straße ""x"" y": 3 rows' in result.said


@pytest.mark.skipif(not SHARED.is_dir(), reason="the databases of others are not on every machine; until they are")
@pytest.mark.parametrize("name", ["pagila3", "periodic_table"])
def test_b25_databases_that_others_made_are_proven(bare: Callable[..., Vault], cluster: Cluster, name: str) -> None:
    vault = bare(None)
    for part in ("pagila3_schema", "pagila3_data") if name == "pagila3" else (name,):
        cluster.script(vault.database, SHARED / f"{part}.sql")
    result = vault.proven()
    wanted = json.loads((SHARED / "expected.json").read_text())[name]
    assert result.data["figures"]["rows"] == wanted["rows"]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the databases of others are not on every machine; until they are")
@pytest.mark.parametrize("name", ["pagila3", "periodic_table"])
def test_b25_databases_that_others_made_with_what_is_hard_added_are_proven(
    bare: Callable[..., Vault], cluster: Cluster, name: str
) -> None:
    vault = bare(None)
    for part in ("pagila3_schema", "pagila3_data") if name == "pagila3" else (name,):
        cluster.script(vault.database, SHARED / f"{part}.sql")
    cluster.script(vault.database, HERE / "hard.sql")
    result = vault.proven()
    assert "large objects: 1 equal, 3 bytes" in result.said
    for told in (
        'table "Überzug"."Naïve ""q"" § 表": 3 rows',
        'table "Überzug".secret: 1 rows',
        'table "Überzug".numbered: 5 rows',
        'table "Überzug".parts_low: 4 rows',
        'table "Überzug".parts_rest: 2 rows',
    ):
        assert told in result.said
    quick = vault("prove", result.data["file"], "--indexes", "definitions")
    assert quick.verdict == "proven", quick.bad
    damaged = vault.doctored(lambda text: text.replace("\t-7.50\t", "\t-7.51\t"))
    assert 'table "Überzug".numbered: 5 rows as in the manifest, but their content differs' in damaged.bad


def test_b31_a_sequence_that_runs_ahead_all_the_time_is_proven(vault: Vault, cluster: Cluster) -> None:
    with _busy(cluster, vault.database, ["SELECT nextval('public.receipt') FROM generate_series(1, 50)"]):
        paths = [vault.taken() for _ in range(3)]
    for path in paths:
        vault.proven(path)


def test_b31_a_sequence_that_runs_ahead_during_the_dump_is_proven(
    vault: Vault, cluster: Cluster, monkeypatch: Any
) -> None:
    from ledgervault.commands import backup

    original = backup._run_pg_dump

    def run_ahead(*arguments: Any) -> None:
        vault.sql("SELECT setval('public.receipt', 4711); INSERT INTO public.category (name) VALUES ('late')")
        original(*arguments)

    monkeypatch.setattr(backup, "_run_pg_dump", run_ahead)
    path = vault.taken()
    manifest = json.loads(path.with_name(path.name + ".manifest.json").read_bytes())
    assert manifest["content"]["sequences"]["public.receipt"]["last_value"] == 42
    assert manifest["sequences_dumped"]["public.receipt"]["last_value"] == 4711
    assert "table public.category: 2 rows" in vault.proven(path).said


def test_b32_a_large_object_the_role_cannot_read_fails_loudly_with_the_grant(vault: Vault) -> None:
    vault.sql("SELECT lo_from_bytea(815, 'abc')")
    result = vault("backup")
    assert result.code == 2
    assert "permission denied for large object 815" in result.error
    assert "GRANT SELECT ON LARGE OBJECT 815 TO ledger_backup" in result.error
    assert not _files(vault)
    vault.sql("GRANT SELECT ON LARGE OBJECT 815 TO ledger_backup")
    assert "large objects: 1 equal" in vault.proven().said


def test_b32_large_objects_of_the_application_are_granted_before_the_snapshot(vault: Vault, cluster: Cluster) -> None:
    vault.configure(password='before_snapshot = "SELECT public.grant_large_objects()"')
    cluster.run(vault.database, "SELECT lo_from_bytea(816, 'abc')", user="ledger_app")
    assert "permission denied for large object 816" in vault("backup").error
    assert "before the snapshot: function public.grant_large_objects() does not exist" in _log(vault)
    vault.sql(_provision())
    assert "large objects: 1 equal" in vault.proven().said
    assert not cluster.run(vault.database, "SELECT public.grant_large_objects()", user="ledger_backup")[0][0]
    vault.sql("SELECT lo_from_bytea(817, 'of the superuser')")
    result = vault("backup")
    assert (result.code, "GRANT SELECT ON LARGE OBJECT 817 TO ledger_backup" in result.error) == (2, True)
    vault.sql("GRANT SELECT ON LARGE OBJECT 817 TO ledger_backup")
    assert "large objects: 2 equal" in vault.proven().said


def test_b32_the_grant_lets_the_backup_role_read_and_nothing_else(vault: Vault, cluster: Cluster) -> None:
    vault.configure(password='before_snapshot = "SELECT public.grant_large_objects()"')
    vault.sql(_provision())
    cluster.run(vault.database, "SELECT lo_from_bytea(818, 'abc')", user="ledger_app")
    vault.proven()
    writable = "BEGIN READ WRITE;"
    for forbidden in ("SELECT lo_unlink(818)", "SELECT lo_put(818, 0, 'x')", "DELETE FROM public.category"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            cluster.run(vault.database, f"{writable} {forbidden}", user="ledger_backup")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        vault.sql("SET ROLE ledger_plain; SELECT public.grant_large_objects()")


def test_b32_a_restored_copy_has_the_large_objects_with_their_owner_and_their_grant(
    vault: Vault, cluster: Cluster
) -> None:
    vault.configure(password='before_snapshot = "SELECT public.grant_large_objects()"')
    vault.sql(_provision())
    cluster.run(vault.database, "SELECT lo_from_bytea(820, 'abc')", user="ledger_app")
    copy = f"{vault.database}_copy"
    try:
        result = vault("restore", vault.proven().data["file"], "--into-database", copy, "--create", "--all")
        assert result.verdict == "proven", result.error or result.bad
        assert "large objects: 1 equal" in result.said
        assert cluster.run(copy, "SELECT lo_get(820)", user="ledger_backup") == [(b"abc",)]
    finally:
        cluster.run("postgres", f"DROP DATABASE IF EXISTS {copy}")


def test_b32_a_large_object_made_just_before_the_snapshot_is_granted_at_the_next_attempt(
    vault: Vault, cluster: Cluster, monkeypatch: Any
) -> None:
    from ledgervault.commands import backup

    vault.configure(password='before_snapshot = "SELECT public.grant_large_objects()"')
    vault.sql(_provision())
    original, made = backup._before_snapshot, list[int]()

    def too_late(*arguments: Any) -> None:
        original(*arguments)
        if not made:
            made.append(1)
            cluster.run(vault.database, "SELECT lo_from_bytea(819, 'late')", user="ledger_app")

    monkeypatch.setattr(backup, "_before_snapshot", too_late)
    assert "large objects: 1 equal" in vault.proven().said


def test_b32_a_row_secured_table_the_role_cannot_read_fails_loudly_with_the_grant(vault: Vault) -> None:
    vault.sql("ALTER TABLE public.category ENABLE ROW LEVEL SECURITY")
    vault.configure(user="ledger_plain")
    result = vault("backup")
    assert result.code == 2
    assert "ALTER ROLE ledger_plain BYPASSRLS" in result.error
    assert not _files(vault)
    vault.configure()
    vault.proven()


@pytest.mark.parametrize(("kind", "value", "other"), [("numeric", "1.5", "1.50"), ("jsonb", '{"a": 1.0}', '{"a": 1.00}'),
                                                      ("float8", "0", "-0"), ("interval", "1 mon", "30 days"),
                                                      ("bigint", "5", "4294967300")])  # fmt: skip
def test_b33_values_that_postgresql_calls_equal_and_are_not_are_failed(
    bare: Callable[..., Vault], kind: str, value: str, other: str
) -> None:
    vault = bare(None)
    vault.sql(f"CREATE TABLE public.v (v {kind}); INSERT INTO public.v VALUES ('{value}')")
    result = vault.doctored(lambda sql: sql.replace(f"FROM stdin;\n{value}\n", f"FROM stdin;\n{other}\n"))
    assert "table public.v: 1 rows as in the manifest, but their content differs" in result.bad


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            'ALTER ROLE "ledger_app" WITH NOSUPERUSER INHERIT',
            'ALTER ROLE "ledger_app" WITH SUPERUSER INHERIT',
            "role ledger_app",
        ),
        (
            'GRANT "ledger_admin" TO "ledger_migrate"',
            '-- GRANT "ledger_admin"',
            "membership ledger_migrate in ledger_admin",
        ),
        (
            'ALTER ROLE "ledger_app" SET "search_path"',
            '-- ALTER ROLE "ledger_app"',
            "setting search_path of ledger_app",
        ),
        ('GRANT CONNECT ON DATABASE :"DBNAME" TO "ledger_admin";', "", "database grants"),
    ],
)
def test_b34_roles_memberships_settings_and_grants_that_differ_are_failed(
    vault: Vault, before: str, after: str, told: str
) -> None:
    result = vault.doctored(lambda sql: sql.replace(before, after))
    assert result.verdict == "failed"
    assert told in result.bad


def test_b35_heads_are_those_of_the_snapshot_and_a_backup_waits_for_a_migration(vault: Vault, cluster: Cluster) -> None:
    vault.configure(limits="lock_wait_seconds = 1")
    with cluster.connect(vault.database) as migration, migration.transaction():
        migration.execute("ALTER TABLE public.category ADD COLUMN late text")
        migration.execute("INSERT INTO public.heads VALUES ('ledger', '0002_late')")
        result = vault("backup")
        assert result.code == 2
        assert "locked by somebody else for more than 1 s" in result.error
        assert not _files(vault)
    path = vault.taken()
    assert json.loads(path.with_name(path.name + ".manifest.json").read_bytes())["content"]["migration_heads"] == [
        ["ledger", "0002_late"]
    ]
    vault.proven(path)


def test_b35_a_migration_that_slips_in_before_pg_dump_goes_first_and_the_backup_starts_again(
    vault: Vault, cluster: Cluster, monkeypatch: Any
) -> None:
    from ledgervault.commands import backup

    original, order = backup._run_pg_dump, list[str]()

    def migrate() -> None:
        cluster.run(
            vault.database, "ALTER TABLE public.transaction ADD COLUMN late text DEFAULT gen_random_uuid()::text"
        )
        order.append("migrated")

    thread = threading.Thread(target=migrate)

    def with_migration(*arguments: Any) -> None:
        if not order and not thread.is_alive():
            thread.start()
            time.sleep(0.3)
        original(*arguments)
        order.append("dumped")

    monkeypatch.setattr(backup, "_run_pg_dump", with_migration)
    path = vault.taken()
    thread.join()
    assert order == ["migrated", "dumped"]
    assert "table public.transaction: 200 rows" in vault.proven(path).said


def test_b30_a_verifier_whose_comparison_always_says_equal_is_caught(vault: Vault, monkeypatch: Any) -> None:
    path = vault.taken()
    monkeypatch.setattr(
        comparison, "_compare_table", lambda name, expected, restored: comparison.ok(f"table {name}", "equal")
    )
    result = vault("prove", path.name, "--no-record")
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert "this verifier sees nothing" in result.bad


def _provision() -> str:
    """What role postgres makes in the database, for the tests' role names."""
    text = PROVISION.read_text().partition("{% set")[2].partition("\n")[2]
    return text.replace("{{ db }}", "ledger")


def _log(vault: Vault) -> str:
    return (vault.backups / "backup.log").read_text()


def _files(vault: Vault) -> list[str]:
    return [path.name for path in vault.backups.glob("*/*")]


def _line(sql: str, start: str, damage: Callable[[str], str]) -> str:
    """The one row of public.transaction that begins so, damaged."""
    head, copy, rest = sql.partition("COPY public.transaction ")
    body, end, tail = rest.partition("\n\\.\n")
    lines = [damage(line + "\n") if line.startswith(start) else line + "\n" for line in body.split("\n")]
    return head + copy + "".join(lines)[:-1] + end + tail


def _without_copy_rows(sql: str) -> str:
    parts = sql.split(" FROM stdin;\n")
    return parts[0] + "".join(" FROM stdin;\n" + "\\.\n" + part.partition("\\.\n")[2] for part in parts[1:])


def _between(sql: str, start: str, end: str) -> str:
    begin = sql.index(start)
    return sql[begin : sql.index(end, begin) + len(end)]


def _cut(sql: str, start: str, end: str) -> str:
    return sql.replace(_between(sql, start, end), "")
