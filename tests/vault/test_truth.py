"""Databases that were judged wrongly once: what is good is proven, what lost something is not, both ways of proving."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from kit import Cluster, Vault, aged
from wrongly_judged import GOOD, LEDGER, LEFT_OUT, LEFT_OUT_SAID, LOST, OLD

from ledgervault.commands import restored_copy

SHARED = Path("/data/databases/wrong_2026_12")
_OTHERS = ("long_rows_two_columns",)  # how long a proof takes is claimed elsewhere
INDEXES = ("all", "definitions")


def _inputs() -> list[Path]:
    given = sorted(SHARED.glob("*.sql")) if SHARED.is_dir() else []
    return [path for path in given if path.stem not in (*_OTHERS, "alterations_base")]


@pytest.fixture(autouse=True)
def _unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `definitions` builds all indexes of so small a database."""
    monkeypatch.setattr(restored_copy, "_SMALL", 0)


def _filled(bare: Callable[..., Vault], cluster: Cluster, path: Path) -> Vault:
    """A database of the script's own name for itself."""
    vault = bare(None, "postgres")
    text = path.read_text().replace(f"t_{path.stem}", vault.database)
    copy = vault.place / path.name
    copy.write_text(text)
    cluster.script(vault.database, copy)
    return vault


@pytest.mark.skipif(not SHARED.is_dir(), reason="the databases others made are not here: until they are published")
@pytest.mark.parametrize("indexes", INDEXES)
@pytest.mark.parametrize("path", _inputs(), ids=lambda path: path.stem)
def test_a_database_that_was_judged_wrongly_gets_its_right_verdict(
    bare: Callable[..., Vault], cluster: Cluster, path: Path, indexes: str
) -> None:
    vault = _filled(bare, cluster, path)
    expected = re.search(r"expected ([a-z|]+)", path.read_text().splitlines()[0])
    assert expected is not None
    result = vault("prove", str(vault.taken()), "--indexes", indexes)
    assert result.verdict in expected[1].split("|"), result.bad


def _alterations() -> list[tuple[str, str, str]]:
    """What, the lines of the dump it takes away (with ` / ` between them), those that come instead."""
    lines = (SHARED / "alterations_blind.tsv").read_text().splitlines()
    return [(what, before, after) for what, before, after, *_ in ((line + "\t\t").split("\t") for line in lines[1:])]


def _altered(dump: str, before: str, after: str) -> str:
    pattern = r"\s*\n\s*".join(re.escape(line.strip()) for line in before.split(" / "))
    return re.sub(pattern, lambda _: after.replace(" / ", "\n    "), dump, count=1)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the databases others made are not here: until they are published")
@pytest.mark.parametrize("indexes", INDEXES)
def test_b41_an_alteration_that_was_once_not_seen_is_failed(
    bare: Callable[..., Vault], cluster: Cluster, indexes: str
) -> None:
    vault = _filled(bare, cluster, SHARED / "alterations_base.sql")
    path = vault.taken()
    untouched = vault("prove", str(path), "--indexes", indexes, "--all")
    assert untouched.verdict == "proven", untouched.bad
    dump = gzip.decompress(path.read_bytes()).decode()
    proven = []
    for what, before, after in _alterations():
        altered = _altered(dump, before, after)
        assert altered != dump, what
        result = vault.forged(path, gzip.compress(altered.encode()), None, "--indexes", indexes)
        print(what, "->", result.verdict, result.bad[:200])
        proven += [what] if result.verdict != "failed" else []
    assert not proven


def _made(bare: Callable[..., Vault], cluster: Cluster, statements: str, options: str = "") -> Vault:
    vault = bare(None, "postgres")
    if options:
        cluster.run("postgres", f"DROP DATABASE {vault.database}")
        cluster.run("postgres", f"CREATE DATABASE {vault.database} TEMPLATE template0 {options}")
    script = vault.place / "made.sql"
    script.write_text("SET client_encoding = 'UTF8';\n" + statements.replace(":database", vault.database))
    cluster.script(vault.database, script)
    return vault


@pytest.mark.parametrize("indexes", INDEXES)
@pytest.mark.parametrize("name", GOOD)
def test_a_good_backup_is_proven(bare: Callable[..., Vault], cluster: Cluster, name: str, indexes: str) -> None:
    options, statements = GOOD[name]
    vault = _made(bare, cluster, statements, options)
    result = vault("prove", str(vault.taken()), "--indexes", indexes)
    assert result.verdict == "proven", result.bad


@pytest.mark.parametrize("indexes", INDEXES)
@pytest.mark.parametrize("name", LOST)
def test_b42_a_backup_that_leaves_something_out_is_failed_and_says_what(
    bare: Callable[..., Vault], cluster: Cluster, name: str, indexes: str
) -> None:
    lost, statements = LOST[name]
    vault = _made(bare, cluster, statements)
    result = vault("prove", str(vault.taken()), "--indexes", indexes)
    assert (result.code, result.verdict) == (1, "failed")
    assert lost in result.bad


def test_b42_what_pg_dump_leaves_out_is_said_in_manifest_show_and_proof(
    bare: Callable[..., Vault], cluster: Cluster
) -> None:
    vault = _made(bare, cluster, LEFT_OUT)
    try:
        path = vault.taken()
        facts = json.loads(path.with_name(path.name + ".manifest.json").read_bytes())
        shown = vault("show", path.name).data["content"]["left_out"]
        assert facts["content"]["left_out"] == shown
        result = vault.proven(path)
        for text in LEFT_OUT_SAID:
            assert any(text in line for line in shown), (text, shown)
            assert text in "".join(line for line in result.said.splitlines() if "not in this backup" in line)
    finally:  # a database with a subscription cannot be dropped
        vault.sql("ALTER SUBSCRIPTION listening SET (slot_name = NONE)")
        vault.sql("DROP SUBSCRIPTION listening")


def test_b42_a_database_of_which_all_is_dumped_says_only_what_no_dump_holds(vault: Vault) -> None:
    shown = vault("show", vault.taken().name).data["content"]["left_out"]
    assert [line.split(" (")[0] for line in shown] == ["passwords of roles"]


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("", "", "proven"),
        ("(s)::text = ANY", "(s)::bpchar = ANY", "failed"),
        ("security_barrier='true'", "security_barrier='false'", "failed"),
    ],
    ids=["untouched", "another cast", "another option"],
)
@pytest.mark.parametrize("indexes", INDEXES)
def test_a_manifest_of_schema_1_is_compared_by_the_queries_that_wrote_it(
    bare: Callable[..., Vault], cluster: Cluster, before: str, after: str, verdict: str, indexes: str
) -> None:
    vault = _made(bare, cluster, OLD)
    path = vault.taken()
    dump = gzip.decompress(path.read_bytes()).decode()
    assert before in dump
    data = gzip.compress(dump.replace(before, after).encode())
    result = vault.forged(path, data, lambda facts: aged(vault, facts), "--indexes", indexes)
    assert result.verdict == verdict, result.said


def test_a_manifest_of_schema_1_whose_database_has_tables_of_extensions_is_inconclusive(
    bare: Callable[..., Vault], cluster: Cluster
) -> None:
    vault = _made(bare, cluster, LEDGER + "CREATE EXTENSION vault_settings;")
    path = vault.taken()
    result = vault.forged(path, path.read_bytes(), lambda facts: aged(vault, facts))
    assert result.verdict == "inconclusive", result.bad
    assert "taken by an older version" in result.bad


def test_a_live_database_that_was_restored_once_is_compared_by_the_proofs_texts(
    bare: Callable[..., Vault], cluster: Cluster
) -> None:
    vault = _made(bare, cluster, OLD)
    path = vault.taken()
    vault.sql("DROP INDEX public.w_s")
    vault.sql("CREATE INDEX w_s ON public.w (((s)::text = ANY (ARRAY[('n'::varchar)::text, ('o'::varchar)::text])))"
              " WHERE ((s)::text = ANY (ARRAY[('n'::varchar)::text, ('o'::varchar)::text]))")  # fmt: skip
    vault.proven(path)
    assert vault("verify-data").code == 0
    vault.sql("ALTER POLICY w_p ON public.w USING (s IN ('n', 'o') OR s = 'p')")
    assert vault("verify-data").code == 1
