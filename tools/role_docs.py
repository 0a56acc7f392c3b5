"""Writes each role's table of variables into its README, from the role's own specification.

A module of its own because the table is a copy that must not outlive the truth: `make docs` writes it and `make lint`
(with --check) refuses one that is stale.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml

from tools.marked import between_markers

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- variables:start -->", "<!-- variables:end -->"
HEAD = ["| variable | type | default | meaning |", "|---|---|---|---|"]

Spec = dict[str, dict[str, Any]]


def options_of(spec: Spec) -> Spec:
    """All options of a role's entry points, `main` first; entry points may share them."""
    options: Spec = {}
    for name in sorted(spec, key=lambda name: (name != "main", name)):
        for option, rule in (spec[name].get("options") or {}).items():
            options.setdefault(option, rule)
    return options


def cell(text: str) -> str:
    """Text that cannot break out of its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def type_cell(rule: dict[str, Any]) -> str:
    """`list of int`, `str: one of a, b`."""
    kind = str(rule.get("type", "str"))
    if "elements" in rule:
        kind += f" of {rule['elements']}"
    if "choices" in rule:
        kind += ": " + ", ".join(f"`{choice}`" for choice in rule["choices"])
    return kind


def default_cell(rule: dict[str, Any]) -> str:
    """The default as it would be written in a variables file, or that there is none."""
    if rule.get("required"):
        return "*required*"
    default = rule.get("default")
    text = default if isinstance(default, str) and default else json.dumps(default, ensure_ascii=False)
    return f"`{text}`"


def meaning_cell(rule: dict[str, Any]) -> str:
    """The description, which a spec may give as one text or as a list of sentences."""
    text = rule.get("description", "")
    return cell(" ".join(text) if isinstance(text, list) else str(text))


def table(spec: Spec) -> str:
    """The Markdown table of a role's variables."""
    rows = [
        f"| `{name}` | {cell(type_cell(rule))} | {cell(default_cell(rule))} | {meaning_cell(rule)} |"
        for name, rule in options_of(spec).items()
    ]
    return "\n".join(HEAD + rows) if rows else "This role has no variables."


def with_table(readme: str, spec: Spec) -> str:
    """The README with its table made anew; ValueError where the markers are not there exactly once."""
    return between_markers(readme, table(spec), START, END)


def load_spec(role: Path) -> Spec:
    """The role's entry points by name; ValueError where there is no specification."""
    path = role / "meta/argument_specs.yml"
    if not path.is_file():
        raise ValueError("meta/argument_specs.yml is missing")
    specs: Spec = yaml.safe_load(path.read_text())["argument_specs"]
    return specs


def fault(role: Path, write: bool) -> str | None:
    """Makes one README right, or tells what is wrong with it."""
    readme = role / "README.md"
    if not readme.is_file():
        return f"{readme.relative_to(ROOT)}: missing"
    try:
        expected = with_table(readme.read_text(), load_spec(role))
    except ValueError as error:
        return f"{readme.relative_to(ROOT)}: {error}"
    if readme.read_text() == expected:
        return None
    if write:
        readme.write_text(expected)
        return None
    return f"{readme.relative_to(ROOT)}: its table of variables is not what meta/argument_specs.yml says"


def main(argv: list[str]) -> int:
    """Returns 0 when every README is right (after writing, unless --check), 1 when one is not."""
    parser = argparse.ArgumentParser(prog="python -m tools.role_docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    write = not parser.parse_args(argv).check
    roles = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    faults = [text for role in roles if (text := fault(role, write))]
    if faults:
        print("\n".join(faults) + "\nHINT: make docs", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
