"""The package `reading` is pure: bytes and answers in, a statement out. No Django, no files, no clock, no network."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from statements import reading

FOLDER = Path(reading.__file__ or "").parent
MODULES = sorted(FOLDER.glob("*.py"))
STANDARD = {
    "bisect", "codecs", "collections", "csv", "dataclasses", "datetime", "decimal", "functools", "hashlib", "io",
    "itertools", "operator", "re", "typing", "unicodedata",
}  # fmt: skip
EFFECTS = {"open", "print", "input", "exec", "eval", "__import__"}
CLOCK = {"now", "today", "utcnow"}
FILES = {"read_text", "read_bytes", "write_text", "write_bytes", "FileIO"}


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_of_reading_imports_its_own_package_and_pure_modules_only(path: Path) -> None:
    outside = {name for name in imported(ast.parse(path.read_text())) if not name.startswith("statements.reading")}
    assert {name.split(".")[0] for name in outside} <= STANDARD


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_of_reading_calls_nothing_that_reads_or_writes_or_asks_the_time(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert not EFFECTS & {call.id for call in calls if isinstance(call, ast.Name)}
    assert not (CLOCK | FILES) & {call.attr for call in calls if isinstance(call, ast.Attribute)}


def test_all_of_reading_can_be_loaded_without_django_and_touches_no_model() -> None:
    names = [f"statements.reading.{path.stem}" for path in MODULES if path.stem != "__init__"]
    assert len(names) > 20
    check = "import sys, {}; print(sorted(set(sys.modules) & {{'django', 'ledger', 'statements.models'}}))"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(FOLDER.parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", check.format(", ".join(names))],
        env=environment, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
