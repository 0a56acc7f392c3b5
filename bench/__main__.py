"""Measures, writes docs/bench.md, the README's quotation and build/results/bench.json; 0 if all that is demanded holds.

A module of its own because it is the order of the run: every round does all ways one after the other on the same
stack, so that a machine that is busy for a while is busy for both halves of a ratio.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict

from bench import figures, stack
from bench.figures import Memory, Round, Timing
from tools.kit.stacks import REPOSITORY, Stack

ROUNDS = 3


def main() -> int:
    """Exit code: 0 all demands hold, 1 one does not, 2 could not measure."""
    measured = stack.new_stack()
    started = time.monotonic()
    try:
        rounds, memory = measure_and_destroy(measured, int(os.environ.get("BENCH_ROUNDS", ROUNDS)))
    except stack.MeasureError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    switching_mb = next(service.limit_mb for service in memory if service.service.startswith("app-web"))
    results = figures.demands(rounds, memory, switching_mb)
    write(rounds, memory, switching_mb, results)
    print("\n".join(["", *figures.demands_table(results), "", f"bench: {time.monotonic() - started:.0f} s"]))
    return 1 if any(demand.bad for demand in results) else 0


def measure_and_destroy(measured: Stack, count: int) -> tuple[list[Round], list[Memory]]:
    """Measures and leaves nothing, whatever happened."""
    try:
        return measure(measured, count)
    finally:
        say("destroy the stack")
        stack.destroy(measured)


def measure(measured: Stack, count: int) -> tuple[list[Round], list[Memory]]:
    """The rounds, and the memory of a stack that has worked."""
    say("make the images, and remove what a killed run left")
    stack.play(measured, "images")
    rounds: list[Round] = []
    memory: list[Memory] = []
    for number in range(1, count + 1):
        stack.play(measured, "destroy", CONFIRM=measured.id)
        say(f"round {number} of {count}, load {os.getloadavg()[0]:.1f}")
        timings = [(way, tell(way, timing)) for way, timing in ways(measured)]
        rounds.append(figures.one_round(timings))
        stack.use(measured)
        memory = stack.memory(measured)
    return rounds, memory


def ways(measured: Stack) -> list[tuple[str, Callable[[], Timing]]]:
    """What a round does, in order; the base twice, before and after what it is mostly compared with."""

    def nothing_to_do() -> Timing:
        return stack.play(measured, "deploy")

    return [
        ("fresh", lambda: stack.play(measured, "deploy")),
        ("compose_serial", lambda: stack.compose_up(measured, at_once=False)),
        ("nothing_to_do", nothing_to_do),
        ("cold", lambda: stack.play(measured, "deploy", COLD="1")),
        ("nothing_to_do", nothing_to_do),
        ("mitogen", lambda: stack.play(measured, "deploy", STRATEGY="mitogen")),
        ("compose_parallel", lambda: stack.compose_up(measured, at_once=True)),
    ]


def tell(way: str, run: Callable[[], Timing]) -> Timing:
    """Runs one way and says what it took."""
    timing = run()
    changed = "" if timing.changed is None else f"  changed={timing.changed}"
    say(f"  {way:17} {timing.seconds:6.1f} s  processor {timing.processor_seconds:5.1f} s{changed}")
    return timing


def say(text: str) -> None:
    """Progress, at once."""
    print(text, flush=True)


def write(rounds: list[Round], memory: list[Memory], switching_mb: int, results: list[figures.Demand]) -> None:
    """The result as data, and the measured parts of the documents."""
    document = {
        "schema": 1,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "rounds": [{way: asdict(timing) for way, timing in timed.items()} for timed in rounds],
        "ratios": {way: asdict(figures.ratio(rounds, way)) for way in figures.WAYS},
        "memory": [asdict(timed) for timed in memory],
        "demands": [asdict(timed) for timed in results],
    }
    path = REPOSITORY / "build/results/bench.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")
    conditions = f"{len(rounds)} rounds on {os.cpu_count()} cores, in one run; medians of the rounds' own ratios."
    parts = {
        "docs/bench.md": figures.document(rounds, memory, switching_mb, conditions),
        "README.md": figures.quote(rounds, memory, switching_mb),
    }
    for name, part in parts.items():
        file = REPOSITORY / name
        file.write_text(figures.between_markers(file.read_text(), part))


if __name__ == "__main__":
    sys.exit(main())
