"""What may be removed: tier, kind, age, order, and promise 5 over random histories."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgervault.model.config import Tier
from ledgervault.model.retention import Candidate, Rule, removable, why_kept

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def kept(
    seq: int, hours: float, kind: str = "db", tier: str = "hourly", proven: bool = True, shrunken: bool = False
) -> Candidate:
    return Candidate(f"f{seq}", kind, tier, seq, NOON - timedelta(hours=hours), proven, shrunken)


def gone(backups: list[Candidate], tier: str = "hourly", keep: int = 48, least: int = 1) -> list[str]:
    return [backup.file for backup in removable(backups, tier, keep, NOON, least)]


@pytest.mark.parametrize("kind", ["db", "full"])
@pytest.mark.parametrize("tier", ["hourly", "daily", "yearly"])
def test_an_old_one_goes_in_every_tier_and_kind_and_only_in_the_tier_asked_for(tier: str, kind: str) -> None:
    backups = [kept(1, 60, kind, tier), kept(2, 1, kind, tier)]
    assert gone(backups, tier) == ["f1"]
    for other in {"hourly", "daily", "yearly"} - {tier}:
        assert gone(backups, other) == []


def test_the_age_boundary_is_exact() -> None:
    for microseconds, expected in ((0, []), (1, ["f1"])):
        backups = [replace(kept(1, 48), taken_at=NOON - timedelta(hours=48, microseconds=microseconds)), kept(2, 1)]
        assert gone(backups) == expected


def test_the_hours_are_those_of_the_tier() -> None:
    backups = [kept(1, 60), kept(2, 50), kept(3, 40), kept(4, 1)]
    assert gone(backups, keep=55) == ["f1"]
    assert gone(backups, keep=30) == ["f1", "f2", "f3"]
    assert gone(backups, keep=0) == ["f1", "f2", "f3"]


@pytest.mark.parametrize(
    "newer",
    [
        kept(2, 1, proven=False),
        kept(2, 1, shrunken=True),
        kept(2, 1, kind="full"),
        kept(1, 1),
    ],
    ids=["unproven", "shrunken", "another kind", "the same place in the journal"],
)
def test_a_newer_one_that_does_not_replace_it_lets_nothing_go(newer: Candidate) -> None:
    old = kept(1, 60, proven=False)
    assert gone([old, newer]) == []
    assert gone([old, kept(2, 1)]) == ["f1"], "its twin"


def test_one_that_is_proven_in_another_tier_lets_an_unproven_one_go_and_keeps_the_newest_proven() -> None:
    assert gone([kept(1, 60, proven=False), kept(2, 1, tier="daily")]) == ["f1"]
    assert gone([kept(1, 60), kept(2, 1, tier="daily")]) == []


def test_an_older_proven_one_is_no_reason() -> None:
    assert gone([kept(1, 70), kept(2, 60, proven=False)]) == []


def test_shrunken_and_failed_ones_thin_out_as_all_others() -> None:
    backups = [kept(1, 70, shrunken=True), kept(2, 60, proven=False), kept(3, 50), kept(4, 1)]
    assert gone(backups) == ["f1", "f2", "f3"]


@pytest.mark.parametrize(("least", "left"), [(0, 1), (1, 1), (2, 2), (3, 3), (9, 5)])
def test_a_minimum_of_proven_ones_stays_whatever_their_age(least: int, left: int) -> None:
    backups = [kept(seq, 1000 - seq) for seq in range(1, 6)] + [kept(6, 900, proven=False)]
    backups += [kept(7, 900, kind="full"), kept(8, 900, tier="daily")]
    removed = gone(backups, least=least)
    assert [f"f{seq}" for seq in range(1, 6) if f"f{seq}" not in removed] == [f"f{seq}" for seq in range(6 - left, 6)]


def test_those_of_another_kind_or_tier_do_not_count_towards_the_minimum() -> None:
    backups = [kept(1, 60), kept(2, 59), kept(3, 58, kind="full"), kept(4, 57, tier="daily"), kept(5, 1)]
    assert gone(backups, least=2) == ["f1"]


@pytest.mark.parametrize(
    ("backup", "told"),
    [(kept(1, 1), "younger than 48 h"), (kept(3, 60, kind="full"), "no newer"), (kept(2, 60), "one of the 1 newest")],
)
def test_each_that_stays_has_its_reason(backup: Candidate, told: str) -> None:
    backups = [kept(1, 1), kept(2, 60), kept(3, 60, kind="full"), kept(4, 1, tier="daily")]
    assert told in str(why_kept(backups, backup, Rule(48), NOON))


@pytest.mark.parametrize(
    ("hours", "given_least", "least"),
    [(48, None, 12), (12, None, 12), (5, None, 5), (0, None, 1), (48, 3, 3), (48, 0, 1)],
)
def test_the_minimum_follows_the_tier(hours: int, given_least: int | None, least: int) -> None:
    assert Tier(hours, keep_least=given_least).least == least


# ---------------------------------------------------------------- promise 5

_TIERS = ("hourly", "daily")
_KINDS = ("db", "full")
_BACKUPS = st.lists(
    st.tuples(
        st.sampled_from(_KINDS), st.sampled_from(_TIERS), st.integers(-50, 200), st.booleans(), st.integers(0, 3)
    ),
    max_size=14,
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(_BACKUPS, st.integers(0, 100), st.integers(0, 4), st.randoms(use_true_random=False))
def test_promise_5_over_random_histories(
    drawn: list[tuple[str, str, int, bool, int]], keep: int, least: int, order: random.Random
) -> None:
    backups = [
        kept(seq, hours, kind, tier, proven, shrunken == 0)
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


def assert_replaced(backup: Candidate, left: list[Candidate], keep: int) -> None:
    assert backup.taken_at < NOON - timedelta(hours=keep)
    shows_loss = backup.proven and backup.shrunken  # such a one thins out as newer ones are proven
    newer = [o for o in left if o.seq > backup.seq and o.kind == backup.kind and o.proven]
    assert any(shows_loss or not o.shrunken for o in newer), "what replaces it is still there afterwards"


def assert_minimum_stays(backups: list[Candidate], removed: set[int], kind: str, tier: str, least: int) -> None:
    proven = sorted(b.seq for b in backups if (b.kind, b.tier, b.proven) == (kind, tier, True))
    assert not removed & set(proven[-max(1, least) :])


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
