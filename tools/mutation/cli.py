"""`make mutants`: draws changes by seed, runs each package's unit tests on them, lists those that no test noticed.

A module of its own because it alone copies the tree and starts processes. Not a gate of a push: it takes an hour.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from queue import Queue

from tools.mutation.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
COPIED = (
    "app",
    "docs",
    "filter_plugins",
    "images",
    "inventory",
    "roles",
    "scripts",
    "src",
    "tests",
    "tools",
    "pyproject.toml",
)
LIMIT_SECONDS = 300
GOAL = 90


@dataclass(frozen=True)
class Package:
    """Decision modules, and the tests that must notice a change of them."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]


PACKAGES = {
    "guard": Package(("src/ledgerguard/**/*.py",), ("tests/unit/ledgerguard",)),
    "vault": Package(("src/ledgervault/*.py",), ("tests/unit/ledgervault",)),
    "roles": Package(
        ("filter_plugins/*.py", "roles/*/library/*.py"), ("tests/unit/filter_plugins", "tests/unit/roles")
    ),
    "scripts": Package(("scripts/*.py", "tools/runner/*.py"), ("tests/unit/scripts", "tests/unit/tools")),
}


def draw(package: Package, count: int, seed: int) -> list[Mutant]:
    """Changes drawn evenly over the modules: a long module must not hide a short one."""
    chance = random.Random(seed)  # noqa: S311 a choice of samples, no secret
    files = sorted(path for pattern in package.modules for path in ROOT.glob(pattern) if path.name != "__init__.py")
    stacks = []
    for path in files:
        made = list(mutants(str(path.relative_to(ROOT)), path.read_text()))
        chance.shuffle(made)
        stacks.append(made)
    drawn: list[Mutant] = []
    for stack in cycle(stacks):
        if len(drawn) >= count or not any(stacks):
            break
        if stack:
            drawn.append(stack.pop())
    return drawn


def is_killed(mutant: Mutant, tree: Path, tests: Sequence[str]) -> bool:
    """Whether a test fails on the change, made in a copy of the tree and undone."""
    place = tree / mutant.path
    before = place.read_text()
    try:
        ast.parse(mutant.text)
        place.write_text(mutant.text)
        argv = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", *tests]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(argv, cwd=tree, env=environment, capture_output=True, timeout=LIMIT_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return True  # an endless loop is noticed by whoever waits
    finally:
        place.write_text(before)
    return done.returncode != 0


def run(name: str, count: int, seed: int, workers: int) -> dict[str, object]:
    """The score of a package, and its survivors."""
    package = PACKAGES[name]
    drawn = draw(package, count, seed)
    trees: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory(prefix="lf-mutants-") as aside, ThreadPoolExecutor(workers) as pool:
        for number in range(workers):
            tree = Path(aside, str(number))
            tree.mkdir()
            for part in COPIED:
                source = ROOT / part
                copy = shutil.copytree if source.is_dir() else shutil.copy2
                copy(source, tree / part)
            trees.put(tree)

        def judge(mutant: Mutant) -> bool:
            tree = trees.get()
            try:
                return is_killed(mutant, tree, package.tests)
            finally:
                trees.put(tree)

        unchanged = Mutant(drawn[0].path, 0, "nothing", (ROOT / drawn[0].path).read_text())
        if judge(unchanged):
            raise SystemExit(f"make mutants: the tests of {name} fail without a change\nHINT: make test ONLY=unit")
        killed = list(pool.map(judge, drawn))
    survivors = [f"{m.path}:{m.line}: {m.change}" for m, dead in zip(drawn, killed, strict=True) if not dead]
    score = 100 * sum(killed) / len(drawn)
    return {
        "package": name,
        "mutants": len(drawn),
        "killed": sum(killed),
        "score": round(score, 1),
        "survivors": survivors,
    }


def main(argv: list[str]) -> int:
    """0 where every package reaches the goal, 1 where one does not."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutation.cli", description=__doc__)
    parser.add_argument("packages", nargs="*", help=f"of {', '.join(PACKAGES)}; all if none is named")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20261201)
    parser.add_argument("--workers", type=int, default=max(2, os.cpu_count() or 2))
    given = parser.parse_args(argv)
    scores = []
    for name in given.packages or PACKAGES:
        if name not in PACKAGES:
            print(f"make mutants: {name}: no such package\nHINT: one of {', '.join(PACKAGES)}")
            return 64
        scores.append(run(name, given.count, given.seed, given.workers))
        print(f"{name}: {scores[-1]['killed']} of {scores[-1]['mutants']} killed ({scores[-1]['score']} %)", flush=True)
        print("\n".join(f"  survived: {each}" for each in scores[-1]["survivors"]), flush=True)  # type: ignore[attr-defined]
    (ROOT / "build/results").mkdir(parents=True, exist_ok=True)
    (ROOT / "build/results/mutants.json").write_text(json.dumps(scores, indent=2) + "\n")
    return 0 if all(float(str(score["score"])) >= GOAL for score in scores) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
