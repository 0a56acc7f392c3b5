"""Which part runs when: one queue, the longest ready part first, as many at once as there are workers.

A module of its own because it decides without running anything: `start` is given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from tools.runner.parts import Part

Result = TypeVar("Result")


def weights(chosen: Sequence[Part]) -> dict[str, int]:
    """Seconds from the start of each part to the end of the longest chain that waits for it."""
    result: dict[str, int] = {}

    def weight(part: Part) -> int:
        if part.name not in result:
            waiting = [weight(other) for other in chosen if part.name in other.prerequisites]
            result[part.name] = part.seconds + max(waiting, default=0)
        return result[part.name]

    for part in chosen:
        weight(part)
    return result


def ready(waiting: Sequence[Part], ended: Collection[str], chosen: Collection[str]) -> list[Part]:
    """The parts whose prerequisites have ended; one that was not chosen is taken as made before."""
    return [part for part in waiting if all(name in ended or name not in chosen for name in part.prerequisites)]


def blocked(part: Part, passed: Mapping[str, bool]) -> str:
    """The prerequisite that did not pass, or ""."""
    return next((name for name in part.prerequisites if not passed.get(name, True)), "")


def run_all(
    chosen: Sequence[Part],
    workers: int,
    start: Callable[[Part], Result],
    block: Callable[[Part, str], Result],
    is_good: Callable[[Result], bool],
    is_stopped: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """Runs all parts; the results in the order of the parts. A part whose prerequisite failed is given to `block`."""
    names, order = {part.name for part in chosen}, weights(chosen)
    waiting = sorted(chosen, key=lambda part: -order[part.name])
    results: dict[str, Result] = {}
    running: dict[Future[Result], Part] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        while waiting or running:
            passed = {name: is_good(result) for name, result in results.items()}
            for part in ready(waiting, results, names):
                if is_stopped() or len(running) >= workers:
                    break
                waiting.remove(part)
                cause = blocked(part, passed)
                future = pool.submit(block, part, cause) if cause else pool.submit(start, part)
                running[future] = part
            if not running:
                break
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                results[running.pop(future).name] = future.result()
    return [results[part.name] for part in chosen if part.name in results]
