"""Ansible finds each filter once, and says what to do where our package is missing."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from filter_plugins import host, preflight, smoke, stack

ROOT = Path(__file__).resolve().parents[3]
PLUGINS = (host, preflight, smoke, stack)
NAMES = [name for plugin in PLUGINS for name in plugin.FilterModule().filters()]


def test_every_file_is_registered_here() -> None:
    files = {path.stem for path in (ROOT / "filter_plugins").glob("*.py")}
    assert files == {plugin.__name__.rpartition(".")[2] for plugin in PLUGINS}


def test_no_name_is_registered_twice() -> None:
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []


def test_every_filter_is_used_in_a_playbook_or_a_role() -> None:
    text = "\n".join(path.read_text() for folder in ("playbooks", "roles", "inventory") for path in yaml_files(folder))
    used = set(re.findall(r"\|\s*(\w+)", text)) | set(re.findall(r"(?:map|select|reject)\('(\w+)'", text))
    assert set(NAMES) - used == set()


def yaml_files(folder: str) -> list[Path]:
    return [path for path in (ROOT / folder).rglob("*") if path.suffix in {".yml", ".j2"} and path.is_file()]


@pytest.mark.parametrize("name", [plugin.__name__.rpartition(".")[2] for plugin in PLUGINS])
def test_without_the_package_ansible_ends_with_one_message_and_its_hint(tmp_path: Path, name: str) -> None:
    """-S leaves out site-packages, and with them our package."""
    plugin = ROOT / "filter_plugins" / f"{name}.py"
    argv = [sys.executable, "-S", str(plugin)]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    message, hint = done.stderr.splitlines()
    assert message == f"{plugin}: No module named 'ledgerflow'"
    assert hint.startswith("HINT: scripts/bootstrap")
