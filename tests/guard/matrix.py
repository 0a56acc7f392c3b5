"""`python -m tests.guard.matrix`: every attempt with no guard, in standard and in strict, into docs/guard-matrix.md.

A module of its own because it is a measurement, not a test: without a guard most attempts lose data, which shows that
the tests can fail. Exit 0 when everything came out as fixed beforehand, 1 when not.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.guard.attempts import ALLOWED, ATTEMPTS, TWINS, Attempt
from tests.guard.outcomes import Outcome, judge_attempt
from tools.kit.guard_world import World
from tools.kit.guarded_engine import guarded_engine

PAGE = Path(__file__).resolve().parents[2] / "docs/guard-matrix.md"
VERSIONS = ("26.1", "20.10")
PROFILES = ("", "standard", "strict")
HEAD = """# What the guard stops

Made by `make guard-matrix`: every attempt of the catalogue on engines of the tests' own, judged by sentinel files on
the disk. *lost*: data was gone or overwritten. *refused*: the guard said no and nothing was lost. *done*: the engine
did it, and nothing was lost. A way in (a container that reaches the host, an option that is taken) loses nothing yet.
What comes out is fixed in `tests/guard/attempts/` before it is tried; `!` marks what came out otherwise.

Without a guard it is the bare engine. *standard* lets through what developers' tools need to reach the host
(privileged containers, the engine's socket); *strict* does not. The guard is decided by the request, so the engine's
version matters only where its own behaviour differs.
"""


def word(found: Outcome) -> str:
    return "**lost**" if found.lost else "refused" if found.denied else "failed" if found.failure else "done"


def as_fixed(one: Attempt, version: str, profile: str, found: Outcome) -> bool:
    if not profile:
        return bool(found.lost) == one.loses_on(version)
    if found.lost:
        return False
    if one.expected(profile) == ALLOWED:
        return not found.denied and not found.failure
    return found.denied


def column(version: str, profile: str) -> dict[tuple[str, str], tuple[str, bool]]:
    """(group, name) → (what came of it, whether that was fixed beforehand)."""
    told = {}
    with guarded_engine(version, profile) as engine:
        world = World(engine)
        world.prepare()
        for one in (*ATTEMPTS, *TWINS):
            if one.only and one.only != version:
                continue
            found = judge_attempt(one, world)
            good = as_fixed(one, version, profile, found)
            told[one.group, one.name] = (word(found), good)
            if not good:
                print(f"{engine.name}: {one.group}: {one.name}: {found}", file=sys.stderr)
    return told


def page(columns: dict[tuple[str, str], dict[tuple[str, str], tuple[str, bool]]]) -> str:
    """The whole document."""
    parts = [HEAD]
    for version in sorted({version for version, _profile in columns}, reverse=True):
        for title, chosen in (("Attempts", ATTEMPTS), ("What has to work", TWINS)):
            rows = [one for one in chosen if one.only in ("", version)]
            parts.append(f"\n## {title}, engine {version}\n\n{summary(version, rows, columns)}\n")
            parts.append("| group | what | no guard | standard | strict |\n|---|---|---|---|---|\n")
            parts += [row(version, one, columns) for one in rows]
    return "".join(parts)


def summary(
    version: str, rows: list[Attempt], columns: dict[tuple[str, str], dict[tuple[str, str], tuple[str, bool]]]
) -> str:
    lost = {
        profile: sum(columns[version, profile][one.group, one.name][0] == "**lost**" for one in rows)
        for profile in PROFILES
    }
    told = f"{lost['']} with no guard, {lost['standard']} in standard, {lost['strict']} in strict"
    return f"Of {len(rows)} lost data: {told}."


def row(version: str, one: Attempt, columns: dict[tuple[str, str], dict[tuple[str, str], tuple[str, bool]]]) -> str:
    cells = [columns[version, profile][one.group, one.name] for profile in PROFILES]
    return f"| {one.group} | {one.name} | " + " | ".join(text + ("" if good else " !") for text, good in cells) + " |\n"


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.guard.matrix", description=__doc__)
    parser.add_argument("--version", action="append", choices=VERSIONS, help="default: both")
    given = parser.parse_args(argv)
    wanted = [(version, profile) for version in given.version or VERSIONS for profile in PROFILES]
    with ThreadPoolExecutor(2) as pool:
        columns = dict(zip(wanted, pool.map(lambda one: column(*one), wanted), strict=True))
    PAGE.write_text(page(columns))
    wrong = sum(not good for told in columns.values() for _word, good in told.values())
    print(f"{PAGE.name}: {sum(map(len, columns.values()))} outcomes, {wrong} not as fixed beforehand")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
