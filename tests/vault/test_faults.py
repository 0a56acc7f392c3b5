"""Faults around a backup (B16 to B19): it fails loudly, leaves nothing half-made, and the next run is clean."""
# ruff: noqa: E501  - a table of cases reads best with a case on a line

from __future__ import annotations

import fcntl
import itertools
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from kit import Cluster, Vault

from ledgervault.model import config
from ledgervault.postgres import server

SMALL = Path("/small")  # a tmpfs of 24 MB that tests/vault/run mounts
SEEDS = int(os.environ.get("LEDGERVAULT_KILLS", "3"))


def listed(vault: Vault) -> list[str]:
    return sorted(path.name for path in vault.backups.glob("*/*") if not path.is_symlink())


def test_b16_a_wrong_password_fails_loudly_and_the_right_one_works(vault: Vault) -> None:
    secret = vault.place / "password"
    secret.write_text("wrong\n")
    vault.configure(user="ledger_secret", password=f'password_file = "{secret}"')
    result = vault("backup")
    assert result.code == 2
    assert "password authentication failed" in result.error
    assert "HINT" in result.error
    assert "wrong" not in result.error.replace("wrong password", "")
    assert not listed(vault)
    secret.write_text("right\n")
    assert vault("backup").code == 0


@pytest.mark.parametrize(("content", "told"), [(None, "cannot be read"), ("", "is empty")])
def test_b16_a_missing_or_empty_password_file_is_named(vault: Vault, content: str | None, told: str) -> None:
    secret = vault.place / "password"
    if content is not None:
        secret.write_text(content)
    vault.configure(password=f'password_file = "{secret}"')
    result = vault("backup")
    assert result.code == 2
    assert str(secret) in result.error
    assert told in result.error


def test_b16_a_database_that_is_down_fails_loudly(vault: Vault) -> None:
    vault.configure(host=vault.place)
    result = vault("backup")
    assert result.code == 2
    assert f"database {vault.database} on {vault.place}:5432" in result.error
    assert "backup FAILED" in (vault.backups / "backup.log").read_text()
    assert not listed(vault)


def test_b16_a_volume_that_is_not_mounted_takes_no_backup(vault: Vault) -> None:
    vault.configure(backups=vault.place / "elsewhere")
    result = vault("backup")
    assert result.code == 2
    assert "mount the backups volume" in result.error
    assert not (vault.place / "elsewhere").exists()


def test_b16_a_volume_without_its_sentinel_takes_no_backup_and_with_it_does(vault: Vault) -> None:
    text = vault.config.read_text().replace("[places]", f'[places]\nsentinel = "{vault.place}/.ledgerflow.json"')
    vault.config.write_text(text)
    assert "the backups volume is not mounted" in vault("backup").error
    (vault.place / ".ledgerflow.json").write_text("{}")
    assert vault("backup").code == 0


def test_b16_a_read_only_volume_fails_loudly(vault: Vault) -> None:
    vault.backups.chmod(0o500)
    try:
        result = vault("backup")
        assert result.code == 2
        assert "mount the backups volume writable" in result.error
    finally:
        vault.backups.chmod(0o700)


@pytest.fixture
def small() -> Iterator[Path]:
    place = SMALL / "b"
    place.mkdir()
    yield place
    shutil.rmtree(place)


def test_b16_a_disk_that_fills_while_dumping_fails_and_leaves_no_file(vault: Vault, small: Path) -> None:
    vault.sql("CREATE TABLE public.noise AS SELECT string_agg(gen_random_uuid()::text, '') AS x"
              " FROM generate_series(1, 150000) i GROUP BY i / 100")  # fmt: skip
    (small / "filler").write_bytes(b"x" * (22 << 20))
    vault.configure(backups=small, limits="free_mb = 0")
    result = vault("backup")
    assert result.code == 2
    assert "No space left on device" in result.error
    assert not [path for path in small.rglob("*.gz*")]
    vault.sql("DROP TABLE public.noise")
    assert vault("backup").code == 0


def test_b16_too_little_room_is_refused_before_anything_is_written(vault: Vault, small: Path) -> None:
    vault.configure(backups=small, limits="free_mb = 100000")
    assert "100000 MB wanted" in vault("backup").error
    assert not [path for path in small.rglob("*.gz*")]


def test_b16_an_extension_that_is_missing_here_is_inconclusive(vault: Vault) -> None:
    result = vault.doctored(
        lambda sql: sql.replace(
            "CREATE TABLE public.category", "CREATE EXTENSION nowhere;\nCREATE TABLE public.category"
        )
    )
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert 'extension "nowhere" is not available' in result.bad


def test_b16_a_role_that_is_missing_in_the_dump_is_failed(vault: Vault) -> None:
    result = vault.doctored(
        lambda sql: sql.replace('CREATE ROLE "ledger_app";', "").replace('ALTER ROLE "ledger_app"', "-- ")
    )
    assert result.verdict == "failed"
    assert 'role "ledger_app" does not exist' in result.bad


def test_b18_a_disk_that_fills_while_proving_is_inconclusive_and_the_backup_stays(vault: Vault, small: Path) -> None:
    path = vault.taken()
    vault.configure(scratch=small)
    result = vault("prove", path.name)
    assert (result.code, result.verdict) == (2, "inconclusive")
    assert path.exists()
    assert not [*small.glob("prove-*")]
    vault.configure()
    assert vault("prove", path.name).verdict == "proven"


def test_b19_a_second_backup_is_told_who_holds_the_lock_and_waits_for_it(vault: Vault) -> None:
    lock = vault.backups / ".backup.lock"
    holder = subprocess.Popen(
        [sys.executable, "-c",
         "import fcntl,sys,time; f=open(sys.argv[1],'w'); fcntl.flock(f,2); print(file=f, end='{\"what\": \"the other backup\","
         " \"pid\": 7, \"since\": \"now\"}'); f.flush(); print(flush=True); time.sleep(float(sys.argv[2]))", str(lock), "3"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout is not None
    holder.stdout.readline()
    result = vault("backup")
    assert result.code == 2
    assert "held by the other backup (pid 7, since now), waited 1 s" in result.error
    vault.configure(limits="lock_wait_seconds = 30")
    assert vault("backup").code == 0
    holder.communicate()


def test_b19_retention_leaves_alone_what_a_proof_is_reading(vault: Vault) -> None:
    vault.configure(extra="[tiers.hourly]\nkeep_hours = 0")
    first, second = vault.taken(), vault.taken()
    vault.proven(first)
    vault.proven(second)
    with first.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert vault("prune").data["removed"] == []
    assert vault("prune").data["removed"] == [first.name]
    assert second.exists()


def test_two_backups_within_a_second_have_two_names(vault: Vault) -> None:
    assert vault.taken() != vault.taken()


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("command", ["backup", "prove"])
def test_b17_killed_at_any_moment_the_next_run_is_clean(
    vault: Vault, cluster: Cluster, command: str, seed: int
) -> None:
    vault.sql("INSERT INTO public.transaction (amount, description, day)"
              " SELECT 1, md5(i::text), '2025-01-01' FROM generate_series(1, 60000) i")  # fmt: skip
    path = vault.taken()
    arguments = ["--config", str(vault.config), command, *([path.name] if command == "prove" else [])]
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "ledgervault", *arguments], stdout=subprocess.DEVNULL, check=True)
    share = random.Random(seed * 31 + len(command)).uniform(0.05, 0.98)  # noqa: S311 - a seeded moment, no secret
    moment = share * (time.monotonic() - started)
    process = subprocess.Popen([sys.executable, "-m", "ledgervault", *arguments], stdout=subprocess.DEVNULL)
    time.sleep(moment)
    process.kill()
    process.wait()
    assert _settles(lambda: not _leftovers(vault)), f"killed after {moment:.2f} s: {_leftovers(vault)}"
    known = {entry["file"] for entry in vault("list").data}
    assert all(entry["intact"] or entry["file"] != path.name for entry in vault("list").data)
    vault.proven()
    assert vault("audit").code == 0, vault("audit").data
    assert not [*vault.backups.glob("*/.*")], "something half-made stayed"
    assert known <= {entry["file"] for entry in vault("list").data}
    quiet = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(ledgervault|pg_dump)'"
    assert _settles(lambda: cluster.run("postgres", quiet) == [(0,)]), "a connection stayed"


def test_a_backup_that_is_stopped_by_a_signal_keeps_nothing_half_made(vault: Vault) -> None:
    vault.sql("CREATE TABLE public.noise AS SELECT md5(i::text) FROM generate_series(1, 400000) i")
    process = subprocess.Popen([sys.executable, "-m", "ledgervault", "--config", str(vault.config), "backup"],
                               stderr=subprocess.PIPE)  # fmt: skip
    assert _settles(lambda: any(vault.backups.glob("*/.*.partial")))
    with process:
        process.send_signal(signal.SIGTERM)
        said = process.stderr.read() if process.stderr else b""
    assert process.returncode == 2, said
    assert b"interrupted" in said
    assert not [*vault.backups.glob("*/.*")]


@pytest.mark.parametrize("started", range(1, 5))
def test_a_signal_that_comes_as_a_thread_is_started_ends_the_backup_too(
    vault: Vault, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is left waiting for a thread whose work nobody ends. Were it so, SIGALRM would end this very process."""
    _stopped_as_a_thread_starts(vault, started, monkeypatch, "backup")
    assert not [*vault.backups.glob("*/.*"), *vault.backups.glob("*/*")]
    vault.proven()


@pytest.mark.parametrize("started", range(1, 5))
def test_a_signal_that_comes_as_a_thread_is_started_ends_the_proof_too(
    vault: Vault, started: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two load a large table, two read and index what was loaded."""
    vault.sql("INSERT INTO public.transaction (amount, description, day)"
              " SELECT 1, md5(i::text), '2025-01-01' FROM generate_series(1, 60000) i")  # fmt: skip
    path = vault.taken()
    _stopped_as_a_thread_starts(vault, started, monkeypatch, "prove", path.name)
    assert vault("prove", path.name).verdict == "proven"


def _stopped_as_a_thread_starts(vault: Vault, started: int, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    original, count = ThreadPoolExecutor.submit, itertools.count(1)

    def submit(pool: ThreadPoolExecutor, *work: Any) -> Future[Any]:
        future: Future[Any] = original(pool, *work)
        if next(count) == started:
            signal.raise_signal(signal.SIGTERM)
        return future

    with monkeypatch.context() as changed:
        changed.setattr(ThreadPoolExecutor, "submit", submit)
        stopped = vault(*arguments)
    assert (stopped.code, "interrupted" in stopped.error) == (2, True)
    assert _settles(lambda: not _leftovers(vault)), _leftovers(vault)


@pytest.mark.parametrize("step", ["journal", "manifest", "digests", "data"])
def test_b17_a_run_that_stops_between_journal_and_names_is_finished_by_the_next(
    vault: Vault, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledgervault.storage import files

    original, count = files.reveal, {"journal": 0, "manifest": 1, "digests": 2, "data": 3}[step]
    calls: list[Path] = []

    def stop(path: Path) -> None:
        if path.parent.name != "hourly":  # state and reserve have nothing to do with the names of a backup
            return original(path)
        if len(calls) == count:
            raise KeyboardInterrupt
        calls.append(path)
        return original(path)

    monkeypatch.setattr(files, "reveal", stop)
    vault("backup")
    monkeypatch.setattr(files, "reveal", original)
    first = json.loads((vault.backups / "journal.jsonl").read_text().splitlines()[0])["file"]
    vault.proven()
    assert vault("audit").code == 0
    assert next(entry["file"] for entry in vault("list").data) == first
    vault.proven(vault.backups / "hourly" / first)


def test_a_torn_last_line_of_the_journal_is_removed_by_the_next_run(vault: Vault) -> None:
    vault.proven()
    with (vault.backups / "journal.jsonl").open("ab") as journal:
        journal.write(b'{"seq": 3, "ti')
    assert "bytes of an unfinished line" in json.dumps(vault("audit").data)
    vault.proven()
    assert vault("audit").code == 0


def test_what_killed_proofs_leave_is_swept_and_a_running_one_is_not(vault: Vault) -> None:
    scratch = vault.place / "scratch"
    for name in ("prove-dead", "prove-alive"):
        (scratch / name / "data").mkdir(parents=True)
        (scratch / name / "lock").touch()
    (scratch / "prove-dead" / "data" / "postmaster.pid").write_text("1\n")
    sockets = {name: Path(tempfile.gettempdir(), name) for name in ("prove-dead", "prove-alive")}
    for place in sockets.values():
        place.mkdir()
    with (scratch / "prove-alive" / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert server.sweep(scratch) == ["prove-dead"]
        assert [name for name, place in sockets.items() if place.exists()] == ["prove-alive"]
    assert server.sweep(scratch) == ["prove-alive"]
    assert not sockets["prove-alive"].exists()
    assert server.sweep(vault.place / "nowhere") == []


def test_the_server_of_a_proof_is_reached_from_its_own_container_alone(vault: Vault) -> None:
    """It trusts whoever reaches its socket, and the scratch space is a volume that others may mount."""
    scratch = vault.place / "scratch"
    with server.throw_away(scratch, "postgres", config.Limits()) as running:
        assert not [path for path in scratch.rglob("*") if path.is_socket()]
        assert [path.is_socket() for path in running.sockets.glob(".s.PGSQL.5432")] == [True]
        assert stat.S_IMODE(running.sockets.stat().st_mode) == 0o700
    assert not running.sockets.exists()


def test_a_scratch_space_that_is_missing_is_inconclusive_with_the_reason(vault: Vault) -> None:
    path = vault.taken()
    vault.configure(scratch="/nowhere")
    assert "scratch /nowhere" in vault("prove", path.name).bad


def test_a_place_too_long_for_a_socket_is_inconclusive_with_the_reason(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = vault.place / ("x" * 90)
    long.mkdir()
    path = vault.taken()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert "too long for a unix socket" in vault("prove", path.name).bad


def _leftovers(vault: Vault) -> list[str]:
    """Processes that work for this vault."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if str(vault.place).encode() in command or (vault.database.encode() in command and b"pg_dump" in command):
            found.append(command.replace(b"\0", b" ").decode())
    return found


def _settles(claim: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if claim():
            return True
        time.sleep(0.05)
    return claim()
