"""Who may import whom in `src/ledgervault`: the rules below are the package's architecture."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledgervault

PACKAGE = Path(ledgervault.__file__).parent
# A layer, and the layers it may import besides itself.
ALLOWED = {
    "model": set(),
    "host": {"model"},
    "storage": {"model", "host"},
    "postgres": {"model", "host", "storage"},
    "commands": {"model", "host", "storage", "postgres"},
    "cli_restore": {"model", "host", "storage", "postgres", "commands"},
    "cli": {"cli_restore", "model", "host", "storage", "postgres", "commands"},
}
# Modules that read files, clocks or the network, or run something. `pathlib` names paths, so it is allowed.
EFFECTS = {"fcntl", "os", "psycopg", "resource", "select", "shutil", "signal", "socket", "subprocess", "sys"} | {
    "tempfile",
    "threading",
    "time",
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def place(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, also inside functions, by its full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def calls(path: Path) -> set[str]:
    """The called attributes, as `module.function`."""
    return {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    }


@pytest.mark.parametrize("path", [path for path in MODULES if layer_of(path) in ALLOWED], ids=place)
def test_a_layer_imports_only_the_layers_below_it(path: Path) -> None:
    layer = layer_of(path)
    layers = {name.split(".")[1] for name in imported(path) if name.startswith("ledgervault.")} & ALLOWED.keys()
    assert layers - {layer} <= ALLOWED[layer]


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer_of(path) for path in MODULES} - ALLOWED.keys() == {"__init__", "__main__"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "model").glob("*.py")), ids=place)
def test_the_model_imports_nothing_that_has_an_effect(path: Path) -> None:
    assert {name.split(".")[0] for name in imported(path)} & EFFECTS == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "model").glob("*.py")), ids=place)
def test_the_model_opens_no_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    called = {
        node.func.attr for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    opened = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert called & {"read_text", "read_bytes", "write_text", "write_bytes", "stat", "exists", "open"} == set()
    assert "open" not in opened


def test_only_the_process_module_starts_programs() -> None:
    starters = {path.name for path in MODULES if any(name.split(".")[0] == "subprocess" for name in imported(path))}
    forks = {path.name for path in MODULES if calls(path) & {"os.fork", "os.system", "os.posix_spawn", "os.execv"}}
    assert starters == {"process.py"}
    assert forks == set()


@pytest.mark.parametrize(
    "path", [*sorted((PACKAGE / "commands").glob("*.py")), *sorted(PACKAGE.glob("cli*.py"))], ids=place
)
def test_only_the_postgres_layer_opens_connections(path: Path) -> None:
    assert "psycopg.connect" not in calls(path)


@pytest.mark.parametrize("layer", sorted(ALLOWED.keys() - {"cli", "cli_restore"}))
def test_a_package_says_in_one_sentence_what_it_holds(layer: str) -> None:
    tree = ast.parse((PACKAGE / layer / "__init__.py").read_text(encoding="utf-8"))
    assert len(tree.body) == 1
    sentence = ast.get_docstring(tree) or ""
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
