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
        told = json.loads(RECORD.read_text())
        found = {name: Outcome(**each) for name, each in told["parts"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    known = now is not None and told["commit"] == now
    return {name: each for name, each in found.items() if known and not each.failed and each.passed}


def record(now: str | None, outcomes: Mapping[str, Outcome]) -> None:
    """Remembers them, with those that passed at this commit before, and writes them into the table."""
    known = {**passed_before(now), **outcomes}
    told = {"schema": 1, "commit": now, "parts": {name: asdict(each) for name, each in known.items()}}
    RECORD.write_text(json.dumps(told, indent=2) + "\n")
    text = DOCUMENT.read_text()
    DOCUMENT.write_text(between_markers(text, table(known, text), START, END))


def table(outcomes: Mapping[str, Outcome], written: str) -> str:
    """A row for each part: of these outcomes, else as it is `written` already, with its own day."""
    earlier = {line.split("|")[1].strip(): line for line in written.splitlines() if line.count("|") > 2}
    lines = ["| part | what | held | did not | minutes (noise) | day |", "|---|---|--:|--:|--:|---|"]
    for name, what in WHAT.items():
        if (each := outcomes.get(name)) is None:
            lines.append(earlier.get(name, f"| {name} | {what} | not run | | | |"))
        else:
            bad = f"**{each.failed}**" if each.failed else "0"
            lines.append(f"| {name} | {what} | {each.passed} | {bad} | {each.minutes:.0f} | {each.day} |")
    return "\n".join(lines)


def outcome(counts: Counts, seconds: float) -> Outcome:
    return Outcome(counts.passed, counts.failed, round(seconds / 60, 1), datetime.now(UTC).date().isoformat())
