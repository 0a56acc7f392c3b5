"""What is lost since the baseline: found by key, reported until it is accepted, and never deleted meanwhile."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from kit import Vault, aged

from ledgervault.commands import context
from ledgervault.model import digests, journal
from ledgervault.model.manifest import parse_manifest
from ledgervault.postgres import digest_reader
from ledgervault.storage import files

KEPT = 'rows = "kept"\nfixed_columns = ["amount", "day"]'
EXTRA = '[[tables]]\nname = "public.session"\nrows = "volatile"\n'
SESSION = "CREATE TABLE public.session (id bigserial PRIMARY KEY, at timestamptz DEFAULT now()); INSERT INTO public.session SELECT FROM generate_series(1, 20)"
ADD = "INSERT INTO public.transaction (amount, description, day) VALUES (1, 'new', '2025-02-01')"


def keep(vault: Vault, how: str = KEPT, **more: Any) -> None:
    """The ledger's rows never vanish."""
    vault.configure(expect="never", **more)
    text = vault.config.read_text()
    vault.config.write_text(text.replace('expect_rows = "never"', f'expect_rows = "never"\n{how}', 1))


@pytest.fixture
def kept(vault: Vault) -> Vault:
    vault.sql(SESSION)
    keep(vault, extra=EXTRA)
    return vault


def figures(vault: Vault, table: str = "public.transaction") -> tuple[int, int, int, int]:
    """missing, changed, changed in a fixed column, added."""
    table_figures = vault("verify-data").data["tables"][table]
    return tuple(table_figures[name] for name in ("missing", "changed", "changed_fixed", "added"))  # type: ignore[return-value]


# ------------------------------------------------------------------------------------------------------ verify-data


@pytest.mark.parametrize(
    ("damage", "expected", "told"),
    [
        ("DELETE FROM public.transaction WHERE id = 5", (1, 0, 0, 0), "1 missing (id=5)"),
        ("DELETE FROM public.transaction WHERE id BETWEEN 11 AND 20", (10, 0, 0, 0), "10 missing"),
        (f"DELETE FROM public.transaction WHERE id = 5; {ADD}", (1, 0, 0, 1), "1 missing (id=5), 1 added"),
        (
            "UPDATE public.transaction SET amount = amount + 0.01 WHERE id = 7",
            (0, 1, 1, 0),
            "1 changed in a fixed column (id=7 (amount))",
        ),
        ("UPDATE public.transaction SET day = day + 1 WHERE id = 200", (0, 1, 1, 0), "(id=200 (day))"),
        ("TRUNCATE public.transaction", (200, 0, 0, 0), "200 missing"),
        ("UPDATE public.transaction SET id = 9000 WHERE id = 9", (1, 0, 0, 1), "1 missing (id=9), 1 added (id=9000)"),
        (
            f"DELETE FROM public.transaction WHERE id = 5; {ADD.replace('(amount', '(id, amount').replace('(1,', '(5, 1,')}",
            (0, 1, 1, 0),
            "(id=5 (amount, day))",
        ),
    ],
    ids=[
        "one row",
        "ten rows",
        "one gone and a filler",
        "a cent",
        "a day",
        "all",
        "another key",
        "replaced under its key",
    ],
)
def test_a_missing_row_or_a_changed_fixed_column_of_a_kept_table_is_bad_however_few(
    kept: Vault, damage: str, expected: tuple[int, ...], told: str
) -> None:
    kept.proven()
    kept.sql("ALTER TABLE public.transaction DISABLE TRIGGER keep")
    kept.sql("ALTER TABLE public.transaction ENABLE TRIGGER keep")
    kept.sql(damage)
    result = kept("verify-data")
    assert (result.code, result.verdict) == (1, "bad")
    assert told in result.bad
    assert figures(kept) == expected


def test_what_may_change_is_listed_by_key_and_holds(kept: Vault) -> None:
    kept.proven()
    kept.sql("UPDATE public.transaction SET category_id = 2 WHERE id = 3; DELETE FROM public.session WHERE id < 15")
    kept.sql(
        "DELETE FROM public.category WHERE name = 'Nothing'; UPDATE public.category SET name = 'Flat' WHERE name = 'Rent'"
    )
    kept.sql(ADD)
    result = kept("verify-data")
    assert (result.code, result.verdict) == (0, "holds"), result.bad
    assert "table public.transaction: 201 rows, 200 in the backup; 1 changed (id=3), 1 added (id=201)" in result.said
    assert "table public.category: 2 rows, 2 in the backup; 1 changed (id=2)" in result.said
    assert "table public.session: 6 rows, 20 in the backup; volatile, so not compared" in result.said
    assert result.data["tables"]["public.category"]["changed_keys"] == ["id=2"]


def test_figures_are_shown_also_when_nothing_changed(kept: Vault) -> None:
    kept.proven()
    result = kept("verify-data")
    assert "table public.transaction: 200 rows, 200 in the backup; all as they were" in "\n".join(result.data["lines"])
    assert result.data["tables"]["public.transaction"]["now"] == 200


def test_an_edited_table_may_lose_rows_and_they_are_listed(vault: Vault) -> None:
    vault.proven()
    vault.sql("DELETE FROM public.transaction WHERE id = 5; UPDATE public.transaction SET amount = 1 WHERE id = 6")
    result = vault("verify-data")
    assert (result.code, result.verdict) == (0, "holds"), result.bad
    assert "1 missing (id=5), 1 changed (id=6)" in result.said


def test_the_next_backup_does_not_silence_a_loss_until_it_is_accepted(kept: Vault) -> None:
    good = kept.taken()
    kept.proven(good)
    kept.sql("DELETE FROM public.transaction WHERE id = 5")
    for _ in range(2):
        kept.sql(ADD)
        result = kept.proven()
        assert result.data["shrunken"]
        assert f"LOST: table public.transaction: 1 missing (id=5) since {good.name}" in result.said
        assert (kept("verify-data").code, kept("verify-data").data["file"]) == (1, good.name)
    state = json.loads((kept.place / "vault.json").read_text())
    assert (state["baseline"]["file"], state["newest_proven"]["shrunken"]) == (good.name, True)
    assert state["unaccepted_loss"]["file"] == kept("list").data[1]["file"]
    newest = kept("list").data[-1]["file"]
    assert kept("accept", "newest", "--reason", "a test entry").data["file"] == newest
    assert (kept("verify-data").code, kept("verify-data").data["file"]) == (0, newest)
    state = json.loads((kept.place / "vault.json").read_text())
    assert (state["baseline"]["file"], state["unaccepted_loss"]) == (newest, None)
    assert not kept.proven().data["shrunken"]


def test_a_loss_that_no_backup_shows_yet_cannot_be_accepted(kept: Vault) -> None:
    kept.proven()
    kept.sql("DELETE FROM public.transaction WHERE id = 5")
    result = kept("accept", "latest", "--reason", "meant")
    assert result.code == 2
    assert "nothing to accept" in result.error and "HINT" in result.error
    assert kept("verify-data").code == 1
    path = kept.taken()
    assert "is unproven, not proven" in kept("accept", path.name, "--reason", "meant").error
    kept.proven(path)
    assert kept("accept", path.name, "--reason", " ").code == 64
    assert kept("accept", "ledgerflow_db_backup_20200101_000000.sql.gz", "--reason", "x").code == 64
    assert kept("accept", path.name, "--reason", "meant").code == 0
    assert "its loss accepted on" in json.dumps(kept("audit").data)
    assert kept("audit").code == 0


def test_rows_that_come_back_end_the_alarm(kept: Vault) -> None:
    kept.proven()
    kept.sql(
        "CREATE TABLE public.aside AS SELECT * FROM public.transaction WHERE id = 5; DELETE FROM public.transaction WHERE id = 5"
    )
    assert kept.proven().data["shrunken"]
    kept.sql("INSERT INTO public.transaction SELECT * FROM public.aside; DROP TABLE public.aside")
    assert not kept.proven().data["shrunken"]
    assert kept("verify-data").code == 0


def test_a_table_filled_again_with_other_rows_is_still_shrunken(vault: Vault) -> None:
    vault.proven()
    vault.sql("DELETE FROM public.transaction WHERE id > 5")
    assert vault.proven().data["shrunken"]
    vault.sql(
        "INSERT INTO public.transaction (amount, description, day) SELECT 1, 'filler', now() FROM generate_series(1, 300)"
    )
    result = vault.proven()
    assert result.data["shrunken"]
    assert "still 195 missing" in result.said
    assert vault("verify-data").code == 1


def test_a_named_file_is_what_the_database_is_compared_with(kept: Vault) -> None:
    first = kept.taken()
    kept.proven(first)
    kept.sql(ADD)
    second = kept.taken()
    assert kept("verify-data", "--file", second.name).code == 2, "it is unproven"
    kept.proven(second)
    assert kept("verify-data", "--file", first.name).data["tables"]["public.transaction"]["added"] == 1
    assert kept("verify-data", "--file", second.name).data["tables"]["public.transaction"]["added"] == 0
    assert kept("verify-data", "--file", "latest").data["file"] == second.name
    assert kept("verify-data", "--file", "nothing").code == 64


# ------------------------------------------------------------------------------------------------------- migrations


@pytest.mark.parametrize(
    ("migration", "code", "told"),
    [
        ("ALTER TABLE public.transaction ADD COLUMN late text DEFAULT 'x'", 0, "all as they were"),
        ("ALTER TABLE public.transaction DROP COLUMN doc", 0, "dropped since: doc"),
        ("ALTER TABLE public.transaction DROP COLUMN amount CASCADE", 1, "fixed column dropped: amount"),
        ("ALTER TABLE public.transaction ALTER COLUMN amount TYPE numeric(24, 6)", 0, "all as they were"),
        ("ALTER TABLE public.transaction ALTER COLUMN amount TYPE numeric(24, 1)", 1, "changed in a fixed column"),
        ("ALTER TABLE public.transaction ALTER COLUMN description TYPE varchar(300), ALTER COLUMN day TYPE timestamp", 0, "all as they were"),
        ("ALTER TABLE public.transaction ALTER COLUMN id TYPE numeric", 0, "all as they were"),
        ("ALTER TABLE public.transaction ALTER COLUMN day TYPE text USING 'on ' || day", 1, "changed in a fixed column"),
        ("ALTER TABLE public.transaction RENAME COLUMN id TO number", 0, "dropped since: id"),
        ("ALTER TABLE public.transaction RENAME TO moved", 1, "table public.transaction: gone, 200 rows in"),
        ("ALTER TABLE public.transaction DROP COLUMN doc; DELETE FROM public.transaction WHERE id = 5", 1, "1 missing (id=5)"),
        ("ALTER TABLE public.transaction ALTER COLUMN amount TYPE numeric(24, 6); UPDATE public.transaction SET amount = 0.000001 WHERE id = 4", 1, "(id=4 (amount))"),
        ("ALTER TABLE public.transaction RENAME COLUMN id TO number; DELETE FROM public.transaction WHERE number = 5", 1, "1 missing"),
    ],
    ids=["column added", "column dropped", "fixed column dropped", "wider", "narrower with loss", "other types", "key retyped", "text made anew",
         "key renamed", "table renamed", "dropped and a row gone", "wider and a row changed", "key renamed and a row gone"],
)  # fmt: skip
def test_a_migration_is_no_loss_and_hides_none(kept: Vault, migration: str, code: int, told: str) -> None:
    kept.sql(
        "ALTER TABLE public.transaction DROP CONSTRAINT sane; DROP TRIGGER keep ON public.transaction; DROP VIEW public.spent"
    )
    kept.proven()
    kept.sql(f"{migration}; INSERT INTO public.heads VALUES ('ledger', '0002_late')")
    kept.sql(
        "DO $$BEGIN IF to_regclass('public.transaction') IS NOT NULL THEN UPDATE public.transaction SET category_id = 1 WHERE description = 'Shop 4'; END IF; END$$"
    )
    result = kept("verify-data")
    assert result.code == code, result.said
    assert told in (result.bad if code else result.said).replace("1 changed (id=4)", "all as they were").replace(
        "1 changed", "all as they were"
    )
    assert kept.proven().data["shrunken"] == bool(code)


def test_a_partitioned_table_is_one_table_and_rows_move_between_its_parts(kept: Vault) -> None:
    kept.sql(
        "CREATE TABLE public.entry (id bigint, month int, amount numeric, PRIMARY KEY (id, month)) PARTITION BY LIST (month);"
        "CREATE TABLE public.entry_rest PARTITION OF public.entry DEFAULT;"
        "INSERT INTO public.entry SELECT i, i % 3, i FROM generate_series(1, 300) i"
    )
    keep(kept, extra='[[tables]]\nname = "public.entry"\nrows = "kept"\nfixed_columns = ["amount"]')
    kept.proven()
    kept.sql(
        "ALTER TABLE public.entry DETACH PARTITION public.entry_rest; CREATE TABLE public.entry_1 PARTITION OF public.entry FOR VALUES IN (1);"
        "CREATE TABLE public.entry_0 PARTITION OF public.entry DEFAULT; INSERT INTO public.entry SELECT * FROM public.entry_rest; DROP TABLE public.entry_rest;"
        "INSERT INTO public.heads VALUES ('ledger', '0002_parts')"
    )
    assert kept("verify-data").code == 0, kept("verify-data").bad
    assert kept("verify-data").data["tables"]["public.entry"]["missing"] == 0
    kept.sql("DELETE FROM public.entry WHERE id = 4")
    assert "1 missing (id=4 month=1)" in kept("verify-data").bad


KEYS = {
    "text with tabs": ("k text PRIMARY KEY", r"E'tab\tline\nslash\\' || i"),
    "two": ("k int, l uuid DEFAULT gen_random_uuid(), PRIMARY KEY (k, l)", "i"),
    "timestamp": ("k timestamptz PRIMARY KEY", "'2025-01-01'::timestamptz + i * interval '1 hour'"),
    "none": ("k int", "i / 2"),
    "boolean and text": ("k text, b bool DEFAULT true, PRIMARY KEY (b, k)", "'x' || i"),
    "negative": ("k smallint PRIMARY KEY", "-i"),
    "char": ("k char(9) PRIMARY KEY", "i::text"),
    "numeric": ("k numeric(9, 2) PRIMARY KEY", "i + 0.10"),
    "date": ("k date PRIMARY KEY", "'2025-01-01'::date + i"),
    "quoted": ('"K "" ü" int PRIMARY KEY', "i"),
}


@pytest.mark.parametrize("key", KEYS)
def test_every_sort_of_key_finds_the_row_that_went(vault: Vault, key: str) -> None:
    definition, value = KEYS[key]
    vault.sql(
        f"CREATE TABLE public.odd ({definition}, amount numeric, at timestamptz DEFAULT '2025-06-01', raw bytea DEFAULT '\\x00ff')"
    )
    name = definition.split(" int")[0] if key == "quoted" else "k"
    vault.sql(f"INSERT INTO public.odd ({name}, amount) SELECT {value}, i FROM generate_series(1, 600) i")
    vault.sql(
        f"ALTER DATABASE {vault.database} SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE {vault.database} SET bytea_output = 'escape'"
    )
    keep(vault, extra='[[tables]]\nname = "public.odd"\nrows = "kept"\nfixed_columns = ["amount"]')
    vault.proven()
    vault.sql(f"ALTER DATABASE {vault.database} RESET TimeZone; ALTER DATABASE {vault.database} RESET bytea_output")
    assert vault("verify-data").data["tables"]["public.odd"]["missing"] == 0
    vault.sql("UPDATE public.odd SET at = '2025-07-01' WHERE amount = 100; DELETE FROM public.odd WHERE amount = 300")
    result = vault("verify-data")
    assert result.code == 1
    if key == "none":
        assert figures(vault, "public.odd") == (1, 0, 0, 0)
    else:
        assert figures(vault, "public.odd") == (1, 1, 0, 0)
    assert vault.proven().data["shrunken"]


# -------------------------------------------------------------------------------------------------- digests, upgrade


def test_digests_add_up_to_the_manifest_and_the_file_has_one_size(vault: Vault) -> None:
    first, second = vault.taken(), None
    vault.sql(
        "INSERT INTO public.transaction (amount, description, day) SELECT 1, 'more', now() FROM generate_series(1, 5000)"
    )
    second = vault.taken()
    sizes = []
    for path in (first, second):
        manifest = parse_manifest(path.with_name(path.name + ".manifest.json").read_bytes())
        assert manifest.digests is not None
        found = digests.decode(path.with_name(manifest.digests.file).read_bytes(), manifest.digests)
        for name, layout in found.header.tables.items():
            total = sum(found.buckets[name].values(), digests.Digest()).table
            assert [total] == [manifest.content.tables[part] for part in layout.parts]
        sizes.append(len(path.with_name(manifest.digests.file).read_bytes().partition(b"\n")[2]))
    assert sizes[0] == sizes[1] == 3 * 256 * 32


def test_the_one_scan_of_a_backup_reads_what_a_proof_reads(vault: Vault) -> None:
    from ledgervault.postgres import database

    login = context.make_context(context.load_config(vault.config), context.silent).source()
    with database.connect(login, "test") as connection:
        assert digest_reader.read(connection)[0] == dict(sorted(database.read_tables(connection).items()))


def first_schema(vault: Vault, path: Path) -> None:
    """As the version before wrote it: no digests, schema 1, in the journal too."""
    place = path.with_name(path.name + ".manifest.json")
    facts = json.loads(place.read_bytes())
    aged(vault, facts)
    del facts["digests"]
    place.write_text(json.dumps(facts))
    path.with_name(path.name + ".digests").unlink()
    text = b""
    for line in journal.parse_journal((vault.backups / "journal.jsonl").read_bytes()).lines:
        sha = (
            journal.digest(place.read_bytes())
            if line.event == journal.BACKUP and line.file == path.name
            else line.manifest_sha256
        )
        data = {key: value for key, value in line.data.items() if key not in ("loss", "baseline", "lost")}
        text += journal.encode_line(
            journal.next_line(journal.parse_journal(text), line.time, line.event, line.file, sha, data)
        )
    (vault.backups / "journal.jsonl").write_bytes(text)
    (vault.place / "journal-head.json").unlink()


@pytest.mark.parametrize("damaged", [False, True], ids=["of an older version", "digests damaged"])
def test_a_baseline_without_digests_is_compared_row_by_row(kept: Vault, damaged: bool) -> None:
    path = kept.taken()
    kept.proven(path)
    if damaged:
        path.with_name(path.name + ".digests").write_bytes(b"{}\n")
    else:
        first_schema(kept, path)
    assert kept("verify-data").code == 0, kept("verify-data").bad
    kept.sql("UPDATE public.transaction SET category_id = 2 WHERE id = 3")
    kept.sql(ADD)
    assert kept("verify-data").code == 0, kept("verify-data").bad
    assert figures(kept) == (0, 1, 0, 1)
    kept.sql("DELETE FROM public.transaction WHERE id = 5")
    assert "1 missing (id=5)" in kept("verify-data").bad
    assert kept.proven().data["shrunken"]
    assert kept("audit").code == (1 if damaged else 0)
    if not damaged:
        kept.sql("ALTER TABLE public.transaction DROP COLUMN day")
        assert "fixed column dropped: day" in kept("verify-data").bad


def test_a_baseline_that_was_removed_by_hand_hides_no_loss_until_it_is_forgotten(kept: Vault) -> None:
    older, good = kept.taken(), None
    kept.proven(older)
    kept.sql(ADD)
    good = kept.taken()
    kept.proven(good)
    good.unlink()
    kept.sql("DELETE FROM public.transaction WHERE id = 201")
    result = kept.proven()
    assert (result.verdict, result.data["loss"]) == ("proven", "unknown")
    refusal = kept("verify-data")
    assert (refusal.code, "is not as written" in refusal.error) == (2, True)
    assert kept("forget", good.name, "--reason", "removed by hand").code == 0
    assert kept("verify-data").data["file"] == older.name


def test_a_baseline_that_cannot_be_read_leaves_the_proof_and_becomes_no_silence(kept: Vault) -> None:
    good = kept.taken()
    kept.proven(good)
    whole = good.read_bytes()
    good.write_bytes(whole[:-30] + bytes(30))
    kept.sql("DELETE FROM public.transaction WHERE id = 5")
    result = kept.proven()
    assert (result.verdict, result.data["loss"], result.data["shrunken"]) == ("proven", "unknown", False)
    assert "LOSS UNKNOWN" in result.said
    assert kept("verify-data").code == 2
    good.write_bytes(whole)
    assert (kept("verify-data").code, kept("verify-data").data["file"]) == (1, good.name), "it made no baseline"
    assert kept.proven(Path(result.data["file"])).data["shrunken"]


def test_more_rows_than_fit_into_memory_are_read_in_shares(kept: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledgervault.postgres import row_changes

    kept.proven()
    monkeypatch.setattr(row_changes, "ROWS_AT_ONCE", 30)
    kept.sql("DELETE FROM public.transaction WHERE id % 3 = 0; UPDATE public.category SET name = name || '!'")
    kept.sql("INSERT INTO public.heads VALUES ('other', '1'); DELETE FROM public.heads WHERE app = 'other'")
    assert figures(kept) == (66, 0, 0, 0)
    assert figures(kept, "public.category") == (0, 2, 0, 0)


# --------------------------------------------------------------------------------------------------------- the drill


class Clock:
    """The vault's clock: the only thing here that is not real."""

    def __init__(self) -> None:
        self.now = datetime(2025, 4, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def week(kept: Vault, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A week in a smaller measure: a backup each three hours, kept for nine hours, at least two."""
    keep(kept, extra=f"{EXTRA}[tiers.hourly]\nkeep_hours = 9\nkeep_least = 2")
    clock = Clock()
    monkeypatch.setattr(files, "now", clock)
    return clock


def step(vault: Vault, clock: Clock, number: int) -> Any:
    """New rows, a category edit, volatile rows; then a backup, its proof, retention."""
    clock.now += timedelta(hours=3)
    vault.sql(
        f"{ADD}; UPDATE public.transaction SET category_id = 1 WHERE id = {number + 1};"
        "DELETE FROM public.session; INSERT INTO public.session DEFAULT VALUES"
    )
    result = vault.proven()
    assert vault("prune").code == 0
    return result


DAMAGE = {
    "1 row": "DELETE FROM public.transaction WHERE id = 77",
    "10 rows": "DELETE FROM public.transaction WHERE id BETWEEN 40 AND 49",
    "995 rows": "DELETE FROM public.transaction WHERE id > 5 AND id <= 1000",
    "a cent": "UPDATE public.transaction SET amount = amount + 0.01 WHERE id = 500",
}


@pytest.mark.parametrize("damage", [None, *DAMAGE], ids=["a green week", *DAMAGE])
def test_loss_drill_a_loss_is_reported_until_it_is_accepted(kept: Vault, week: Clock, damage: str | None) -> None:
    """14 backups; the loss at a random one of the first (seeded), accepted before the tenth; a migration in between."""
    kept.sql(
        "INSERT INTO public.transaction (amount, description, day)"
        " SELECT i, 'first', '2025-01-01' FROM generate_series(1, 800) i"
    )
    moment = random.Random(damage).randrange(1, 4)  # noqa: S311  - a seeded time, no secret
    last_good, accepted_at = "", 9
    for number in range(14):
        if damage and number == moment:
            last_good = kept("list").data[-1]["file"]
            kept.sql(DAMAGE[damage])
        if number == 6:
            kept.sql("ALTER TABLE public.transaction ADD COLUMN note text; INSERT INTO public.heads VALUES ('l', '2')")
        if damage and number == accepted_at:
            assert kept("accept", "latest", "--reason", "the drill").code == 0
        is_open = damage is not None and moment <= number < accepted_at
        assert step(kept, week, number).data["shrunken"] == is_open, f"backup {number}"
        state = json.loads((kept.place / "vault.json").read_text())
        assert (state["unaccepted_loss"] is not None, state["newest_proven"]["shrunken"]) == (is_open, is_open)
        if number in (moment, 6, accepted_at, 13):
            assert kept("verify-data").code == is_open, kept("verify-data").said
        if is_open:
            assert (kept.backups / "hourly" / last_good).exists(), "the last one before the loss is never pruned"
    names = [entry["file"] for entry in kept("list").data]
    assert len(names) <= 5, "old ones go, also those that show the loss"
    assert last_good not in names, "once accepted, the ordinary rule goes on"
    assert kept("audit").code == 0


def test_while_a_loss_is_unaccepted_shrunken_backups_thin_out_by_the_ordinary_rule(kept: Vault, week: Clock) -> None:
    good = step(kept, week, 0).data["file"]
    kept.sql("DELETE FROM public.transaction WHERE id = 5")
    for number in range(1, 8):
        step(kept, week, number)
    names = [entry["file"] for entry in kept("list").data]
    assert names[0] == good
    assert 3 <= len(names) <= 5, "nine hours of one each three hours, and the last good one"
