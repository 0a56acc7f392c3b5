"""Tests marked `soak` are too long for every push.

A module of its own because two conftests, of tests and of a molecule scenario, leave them out the same way.
"""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves them out, unless `make soak` asks for them."""
    if os.environ.get("LEDGERFLOW_SOAK"):
        return
    soaked = [item for item in items if item.get_closest_marker("soak")]
    config.hook.pytest_deselected(items=soaked)
    items[:] = [item for item in items if item not in soaked]
