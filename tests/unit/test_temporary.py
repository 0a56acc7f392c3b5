"""Where tests write, on a host whose /tmp runs no program."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import conftest


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_DEBUG_TEMPROOT", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")


@pytest.mark.parametrize(
    ("executable", "chosen"),
    [({"/tmp", "/a", "/b"}, None), ({"/a", "/b"}, "/a"), ({"/b"}, "/b"), (set(), None)],
)
def test_a_directory_that_runs_no_program_is_not_used(executable: set[str], chosen: str | None) -> None:
    assert conftest.temporary_root(["/a", "/b"], executable.__contains__) == chosen


def test_a_person_s_own_choice_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DEBUG_TEMPROOT", "/mine")
    assert conftest.temporary_root(["/a"], {"/a"}.__contains__) is None


@pytest.mark.parametrize(("flags", "expected"), [(0, True), (os.ST_NOEXEC, False), (os.ST_NOSUID, True)])
def test_a_mount_that_forbids_execution_is_seen(
    flags: int, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.statvfs", lambda _path: SimpleNamespace(f_flag=flags))
    assert conftest.may_execute(str(tmp_path)) is expected
    assert conftest.may_execute(str(tmp_path / "missing")) is False
