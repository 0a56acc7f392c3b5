"""What tests in several folders stand on: this machine's engine, and one deployed stack for those that keep it well.

Imports wait until a test asks: most tests need neither.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.soaked import pytest_collection_modifyitems  # noqa: F401 pytest calls it

if TYPE_CHECKING:
    from tests.deploy.stacks import Stack

# How long an example takes says what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def machine_in_use() -> Iterator[None]:
    """Nobody removes what these tests make while they run."""
    from scripts import leftovers

    yield from leftovers.in_use()


@pytest.fixture(scope="session")
def stack(machine_in_use: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed stack with one account and one transaction in it; destroyed at the end."""
    from tests.deploy.stacks import new_stack, warm_stack

    if warm := os.environ.get("LEDGERFLOW_TEST_STACK"):  # a person's short loop: the settings file of a stack that runs
        yield warm_stack(Path(warm), tmp_path_factory.mktemp("warm"))
        return
    for fresh in new_stack(tmp_path_factory.mktemp("stack")):
        fresh.deploy()
        fresh.add_row("the row that must survive")
        yield fresh
