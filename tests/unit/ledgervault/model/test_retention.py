"""What may be removed: tier, kind, age, order, losses, and promise 5 over random histories."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgervault.model import (
    retention,
)
from ledgervault.model.config import Tier
from ledgervault.model.retention import Candidate, Rule, removable, why_kept

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def candidate(
    seq: int, hours: float, kind: str = "db", tier: str = "hourly", proven: bool = True, shrunken: bool = False
) -> Candidate:
    return Candidate(f"f{seq}", kind, tier, seq, NOON - timedelta(hours=hours), proven, shrunken)


def removed_files(backups: list[Candidate], tier: str = "hourly", keep: int = 48, least: int = 1) -> list[str]:
    return [backup.file for backup in removable(backups, tier, keep, NOON, least)]


@pytest.mark.parametrize("kind", ["db", "full"])
@pytest.mark.parametrize("tier", ["hourly", "daily", "yearly"])
def test_an_old_one_goes_in_every_tier_and_kind_and_only_in_the_tier_asked_for(tier: str, kind: str) -> None:
    backups = [candidate(1, 60, kind, tier), candidate(2, 1, kind, tier)]
    assert removed_files(backups, tier) == ["f1"]
    for other in {"hourly", "daily", "yearly"} - {tier}:
        assert removed_files(backups, other) == []


_TIERS = ("hourly", "daily")


_KINDS = ("db", "full")


def expected(backups: Mapping[int, Candidate], keep: int, least: int) -> set[int]:
    """The rule once more, from its other side: everything, less what stays for a reason."""
    going = {seq for seq, backup in backups.items() if (NOON - backup.taken_at) > timedelta(hours=keep)}
    for kind in _KINDS:
        replacing = [b.seq for b in backups.values() if b.kind == kind and b.proven and not b.shrunken]
        last = max(replacing, default=0)
        newest = max((b.seq for b in backups.values() if b.kind == kind and b.proven), default=0)
        for seq, backup in backups.items():
            if backup.kind == kind and seq >= (newest if backup.proven and backup.shrunken else last):
                going.discard(seq)
        for tier in _TIERS:
            proven = [seq for seq, b in backups.items() if (b.kind, b.tier, b.proven) == (kind, tier, True)]
            going -= set(sorted(proven, reverse=True)[: max(1, least)])
    return going


def test_the_age_boundary_is_exact() -> None:
    for microseconds, expected in ((0, []), (1, ["f1"])):
        backups = [
            replace(candidate(1, 48), taken_at=NOON - timedelta(hours=48, microseconds=microseconds)),
            candidate(2, 1),
        ]
        assert removed_files(backups) == expected


def test_the_hours_are_those_of_the_tier() -> None:
    backups = [candidate(1, 60), candidate(2, 50), candidate(3, 40), candidate(4, 1)]
    assert removed_files(backups, keep=55) == ["f1"]
    assert removed_files(backups, keep=30) == ["f1", "f2", "f3"]
    assert removed_files(backups, keep=0) == ["f1", "f2", "f3"]


@pytest.mark.parametrize(
    "newer",
    [
        candidate(2, 1, proven=False),
        candidate(2, 1, shrunken=True),
        candidate(2, 1, kind="full"),
        candidate(1, 1),
    ],
    ids=["unproven", "shrunken", "another kind", "the same place in the journal"],
)
def test_a_newer_one_that_does_not_replace_it_lets_nothing_go(newer: Candidate) -> None:
    old = candidate(1, 60, proven=False)
    assert removed_files([old, newer]) == []
    assert removed_files([old, candidate(2, 1)]) == ["f1"], "its twin"


def test_one_that_is_proven_in_another_tier_lets_an_unproven_one_go_and_keeps_the_newest_proven() -> None:
    assert removed_files([candidate(1, 60, proven=False), candidate(2, 1, tier="daily")]) == ["f1"]
    assert removed_files([candidate(1, 60), candidate(2, 1, tier="daily")]) == []


def test_an_older_proven_one_is_no_reason() -> None:
    assert removed_files([candidate(1, 70), candidate(2, 60, proven=False)]) == []


def test_shrunken_and_failed_ones_thin_out_as_all_others() -> None:
    backups = [candidate(1, 70, shrunken=True), candidate(2, 60, proven=False), candidate(3, 50), candidate(4, 1)]
    assert removed_files(backups) == ["f1", "f2", "f3"]


@pytest.mark.parametrize(("least", "left"), [(0, 1), (1, 1), (2, 2), (3, 3), (9, 5)])
def test_a_minimum_of_proven_ones_stays_whatever_their_age(least: int, left: int) -> None:
    backups = [candidate(seq, 1000 - seq) for seq in range(1, 6)] + [candidate(6, 900, proven=False)]
    backups += [candidate(7, 900, kind="full"), candidate(8, 900, tier="daily")]
    removed = removed_files(backups, least=least)
    assert [f"f{seq}" for seq in range(1, 6) if f"f{seq}" not in removed] == [f"f{seq}" for seq in range(6 - left, 6)]


def test_those_of_another_kind_or_tier_do_not_count_towards_the_minimum() -> None:
    backups = [
        candidate(1, 60),
        candidate(2, 59),
        candidate(3, 58, kind="full"),
        candidate(4, 57, tier="daily"),
        candidate(5, 1),
    ]
    assert removed_files(backups, least=2) == ["f1"]


@pytest.mark.parametrize(
    ("backup", "told"),
    [
        (candidate(1, 1), "younger than 48 h"),
        (candidate(3, 60, kind="full"), "no newer"),
        (candidate(2, 60), "one of the 1 newest"),
    ],
)
def test_each_that_stays_has_its_reason(backup: Candidate, told: str) -> None:
    backups = [candidate(1, 1), candidate(2, 60), candidate(3, 60, kind="full"), candidate(4, 1, tier="daily")]
    assert told in str(why_kept(backups, backup, Rule(48), NOON))


@pytest.mark.parametrize(
    ("hours", "given_least", "least"),
    [(48, None, 12), (12, None, 12), (5, None, 5), (0, None, 1), (48, 3, 3), (48, 0, 1)],
)
def test_the_minimum_follows_the_tier(hours: int, given_least: int | None, least: int) -> None:
    assert Tier(hours, keep_least=given_least).least == least


_BACKUPS = st.lists(
    st.tuples(
        st.sampled_from(_KINDS), st.sampled_from(_TIERS), st.integers(-50, 200), st.booleans(), st.integers(0, 3)
    ),
    max_size=14,
)


def assert_replaced(backup: Candidate, left: list[Candidate], keep: int) -> None:
    assert backup.taken_at < NOON - timedelta(hours=keep)
    shows_loss = backup.proven and backup.shrunken  # such a one thins out as newer ones are proven
    newer = [o for o in left if o.seq > backup.seq and o.kind == backup.kind and o.proven]
    assert any(shows_loss or not o.shrunken for o in newer), "what replaces it is still there afterwards"


def assert_minimum_stays(backups: list[Candidate], removed: set[int], kind: str, tier: str, least: int) -> None:
    proven = sorted(b.seq for b in backups if (b.kind, b.tier, b.proven) == (kind, tier, True))
    assert not removed & set(proven[-max(1, least) :])


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_BACKUPS, st.integers(0, 100), st.integers(0, 4), st.randoms(use_true_random=False))
def test_promise_5_over_random_histories(
    drawn: list[tuple[str, str, int, bool, int]], keep: int, least: int, order: random.Random
) -> None:
    backups = [
        candidate(seq, hours, kind, tier, proven, shrunken == 0)
        for seq, (kind, tier, hours, proven, shrunken) in enumerate(drawn, 1)
    ]
    order.shuffle(backups)
    removed = {backup.seq for tier in _TIERS for backup in removable(backups, tier, keep, NOON, least)}
    by_seq = {backup.seq: backup for backup in backups}
    left = [backup for backup in backups if backup.seq not in removed]
    for seq in removed:
        assert_replaced(by_seq[seq], left, keep)
    for kind in _KINDS:
        for tier in _TIERS:
            assert_minimum_stays(backups, removed, kind, tier, least)
    assert removed == expected(by_seq, keep, least)


def hourly(seq: int, hours: float, proven: bool = True, **more: Any) -> retention.Candidate:
    return retention.Candidate(f"f{seq}", "db", "hourly", seq, NOON - timedelta(hours=hours), proven, **more)


def test_what_is_old_goes_if_a_newer_one_is_proven() -> None:
    backups = [hourly(1, 60), hourly(2, 50), hourly(3, 1)]
    assert [b.file for b in retention.removable(backups, "hourly", 48, NOON)] == ["f1", "f2"]


@pytest.mark.parametrize(
    "backups",
    [
        [hourly(1, 60)],
        [hourly(1, 60), hourly(2, 1, proven=False)],
        [hourly(1, 60), hourly(2, 1, shrunken=True)],
        [hourly(1, 60), replace(hourly(2, 1), kind="full")],
        [hourly(1, 40), hourly(2, 1)],
        [hourly(1, 60), replace(hourly(2, 1), tier="daily")],
    ],
    ids=["alone", "newer unproven", "newer shrunken", "newer of another kind", "young", "newest proven of its tier"],
)
def test_nothing_goes_without_a_newer_proven_one(backups: list[retention.Candidate]) -> None:
    assert retention.removable(backups, "hourly", 48, NOON) == []


def test_order_comes_from_the_journal_not_from_the_clock() -> None:
    older_by_clock_newer_by_journal = [hourly(2, 100), hourly(1, 60)]
    assert [b.file for b in retention.removable(older_by_clock_newer_by_journal, "hourly", 48, NOON)] == ["f1"]


@pytest.mark.parametrize(
    ("backups", "removed"),
    [
        (
            [hourly(1, 90), hourly(2, 80, shrunken=True), hourly(3, 70, shrunken=True), hourly(4, 1, shrunken=True)],
            ["f2", "f3"],
        ),
        ([hourly(1, 90), hourly(2, 80, shrunken=True), hourly(3, 1)], ["f1", "f2"]),
        ([hourly(1, 90), hourly(2, 80, uncompared=True), hourly(3, 1, shrunken=True)], []),
        ([hourly(1, 90), hourly(2, 80, uncompared=True), hourly(3, 1, uncompared=True)], []),
        ([hourly(1, 90), hourly(2, 80, proven=False), hourly(3, 1, shrunken=True)], []),
    ],
    ids=[
        "the last good one stays, shrunken ones go",
        "accepted or whole again",
        "unknown counts for nothing",
        "unknown stays",
        "unproven stays",
    ],
)
def test_while_a_loss_is_unaccepted_the_last_good_one_stays_and_shrunken_ones_thin_out(
    backups: list[retention.Candidate], removed: list[str]
) -> None:
    assert [b.file for b in retention.removable(backups, "hourly", 48, NOON)] == removed
