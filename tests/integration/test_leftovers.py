"""What is removed of killed test runs, on an engine of this test's own: nothing but what bears a test's name."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import closing
from pathlib import Path

import docker
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "deploy"))

from engines import engine

from scripts import leftovers


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("t12ab9f-ci-postgres", True),
        ("t12ab9f_ci_db_data", True),
        ("ledgervault-tests-4194305", True),  # beyond the highest process number
        (f"ledgervault-tests-{os.getpid()}", False),  # its process is there
        ("ledger-dev-postgres", False),
        ("ttry-ci-postgres", False),
        ("t12ab9f", False),
        ("my-t12ab9f-ci-postgres", False),
    ],
)
def test_only_a_tests_own_names_are_leftovers(name: str, left: bool) -> None:
    assert leftovers.left(name) is left


def test_leftovers_go_and_all_else_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(leftovers, "CONFIG", tmp_path)
    (tmp_path / "t12ab9f-ci/postgres").mkdir(parents=True)
    (tmp_path / "ledger-ci/postgres").mkdir(parents=True)
    with engine() as own:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{own.socket}")
        with closing(docker.from_env()) as client:
            for name in ("t12ab9f-ci-data", "ledger-ci-data"):
                client.networks.create(name)
                client.volumes.create(name.replace("-", "_"))
            removed = leftovers.sweep()
            assert {network.name for network in client.networks.list()} == {"bridge", "host", "none", "ledger-ci-data"}
            assert [volume.name for volume in client.volumes.list()] == ["ledger_ci_data"]
    assert sorted(removed) == sorted(["t12ab9f-ci-data", "t12ab9f_ci_data", str(tmp_path / "t12ab9f-ci")])
    assert (tmp_path / "ledger-ci/postgres").is_dir()


def test_nothing_goes_while_another_run_is_at_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(leftovers, "LOCK", tmp_path / secrets.token_hex(3))
    monkeypatch.setattr(leftovers, "sweep", lambda: pytest.fail("something was about to be removed"))
    session = leftovers.in_use()
    next(session)
    assert leftovers.main() == 0
    assert "another test run is at work" in capsys.readouterr().out
    session.close()
