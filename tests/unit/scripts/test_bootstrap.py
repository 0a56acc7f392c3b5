"""The first thing that runs on a fresh machine says what is missing, and does nothing when nothing is."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = ("bash", "cat", "cksum", "dirname", "env", "flock", "mkdir", "rm", "sed", "tail", "touch", "tr")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what bootstrap needs, and a PATH without any Python."""
    for folder in ("requirements", "scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "bin").mkdir()
    for name in PROGRAMS:
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return tmp_path


def bootstrap(checkout: Path) -> subprocess.CompletedProcess[str]:
    argv = [checkout / "scripts/bootstrap"]
    return subprocess.run(argv, env={"PATH": str(checkout / "bin")}, capture_output=True, text=True)


def fake_python(checkout: Path, script: str) -> None:
    (checkout / "bin/python3").write_text(f"#!/bin/sh\n{script}\n")
    (checkout / "bin/python3").chmod(0o755)


def test_an_old_or_missing_python_is_refused_with_a_hint(checkout: Path) -> None:
    done = bootstrap(checkout)
    assert (done.returncode, "3.11 or newer is needed" in done.stderr) == (2, True)
    fake_python(checkout, '[ "$1" = --version ] && echo Python 3.9.2; exit 1')
    done = bootstrap(checkout)
    assert "found Python 3.9.2" in done.stderr
    assert "HINT: " in done.stderr


def test_a_python_without_venv_is_refused_with_the_package_that_mends_it(checkout: Path) -> None:
    fake_python(checkout, 'case "$2" in *ensurepip*) exit 1;; esac')
    done = bootstrap(checkout)
    assert done.returncode == 2
    assert "venv is missing" in done.stderr
    assert "python3-venv" in done.stderr


def test_an_environment_with_the_right_stamp_is_left_alone_and_another_stamp_is_not(checkout: Path) -> None:
    made = sorted((ROOT / ".venv").glob(".requirements-*"))
    if not made:
        pytest.fail("this test runs in an environment that scripts/bootstrap did not make")
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / made[-1].name).touch()
    assert bootstrap(checkout).returncode == 0
    (checkout / "requirements/dev.txt").write_text("other==1\n")
    assert bootstrap(checkout).returncode == 2
