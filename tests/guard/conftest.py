"""One engine for all attempts of a profile, healed after each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts import leftovers
from tests.guard.own import own_engine
from tests.guard.world import World

machine_in_use = pytest.fixture(scope="session", autouse=True)(leftovers.in_use)


@pytest.fixture(scope="module", params=["26.1-standard", "26.1-strict", "20.10-standard", "20.10-strict"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    version, profile = request.param.split("-")
    with own_engine(version, profile) as engine:
        made = World(engine)
        made.prepare()
        yield made
