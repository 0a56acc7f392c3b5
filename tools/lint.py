"""Runs every linter, two at a time, and says what each took.

A module of its own because the list of steps is the house's idea of clean: `make lint`, the pre-commit hook and the
workflow all run this list, so a step that is not here is not checked anywhere.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tools import junit

ROOT = Path(__file__).resolve().parent.parent
BIN = ".venv/bin/"
AT_ONCE = 2
LIMIT_SECONDS = 600
COULD_NOT, USAGE = 2, 64


@dataclass(frozen=True)
class Step:
    """One linter: its argument list, and what it needs in its environment."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What one step said."""

    step: Step
    code: int
    output: str
    seconds: float


def tracked_files(pattern: str) -> list[str]:
    """The repository's files of a pattern, relative to its root; not what make or a tool made."""
    paths = (path.relative_to(ROOT) for path in ROOT.glob(pattern) if path.is_file())
    return sorted(str(path) for path in paths if not {".venv", "build", "node_modules"} & set(path.parts))


def shell_scripts() -> list[str]:
    """Every script of a shell, by its first line."""
    folders = (".ci", "scripts", "tools", "tests", "images", "app", "molecule", "roles", "bench")
    files = [name for folder in folders for name in tracked_files(f"{folder}/**/*")]
    return [name for name in files if not name.endswith(".j2") and is_shell(ROOT / name)]


def is_shell(path: Path) -> bool:
    """True where the first line calls sh or bash."""
    with path.open("rb") as file:
        first = file.readline(80).split()
    if not first or not first[0].startswith(b"#!"):
        return False
    program = first[1] if first[0].endswith(b"/env") and len(first) > 1 else first[0]
    return program.rsplit(b"/", 1)[-1] in {b"sh", b"bash"}


def python_trees() -> list[str]:
    """What mypy reads, the app apart: it has Django's plugin and settings."""
    modules = [*tracked_files("roles/*/library/*.py"), *tracked_files("roles/*/module_utils/*.py")]
    return ["src", "tools", "filter_plugins", "bench", *modules]


def collections() -> str:
    """Where the collections of PyPI's ansible are: the linter looks elsewhere unless told."""
    return str(next(iter(sorted(ROOT.glob(".venv/lib/python3*/site-packages")))))


def steps() -> tuple[Step, ...]:
    """All linters, the slowest first."""
    workflows = tracked_files(".github/workflows/*.yml")
    ansible = {"ANSIBLE_COLLECTIONS_PATH": collections(), "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    return (
        Step("ansible-lint", (BIN + "ansible-lint", "--offline", "--nocolor"), ansible),
        Step("mypy", (BIN + "mypy", *python_trees())),
        Step("mypy app", (BIN + "mypy", "--config-file", "app/mypy.ini", "app")),
        Step("zizmor", (BIN + "zizmor", "--offline", "--quiet", "--no-progress", *workflows)),
        Step("ruff", (BIN + "ruff", "check", "--quiet")),
        Step("ruff format", (BIN + "ruff", "format", "--check", "--quiet")),
        Step("yamllint", (BIN + "yamllint", "--strict", ".")),
        # SC2329 takes a function that only a trap calls for one that nobody calls.
        Step("shellcheck", (BIN + "shellcheck", "--exclude=SC2329", *shell_scripts())),
        Step("workflow schema", (BIN + "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)),
        Step("actionlint", ("tests/workflows/actionlint", *workflows)),
        Step("roles' tables", (BIN + "python", "-m", "tools.role_docs", "--check")),
        Step("pictures", (BIN + "python", "-m", "tools.diagrams", "--check")),
        Step("addresses", (BIN + "python", "-m", "tools.addresses")),
        Step("volumes", (BIN + "python", "-m", "ledgerflow.checks.volumes")),
    )


def run(step: Step) -> Outcome:
    """Runs one step; a linter that is missing or hangs could not check, which is not fine."""
    started = time.monotonic()
    caches = {"MYPY_CACHE_DIR": str(ROOT / "build/cache/mypy"), "RUFF_CACHE_DIR": str(ROOT / "build/cache/ruff")}
    path = f"{ROOT / BIN}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, **caches, "PATH": path, **step.environment}
    try:
        process = subprocess.run(
            step.argv,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_SECONDS,
        )
        code, output = process.returncode, process.stdout.decode(errors="replace")
    except (OSError, subprocess.TimeoutExpired) as error:
        code, output = COULD_NOT, f"{step.name}: could not check: {error}\n"
    return Outcome(step, code, output, time.monotonic() - started)


def report(outcomes: Iterable[Outcome]) -> str:
    """What the failing steps said, then a line for each step."""
    lines = [f"--- {outcome.step.name}\n{outcome.output.rstrip()}\n" for outcome in outcomes if outcome.code != 0]
    for outcome in outcomes:
        lines.append(f"{'failed' if outcome.code else 'ok':7}{outcome.seconds:6.1f} s  {outcome.step.name}")
    return "\n".join(lines)


def main(only: str) -> int:
    """Runs all steps, or the one named; returns 0 when all are clean, 1 when one is not."""
    selection = [step for step in steps() if only in {"", step.name}]
    if not selection:
        print(f"ONLY={only}: no such step\nHINT: one of: {', '.join(step.name for step in steps())}", file=sys.stderr)
        return USAGE
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(run, selection))
    failed = sum(outcome.code != 0 for outcome in outcomes)
    cases = [
        (outcome.step.name, outcome.seconds, (outcome.output or f"exit {outcome.code}") if outcome.code else "")
        for outcome in outcomes
    ]
    junit.write(ROOT / "build/results/lint.xml", "lint", cases)
    print(report(outcomes))
    print(f"lint: {len(outcomes) - failed} clean, {failed} not")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(os.environ.get("ONLY", "")))
