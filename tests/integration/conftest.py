"""The machine's engine is in use while these tests run."""

from __future__ import annotations

import pytest

from scripts import leftovers

machine_in_use = pytest.fixture(scope="session", autouse=True)(leftovers.in_use)
