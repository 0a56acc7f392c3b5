"""Work that ends by itself: long rows, silent servers, cut networks, wrong clocks, full places (B43, B44)."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest
from kit import Cluster, Result, Vault
from lines import line_to, processes, stopped

ROWS = 50_100  # above prove._LARGE_ROWS: two connections share the table
LIMIT = 2  # seconds
SLACK = 6
LIMITS = f"lock_wait_seconds = 1\nbackup_timeout_seconds = {LIMIT}\nproof_timeout_seconds = {LIMIT}"


def long_rows(vault: Vault, columns: str, length: int = 30_000) -> None:
    values = "i, " if "id" in columns else ""
    vault.sql(
        f"CREATE TABLE public.doc ({columns});"
        f"INSERT INTO public.doc SELECT {values}'row ' || i FROM generate_series(1, {ROWS}) i;"
        f"INSERT INTO public.doc SELECT {values}repeat(md5(i::text), {length}) FROM generate_series(1, 5) i;"
        f"INSERT INTO public.doc SELECT {values}E'a\\nb\\\\.' || i FROM generate_series(1, 12) i"
    )


# ---------------------------------------------------------------- long rows


@pytest.mark.parametrize("columns", ["body text", "id int, body text"], ids=["one column", "two columns"])
def test_b43_rows_longer_than_a_piece_in_a_large_table_are_proven(vault: Vault, columns: str) -> None:
    long_rows(vault, columns)
    result = vault.proven()
    assert result.verdict == "proven"
    assert "rows_seconds" in result.data["figures"], "the plain way decided: two connections cannot load this"


@pytest.mark.parametrize("rows", [ROWS, 10], ids=["shared", "alone"])
def test_b43_an_error_as_long_as_its_row_ends_the_proof_as_failed(vault: Vault, rows: int) -> None:
    """The server waits until we take its message, and we wait for room to send the rest of the row."""
    vault.sql("CREATE TABLE public.doc (id int, body text)")
    vault.sql(f"INSERT INTO public.doc SELECT i, '' FROM generate_series(1, {rows}) i")
    value = "x" * 3_000_000
    longer = value * 3
    start = time.monotonic()
    result = vault.doctored(lambda sql: sql.replace("\n7\t\n", f"\n{value}\t\n").replace("\n8\t\n", f"\n8\t{longer}\n"))
    assert result.verdict == "failed"
    assert "invalid input syntax for type integer" in result.bad
    assert time.monotonic() - start < 60


# ---------------------------------------------------------------- silent servers, cut networks


def ledger_of(vault: Vault, rows: int) -> None:
    vault.sql(
        "INSERT INTO public.transaction (amount, description, day)"
        f" SELECT 1, repeat(md5(i::text), 4), '2025-01-01' FROM generate_series(1, {rows}) i"
    )


def timed(command: Callable[[], Result]) -> tuple[Result, float]:
    start = time.monotonic()
    result = command()
    return result, time.monotonic() - start


def nothing_half_made(vault: Vault) -> bool:
    return not [*vault.backups.glob("*/.*"), *vault.backups.glob("*/*.gz")]


@pytest.mark.parametrize("sent", [0, 5_000, 400_000, 4_000_000])
def test_b43_a_network_that_is_cut_ends_the_backup_within_its_time(vault: Vault, cluster: Cluster, sent: int) -> None:
    ledger_of(vault, 60_000)
    with line_to(cluster.sockets, cut_after=sent) as host:
        vault.configure(host=host, limits=LIMITS)
        result, seconds = timed(lambda: vault("backup"))
    assert result.code == 2
    assert "HINT" in result.error
    assert seconds < LIMIT + SLACK
    assert nothing_half_made(vault)
    assert "backup FAILED" in (vault.backups / "backup.log").read_text()


def test_a_line_that_is_whole_takes_the_backup(vault: Vault, cluster: Cluster) -> None:
    ledger_of(vault, 60_000)
    with line_to(cluster.sockets, cut_after=1 << 40) as host:
        vault.configure(host=host, limits="backup_timeout_seconds = 60")
        vault.proven()


@pytest.mark.parametrize(
    "moment",
    [lambda vault: True, lambda vault: bool([*vault.backups.glob("*/.*.partial")])],
    ids=["from the start", "while dumping"],
)
def test_b43_a_server_that_hangs_ends_the_backup_within_its_time_and_the_next_is_proven(
    vault: Vault, cluster: Cluster, moment: Callable[[Vault], bool]
) -> None:
    ledger_of(vault, 150_000)
    vault.configure(limits=LIMITS)
    with stopped(str(cluster.sockets.parent), lambda: moment(vault)) as hangs:
        result, seconds = timed(lambda: vault("backup"))
        assert hangs.is_set()
    assert result.code == 2
    assert seconds < LIMIT + SLACK
    assert nothing_half_made(vault)
    vault.configure()
    vault.proven()


@pytest.mark.parametrize("victim", ["prove-", "igzip", "psql"])
def test_b43_a_throw_away_server_or_program_that_hangs_ends_the_proof_as_inconclusive(
    vault: Vault, victim: str
) -> None:
    ledger_of(vault, 100_000)
    path = vault.taken()
    vault.configure(limits=LIMITS)
    loading = (vault.place / "scratch").rglob

    def moment() -> bool:
        return any(loading("postmaster.pid")) and bool(processes(victim)) and time.monotonic() > start + 0.3

    start = time.monotonic()
    with stopped(victim, moment, signal.SIGKILL) as hangs:
        result, seconds = timed(lambda: vault("prove", path.name))
        assert hangs.is_set()
    assert (result.code, result.verdict) == (2, "inconclusive"), result.bad
    assert "limits.proof_timeout_seconds" in result.bad
    assert seconds < LIMIT + SLACK
    vault.configure()
    assert vault("prove", path.name).verdict == "proven"


def test_a_proof_that_needs_longer_than_its_limit_is_inconclusive_and_never_failed(vault: Vault) -> None:
    ledger_of(vault, 100_000)
    path = vault.taken()
    vault.configure(limits="proof_timeout_seconds = 1")
    result, seconds = timed(lambda: vault("prove", path.name))
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert seconds < 1 + SLACK
    assert path.exists()


@pytest.mark.parametrize("command", ["verify-data", "compare"])
def test_b43_a_comparison_with_a_server_that_hangs_ends_within_its_time(
    vault: Vault, cluster: Cluster, command: str
) -> None:
    path = vault.taken()
    options = {"verify-data": ["--file", path.name], "compare": [path.name, "--database", vault.database]}[command]
    assert vault(command, *options).code == 0
    with line_to(cluster.sockets, cut_after=400) as host:
        vault.configure(host=host, limits=LIMITS)
        result, seconds = timed(lambda: vault(command, *options))
    assert result.code == 2
    assert seconds < LIMIT + SLACK
