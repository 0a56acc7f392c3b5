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


@pytest.fixture
def current(checkout: Path) -> Path:
    """A checkout whose environment is up to date."""
    made = sorted((ROOT / ".venv").glob(".requirements-*"))
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / made[-1].name).touch()
    return checkout


def change(checkout: Path, before: str, after: str) -> None:
    text = (checkout / "pyproject.toml").read_text()
    assert before in text
    (checkout / "pyproject.toml").write_text(text.replace(before, after))


def test_another_description_of_our_package_makes_the_environment_anew(current: Path) -> None:
    change(current, 'where = ["src"]', 'where = ["other"]')
    assert bootstrap(current).returncode == 2


def test_other_settings_of_the_linters_do_not(current: Path) -> None:
    change(current, "line-length = 120", "line-length = 100")
    assert bootstrap(current).returncode == 0


def test_a_link_to_another_checkouts_environment_is_used_while_it_is_up_to_date_and_else_refused(current: Path) -> None:
    (current / ".venv").rename(current / "other")
    (current / ".venv").symlink_to(current / "other")
    assert bootstrap(current).returncode == 0
    change(current, 'where = ["src"]', 'where = ["other"]')
    done = bootstrap(current)
    assert (done.returncode, "a link to another checkout" in done.stderr) == (2, True)
    assert "HINT: rm .venv" in done.stderr
    assert (current / "other").is_dir()
