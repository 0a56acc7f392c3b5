"""A wrong directory in the place of the data never becomes a ledger."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.kit.stacks import Stack


@pytest.fixture(autouse=True)
def no_row_is_lost(stack: Stack) -> Iterator[None]:
    before = stack.rows()
    assert "the row that must survive" in before
    yield
    assert stack.rows() == before


@contextmanager
def directory_replaced_by(stack: Stack, replacement: Path | None) -> Iterator[Path]:
    """`db_data` moved aside and `replacement` copied to its place (None: an empty directory), then all put back."""
    place = stack.data / "db_data"
    aside = place.with_name("db_data.aside")
    stack.docker("stop", f"{stack.id}-postgres")
    place.rename(aside)
    try:
        if replacement is None:
            place.mkdir()
        else:
            shutil.copytree(replacement, place)
        yield place
    finally:
        stack.docker("stop", f"{stack.id}-postgres")
        shutil.rmtree(place)
        aside.rename(place)
        stack.docker("start", f"{stack.id}-postgres")
        stack.wait_until_healthy("postgres")


def files_below(place: Path) -> list[str]:
    return sorted(str(path.relative_to(place)) for path in place.rglob("*"))


def refused(stack: Stack, saying: str) -> None:
    """The container is started as the engine would, ends by itself and says why."""
    name, since = f"{stack.id}-postgres", time.time()
    stack.docker("start", name, check=False)
    stack.wait_for(lambda: saying in stack.said("postgres", since))
    assert "accepting" not in stack.docker("exec", name, "pg_isready", "-h", "127.0.0.1", check=False)


def test_postgres_does_not_start_on_an_empty_directory(stack: Stack) -> None:
    with directory_replaced_by(stack, None) as place:
        refused(stack, "volume db_data: no sentinel .ledgerflow.json")
        assert files_below(place) == []
        run = stack.play("deploy")
        assert run.status != 0
        assert "db_data" in run.text
        assert "HINT:" in run.text
        assert files_below(place) == []


def test_postgres_does_not_start_on_another_stacks_directory(stack: Stack, tmp_path: Path) -> None:
    other = tmp_path / "db_data"
    (other / "data").mkdir(parents=True)
    sentinel = json.loads((stack.data / "db_data/.ledgerflow.json").read_text())
    (other / ".ledgerflow.json").write_text(
        json.dumps({**sentinel, "uuid": "00000000-0000-4000-8000-000000000000", "stack": "other"})
    )
    with directory_replaced_by(stack, other) as place:
        before = files_below(place)
        refused(stack, "is another one")
        assert stack.play("deploy").status != 0
        assert files_below(place) == before


def test_postgres_does_not_start_without_its_sentinel_and_starts_again_with_it(stack: Stack) -> None:
    place = stack.data / "db_data/.ledgerflow.json"
    kept = place.read_bytes()
    stack.docker("stop", f"{stack.id}-postgres")
    place.unlink()
    try:
        refused(stack, "no sentinel .ledgerflow.json")
        run = stack.play("deploy")
        assert run.status != 0
        assert "HINT:" in run.text
    finally:
        stack.docker("stop", f"{stack.id}-postgres")
        place.write_bytes(kept)
        place.chmod(0o444)
        stack.docker("start", f"{stack.id}-postgres")
        stack.wait_until_healthy("postgres")


@pytest.mark.parametrize("what", ["db_data", "redis_data", "media", "caddy_data", "backups"])
def test_a_protected_volume_has_its_labels_and_its_directory(stack: Stack, what: str) -> None:
    seen = json.loads(stack.docker("volume", "inspect", f"{stack.name}_ci_{what}"))[0]
    assert seen["Labels"]["com.ledgerflow.protect"] == "true"
    assert seen["Labels"]["com.ledgerflow.environment"] == "ci"
    assert seen["Options"] == {"type": "none", "o": "bind", "device": str(stack.data / what)}
