"""From what was measured to ratios, verdicts and the tables in the documents.

A module of its own because nothing in it runs anything: what is claimed, and when a claim does not hold, can be tested
without a stack.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tools import marked

# The ways that are measured in each round, in this order, and what stands for them in the tables.
WAYS = {
    "fresh": "`make deploy` of a fresh stack, images there",
    "nothing_to_do": "`make deploy` again, nothing to do",
    "mitogen": "the same with `STRATEGY=mitogen`",
    "cold": "the same with the accelerations off, `COLD=1`",
    "compose_serial": "`docker compose up -d` of every project, one after the other",
    "compose_parallel": "`docker compose up -d` of every project, all at once",
}
# These must find nothing to change; compose does not say.
UNCHANGED = ("nothing_to_do", "mitogen", "cold")
BASE = "nothing_to_do"
LARGEST_SHARE_OF_COLD = 1 / 3
LARGEST_MEMORY_MB = 4096
START, END = "<!-- bench:start -->", "<!-- bench:end -->"


@dataclass(frozen=True)
class Timing:
    """One command: what a person waited, what it and its children computed (the engine's part is not in it)."""

    seconds: float
    processor_seconds: float
    changed: int | None = None


@dataclass(frozen=True)
class Memory:
    """One container: the working set as `docker stats` counts it, and its limit, in megabytes."""

    service: str
    used_mb: float
    limit_mb: int


@dataclass(frozen=True)
class Demand:
    """Something that an issue demands, with what was seen."""

    name: str
    wanted: str
    seen: str
    holds: bool
    beyond: str = ""  # what alone, measured in the same run, already is beyond what is wanted: no way can hold

    @property
    def verdict(self) -> str:
        if self.holds:
            return "holds"
        return f"cannot hold here: {self.beyond}" if self.beyond else "**does not hold**"

    @property
    def bad(self) -> bool:
        return not self.holds and not self.beyond


@dataclass(frozen=True)
class Ratio:
    """A way against the base: the median of the rounds' own ratios, and the least and the largest of them."""

    median: float
    least: float
    largest: float


Round = Mapping[str, Timing]


def one_round(timings: Sequence[tuple[str, Timing]]) -> Round:
    """A round's timings by way; the mean of those that were measured more than once, and the most that one changed."""
    ways: dict[str, list[Timing]] = {}
    for way, timing in timings:
        ways.setdefault(way, []).append(timing)
    return {way: _mean(several) for way, several in ways.items()}


def _mean(several: Sequence[Timing]) -> Timing:
    counts = [timing.changed for timing in several if timing.changed is not None]
    return Timing(
        statistics.mean(timing.seconds for timing in several),
        statistics.mean(timing.processor_seconds for timing in several),
        max(counts) if counts else None,
    )


def ratio(rounds: Sequence[Round], way: str, base: str = BASE, processor: bool = False) -> Ratio:
    """Each round's own ratio, so that load that came and went between the rounds is in both halves of it."""

    def value(timing: Timing) -> float:
        return timing.processor_seconds if processor else timing.seconds

    return spread([value(round_[way]) / value(round_[base]) for round_ in rounds])


def spread(ratios: Sequence[float]) -> Ratio:
    """The rounds' own ratios as one."""
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def median_seconds(rounds: Sequence[Round], way: str) -> float:
    """The middle of what was waited."""
    return statistics.median(round_[way].seconds for round_ in rounds)


def demands(rounds: Sequence[Round], memory: Sequence[Memory], switching_mb: int) -> list[Demand]:
    """What must hold; nothing measured holds nothing."""
    changed = {way: [round_[way].changed for round_ in rounds] for way in UNCHANGED}
    waited = ratio(rounds, BASE, "cold").median if rounds else float("inf")
    computed = ratio(rounds, BASE, "cold", processor=True).median if rounds else float("inf")
    used, limit = sum(round_.used_mb for round_ in memory), sum(round_.limit_mb for round_ in memory) + switching_mb
    return [
        Demand(
            "a run with nothing to do changes nothing",
            "changed=0 each time",
            ", ".join(f"{way} {counts}" for way, counts in changed.items()),
            bool(rounds) and all(count == 0 for counts in changed.values() for count in counts),
        ),
        Demand(
            "a run with nothing to do / the same with the accelerations off",
            f"at most {LARGEST_SHARE_OF_COLD:.2f}, in time and in processor time",
            f"{waited:.2f}, {computed:.2f}",
            max(waited, computed) <= LARGEST_SHARE_OF_COLD,
        ),
        Demand(
            "memory: what all containers may use, with both colours of the app",
            f"at most {LARGEST_MEMORY_MB} MB, and a limit on each",
            f"{limit} MB, of which {used:.0f} used",
            bool(memory) and all(round_.limit_mb > 0 for round_ in memory) and used <= limit <= LARGEST_MEMORY_MB,
        ),
    ]


def ways_table(rounds: Sequence[Round]) -> list[str]:
    """The table of times, every row as a multiple of a run with nothing to do."""
    lines = [
        "| | times the no-op deploy | rounds from … to | its processor time, times | seconds (noise) |",
        "|---|--:|--:|--:|--:|",
    ]
    for way, label in WAYS.items():
        waited, computed = ratio(rounds, way), ratio(rounds, way, processor=True)
        cells = (
            label,
            f"**{waited.median:.2f}**",
            f"{waited.least:.2f} … {waited.largest:.2f}",
            f"{computed.median:.2f}",
            f"{median_seconds(rounds, way):.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def memory_table(memory: Sequence[Memory], switching_mb: int) -> list[str]:
    """The table of memory, the largest first, with the sums."""
    lines = ["| service | used, MB | limit, MB |", "|---|--:|--:|"]
    ordered = sorted(memory, key=lambda container: -container.used_mb)
    lines += [f"| {container.service} | {container.used_mb:.0f} | {container.limit_mb} |" for container in ordered]
    used, limit = sum(container.used_mb for container in memory), sum(container.limit_mb for container in memory)
    lines.append(f"| **all** | **{used:.0f}** | **{limit}** |")
    lines.append(f"| while a new version is switched to, the app's other colour too | | {limit + switching_mb} |")
    return lines


def demands_table(results: Sequence[Demand]) -> list[str]:
    """What was demanded and what was seen."""
    lines = ["| demanded | | seen | |", "|---|---|---|---|"]
    return lines + [f"| {d.name} | {d.wanted} | {d.seen} | {d.verdict} |" for d in results]


def document(rounds: Sequence[Round], memory: Sequence[Memory], switching_mb: int, conditions: str) -> str:
    """The measured part of docs/bench.md."""
    results = demands(rounds, memory, switching_mb)
    parts = [conditions, "", *ways_table(rounds), "", *memory_table(memory, switching_mb), "", *demands_table(results)]
    return "\n".join(parts)


def quote(rounds: Sequence[Round], memory: Sequence[Memory], switching_mb: int) -> str:
    """What the README says: ratios, and memory against its limit."""
    share, used = ratio(rounds, BASE, "cold"), sum(container.used_mb for container in memory)
    serial, parallel = ratio(rounds, BASE, "compose_serial"), ratio(rounds, BASE, "compose_parallel")
    limit = sum(container.limit_mb for container in memory) + switching_mb
    rows = [
        ("a deploy with nothing to do / the same with its accelerations off", f"{share.median:.2f}"),
        ("the same / `docker compose up -d` of all projects, one after the other", f"{serial.median:.2f}"),
        ("the same / all projects at once", f"{parallel.median:.2f}"),
        ("a fresh stack, images there / a deploy with nothing to do", f"{ratio(rounds, 'fresh').median:.1f}"),
        ("memory the whole stack uses / may use / of 4 GB", f"{used:.0f} / {limit} / {LARGEST_MEMORY_MB} MB"),
    ]
    lines = [f"| {label} | {figure} |" for label, figure in rows]
    return "\n".join(
        ["| | |", "|---|--:|", *lines, "", "All of it, and what was tried: [docs/bench.md](docs/bench.md)."]
    )


def between_markers(text: str, part: str, start: str = START, end: str = END) -> str:
    """The document with its measured part replaced; ValueError where the markers are not there once each."""
    return marked.between_markers(text, part, start, end)
