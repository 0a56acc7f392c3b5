"""Every attempt of part G, on both engines, in both profiles: nothing is lost where it is refused; all twins work."""

from __future__ import annotations

import pytest

from tests.guard.attempts import ALLOWED, ATTEMPTS, REFUSED, TWINS, Attempt
from tests.guard.outcomes import judge_attempt
from tools.kit.guard_world import World


def _id(one: Attempt) -> str:
    return f"{one.group}: {one.name}"


def _skip_others(one: Attempt, world: World) -> None:
    if one.only and one.only != world.engine.version:
        pytest.skip(f"only for engine {one.only}")


@pytest.mark.parametrize("one", ATTEMPTS, ids=_id)
def test_an_attempt_comes_out_as_fixed_beforehand_and_nothing_is_lost(one: Attempt, world: World) -> None:
    _skip_others(one, world)
    expected = one.expected(world.engine.profile)
    found = judge_attempt(one, world)
    assert found.lost == [], found.said
    if expected == REFUSED:
        assert found.denied, found.said
    else:
        assert not found.denied, found.said


@pytest.mark.parametrize("one", TWINS, ids=_id)
def test_its_twin_works(one: Attempt, world: World) -> None:
    _skip_others(one, world)
    found = judge_attempt(one, world)
    assert found.lost == [], found.said
    if one.expected(world.engine.profile) == ALLOWED:
        assert found.failure == "", f"{found.failure}\n{found.said}"
        assert not found.denied, found.said
    else:
        assert found.denied, found.said
