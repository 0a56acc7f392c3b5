"""Runs one attempt on a world and looks at the disk: a module of its own, as the tests and the matrix both judge."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from tests.guard.attempts import Attempt
from tools.kit.guard_world import World


@dataclass(frozen=True)
class Outcome:
    """What came of an attempt. `failure`: what an assertion inside of it said."""

    lost: list[str]
    denied: bool
    said: str
    failure: str


def judge_attempt(one: Attempt, world: World) -> Outcome:
    """Runs it, judges by the sentinels, heals."""
    world.said.clear()
    failure = ""
    try:
        one.run(world)
    except AssertionError as error:
        failure = str(error) or "an assertion failed"
    except subprocess.TimeoutExpired as error:
        failure = str(error)
    denied, said = world.denied(), "\n".join(world.said)[-4000:]
    lost = world.lost()
    world.heal()
    return Outcome(lost, denied, said, failure)
