"""One engine for all attempts of a profile, healed after each."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tools.kit.guard_world import World
from tools.kit.guarded_engine import guarded_engine, has_old_engine


@pytest.fixture(scope="session", autouse=True)
def in_world(bed: None) -> None:
    """Engines of these tests are killed and refuse: they run in a world of their own."""


# A push tries each profile and, where 20.10 can be had, each engine once; LEDGERGUARD_ALL=1 tries all four.
PUSH = ["26.1-standard", "20.10-strict" if has_old_engine() else "26.1-strict"]
ALL = ["26.1-standard", "26.1-strict", "20.10-standard", "20.10-strict"]


@pytest.fixture(scope="module", params=ALL if os.environ.get("LEDGERGUARD_ALL") else PUSH)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    version, profile = request.param.split("-")
    with guarded_engine(version, profile) as engine:
        made = World(engine)
        made.prepare()
        yield made
