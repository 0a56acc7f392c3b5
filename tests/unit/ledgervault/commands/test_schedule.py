"""The schedule's decisions: when a run is due, what follows it, what it survives. Its runs are replaced."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledgervault.commands import schedule
from ledgervault.commands.context import Context
from ledgervault.commands.schedule import Schedule
from ledgervault.model import (
    proof,
)
from ledgervault.model.journal import Line

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("change", "due"),
    [
        ({}, False),
        ({"indexes": "definitions"}, True),
        ({"verdict": "failed"}, True),
        ({"level": "bytes"}, True),
        ({"hours": 24}, True),
        ({"hours": 23}, False),
        ({"hours": -24 * 365}, True),
    ],
)
def test_a_proof_with_every_index_is_due_once_a_day(change: dict[str, object], due: bool) -> None:
    now = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)
    told = {"verdict": "proven", "level": "data", "indexes": "all", "hours": 1, **change}
    taken = now - timedelta(hours=int(str(told.pop("hours"))))
    line = Line(1, taken.isoformat(), "proof", "a", None, "", told)
    assert schedule.every_index_is_due([line], now) is due
    assert schedule.every_index_is_due([], now)


class Run:
    """The edge: a process that ends when the test says so."""

    def __init__(self, pid: int) -> None:
        self.pid, self.killed, self.status = pid, False, None

    def poll(self) -> int | None:
        return self.status

    def kill(self) -> None:
        self.killed, self.status = True, -9


class Plan(Schedule):
    """A schedule with its runs by name."""

    def started(self) -> list[tuple[float, tuple[str, ...]]]:
        return self.__dict__.setdefault("runs", [])

    def _start(self, seconds: float, *arguments: str) -> Any:
        self.started().append((seconds, arguments))
        run = Run(len(self.started()))
        self.ends[run.pid] = time.monotonic() + seconds
        return run


@pytest.fixture
def plan(vault: Context) -> Plan:
    return Plan(vault, Path("c.toml"))


def minutes(plan: Plan, begin: datetime, number: int) -> list[str]:
    """The minutes at which a backup began, each ended before the next."""
    begun = []
    for minute in range(number):
        now = begin + timedelta(minutes=minute)
        before = len(plan.started())
        plan.tick(now)
        if len(plan.started()) > before:
            begun.append(f"{now:%H:%M}")
            plan.backup.status = 0  # type: ignore[union-attr]
    return begun


def test_a_fresh_vault_takes_one_an_hour_at_the_minute_and_none_at_once(plan: Plan) -> None:
    assert minutes(plan, NOON, 180) == ["12:07", "13:07", "14:07"]
    assert [arguments for _, arguments in plan.started()] == [("backup",)] * 3
    assert [seconds for seconds, _ in plan.started()] == [110] * 3, "the lock's wait and the backup's own limit"


@pytest.mark.parametrize(
    ("ago", "begun"),
    [(61, ["12:07"]), (62, ["12:00", "12:07"]), (60 * 72, ["12:00", "12:07"]), (-60 * 24 * 365, ["12:07"])],
)
def test_one_that_was_missed_is_taken_at_once(
    plan: Plan,
    vault: Context,
    monkeypatch: pytest.MonkeyPatch,
    ago: int,
    begun: list[str],
    take: Callable[..., Path],
    judge: Callable[..., None],
) -> None:
    path = take(vault, NOON - timedelta(minutes=ago), monkeypatch)
    judge(vault, path, proof.PROVEN)
    assert minutes(plan, NOON, 10) == begun


@pytest.mark.parametrize("ahead", [timedelta(hours=2), timedelta(days=1), timedelta(days=365)])
def test_b44_a_due_time_reckoned_when_the_clock_was_ahead_is_reckoned_anew(plan: Plan, ahead: timedelta) -> None:
    plan.tick(NOON + ahead)
    assert plan.due == NOON + ahead + timedelta(minutes=7)
    assert minutes(plan, NOON, 180) == ["12:07", "13:07", "14:07"]


def test_b44_a_clock_that_jumps_forward_or_back_for_a_while_stops_nothing(plan: Plan) -> None:
    assert minutes(plan, NOON, 60) == ["12:07"]
    assert minutes(plan, NOON + timedelta(days=365), 60) == ["12:00", "12:07"]
    assert minutes(plan, NOON + timedelta(hours=1), 60) == ["13:07"]
    assert minutes(plan, NOON - timedelta(days=1), 60) == ["12:07"]


def test_only_one_backup_runs_at_a_time_and_the_next_is_due_after_it(plan: Plan) -> None:
    plan.tick(NOON)
    plan.tick(NOON + timedelta(minutes=7))
    run = plan.backup
    assert run is not None
    assert plan.due is None
    plan.tick(NOON + timedelta(hours=3))
    assert plan.backup is run
    run.status = 2  # type: ignore[attr-defined]  - a failed one as well
    plan.tick(NOON + timedelta(hours=3, minutes=1))
    assert (plan.backup, plan.due) == (None, NOON + timedelta(hours=3, minutes=7))


def test_the_newest_unproven_backup_is_proven_once_with_its_limit(
    plan: Plan, vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path]
) -> None:
    take(vault, NOON - timedelta(minutes=3), monkeypatch)
    newest = take(vault, NOON - timedelta(minutes=1), monkeypatch)
    for _ in range(3):
        plan.tick(NOON)
    assert plan.started() == [(200, ("prove", "--then-prune", "--indexes", "all", newest.name))]


def test_one_that_was_judged_is_not_proven_again(
    plan: Plan, vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path], judge: Callable[..., None]
) -> None:
    judge(vault, take(vault, NOON - timedelta(minutes=1), monkeypatch), proof.FAILED)
    plan.tick(NOON)
    assert plan.started() == []


def test_indexes_are_built_once_a_day(
    plan: Plan, vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path], judge: Callable[..., None]
) -> None:
    judge(vault, take(vault, NOON - timedelta(minutes=2), monkeypatch), proof.PROVEN)
    take(vault, NOON - timedelta(minutes=1), monkeypatch)
    plan.tick(NOON)
    assert plan.started()[0][1][3] == "definitions"


def test_a_proof_that_ended_is_followed_by_what_waits_and_the_state_is_written(
    plan: Plan, vault: Context, monkeypatch: pytest.MonkeyPatch, take: Callable[..., Path]
) -> None:
    place = Path(str(vault.config.places.state))
    take(vault, NOON - timedelta(minutes=1), monkeypatch)
    plan.tick(NOON)
    assert json.loads(place.read_text())["queue"] == 1, "written at the start"
    place.unlink()
    plan.tick(NOON)
    assert not place.exists()
    plan.proof.status = 2  # type: ignore[union-attr]
    vault.store.log("backup FAILED no room")
    plan.tick(NOON)
    assert json.loads(place.read_text())["last_failure"]["text"] == "backup FAILED no room"


def test_a_run_that_its_limits_did_not_end_is_killed_and_the_schedule_goes_on(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan.tick(NOON)
    plan.tick(NOON + timedelta(minutes=7))
    run: Any = plan.backup
    plan.tick(NOON + timedelta(minutes=8))
    assert not run.killed
    plan.ends[run.pid] = time.monotonic() - 1
    plan.tick(NOON + timedelta(minutes=9))
    assert run.killed
    assert (plan.backup, plan.due) == (None, NOON + timedelta(hours=1, minutes=7))


def test_a_real_run_may_take_its_limit_and_five_minutes(vault: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule.sys, "executable", "true")
    plan = Schedule(vault, Path("c.toml"))
    with plan._start(100, "backup") as run:
        assert isinstance(run, subprocess.Popen)
        assert plan.ends[run.pid] - time.monotonic() == pytest.approx(400, abs=5)


def test_trouble_is_said_once_and_the_next_tick_comes(vault: Context) -> None:
    said: list[str] = []
    plan = Plan(Context(vault.config, vault.store, said.append), Path("c.toml"))
    vault.scratch.rmdir()
    for _ in range(3):
        plan.tick(NOON)
    assert said[0] == "schedule: next backup at 2025-04-22T12:07:00.000Z", "a backup needs no scratch space"
    assert len(said) == 2
    assert "heartbeat" in said[1]
    vault.scratch.mkdir()
    plan.tick(NOON)
    vault.scratch.joinpath("heartbeat").unlink()
    vault.scratch.rmdir()
    plan.tick(NOON)
    assert said[2:] == [said[1]], "the same trouble after a while without it"


def test_an_unreadable_journal_or_state_stops_neither_the_heartbeat_nor_what_comes_after(
    plan: Plan, vault: Context
) -> None:
    journal, place = vault.store.journal_path, Path(str(vault.config.places.state))
    journal.mkdir()
    plan.tick(NOON)
    assert (vault.scratch / "heartbeat").exists()
    assert plan.due is None
    journal.rmdir()
    place.mkdir()
    assert minutes(plan, NOON, 70) == ["12:07", "13:07"]
