"""The machine's engine is in use while these tests run."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def engine_in_use(machine_in_use: None) -> None:
    """All tests of this folder use the machine's engine."""
