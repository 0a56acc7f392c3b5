"""The store's own decisions over real files: random histories (promise 5), pruning with reasons, a full volume."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from ledgervault.commands import audit
from ledgervault.model import backup_names, baseline, content, journal, proof
from ledgervault.model.entry import Entry
from ledgervault.model.errors import CouldNot
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import Proof
from ledgervault.model.retention import Rule
from ledgervault.storage import files
from ledgervault.storage.store import Store

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


DATABASE = content.Database("app", "UTF8", "b", "C.UTF-8", "C.UTF-8", "C.UTF-8", None, -1, ())


GLOBALS = content.Globals("postgres", {}, (), (), {}, DATABASE, {})


MANIFEST = Manifest(
    1, "f", "db", "hourly", "ci", "ledger", "t", "t", "t", "17.1", 170001, "pg_dump", "0/1", "igzip", 1, "s", 1,
    content.Content({"public.t": content.Table(3, "30", "7")}, {}, {}, {}, GLOBALS), {},
)  # fmt: skip


RULES = {"hourly": Rule(48, 2), "daily": Rule(24 * 7, 1)}


class Clock:
    """The edge: `files.now`, the one place where the vault reads the time of day."""

    def __init__(self) -> None:
        self.now = NOON

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(files, "now", lambda: clock.now)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # hundreds of backups: what a power cut leaves is not asked here
    return clock


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, "ci", "ledgerflow")


def take(store: Store, tier: str = "hourly", kind: str = "db") -> Path:
    store.prepare(tier)
    name = str(store.free_name(kind, files.now()))
    data = name.encode()
    files.write_aside(store.tier(tier) / name, data)
    facts = {"file": name, "kind": kind, "tier": tier, "size": len(data), "sha256": sha256(data).hexdigest()}
    return store.commit(replace(MANIFEST, snapshot=files.stamp(), **facts))  # type: ignore[arg-type]


def judge(store: Store, path: Path, verdict: str = proof.PROVEN, shrunken: bool = False, level: str = "data") -> None:
    store.record(path, Proof(1, path.name, "m", level, verdict, "t", "t", 1.0, (), {}, shrunken))


def _taking(store: Store, clock: Clock, chance: random.Random) -> None:
    take(store, chance.choice(["hourly", "hourly", "daily"]), chance.choice(["db", "db", "full"]))


def _judging(store: Store, clock: Clock, chance: random.Random) -> None:
    if entries := store.entries():
        clock.forward(seconds=7)
        verdict = chance.choices([proof.PROVEN, proof.FAILED, proof.INCONCLUSIVE], [6, 1, 1])[0]
        judge(store, chance.choice(entries[-4:]).path, verdict, chance.random() < 0.2)


def _waiting(store: Store, clock: Clock, chance: random.Random) -> None:
    clock.forward(hours=chance.choice([1, 1, 1, 2, 19]))


def _jumping(store: Store, clock: Clock, chance: random.Random) -> None:
    clock.forward(hours=chance.choice([-1, 24, -24, 72, 24 * 365, -24 * 365]))


def _pruning(store: Store, clock: Clock, chance: random.Random) -> None:
    before = store.entries()
    with suppress(CouldNot):  # the clock is in doubt
        store.prune(RULES, files.now(), pressed=chance.random() < 0.5)
    left = {entry.file for entry in store.entries()}
    for gone in [entry for entry in before if entry.file not in left]:
        assert not gone.path.exists()
        assert any(_replaces(other, gone) and other.file in left for other in before), "nothing newer is proven"
    for tier, rule in RULES.items():
        for kind in backup_names.ENDINGS:
            ours = [e.file for e in before if e.proven and (e.line.data["tier"], e.line.data["kind"]) == (tier, kind)]
            assert set(ours[-rule.least :]) <= left
    for entry in store.entries():
        assert entry.intact


def _replaces(other: Entry, gone: Entry) -> bool:
    newer = other.line.seq > gone.line.seq and other.line.data["kind"] == gone.line.data["kind"]
    return newer and other.proven and not (other.ruling and other.ruling.data["shrunken"])


@pytest.mark.parametrize("seed", range(12))
def test_promise_5_holds_whatever_happens(store: Store, clock: Clock, seed: int) -> None:
    """Backups of both kinds and two tiers, verdicts that change, a clock that jumps, prunes at any moment."""
    chance = random.Random(seed)  # noqa: S311 - a seeded history, no secret
    for _ in range(60):
        step = chance.choices([_taking, _judging, _waiting, _jumping, _pruning], [5, 5, 5, 0.3, 3])[0]
        step(store, clock, chance)
    assert [check.text for check in audit.audit(store) if check.result == proof.FAILED] == []


def proven(store: Store, tier: str = "hourly", kind: str = "db") -> str:
    path = take(store, tier, kind)
    judge(store, path)
    return path.name


def prune(store: Store, **options: bool) -> list[str]:
    return [each.file for each in store.prune(RULES, files.now(), **options) if each.removed]


def history(store: Store, clock: Clock, hours: int) -> list[str]:
    """A proven backup each three hours, the longest time that counts whole."""
    made = []
    for _ in range(hours // 3):
        made.append(proven(store))
        clock.forward(hours=3)
    return made


def test_a_steady_history_keeps_48_hours(store: Store, clock: Clock) -> None:
    made = history(store, clock, 60)
    assert prune(store) == made[:4]
    assert [entry.file for entry in store.entries()] == made[4:]


@pytest.mark.parametrize("hours", [24, -24, 24 * 365, -24 * 365], ids=["+day", "-day", "+year", "-year"])
def test_b21_after_a_jump_nothing_is_removed_for_a_day_and_an_error_says_so(
    store: Store, clock: Clock, hours: int
) -> None:
    made = history(store, clock, 51)
    clock.forward(hours=hours)
    with pytest.raises(CouldNot, match="nothing is removed"):
        prune(store)
    made += history(store, clock, 21)
    with pytest.raises(CouldNot, match="nothing is removed for a day"):
        prune(store)
    made += history(store, clock, 6)
    removed = prune(store)
    assert removed == made[: len(removed)]
    assert len(removed) in (9, 10), "as after as many hours without a jump"


def test_b44_a_host_that_was_off_for_days_loses_no_backup_to_it(store: Store, clock: Clock) -> None:
    made = history(store, clock, 30)
    clock.forward(hours=72)
    made += history(store, clock, 3)
    assert prune(store, pressed=True) == []
    assert [entry.file for entry in store.entries()] == made


def test_b44_one_backup_from_the_future_blocks_nothing_once_the_clock_is_right_again(
    store: Store, clock: Clock
) -> None:
    made = history(store, clock, 30)
    clock.forward(days=365)
    made.append(proven(store))
    clock.forward(days=-365)
    with pytest.raises(CouldNot, match=r"365 days before line") as raised:
        prune(store)
    assert "ledgervault forget FILE --reason" in raised.value.hint
    made += history(store, clock, 45)
    removed = prune(store)
    assert removed == made[: len(removed)]
    assert len(removed) in (9, 10)


def test_a_minimum_stays_whatever_its_age(store: Store, clock: Clock) -> None:
    made = history(store, clock, 12)
    for _ in range(20):  # nothing but failures since
        clock.forward(hours=3)
        judge(store, take(store), proof.FAILED)
    assert prune(store) == made[:2]
    last = proven(store)
    removed = prune(store)
    assert made[2] in removed
    assert made[3] not in removed, "the newest two proven ones stay"
    assert last not in removed


def test_each_backup_has_its_decision_and_reason_and_a_dry_run_removes_none(store: Store, clock: Clock) -> None:
    made = history(store, clock, 60)
    weekly = proven(store, "weekly")
    decided = store.prune(RULES, files.now(), dry_run=True)
    assert [each.file for each in decided] == [*made, weekly]
    assert [each.file for each in decided if each.removed] == made[:4]
    assert len(store.entries()) == 21
    reasons = {each.file: each.reason for each in decided}
    assert reasons[made[0]] == "older than 48 h, a newer one is proven"
    assert reasons[made[10]] == "younger than 48 h"
    assert reasons[weekly] == "tier weekly has no rule in the configuration"
    assert prune(store) == made[:4]
    lines = [line for line in store.journal().lines if line.event == journal.REMOVED]
    assert [(line.file, line.data["reason"]) for line in lines] == [(file, reasons[made[0]]) for file in made[:4]]


def test_one_that_is_read_stays_with_its_reason_and_goes_later(store: Store, clock: Clock) -> None:
    made = history(store, clock, 51)
    path = store.tier("hourly") / made[0]
    with files.in_use(path):
        decided = {each.file: each for each in store.prune(RULES, files.now())}
    assert (decided[made[0]].removed, decided[made[0]].reason) == (False, "somebody is reading it")
    assert prune(store) == made[:1]


def test_one_whose_file_is_gone_is_removed_from_the_journal_too(store: Store, clock: Clock) -> None:
    made = history(store, clock, 51)
    (store.tier("hourly") / made[0]).unlink()
    assert made[0] in prune(store)


def test_a_broken_journal_removes_nothing(store: Store, clock: Clock) -> None:
    history(store, clock, 60)
    text = store.journal_path.read_bytes().splitlines(keepends=True)
    store.journal_path.write_bytes(b"".join([*text[:30], *text[31:]]))
    with pytest.raises(CouldNot, match="line 31"):
        prune(store, pressed=True)


def test_an_unreadable_journal_could_not_be_checked(store: Store) -> None:
    store.journal_path.mkdir()
    with pytest.raises(CouldNot, match="cannot be read"):
        store.entries()


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Store], None]]:
    """The edge: the journal takes no line until the reserve is gone. The vault's tests fill a real volume."""

    def fill(store: Store) -> None:
        original, reserve = Store._append_locked, store.root / ".reserve"

        def append(self: Store, *arguments: object) -> None:
            if reserve.exists():
                raise OSError(errno.ENOSPC, "No space left on device")
            original(self, *arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "_append_locked", append)

    yield fill


def test_a_full_volume_is_pruned_with_the_room_that_is_kept_for_it(
    store: Store, clock: Clock, full: Callable[[Store], None]
) -> None:
    made = history(store, clock, 51)
    assert (store.root / ".reserve").stat().st_size == 64 * 1024
    full(store)
    assert prune(store) == made[:1]
    assert not (store.root / ".reserve").exists()
    store.prepare("hourly")
    assert (store.root / ".reserve").stat().st_size == 64 * 1024


def test_names_of_one_second_do_not_collide_and_a_removed_name_is_not_used_again(store: Store, clock: Clock) -> None:
    first, second = proven(store), proven(store, "daily")
    assert backup_names.parse(second) == backup_names.BackupName("ledgerflow", "db", clock.now + timedelta(seconds=1))
    assert backup_names.parse(first) == backup_names.BackupName("ledgerflow", "db", clock.now)
    third = proven(store, kind="full")
    assert backup_names.parse(third) == backup_names.BackupName("ledgerflow", "full", clock.now)
    clock.forward(hours=1)
    history(store, clock, 60)
    assert first in prune(store)
    clock.now = NOON
    assert proven(store) not in (first, second, third)


# ---------------------------------------------------------------- a restore of the live database


RESTORE = {"id": "20250422_120000", "database": "ledger", "kept": "ledger_before_20250422_120000"}


def lost(store: Store) -> Path:
    """A proven backup that shows a loss."""
    path = take(store)
    store.record(path, replace(Proof(1, path.name, "m", "data", proof.PROVEN, "t", "t", 1.0, (), {}), loss=proof.LOST))
    return path


def newest(store: Store) -> str | None:
    found = baseline.find_baseline(store.entries())
    return found.file if found else None


def test_what_was_put_back_is_the_baseline_until_a_later_backup_is_whole(store: Store, clock: Clock) -> None:
    first, second = proven(store), proven(store)
    assert newest(store) == second
    store.restored(first, RESTORE)
    assert newest(store) == first
    third = lost(store)
    assert newest(store) == first
    assert baseline.find_open_loss(store.entries()).file == third.name  # type: ignore[union-attr]
    last = proven(store)
    assert newest(store) == last


def test_a_loss_from_before_a_restore_is_open_no_longer_and_its_tables_count_no_more(store: Store) -> None:
    first = proven(store)
    lost(store)
    assert baseline.find_open_loss(store.entries()) is not None
    store.restored(first, RESTORE)
    entries = store.entries()
    assert baseline.find_open_loss(entries) is None
    assert baseline.lost_tables(entries, entries[0]) == set()
    assert entries[1].shrunken, "the backup itself still shows it"


def test_a_shrunken_backup_that_a_person_put_back_is_a_baseline(store: Store) -> None:
    proven(store)
    bad = lost(store)
    store.restored(bad.name, RESTORE)
    assert newest(store) == bad.name
    assert not store.entries()[1].shrunken


def test_the_safety_backup_is_a_baseline_only_after_an_undo_put_it_back(store: Store) -> None:
    first, safety = proven(store), proven(store, kind=backup_names.PRE_RESTORE)
    assert newest(store) == first
    assert store.find("newest").name == store.find("latest").name == first
    store.restored(safety, RESTORE)
    assert newest(store) == safety


def test_a_restore_without_a_backup_leaves_no_baseline_until_the_next_one(store: Store) -> None:
    proven(store)
    store.restored("", RESTORE)
    assert newest(store) is None
    last = proven(store)
    assert newest(store) == last


def test_a_restore_is_written_down_once(store: Store) -> None:
    first = proven(store)
    store.restored(first, RESTORE)
    store.restored(first, RESTORE)
    store.restored(first, {**RESTORE, "id": "20250422_120001"})
    assert [line.event for line in store.journal().lines].count(journal.RESTORED) == 2


def test_what_was_put_back_stays_until_a_later_backup_replaces_it(store: Store, clock: Clock) -> None:
    """Newer ones from before the restore hold rows that nobody has any more: they allow nothing to go."""
    first = proven(store)
    proven(store)
    proven(store)
    store.restored(first, RESTORE)
    for _ in range(30):
        clock.forward(hours=2)
        lost(store)
    assert first not in prune(store)
    for _ in range(30):
        clock.forward(hours=2)
        proven(store)
    assert first in prune(store)
