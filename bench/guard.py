"""What the guard costs: calls of an engine with it, of one without, and of one with a plugin that only says yes, in
turn, in one run: `python -m bench.guard`.

A module of its own because it needs engines of its own and nothing of the stack. Writes its part of docs/bench.md
and build/results/bench-guard.json; 0 if all that is demanded holds, 1 if not, 2 if it could not be measured.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from bench import figures
from bench.figures import Demand
from tools import marked
from tools.kit.guard_world import OTHER, VICTIM, World
from tools.kit.guarded_engine import SYSTEM_PYTHON, GuardedEngine, guarded_engine

ROOT = Path(__file__).resolve().parent.parent
START, END = "<!-- bench-guard:start -->", "<!-- bench-guard:end -->"
CALLS, PROGRAMS = 400, 20  # of each kind, on each engine
CLIENTS, LOAD_SECONDS = 8, 5.0
CALL_MS, DELETE_MS, MEMORY_MB, LEAST_CALLS = 0.2, 0.3, 25, 1000
KINDS = {
    "read": "a read: `GET /volumes/other`",
    "change": "a change: `POST /volumes/create` of one that is there",
    "delete": "a volume's removal: `DELETE /volumes/…`",
    "ps": "`docker ps`",
    "run": "`docker run --rm tiny true`",
}
LIMITS = {"read": CALL_MS, "change": CALL_MS, "delete": DELETE_MS}


@dataclass(frozen=True)
class Cost:
    """One kind of call in milliseconds: medians and 99th percentiles without and with the guard; `least`: what a plugin
    adds that only says yes."""

    kind: str
    without: float
    added: float
    least: float
    without_p99: float
    with_p99: float

    @property
    def ratio(self) -> float:
        return (self.without + self.added) / self.without


@dataclass(frozen=True)
class Load:
    """Calls in a second of eight clients, and answers that were wrong."""

    rate: float
    wrong: int


class Client(http.client.HTTPConnection):
    """A connection to an engine's socket that is kept."""

    def __init__(self, engine: GuardedEngine) -> None:
        super().__init__("d")
        self._path = engine.socket

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def call(self, method: str, path: str, body: object = None) -> int:
        text = json.dumps(body).encode() if body is not None else None
        self.request(method, path, text, {"Content-Type": "application/json"} if text else {"Content-Length": "0"})
        answer = self.getresponse()
        answer.read()
        return answer.status


def main() -> int:
    try:
        costs, loads, memory = measure()
    except (OSError, subprocess.SubprocessError, RuntimeError, AssertionError) as error:
        print(f"bench: the guard could not be measured: {error}", file=sys.stderr)
        return 2
    results = demands(costs, loads["with"], memory)
    document = "\n".join([*table(costs, loads, memory), "", *figures.demands_table(results)])
    place = ROOT / "docs/bench.md"
    place.write_text(marked.between_markers(place.read_text(), document, START, END))
    run_figures = {"schema": 1, "load": os.getloadavg()[0], "costs": [asdict(cost) for cost in costs],
              "loads": {name: asdict(load) for name, load in loads.items()}, "memory_mb": memory,
              "demands": [asdict(demand) for demand in results]}  # fmt: skip
    (ROOT / "build/results/bench-guard.json").write_text(json.dumps(run_figures, indent=2) + "\n")
    print(document)
    return 1 if any(demand.bad for demand in results) else 0


def measure() -> tuple[list[Cost], dict[str, Load], float]:
    """Every kind of call in turn on each engine, then eight clients on the first two."""
    only_yes = (SYSTEM_PYTHON, "-I", str(ROOT / "bench/answering_plugin.py"))
    with ExitStack() as stack:
        plugins: dict[str, tuple[str, ...]] = {"": (), "standard": (), "only yes": only_yes}
        worlds = [World(stack.enter_context(guarded_engine("26.1", name, runner))) for name, runner in plugins.items()]
        clients = []
        for world in worlds:
            world.prepare()
            clients.append(stack.enter_context(closing(Client(world.engine))))
        costs = [cost(kind, [several_calls(kind, client) for client in clients], CALLS) for kind in LIMITS]
        programs = {"ps": ("ps",), "run": ("run", "--rm", "tiny", "true")}
        for kind, argv in programs.items():
            costs.append(cost(kind, [partial(program, world, argv) for world in worlds], PROGRAMS))
        loads = {name: load(world) for name, world in zip(("without", "with"), worlds, strict=False)}
        status = Path(f"/proc/{worlds[1].engine.guard_pid()}/status").read_text()
        return costs, loads, int(status.split("VmRSS:")[1].split()[0]) / 1024


def cost(kind: str, ways: Sequence[Callable[[], float]], count: int) -> Cost:
    """`ways`: without, with, and with one that only says yes; each in turn, so that load meets all."""
    samples: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for number in range(count):
        for index in range(len(ways)) if number % 2 else reversed(range(len(ways))):
            samples[index].append(ways[index]() * 1000)
    without, guarded, least = (statistics.median(sample) for sample in samples)
    p99 = [statistics.quantiles(sample, n=100)[98] for sample in samples[:2]]
    return Cost(kind, without, guarded - without, least - without, *p99)


def several_calls(kind: str, client: Client) -> Callable[[], float]:
    """One timed call of a kind; seconds."""

    def once() -> float:
        if kind == "delete":
            wanted(client.call("POST", "/volumes/create", {"Name": "gone"}), 201)
        started = time.monotonic()
        if kind == "read":
            wanted(client.call("GET", f"/volumes/{OTHER}"), 200)
        elif kind == "change":
            wanted(client.call("POST", "/volumes/create", {"Name": OTHER}), 201)
        else:
            wanted(client.call("DELETE", "/volumes/gone"), 204)
        return time.monotonic() - started

    return once


def wanted(status: int, expected: int) -> None:
    assert status == expected, f"answered {status}, expected {expected}"  # noqa: S101  - a measurement of wrong calls is none


def program(world: World, argv: Sequence[str]) -> float:
    started = time.monotonic()
    world.ok(*argv)
    return time.monotonic() - started


def load(world: World) -> Load:
    """Eight clients, each a read, a change and a removal of a protected volume (without a guard: of none) in turn."""
    target, refusal = (VICTIM, 403) if world.engine.profile else ("none", 404)
    expected = (("GET", f"/volumes/{OTHER}", None, 200), ("POST", "/volumes/create", {"Name": OTHER}, 201),
                ("DELETE", f"/volumes/{target}", None, refusal))  # fmt: skip
    stop = threading.Event()

    def client() -> tuple[int, int]:
        calls = wrong = 0
        with closing(Client(world.engine)) as connection:
            while not stop.is_set():
                for method, path, body, status in expected:
                    wrong += connection.call(method, path, body) != status
                    calls += 1
        return calls, wrong

    with ThreadPoolExecutor(CLIENTS) as several:
        started = time.monotonic()
        running = [several.submit(client) for _ in range(CLIENTS)]
        stop.wait(LOAD_SECONDS)
        stop.set()
        counts = [future.result() for future in running]
        seconds = time.monotonic() - started
    return Load(sum(calls for calls, _ in counts) / seconds, sum(wrong for _, wrong in counts))


def demands(costs: Sequence[Cost], guarded: Load, memory: float) -> list[Demand]:
    results = [
        Demand(f"added to {KINDS[cost_.kind]}, median", f"at most {LIMITS[cost_.kind]:.1f} ms", f"{cost_.added:.2f} ms",
               cost_.added <= LIMITS[cost_.kind],
               f"a plugin that only says yes adds {cost_.least:.2f} ms" if cost_.least > LIMITS[cost_.kind] else "")
        for cost_ in costs if cost_.kind in LIMITS
    ]  # fmt: skip
    results.append(Demand("the guard's memory after it", f"at most {MEMORY_MB} MB", f"{memory:.0f} MB",
                        0 < memory <= MEMORY_MB))  # fmt: skip
    rate = f"at least {LEAST_CALLS:,} calls a second, none answered wrongly"
    results.append(Demand(f"{CLIENTS} clients with the guard", rate, f"{guarded.rate:,.0f}, {guarded.wrong} wrong",
                        guarded.rate >= LEAST_CALLS and guarded.wrong == 0))  # fmt: skip
    return results


def table(costs: Sequence[Cost], loads: dict[str, Load], memory: float) -> list[str]:
    lines = ["| call | with the guard / without | without | added, and by a plugin that only says yes |"
             " 99 % are below, without → with |", "|---|--:|--:|--:|--:|"]  # fmt: skip
    for cost_ in costs:
        cells = (KINDS[cost_.kind], f"**{cost_.ratio:.2f}**", f"{cost_.without:.2f} ms",
                 f"{cost_.added:.2f}, {cost_.least:.2f} ms",
                 f"{cost_.without_p99:.1f} → {cost_.with_p99:.1f} ms")  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    share = loads["with"].rate / loads["without"].rate
    load_text = f"{loads['with'].rate:,.0f} calls a second with the guard, {share:.2f} of those without"
    return [*lines, "", f"{CLIENTS} clients at once: {load_text}. The guard's memory: {memory:.0f} MB."]


if __name__ == "__main__":
    sys.exit(main())
