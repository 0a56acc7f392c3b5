"""Which layer of the guard may import which: parsing and rules read nothing, nothing imports the command line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[3] / "src"
GUARD = SOURCES / "ledgerguard"
SHARED = frozenset({"ledgerguard", "model", "refusal"})  # values that every layer uses
LAYERS = {
    "api": SHARED | {"api"},
    "declarations": SHARED | {"declarations"},
    "lookups": SHARED | {"api", "declarations", "lookups"},
    "rules": SHARED | {"api", "declarations", "rules"},
    "service": SHARED | {"api", "declarations", "lookups", "rules", "service"},
}
PURE = ("api", "declarations", "rules")
EFFECTS = frozenset({"os", "socket", "subprocess", "shutil", "select", "pathlib", "time", "threading"})


def imported_modules(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layers_imported(file: Path) -> set[str]:
    names = [name.split(".") for name in imported_modules(file)]
    own = [parts for parts in names if parts[0] == "ledgerguard"]
    return {"ledgerguard" if parts[1].startswith("__") else parts[1] for parts in own}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_imports_only_the_layers_below_it(layer: str) -> None:
    files = sorted((GUARD / layer).glob("*.py"))
    assert len(files) > 3
    wrong = {file.name: sorted(layers_imported(file) - LAYERS[layer]) for file in files}
    assert {name: imports for name, imports in wrong.items() if imports} == {}


@pytest.mark.parametrize("layer", PURE)
def test_parsing_and_rules_import_nothing_that_reads_or_runs(layer: str) -> None:
    for file in sorted((GUARD / layer).glob("*.py")):
        top_level = {name.split(".")[0] for name in imported_modules(file)}
        assert top_level & EFFECTS == set(), file


def test_every_module_belongs_to_a_layer() -> None:
    top = {path.name for path in GUARD.iterdir() if path.name != "__pycache__"}
    assert top == {*LAYERS, "__init__.py", "__main__.py", "cli.py", "model.py", "py.typed", "refusal.py"}


def test_the_guard_does_not_need_ledger_docker_nor_the_other_way_round() -> None:
    guard = {name.split(".")[0] for file in GUARD.rglob("*.py") for name in imported_modules(file)}
    files = (SOURCES / "ledger_docker").glob("*.py")
    wrapper = {name.split(".")[0] for file in files for name in imported_modules(file)}
    assert "ledger_docker" not in guard
    assert "ledgerguard" not in wrapper
