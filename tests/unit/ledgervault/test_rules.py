"""The vault's pure rules: names, records, journal, verdicts, retention, SQL, diagnosis. No database, no PostgreSQL."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledgervault.commands import report, schedule
from ledgervault.commands.context import load_config
from ledgervault.model import (
    backup_names,
    comparison,
    config,
    content,
    diagnosis,
    journal,
    manifest,
    proof,
    records,
    retention,
)
from ledgervault.model.errors import Bad, CouldNot, UsageError
from ledgervault.model.manifest import Manifest, Watched, end_marker
from ledgervault.model.proof import Check, Proof
from ledgervault.postgres import argv, login, sql
from ledgervault.postgres.login import Login
from ledgervault.storage import archive

ROOT = Path(__file__).parents[3]
NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    "name",
    [
        "ledgerflow_db_backup_20250422_120000.sql.gz",
        "ledgerflow_full_backup_20250422_120000.tar.gz",
        "a-b_db_backup_20250101_000000.sql.gz",
    ],
)
def test_a_backups_name_survives_reading_and_writing(name: str) -> None:
    assert str(backup_names.parse(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "ledgerflow_db_backup_20250422_120000.tar.gz",
        "ledgerflow_db_backup_20251322_120000.sql.gz",
        ".ledgerflow_db_backup_20250422_120000.sql.gz.partial",
        "ledgerflow_db_backup_20250422_120000.sql.gz.manifest.json",
        "latest.sql.gz",
    ],
)
def test_what_is_not_a_backups_name_is_not_taken_for_one(name: str) -> None:
    assert backup_names.parse(name) is None


def test_partial_names_lead_back_to_their_own() -> None:
    assert backup_names.unpartial(backup_names.partial("x.sql.gz")) == "x.sql.gz"
    assert backup_names.unpartial("x.sql.gz") is None
    assert backup_names.is_proof_of(backup_names.proof("x.sql.gz", NOON), "x.sql.gz")
    assert not backup_names.is_proof_of(backup_names.proof("y.sql.gz", NOON), "x.sql.gz")


# ---------------------------------------------------------------- records


@dataclass(frozen=True)
class Inner:
    number: int
    share: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner
    many: tuple[Inner, ...] = ()
    named: dict[str, Inner] | None = None
    anything: Any = None


def test_a_record_survives_json() -> None:
    record = Outer("ü", Inner(1), (Inner(2, 1.5),), {"a": Inner(3)}, {"x": [1, None]})
    assert records.from_json(Outer, records.to_json(record)) == record


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"name": "x"}, "inner: missing"),
        ({"name": "x", "inner": {"number": 1}, "extra": 1}, "extra: unknown key"),
        ({"name": 1, "inner": {"number": 1}}, "name: expected str, found int 1"),
        ({"name": "x", "inner": {"number": True}}, "inner.number: expected int"),
        ({"name": "x", "inner": 5}, "inner: expected a table of keys"),
        ({"name": "x", "inner": {"number": 1}, "many": {}}, "many: expected a list"),
        ({"name": "x", "inner": {"number": 1}, "many": [{"number": "a"}]}, "many[0].number: expected int"),
        ({"name": "x", "inner": {"number": 1}, "named": 3}, "named: expected a table of keys"),
        ([], "the document: expected a table of keys"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(data: object, told: str) -> None:
    with pytest.raises(records.RecordError, match=told.replace("[", r"\[").replace("]", r"\]")):
        records.build(Outer, data)


def test_bytes_that_are_no_json_are_refused() -> None:
    for text in (b"{", b"\xff"):
        with pytest.raises(records.RecordError, match="not JSON"):
            records.from_json(Outer, text)


@pytest.mark.parametrize(
    ("file", "kind", "title"),
    [
        ("manifest.schema.json", Manifest, "LedgerFlow backup manifest, schema 2"),
        ("proof.schema.json", Proof, "LedgerFlow backup proof, schema 1"),
    ],
)
def test_the_published_schemas_are_what_the_code_reads(file: str, kind: type[Any], title: str) -> None:
    published = ROOT / "docs" / file
    if not published.exists():
        pytest.skip("the documents are not in the test image; the controller's run compares them")
    assert json.loads(published.read_text()) == records.json_schema(kind, title)


def test_a_manifest_of_the_first_schema_is_read_and_one_of_a_later_version_is_refused_by_name() -> None:
    first = records.plain(MANIFEST) | {"schema": 1}
    del first["digests"]
    assert manifest.parse_manifest(json.dumps(first).encode()).digests is None
    for later in ({**first, "schema": 3}, {"schema": 3, "unheard": "of"}):
        with pytest.raises(
            records.NewerError, match="written by a newer ledgervault: schema 3, this version reads up to 2"
        ):
            manifest.parse_manifest(json.dumps(later).encode())
    with pytest.raises(records.RecordError, match="unheard: unknown key"):
        manifest.parse_manifest(json.dumps({**first, "unheard": "of"}).encode())


# ---------------------------------------------------------------- configuration

MINIMAL = """
environment = "ci"
backup_prefix = "ledgerflow"
[database]
name = "ledger"
user = "ledger_backup"
host = "db"
[places]
backups = "/backups/data"
scratch = "/scratch"
"""


def test_the_published_example_is_a_configuration() -> None:
    example = ROOT / "docs" / "vault.toml"
    if not example.exists():
        pytest.skip("the documents are not in the test image; the controller's run reads them")
    read = load_config(example)
    assert read.tiers["hourly"].keep_hours == 48
    assert read.limits == config.Limits()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINIMAL + "[tiers.minutely]\nkeep_hours = 1\n", "tiers.minutely: unknown tier"),
        (MINIMAL + '[[tables]]\nname = "t"\nexpect_rows = "maybe"\n', "expect_rows is 'maybe'"),
        (MINIMAL.replace('"ledgerflow"', '"Ledger Flow"'), "backup_prefix is 'Ledger Flow'"),
        (MINIMAL + "[limit]\n", "limit: unknown key"),
        ("not toml", "c.toml"),
    ],
)
def test_a_wrong_configuration_is_refused_by_name(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        config.parse(text, "c.toml")


def test_a_configuration_with_the_least_is_enough_and_a_missing_one_is_named() -> None:
    assert config.parse(MINIMAL, "c.toml").database.port == 5432
    with pytest.raises(UsageError, match=r"nowhere\.toml: cannot be read"):
        load_config(Path("/nowhere.toml"))


# ---------------------------------------------------------------- journal


def chain(*events: tuple[str, str, dict[str, Any]]) -> bytes:
    text = b""
    for event, file, data in events:
        text += journal.encode_line(journal.next_line(journal.parse_journal(text), "t", event, file, "m", data))
    return text


def test_a_chain_is_read_back_whole() -> None:
    text = chain(("backup", "a", {}), ("proof", "a", {"level": "data", "verdict": "proven"}), ("removed", "a", {}))
    read = journal.parse_journal(text)
    assert (len(read.lines), read.broken, read.torn) == (3, None, 0)
    assert journal.removed_files(read.lines) == {"a"}
    assert read.backup_of("a") == read.lines[0]
    assert read.backup_of("b") is None


def test_every_way_to_alter_a_chain_breaks_it_at_the_line_that_follows() -> None:
    lines = chain(*[("backup", name, {"n": 1}) for name in "abcd"]).splitlines(keepends=True)
    altered = {
        "changed": [lines[0], lines[1].replace(b'"n":1', b'"n":2'), *lines[2:]],
        "removed": [lines[0], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], lines[3]],
        "twice": [lines[0], lines[0], *lines[1:]],
        "not json": [lines[0], b"x\n", *lines[2:]],
        "beheaded": lines[1:],
    }
    for how, text in altered.items():
        assert journal.parse_journal(b"".join(text)).broken is not None, how
    assert journal.parse_journal(b"".join(lines)).broken is None


def test_an_unfinished_last_line_is_torn_not_broken() -> None:
    text = chain(("backup", "a", {}))
    read = journal.parse_journal(text + b'{"seq"')
    assert (len(read.lines), read.broken, read.torn) == (1, None, 6)
    assert journal.parse_journal(b"").head == journal.GENESIS


@pytest.mark.parametrize(
    ("proofs", "verdict"),
    [
        ([], None),
        ([("data", "proven")], "proven"),
        ([("data", "proven"), ("data", "failed")], "failed"),
        ([("data", "failed"), ("data", "proven")], "proven"),
        ([("data", "proven"), ("bytes", "failed")], "failed"),
        ([("data", "failed"), ("bytes", "proven")], "failed"),
        ([("bytes", "proven")], None),
        ([("data", "proven"), ("data", "inconclusive")], "proven"),
        ([("data", "failed"), ("data", "inconclusive")], "failed"),
        ([("data", "proven"), ("data", "inconclusive"), ("data", "failed")], "failed"),
        ([("data", "inconclusive"), ("data", "proven")], "proven"),
        ([("data", "inconclusive"), ("bytes", "proven")], "inconclusive"),
        ([("bytes", "inconclusive")], None),
    ],
)
def test_the_newest_proof_rules_and_bytes_alone_prove_nothing(
    proofs: list[tuple[str, str]], verdict: str | None
) -> None:
    text = chain(("backup", "a", {}), *[("proof", "a", {"level": lv, "verdict": v}) for lv, v in proofs])
    ruling = journal.find_ruling(journal.parse_journal(text).lines, "a")
    assert (ruling.data["verdict"] if ruling else None) == verdict


# ---------------------------------------------------------------- verdicts


@pytest.mark.parametrize(
    ("results", "compared", "verdict"),
    [
        (["ok"], True, "proven"),
        (["ok", "note"], True, "proven"),
        (["ok"], False, "inconclusive"),
        ([], True, "inconclusive"),
        (["note"], True, "inconclusive"),
        (["ok", "inconclusive"], True, "inconclusive"),
        (["ok", "inconclusive", "failed"], True, "failed"),
    ],
)
def test_only_what_was_compared_and_holds_is_proven(results: list[str], compared: bool, verdict: str) -> None:
    assert proof.verdict([Check("x", result, "x") for result in results], compared) == verdict


# ---------------------------------------------------------------- retention


def kept(seq: int, hours: float, proven: bool = True, **more: Any) -> retention.Candidate:
    return retention.Candidate(f"f{seq}", "db", "hourly", seq, NOON - timedelta(hours=hours), proven, **more)


def test_what_is_old_goes_if_a_newer_one_is_proven() -> None:
    backups = [kept(1, 60), kept(2, 50), kept(3, 1)]
    assert [b.file for b in retention.removable(backups, "hourly", 48, NOON)] == ["f1", "f2"]


@pytest.mark.parametrize(
    "backups",
    [
        [kept(1, 60)],
        [kept(1, 60), kept(2, 1, proven=False)],
        [kept(1, 60), kept(2, 1, shrunken=True)],
        [kept(1, 60), replace(kept(2, 1), kind="full")],
        [kept(1, 40), kept(2, 1)],
        [kept(1, 60), replace(kept(2, 1), tier="daily")],
    ],
    ids=["alone", "newer unproven", "newer shrunken", "newer of another kind", "young", "newest proven of its tier"],
)
def test_nothing_goes_without_a_newer_proven_one(backups: list[retention.Candidate]) -> None:
    assert retention.removable(backups, "hourly", 48, NOON) == []


def test_order_comes_from_the_journal_not_from_the_clock() -> None:
    older_by_clock_newer_by_journal = [kept(2, 100), kept(1, 60)]
    assert [b.file for b in retention.removable(older_by_clock_newer_by_journal, "hourly", 48, NOON)] == ["f1"]


# ---------------------------------------------------------------- schedule


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, "12:00", "12:07"),
        (None, "12:08", "13:07"),
        ("11:07", "12:00", "12:07"),
        ("12:07", "12:08", "13:07"),
        ("10:30", "12:00", "12:00"),
        ("10:59", "12:00", "12:07"),
        ("10:58", "12:00", "12:00"),
        ("12:30", "12:00", "12:07"),
        ("12:08", "12:07", "12:07"),
        ("12:06", "12:06", "12:07"),
        ("12:07", "12:07", "13:07"),
    ],
)
def test_the_next_backup_is_due_at_the_minute_or_at_once_if_one_was_missed(
    last: str | None, now: str, due: str
) -> None:
    def at(text: str) -> datetime:
        hour, minute = text.split(":")
        return NOON.replace(hour=int(hour), minute=int(minute))

    assert schedule.next_due(at(last) if last else None, at(now), 7) == at(due)


# ---------------------------------------------------------------- SQL


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ('"$user", public', ["$user", "public"]),
        ("a,b", ["a", "b"]),
        ('"with ""quote"", and comma"', ['with "quote", and comma']),
        ('""', [""]),
        ("", []),
    ],
)
def test_a_stored_list_is_taken_apart(value: str, items: list[str]) -> None:
    assert sql.split_list(value) == items


def test_names_and_texts_are_quoted() -> None:
    assert sql.identifier('a"b') == '"a""b"'
    assert sql.literal("it's") == "'it''s'"
    assert sql.literal("a\\b") == " E'a\\\\b'"


def test_a_grantors_own_membership_comes_first() -> None:
    later = content.Membership("a", "x", "boss", False, True, True)
    first = content.Membership("a", "boss", "postgres", True, True, True)
    stray = content.Membership("b", "y", "gone", False, True, True)
    assert sql.in_grantable_order([later, first], "postgres") == [first, later]
    assert sql.in_grantable_order([stray], "postgres") == [stray]


def test_the_preamble_holds_roles_without_passwords_behind_a_switch() -> None:
    text = sql.preamble(GLOBALS, "title")
    assert text.startswith("-- title\n")
    roles = text[text.index(r"\if :{?ledgervault_roles}") : text.index(r"\if :{?ledgervault_database}")]
    assert 'CREATE ROLE "app";' in roles
    assert 'CREATE ROLE "postgres"' not in roles
    assert "VALID UNTIL '2030-01-01'" in roles
    assert 'GRANT "admin" TO "app" WITH ADMIN False, INHERIT True, SET True GRANTED BY "boss";' in roles
    assert "GRANT SET ON PARAMETER work_mem TO PUBLIC;" in roles
    assert """ALTER ROLE "app" SET "search_path" TO '$user', 'public';""" in roles
    assert """ALTER DATABASE :"DBNAME" SET "my"."setting" TO 'x';""" in text
    assert """ALTER ROLE "app" IN DATABASE :"DBNAME" SET "work_mem" TO '8MB';""" in text
    assert """ALTER ROLE ALL SET "work_mem" TO '4MB';""" in text
    assert "PASSWORD" not in text


@pytest.mark.parametrize(
    ("provider", "locale", "told"),
    [("b", "C.UTF-8", "BUILTIN_LOCALE 'C.UTF-8'"), ("i", "de", "ICU_LOCALE 'de'"), ("c", None, "LOCALE_PROVIDER libc")],
)
def test_a_database_is_made_with_the_sources_locale(provider: str, locale: str | None, told: str) -> None:
    database = replace(
        GLOBALS.database, provider=provider, locale=locale, icu_rules="&a<b" if provider == "i" else None
    )
    made = sql.create_database("x", database, "own")
    assert told in made
    assert 'OWNER "own"' in made
    assert "TEMPLATE template0" in made


def test_the_password_goes_by_the_environment_alone() -> None:
    login = Login("h", 1, "u", "d", "geheim")
    assert login.environment({})["PGPASSWORD"] == "geheim"
    assert "PGPASSWORD" not in replace(login, password=None).environment({})
    assert "geheim" not in " ".join(argv.pg_dump("s", 1) + argv.psql({"a": "b"}, True))
    assert login.to("other").password == "geheim"


def test_option_values_with_spaces_and_backslashes_stay_one_value() -> None:
    assert login.options({"a": "b c\\d"}) == "-c a=b\\ c\\\\d"


def test_the_throw_away_server_listens_on_no_network() -> None:
    command = argv.throw_away_server(Path("/d"), Path("/s"), 1, 2)
    assert "listen_addresses=" in command
    assert "archive_mode=off" in command


# ---------------------------------------------------------------- the dump's bytes


def test_only_pg_dumps_own_headings_give_sequence_values() -> None:
    text = (
        b"SELECT pg_catalog.setval('public.fake', 1, true);\n"
        b"-- Name: s; Type: SEQUENCE SET; Schema: public; Owner: -\n--\n\n"
        b"SELECT pg_catalog.setval('public.\"it''s\"', -5, false);\n"
    )
    assert archive.setvals(text) == {'public."it\'s"': content.SequenceValue(-5, False)}


# ---------------------------------------------------------------- diagnosis


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


# ---------------------------------------------------------------- comparing

GLOBALS = content.Globals(
    bootstrap="postgres",
    roles={
        "app": content.Role(("NOSUPERUSER", "LOGIN"), 5, "2030-01-01"),
        "postgres": content.Role(("SUPERUSER", "LOGIN")),
    },
    memberships=(content.Membership("admin", "app", "boss", False, True, True),),
    settings=(
        content.Setting("app", False, "search_path", '"$user", public'),
        content.Setting(None, True, "my.setting", "x"),
        content.Setting("app", True, "work_mem", "8MB"),
        content.Setting(None, False, "work_mem", "4MB"),
    ),
    parameters={"work_mem": (content.Grant(None, "SET", False),)},
    database=content.Database(
        "app", "UTF8", "b", "C.UTF-8", "C.UTF-8", "C.UTF-8", None, -1, (content.Grant(None, "CONNECT", True),)
    ),
    extensions={"plpgsql": "1.0"},
)
CONTENT = content.Content(
    tables={"public.t": content.Table(3, "30", "7"), "public.empty": content.Table(0, "0", "0")},
    sequences={"public.s": content.Sequence(3, True, 1, False, "public.t.id", 3)},
    schema={"index public.i": "CREATE INDEX i ON public.t USING btree (a)"},
    large_objects={"9": content.LargeObject("app", "none", 3, "x")},
    globals=GLOBALS,
    migration_heads=(("ledger", "0001"),),
)
MANIFEST = Manifest(
    1, "f", "db", "hourly", "ci", "ledger", "t", "t", "t", "17.1", 170001, "pg_dump", "0/1", "igzip", 1, "s", 1, CONTENT,
    {"public.s": content.SequenceValue(4, True)}, {"public.t": Watched("rows", "nothing here", True)}, "SELECT 1",
)  # fmt: skip
RESTORED = replace(CONTENT, sequences={"public.s": content.Sequence(4, True, 1, False, "public.t.id", 3)})


def bad(restored: content.Content, manifest: Manifest = MANIFEST) -> list[str]:
    return [
        check.text
        for check in comparison.compare_copy(manifest, restored)
        if check.result in ("failed", "inconclusive")
    ]


def test_an_equal_copy_has_nothing_bad_and_a_manifest_survives_json() -> None:
    assert bad(RESTORED) == []
    assert records.from_json(Manifest, records.to_json(MANIFEST)) == MANIFEST
    assert comparison.is_comparable(MANIFEST)
    assert MANIFEST.major == 17
    assert end_marker("f") == b"-- ledgervault: end of f\n"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"tables": {"public.t": content.Table(2, "30", "7"), "public.empty": content.Table(0, "0", "0")}}, "2 rows restored, 3 in"),
        ({"tables": {"public.t": content.Table(3, "30", "8"), "public.empty": content.Table(0, "0", "0")}}, "content differs"),
        ({"tables": {"public.t": content.Table(3, "30", "7")}}, "table public.empty: missing"),
        ({"sequences": {}}, "sequence public.s: missing"),
        ({"sequences": {"public.s": content.Sequence(3, True)}}, "restored 3, the dump holds 4"),
        ({"sequences": {"public.s": content.Sequence(4, False)}}, "restored 4 (not yet used), the dump holds 4"),
        ({"sequences": {"public.s": content.Sequence(4, True, 1, False, "public.t.id", 9)}}, "behind 9 in public.t.id"),
        ({"sequences": {**RESTORED.sequences, "public.x": content.Sequence(1, True)}}, "sequence public.x: restored, not in"),
        ({"schema": {}}, "index public.i: missing"),
        ({"schema": {**CONTENT.schema, "view public.v": "x"}}, "view public.v: not in the manifest"),
        ({"schema": {"index public.i": "CREATE INDEX i ON public.t USING btree (b)"}}, "index public.i: restored"),
        ({"large_objects": {}}, "large object 9: missing"),
        ({"large_objects": {"9": content.LargeObject("app", "none", 3, "y")}}, "large object 9: differs"),
        ({"large_objects": {**CONTENT.large_objects, "10": content.LargeObject("a", "n", 0, "")}}, "large object 10: not in"),
        ({"globals": replace(GLOBALS, roles={})}, "role app: missing"),
        ({"globals": replace(GLOBALS, memberships=())}, "membership app in admin by boss: missing"),
        ({"globals": replace(GLOBALS, settings=())}, "setting search_path of app: missing"),
        ({"globals": replace(GLOBALS, parameters={})}, "grants on parameter work_mem: missing"),
        ({"globals": replace(GLOBALS, database=replace(GLOBALS.database, owner="x"))}, "database owner: restored x"),
        ({"globals": replace(GLOBALS, extensions={"plpgsql": "1.1"})}, "extension plpgsql: 1.0 in the source, 1.1 here"),
        ({"migration_heads": (("ledger", "0002"),)}, "migrations: missing ledger 0001; not in the manifest ledger 0002"),
    ],
)  # fmt: skip
def test_each_difference_is_named(change: dict[str, Any], told: str) -> None:
    assert any(told in text for text in bad(replace(RESTORED, **change)))


def test_an_extra_role_is_named_too() -> None:
    more = replace(GLOBALS, roles={**GLOBALS.roles, "x": content.Role(())})
    assert "role x: not in the manifest" in bad(replace(RESTORED, globals=more))


def test_a_sequence_the_dump_does_not_set_or_sets_too_low_is_bad() -> None:
    assert "the dump sets no value" in bad(RESTORED, replace(MANIFEST, sequences_dumped={}))[0]
    low = replace(MANIFEST, sequences_dumped={"public.s": content.SequenceValue(2, True)})
    assert (
        "2 in the dump, already 3 before it"
        in bad(replace(RESTORED, sequences={"public.s": content.Sequence(2, True)}), low)[0]
    )


@pytest.mark.parametrize(("increment", "dumped"), [(1, 5), (-1, 1)])
def test_a_sequence_may_be_ahead_in_its_own_direction(increment: int, dumped: int) -> None:
    before = content.Sequence(3, True, increment)
    after = content.Sequence(dumped, True, increment)
    check = comparison._compare_sequence("s", before, content.SequenceValue(dumped, True), after)
    assert check.result == "ok"


def test_a_sequence_that_was_behind_its_rows_in_the_source_is_only_noted() -> None:
    before = content.Sequence(3, True, 1, False, "t.id", 9)
    check = comparison._compare_sequence("s", before, content.SequenceValue(3, True), before)
    assert (check.result, "as it was in the source" in check.text) == ("note", True)


def test_a_dropped_public_schema_that_every_new_database_has_is_only_noted() -> None:
    checks = [*comparison.compare_schema({"table t": "x"}, {"table t": "x", "schema public": "y"})]
    assert {check.result for check in checks} == {"ok", "note"}


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("CHECK (((a)::text = ANY ((ARRAY['x'::character varying])::text[])))", "CHECK (((a)::text = ANY (ARRAY[('x'::character varying)::text])))", True),
        ("CHECK ((a <> (0)::numeric))", "CHECK ((a <> (1)::numeric))", False),
        ("CHECK ((a = ' (x)'::text))", "CHECK ((a = '(x)'::text))", False),
    ],
)  # fmt: skip
def test_texts_that_are_alike_but_for_casts_and_brackets_are_told_from_changed_ones(
    one: str, other: str, equal: bool
) -> None:
    assert (comparison.loosen(one) == comparison.loosen(other)) is equal


def test_nothing_compared_with_nothing_is_inconclusive() -> None:
    empty = replace(CONTENT, tables={}, large_objects={})
    assert not comparison.is_comparable(replace(MANIFEST, content=empty))
    assert next(iter(comparison.compare_tables({}, {}))).result == "inconclusive"


def test_an_empty_watched_table_is_said_and_one_that_must_have_rows_is_inconclusive() -> None:
    empty = replace(MANIFEST, content=replace(CONTENT, tables={"public.t": content.Table(0, "0", "0")}))
    assert next(comparison.describe_watched(empty, empty.content.tables)).result == "inconclusive"
    free = replace(empty, watched={"public.t": Watched("rows", "nothing here", False)})
    assert next(comparison.describe_watched(free, free.content.tables)).text == "0 rows: nothing here"
    assert next(comparison.describe_watched(MANIFEST, CONTENT.tables)).text == "3 rows"


# ---------------------------------------------------------------- texts and errors


def test_sizes_are_written_for_people() -> None:
    assert [report.size_text(n) for n in (0, 1023, 1024, 5 * 1024**3)] == ["0 B", "1023 B", "1.0 KB", "5.0 GB"]


def test_errors_carry_their_exit_code_and_hint() -> None:
    assert (Bad("a", "b").code, CouldNot("a", "b").code, UsageError("a", "b").code) == (1, 2, 64)
    assert CouldNot("a", "b", "c").text() == "a: b\nHINT: c"
    assert CouldNot("a", "b").text() == "a: b"
