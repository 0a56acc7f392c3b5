"""What tests in several folders stand on: a world of their own, and one deployed stack for those that keep it well.

Imports wait until a test asks: most tests need neither.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests.soaked import pytest_collection_modifyitems  # noqa: F401 pytest calls it

if TYPE_CHECKING:
    from tools.kit.stacks import Stack

# How long an example takes says what else the machine does.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def bed() -> None:
    """A world with an engine of its own: these tests make, stop and remove what a machine's user would miss."""
    if not os.environ.get("LEDGERFLOW_BED"):
        pytest.exit(
            "these tests run in a world of their own, never on the machine's engine\n"
            "HINT: scripts/bed run --template stack -- .venv/bin/python -m pytest … (docs/testing.md)",
            returncode=2,
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # asked to end, a session cleans up


@pytest.fixture(scope="session")
def stack(bed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A deployed stack with one account and one transaction in it: the template's, or a warm one of a developer."""
    from tests.deploy import template
    from tools.kit.stacks import warm_stack

    if warm := os.environ.get("LEDGERFLOW_TEST_STACK"):  # a person's short loop: the settings file of a stack that runs
        yield warm_stack(Path(warm), tmp_path_factory.mktemp("warm"))
        return
    yield template.deployed(tmp_path_factory.mktemp("stack"))
