"""What the bench claims of the vault: ratios, demands that can fail, and the floor where pg_dump alone is beyond."""

from __future__ import annotations

import pytest

from bench import figures, vault


def a_round(start: float = 0.3, **changes: float) -> dict[str, dict[str, float]]:
    seconds = {
        "dump": 10.0, "dump_limit": 2.0, "counted": 3.5, "hashed": 5.0, "restore": 20.0, "proof": 11.0,
        "proof_hourly": 8.0, **changes,
    }  # fmt: skip
    return {
        way: {"seconds": each, "processor": each / 4, "own_mb": 40.0, "after_start": 0.5, "start": start}
        for way, each in seconds.items()
    }


def bad(rows: int, *rounds: dict[str, dict[str, float]]) -> list[str]:
    return [demand.name for demand in vault.demands(rows, rounds) if demand.bad]


def test_what_is_within_its_limits_holds_at_both_sizes() -> None:
    assert bad(1_000_000, a_round()) == bad(1_666, a_round()) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hashed": 6.1}, "every row hashed"),
        ({"counted": 4.1}, "rows counted"),
        ({"proof_hourly": 12.1}, "each hour"),
    ],
)
def test_a_way_beyond_its_limit_does_not_hold(change: dict[str, float], told: str) -> None:
    names = bad(1_000_000, a_round(**change))
    assert len(names) == 1
    assert told in names[0]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("own_mb", 64.5, "own process"),
        ("own_mb", 0.0, "own process"),
        ("after_start", 1.1, "1,666 rows, proof"),
        ("after_start", 0.0, "1,666 rows, proof"),
    ],
)
def test_too_much_memory_or_time_or_none_measured_does_not_hold(field: str, value: float, told: str) -> None:
    one = {way: {**each, field: value} for way, each in a_round().items()}
    assert [told in name for name in bad(1_666, one)] == [True]


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (a_round(dump_limit=8.0, counted=15.0), "`pg_dump > /dev/null` alone is 0.80"),
        (a_round(start=13.0, proof_hourly=15.0), "the throw-away server's start alone is 0.65"),
    ],
)
def test_what_no_such_way_can_hold_is_told_with_what_was_measured(one: dict[str, dict[str, float]], why: str) -> None:
    beyond = [demand for demand in vault.demands(1_666, [one]) if not demand.holds]
    assert [(demand.bad, demand.verdict) for demand in beyond] == [(False, f"cannot hold here: {why}")]
    assert why in "\n".join(figures.demands_table(beyond))


def test_the_table_has_each_way_at_each_size_and_goes_between_its_own_markers() -> None:
    sizes = [{"rows": rows, "rounds": [a_round(), a_round(hashed=4.0)]} for rows in vault.SIZES]
    lines = vault.table(sizes)
    assert len(lines) == 2 + 2 * len(vault.WAYS)
    assert any("**0.45** | 0.40 … 0.50" in line for line in lines)
    text = f"a\n{vault.START}\nold\n{vault.END}\nb"
    assert figures.between_markers(text, "new", vault.START, vault.END) == f"a\n{vault.START}\nnew\n{vault.END}\nb"
