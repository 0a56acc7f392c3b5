"""Work that ends by itself: long rows, silent servers, cut networks, wrong clocks, full places (B43, B44)."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from kit import Cluster, Result, Vault
from lines import line_to, processes, stopped

from ledgervault import cli
from ledgervault.commands import context
from ledgervault.commands.schedule import Schedule
from ledgervault.storage import files

ROWS = 50_100  # above restored_copy._LARGE_ROWS: two connections share the table
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
    # A fast machine proves many rows in a second; this row takes five to load on any.
    vault.sql("CREATE TABLE public.slow (id integer CHECK (pg_sleep(5 * sign(id)) IS NOT NULL))")
    vault.sql("INSERT INTO public.slow VALUES (1)")
    path = vault.taken()
    vault.configure(limits="proof_timeout_seconds = 2")
    result, seconds = timed(lambda: vault("prove", path.name))
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert seconds < 2 + SLACK
    assert path.exists()


@pytest.mark.parametrize("command", ["verify-data", "compare"])
def test_b43_a_comparison_with_a_server_that_hangs_ends_within_its_time(
    vault: Vault, cluster: Cluster, command: str
) -> None:
    path = vault.taken()
    vault.proven(path)  # verify-data compares with nothing less
    options = {"verify-data": ["--file", path.name], "compare": [path.name, "--database", vault.database]}[command]
    assert vault(command, *options).code == 0
    with line_to(cluster.sockets, cut_after=400) as host:
        vault.configure(host=host, limits=LIMITS)
        result, seconds = timed(lambda: vault(command, *options))
    assert result.code == 2
    assert seconds < LIMIT + SLACK


# ---------------------------------------------------------------- full places


@pytest.fixture
def small() -> Iterator[Path]:
    """A real volume of 24 MB."""
    place = Path("/small/e")
    place.mkdir()
    yield place
    shutil.rmtree(place)


def fill(place: Path, leave: int = 0) -> None:
    """To the last byte."""
    with suppress(OSError), (place / "filler").open("wb", buffering=0) as file:
        while shutil.disk_usage(place).free > leave:
            file.write(b"x" * 4096)


def test_b44_a_full_volume_is_pruned_by_the_rules_and_the_backup_goes_on_by_itself(vault: Vault, small: Path) -> None:
    vault.configure(backups=small, limits="free_mb = 0", extra="[tiers.hourly]\nkeep_hours = 0")
    vault.sql("CREATE TABLE public.noise AS SELECT gen_random_uuid()::text FROM generate_series(1, 40000)")
    first, second, third = vault.taken(), vault.taken(), vault.taken()
    assert vault("prove", third.name).code == 0
    fill(small)
    assert shutil.disk_usage(small).free < 4096
    result = vault("backup")
    assert result.code == 0, result.error
    assert [path.exists() for path in (first, second, third)] == [False, False, True]
    (small / "filler").unlink()
    assert vault("audit").code == 0, vault("audit").bad


def test_b44_a_full_volume_is_pruned_on_request_too(vault: Vault, small: Path) -> None:
    vault.configure(backups=small, limits="free_mb = 1", extra="[tiers.hourly]\nkeep_hours = 0")
    first, second = vault.taken(), vault.taken()
    assert vault("prove", second.name).code == 0
    fill(small)
    dry = vault("prune", "--dry-run")
    assert (dry.code, dry.data["removed"], first.exists()) == (0, [first.name], True)
    assert vault("prune").data["removed"] == [first.name]
    assert not first.exists()


def test_a_full_volume_with_nothing_to_remove_is_refused_with_the_command_that_says_why(
    vault: Vault, small: Path
) -> None:
    vault.configure(backups=small, limits="free_mb = 1")
    path = vault.taken()
    assert vault("prove", path.name).code == 0
    fill(small)
    result = vault("backup")
    assert result.code == 2
    assert (
        "HINT: free space on the backups volume; `ledgervault prune --dry-run` says why each backup stays"
        in result.error
    )
    assert path.exists()
    assert "younger than 48 h" in vault("prune", "--dry-run").data["files"][0]["reason"]


def test_a_full_volume_is_not_healthy_and_says_so(vault: Vault, small: Path) -> None:
    vault.configure(backups=small, limits="free_mb = 1")
    vault.proven()
    (vault.place / "scratch" / "heartbeat").touch()
    assert vault("health").code == 0
    fill(small)
    result = vault("health")
    assert result.code == 1
    assert "0 MB free, 1 MB wanted" in result.bad


# ---------------------------------------------------------------- clocks, the schedule


class Clock:
    """The edge: `files.now`, the one place where the vault reads the time of day."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.offset = timedelta()
        original = files.now
        monkeypatch.setattr(files, "now", lambda: original() + self.offset)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("jump", [timedelta(days=365), timedelta(days=-1)])
def test_b21_after_a_jump_prune_removes_nothing_says_so_and_the_backups_go_on(
    vault: Vault, clock: Clock, jump: timedelta
) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    first = vault.proven().data["file"]
    clock.offset = jump
    second = vault.proven().data["file"]
    result = vault("prune")
    assert result.code == 2
    assert "nothing is removed for a day" in result.error
    assert "HINT" in result.error
    clock.offset = timedelta()
    assert vault("prove", vault.taken().name, "--then-prune").code == 0, "the proof stands"
    assert "not pruned" in (vault.backups / "backup.log").read_text()
    assert [entry["file"] for entry in vault("list").data][:2] == [first, second]


def test_b44_a_host_that_was_off_for_three_days_takes_a_backup_at_once_and_removes_none(
    vault: Vault, clock: Clock
) -> None:
    clock.offset = timedelta(days=-3, hours=-1)
    old = [vault.proven().data["file"] for _ in range(3)]
    clock.offset = timedelta()
    plan = Schedule(context.make_context(context.load_config(vault.config), context.silent), vault.config)
    until(plan, lambda: len(vault("list").data) == 4 and vault("list").data[-1]["verdict"] == "proven")
    assert plan.proof is None or plan.proof.wait(20) == 0
    assert [entry["file"] for entry in vault("list").data][:3] == old


def until(plan: Schedule, holds: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "the schedule did not get there"
        plan.tick(files.now())
        time.sleep(0.2)


def test_b43_the_schedule_goes_on_after_a_server_that_hung_and_a_scratch_space_that_was_full(
    vault: Vault, cluster: Cluster, small: Path
) -> None:
    vault.taken()
    vault.configure(limits=LIMITS, scratch=small)
    fill(small)
    plan = Schedule(context.make_context(context.load_config(vault.config), context.silent), vault.config)
    state = vault.place / "vault.json"

    def failure() -> str:
        facts = json.loads(state.read_text()) if state.exists() else {}
        return str((facts.get("last_failure") or {}).get("text"))

    until(plan, lambda: "inconclusive" in failure())
    (small / "filler").unlink()
    with stopped(str(cluster.sockets.parent), lambda: plan.backup is not None):
        plan.due = files.now()
        until(plan, lambda: "backup FAILED" in failure(), LIMIT + 200)
    assert plan.due is not None
    plan.due = files.now()
    vault.configure()  # with room: a server's empty data alone takes 40 MB
    until(plan, lambda: failure() == "None" and vault("list").data[-1]["verdict"] == "proven")
    until(plan, lambda: plan.backup is None and plan.proof is None)


# ---------------------------------------------------------------- red when backups stop


def aged(vault: Vault, hours: float) -> None:
    """A schedule that started so long ago."""
    for name, age in (("heartbeat", 0.0), ("started", hours * 3600)):
        place = vault.place / "scratch" / name
        place.touch()
        os.utime(place, (time.time() - age,) * 2)


def test_a_vault_whose_backups_stopped_is_not_healthy_and_a_deploy_still_sees_its_heartbeat(
    vault: Vault, clock: Clock
) -> None:
    clock.offset = timedelta(hours=-5)
    vault.proven()
    clock.offset = timedelta()
    aged(vault, 10)
    result = vault("health")
    assert result.code == 0, "PostgreSQL's time is the backup's age"
    clock.offset = timedelta(hours=5)
    result = vault("health")
    assert result.code == 1
    assert "5 h old, 150 min allowed" in result.bad
    assert cli.main(["--config", str(vault.config), "health", "--heartbeat"]) == 0
    vault("state")
    assert json.loads((vault.place / "vault.json").read_text())["proven_age_minutes"] == 150


def test_the_last_failure_is_told_with_its_text_until_a_backup_is_taken_again(vault: Vault) -> None:
    vault.proven()
    aged(vault, 2)
    assert vault("health").code == 0
    vault.configure(host=vault.place)
    assert vault("backup").code == 2
    result = vault("health")
    assert result.code == 1
    assert f"backup FAILED database {vault.database} on" in result.bad
    vault.configure()
    vault.taken()
    assert vault("health").code == 0


def test_a_fresh_stack_and_the_first_hour_after_a_start_are_healthy(vault: Vault) -> None:
    aged(vault, 0.9)
    assert vault("health").code == 0
    aged(vault, 1.1)
    result = vault("health")
    assert result.code == 1
    assert "no backup is proven" in result.bad


# ---------------------------------------------------------------- exit codes


@pytest.mark.parametrize("command", ["list", "backup", "prune", "audit", "health", "prove", "verify-data"])
def test_a_journal_that_cannot_be_read_is_exit_2(vault: Vault, command: str) -> None:
    path = vault.taken()
    (vault.place / "scratch" / "heartbeat").touch()
    journal = vault.backups / "journal.jsonl"
    journal.rename(vault.place / "journal")
    journal.mkdir()
    result = vault(command, *([path.name] if command == "prove" else []))
    assert result.code == 2, result
    assert "Traceback" not in result.error


def test_a_manifest_that_cannot_be_read_is_exit_2(vault: Vault) -> None:
    path = vault.taken()
    manifest = path.with_name(path.name + ".manifest.json")
    manifest.unlink()
    manifest.mkdir()
    for arguments in (["show", path.name], ["prove", path.name], ["verify", path.name], ["audit"]):
        result = vault(*arguments)
        assert result.code == 2, arguments
        assert "Traceback" not in result.error
