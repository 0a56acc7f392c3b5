"""Which of our packages may import which: a product that needs its tests or tools cannot be shipped without them."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = {"ledgerflow", "ledgerguard", "ledgervault", "ledger_docker", "filter_plugins", "tools", "bench", "tests"}
PRODUCTS = {"ledgerflow", "ledgerguard", "ledgervault", "ledger_docker"}
# Folder → those of ours that it may import, itself left out.
LAYERS: Mapping[str, set[str]] = {
    "src/ledgerguard": {"ledger_docker"},
    "src/ledger_docker": {"ledgerguard"},
    "src/ledgervault": set(),
    "src/ledgerflow": {"ledgerguard", "ledgervault", "ledger_docker"},
    "filter_plugins": {"ledgerflow"},
    "tools": PRODUCTS,
    "bench": PRODUCTS | {"tools"},
}
# These may know more; each with its reason.
EXCEPTIONS: Mapping[str, set[str]] = {}
FOLDERS = [folder for folder in LAYERS if (ROOT / folder).is_dir()]


def imported(text: str) -> set[str]:
    """The top-level names that a file imports, wherever in the file."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def violations(folder: str) -> Iterator[str]:
    """`path: name` of each import that the layer does not allow."""
    own = folder.rpartition("/")[2]
    for path in sorted((ROOT / folder).rglob("*.py")):
        relative = str(path.relative_to(ROOT))
        allowed = LAYERS[folder] | {own} | EXCEPTIONS.get(relative, set())
        yield from (f"{relative}: {name}" for name in sorted(imported(path.read_text()) & OURS - allowed))


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_only_what_its_layer_may(folder: str) -> None:
    assert list(violations(folder)) == []


def test_every_import_of_a_file_is_seen() -> None:
    text = "import tests.soaked\ndef later():\n    from ledgervault.work import judge\n    from . import sibling\n"
    assert imported(text) == {"tests", "ledgervault"}


def test_a_forbidden_import_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(dict(LAYERS), "src/ledgerflow", set())
    monkeypatch.setattr(f"{__name__}.LAYERS", {"src/ledgerflow": set()})
    assert "src/ledgerflow/stack/deployment.py: ledgervault" in list(violations("src/ledgerflow"))


@pytest.mark.parametrize("path", sorted((ROOT / "filter_plugins").glob("*.py")), ids=lambda path: path.name)
def test_a_filter_file_imports_the_package_ansible_and_the_standard_library_alone(path: Path) -> None:
    assert imported(path.read_text()) <= {"__future__", "collections", "typing", "ledgerflow", "ansible"}


@pytest.mark.parametrize("folder", [*FOLDERS, "scripts", "roles", "tests", "molecule"])
def test_nothing_edits_where_python_looks_for_modules(folder: str) -> None:
    files = [path for path in (ROOT / folder).rglob("*.py") if str(path.relative_to(ROOT)) not in PATH_EDITORS]
    edited = [str(path.relative_to(ROOT)) for path in files if "sys.path" in path.read_text()]
    assert edited == []


# Each is started where our package is not installed, or by another Python.
PATH_EDITORS = {
    "molecule/volume_guard/tests/conftest.py",  # its package would be `molecule`, which is the installed one
    "tests/guard/recording.py",  # runs as the engine's guard, by the system's Python
    "tests/unit/test_layers.py",
}


def test_our_package_puts_no_program_before_the_host_s_own() -> None:
    """`make` runs with `.venv/bin` first in PATH: `ledgerguard` must be the host's, or none."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "scripts" not in project
    programs = {path.name for path in (ROOT / ".venv/bin").glob("ledger*")}
    assert programs == set()
