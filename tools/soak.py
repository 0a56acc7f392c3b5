"""What a soak found: its table in docs/soak.md, and which parts a soak that was stopped need not run again.

A module of its own because a soak takes hours: what passed at this very commit is remembered between runs.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from tools.junit import Counts
from tools.marked import between_markers

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "build/results/soak.json"
DOCUMENT = ROOT / "docs/soak.md"
START, END = "<!-- soak:start -->", "<!-- soak:end -->"
WHAT = {
    "reduced": "a deploy by an ordinary user, without root's places, on an engine that is not ours to configure",
    "remote": "a deploy over ssh to another host, with an engine of its own",
    "guarded": "a stack under a strict guard: its life without a refusal, the incident, the runbooks, its end",
    "nuke": "a dev stack removed after the typed word and a kept backup, or uninstalled with its data left",
    "kills": "a deploy killed at ten seeded moments; the next one heals it, the one after finds nothing to do",
    "flask app": "an app that is not ours by role app: deployed, changed, rows kept",
    "marked": "a renewed secret everywhere; a second deploy without fingerprints",
    "outages": "Redis and PostgreSQL away for a minute each, seen in a browser",
    "guard down": "every command of the runbook guard-down, on hosts broken on purpose",
    "guard fuzz": "20,000 invented requests and a million mutations of recorded ones: none that harms is let through",
    "vault kills": "`kill -9` at fifty seeded moments in each of backup and proof; the next is clean, nothing stays",
}


@dataclass(frozen=True)
class Outcome:
    """One part's tests and minutes, and the UTC day it ran."""

    passed: int
    failed: int
    minutes: float
    day: str


def commit() -> str | None:
    """The commit whose files these are; None where something is changed, so that nothing is remembered of it."""
    git = ["git", "-C", str(ROOT)]
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--", ".", ":!docs/soak.md"], capture_output=True, text=True
    )
    head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    return head.stdout.strip() if head.returncode == changed.returncode == 0 and not changed.stdout else None


def passed_before(now: str | None) -> dict[str, Outcome]:
    """The parts that passed at this commit."""
    try:
        document = json.loads(RECORD.read_text())
        outcomes = {name: Outcome(**result) for name, result in document["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    is_same_commit = now is not None and document["commit"] == now
    return {name: result for name, result in outcomes.items() if is_same_commit and not result.failed and result.passed}


def record(now: str | None, outcomes: Mapping[str, Outcome]) -> None:
    """Remembers them, with those that passed at this commit before, and writes them into the table."""
    merged = {**passed_before(now), **outcomes}
    document = {"schema": 1, "commit": now, "parts": {name: asdict(result) for name, result in merged.items()}}
    RECORD.write_text(json.dumps(document, indent=2) + "\n")
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(between_markers(text, table(merged, text), START, END))


def table(outcomes: Mapping[str, Outcome], page: str) -> str:
    """A row for each part: of these outcomes, else as it is `page` already, with its own day."""
    earlier = {line.split("|")[1].strip(): line for line in page.splitlines() if line.count("|") > 2}
    lines = ["| part | what | held | did not | minutes (noise) | day |", "|---|---|--:|--:|--:|---|"]
    for name, description in WHAT.items():
        if (result := outcomes.get(name)) is None:
            lines.append(earlier.get(name, f"| {name} | {description} | not run | | | |"))
        else:
            bad = f"**{result.failed}**" if result.failed else "0"
            lines.append(f"| {name} | {description} | {result.passed} | {bad} | {result.minutes:.0f} | {result.day} |")
    return "\n".join(lines)


def outcome(counts: Counts, seconds: float) -> Outcome:
    return Outcome(counts.passed, counts.failed, round(seconds / 60, 1), datetime.now(UTC).date().isoformat())
