"""The one file of the guard: the same bytes from the same sources, and two programs by its name."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roles.volume_guard.library import guard_zipapp as zipapp

SOURCE = Path(__file__).resolve().parents[3] / "src"


def test_who_packs_it_when_and_in_which_order_changes_nothing(tmp_path: Path) -> None:
    first = zipapp.sources(SOURCE)
    again = {name: first[name] for name in sorted(first, reverse=True)}
    assert zipapp.packed(first) == zipapp.packed(again)
    assert zipapp.packed({**first, "__main__.py": b"other"}) != zipapp.packed(first)


def test_it_is_written_only_where_it_differs(tmp_path: Path) -> None:
    dest = tmp_path / "made/guard.pyz"
    assert zipapp.write(b"one", dest)
    os.utime(dest, (5, 5))
    assert not zipapp.write(b"one", dest)
    assert dest.stat().st_mtime == 5
    assert zipapp.write(b"two", dest)
    assert dest.read_bytes() == b"two"
    assert [path.name for path in dest.parent.iterdir()] == ["guard.pyz"]


def test_what_is_not_the_guard_is_not_packed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cli\.py is not there"):
        zipapp.sources(tmp_path)


@pytest.mark.parametrize(
    ("name", "argument", "status", "said"),
    [("ledgerguard", "--version", 0, "ledgerguard "), ("ledger_docker", "ps", 127, "docker: not found")],
)
def test_its_name_says_which_program_it_is(tmp_path: Path, name: str, argument: str, status: int, said: str) -> None:
    file = tmp_path / name
    zipapp.write(zipapp.packed(zipapp.sources(SOURCE)), file)
    assert file.read_bytes().startswith(b"#!/usr/bin/python3 -I\n")
    argv = [sys.executable, "-I", str(file), argument]
    done = subprocess.run(argv, capture_output=True, text=True, env={"PATH": str(tmp_path / "none")}, check=False)
    assert done.returncode == status, done.stderr
    assert said in done.stdout + done.stderr
