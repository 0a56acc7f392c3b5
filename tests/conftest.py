"""What tests in several folders stand on: a world of their own, and one deployed stack for those that keep it well.

Imports wait until a test asks: most tests need neither.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
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


def temporary_root(candidates: Sequence[str], may_execute: Callable[[str], bool]) -> str | None:
    """Where tests write. They write programs and run them, which a host may forbid in `/tmp` (mount option noexec)."""
    if "PYTEST_DEBUG_TEMPROOT" in os.environ or may_execute(tempfile.gettempdir()):
        return None
    return next((path for path in candidates if may_execute(path)), None)


def may_execute(directory: str) -> bool:
    """Whether programs may be run from a directory, and files be made there."""
    return os.access(directory, os.W_OK) and not os.statvfs(directory).f_flag & os.ST_NOEXEC


def pytest_configure() -> None:
    """Before pytest makes its first temporary directory."""
    build = Path(__file__).parents[1] / "build/tmp"
    build.mkdir(parents=True, exist_ok=True)
    root = temporary_root(["/var/tmp", str(build)], may_execute)
    if root is not None:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = root


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
