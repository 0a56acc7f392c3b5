"""The hosts of the scenario; and the tests' own folder among Python's places, as both files use what is in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import testinfra
from testinfra.host import Host

sys.path.insert(0, str(Path(__file__).parent))

from guarded import BARE, name_of

from tests.soaked import pytest_collection_modifyitems  # noqa: F401 pytest calls it


@pytest.fixture(scope="session")
def hosts() -> list[Host]:
    found = testinfra.get_hosts(["ansible://all"], ansible_inventory=os.environ["MOLECULE_INVENTORY_FILE"])
    return [host for host in found if host.backend.host != "localhost"]


@pytest.fixture(scope="session")
def with_systemd(hosts: list[Host]) -> list[Host]:
    """Where another's stack is guarded: the role's own steps are the same on the third."""
    return [host for host in hosts if name_of(host) != BARE]
