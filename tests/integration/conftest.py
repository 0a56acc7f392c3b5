"""All tests of this folder use an engine: that of a world of their own."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session", autouse=True)
def engine(bed: None) -> None:
    """The world's engine; nothing of the machine's."""
