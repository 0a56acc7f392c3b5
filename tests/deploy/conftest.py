"""One stack for the tests that leave it as they found it, and fresh ones for those that do not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stacks import Stack, new_stack, warm_stack

from scripts import leftovers

machine_in_use = pytest.fixture(scope="session", autouse=True)(leftovers.in_use)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed stack with one account and one transaction in it; destroyed at the end."""
    if warm := os.environ.get("LEDGERFLOW_TEST_STACK"):  # a person's short loop: the settings file of a stack that runs
        yield warm_stack(Path(warm), tmp_path_factory.mktemp("warm"))
        return
    for fresh in new_stack(tmp_path_factory.mktemp("stack")):
        fresh.deploy()
        fresh.add_row("the row that must survive")
        yield fresh


@pytest.fixture
def another_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack not deployed yet; destroyed whatever the test did."""
    yield from new_stack(tmp_path)
