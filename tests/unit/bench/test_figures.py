"""What the bench claims: ratios of rounds, and demands that can fail."""

from __future__ import annotations

import pytest

from bench import figures
from bench.figures import WAYS, Memory, Round, Timing


def a_round(base: float, cold: float, changed: int = 0) -> Round:
    timings = {way: Timing(base, base / 2, changed) for way in WAYS}
    return {**timings, "cold": Timing(cold, cold / 2, changed)}


MEMORY = [Memory("postgres", 50.4, 1024), Memory("app-web-blue", 160.2, 512)]


def seen(rounds: list[Round], memory: list[Memory], switching_mb: int = 512) -> list[bool]:
    return [demand.holds for demand in figures.demands(rounds, memory, switching_mb)]


def test_a_ratio_is_the_median_of_each_rounds_own_so_a_busy_round_is_busy_in_both_halves() -> None:
    rounds = [a_round(5, 25), a_round(50, 250), a_round(5, 20)]
    assert figures.ratio(rounds, "nothing_to_do", "cold") == figures.Ratio(0.2, 0.2, 0.25)


def test_processor_time_is_compared_with_processor_time() -> None:
    one = {**a_round(4, 8), "cold": Timing(8, 40)}
    assert figures.ratio([one], "cold").median == 2
    assert figures.ratio([one], "cold", processor=True).median == 20


def test_what_a_round_measures_twice_counts_with_its_mean_and_its_worst() -> None:
    one = figures.one_round([("base", Timing(4, 2, 0)), ("cold", Timing(30, 9)), ("base", Timing(8, 3, 1))])
    assert one == {"base": Timing(6, 2.5, 1), "cold": Timing(30, 9, None)}


def test_a_share_that_only_the_machines_load_makes_small_is_bad() -> None:
    busy = {**a_round(5, 50), "cold": Timing(50, 7, 0)}
    assert seen([busy], MEMORY)[1] is False


def test_all_that_is_demanded_can_hold() -> None:
    assert seen([a_round(5, 25)], MEMORY) == [True, True, True]


def test_a_run_with_nothing_to_do_that_changes_something_is_bad() -> None:
    assert seen([a_round(5, 25), a_round(5, 25, changed=1)], MEMORY) == [False, True, True]


@pytest.mark.parametrize(("seconds", "holds"), [(10.0, True), (10.1, False)])
def test_more_than_a_third_of_the_time_without_accelerations_is_bad(seconds: float, holds: bool) -> None:
    assert seen([a_round(seconds, 30)], MEMORY)[1] is holds


@pytest.mark.parametrize(("switching_mb", "holds"), [(4096 - 1536, True), (4096 - 1535, False)])
def test_limits_beyond_four_gigabytes_are_bad(switching_mb: int, holds: bool) -> None:
    assert seen([a_round(5, 25)], MEMORY, switching_mb)[2] is holds


def test_a_container_without_a_limit_is_bad() -> None:
    assert seen([a_round(5, 25)], [*MEMORY, Memory("free", 1, 0)])[2] is False


def test_nothing_measured_holds_nothing() -> None:
    assert seen([], []) == [False, False, False]


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = f"before\n{figures.START}\nold\n{figures.END}\nafter\n"
    assert figures.between_markers(text, "new") == text.replace("old", "new")


@pytest.mark.parametrize("text", ["", figures.START, f"{figures.START}{figures.START}{figures.END}"])
def test_a_document_without_both_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not there once each"):
        figures.between_markers(text, "new")
