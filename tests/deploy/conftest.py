"""Fresh stacks for the tests that do not leave one as they found it; the shared one is in the folder above."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import guarded as hosts
from tools.kit.stacks import Stack, new_stack


@pytest.fixture(scope="session", autouse=True)
def in_world(bed: None) -> None:
    """All tests of this folder use an engine: that of a world of their own."""


@pytest.fixture
def another_stack(tmp_path: Path) -> Iterator[Stack]:
    """A stack not deployed yet; destroyed whatever the test did."""
    yield from new_stack(tmp_path)


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[hosts.Guarded]:
    """The host that test_guarded and the files behind it share, in the order of `tools.runner`."""
    with hosts.guarded_host(tmp_path_factory.mktemp("guarded")) as made:
        yield made
