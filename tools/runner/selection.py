"""Which parts a change can reach: `make test CHANGED=origin/main`.

A module of its own because a path that is forgotten here is a change that nothing tests: an unknown path runs
everything, and a test compares the table with the files of the repository.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import PurePosixPath

from tools.runner.parts import ROOT, Part

FAST = ("lint", "unit", "unit guard", "workflows")
STACK_PARTS = (
    "deploy", "volumes", "secrets", "refusals", "preflight", "two stacks", "kills", "deploy lock", "incident",
    "restore",
    "browser",
)  # fmt: skip
MOLECULE_PARTS = ("molecule docker_engine", "molecule protected_volume", "molecule volume_guard")
EVERYTHING = ("*",)
# The first pattern that matches a path decides. A folder's name stands for all below it.
TABLE: tuple[tuple[str, tuple[str, ...]], ...] = (
    # Text: read by linters and by the tests of documents.
    ("docs", FAST),
    ("*.md", FAST),
    ("LICENSE", ("lint",)),
    (".editorconfig", ("lint",)),
    (".gitattributes", ("lint",)),
    (".gitignore", FAST),
    (".yamllint", ("lint",)),
    (".ansible-lint", ("lint",)),
    (".pre-commit-config.yaml", FAST),
    ("bench", FAST),
    (".github", (*FAST, "steps")),
    ("tests/workflows", (*FAST, "steps")),
    # Tests run themselves.
    ("tests/unit", FAST),
    ("tests/bed", (*FAST, "bed")),
    ("tests/app", (*FAST, "app")),
    ("tests/vault", (*FAST, "vault", "vault truth")),
    ("tests/guard", (*FAST, "guard")),
    ("tests/browser", (*FAST, "browser")),
    ("tests/integration", (*FAST, "integration", "steps", "two stacks", "incident")),
    ("tests/deploy", (*FAST, *STACK_PARTS)),
    ("molecule", (*FAST, *MOLECULE_PARTS)),
    # One product each.
    ("src/ledgervault", (*FAST, "vault", "vault truth", "preflight", "deploy", "restore")),
    ("src/ledgerguard", (*FAST, "guard", "molecule volume_guard", "integration")),
    ("src/ledger_docker", (*FAST, "molecule volume_guard", "integration", "volumes")),
    ("app", (*FAST, "app", "browser", "deploy", "preflight")),
    ("roles/volume_guard", (*FAST, "molecule volume_guard", "deploy")),
    ("roles/docker_engine", (*FAST, "molecule docker_engine", "refusals", "deploy")),
    ("roles/protected_volume", (*FAST, "molecule protected_volume", "integration", "volumes", "deploy")),
    ("roles/vault", (*FAST, "preflight", "deploy", "volumes", "secrets", "restore")),
    ("roles/searxng", (*FAST, "integration", "deploy", "secrets", "browser")),
    ("roles/adminer", (*FAST, "deploy", "secrets")),
    ("roles/redis", (*FAST, "deploy", "secrets", "kills")),
    ("roles/networks", (*FAST, "integration", "deploy", "secrets", "preflight", "two stacks")),
)


def matches(path: str, pattern: str) -> bool:
    """Whether a path is the pattern, lies below it, or fits it as a name."""
    return path == pattern or path.startswith(f"{pattern}/") or ("*" in pattern and PurePosixPath(path).match(pattern))


def reached(path: str) -> tuple[str, ...]:
    """The parts that a change of one path can reach; everything where the table does not name it."""
    return next((names for pattern, names in TABLE if matches(path, pattern)), EVERYTHING)


def close(names: Iterable[str], offered: Iterable[Part]) -> list[Part]:
    """The named parts with all that they stand on, in the order offered."""
    by_name = {part.name: part for part in offered}
    pending, closed = list(names), set[str]()
    while pending:
        name = pending.pop()
        if name in by_name and name not in closed:
            closed.add(name)
            pending.extend(by_name[name].prerequisites)
    return [part for part in by_name.values() if part.name in closed]


def select(paths: Iterable[str], offered: Iterable[Part]) -> list[Part]:
    """The parts for a change, with what they stand on; all of them where one path reaches everything."""
    parts = list(offered)
    names = {name for path in paths for name in reached(path)}
    return parts if "*" in names else close(names, parts)


def changed_paths(base: str) -> list[str]:
    """Paths that differ from a commit, those not committed and not tracked included; ValueError names a bad `base`."""
    diff = ["git", "diff", "--name-only", "--no-renames", "-z", base, "--"]
    untracked = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    paths: list[str] = []
    for argv in (diff, untracked):
        process = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        if process.returncode:
            raise ValueError(f"CHANGED={base}: {process.stderr.strip()}")
        paths += [path for path in process.stdout.split("\0") if path]
    return paths
