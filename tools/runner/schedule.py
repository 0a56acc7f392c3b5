"""Which part runs when: one queue, the longest ready part first, as many at once as there are workers.

A module of its own because it decides without running anything: `start` is given by the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from tools.runner.parts import Part

Result = TypeVar("Result")


def weights(selection: Sequence[Part]) -> dict[str, int]:
    """Seconds from the start of each part to the end of the longest chain that waits for it."""
    by_name: dict[str, int] = {}

    def weight(part: Part) -> int:
        if part.name not in by_name:
            waiting = [weight(dependent) for dependent in selection if part.name in dependent.prerequisites]
            by_name[part.name] = part.seconds + max(waiting, default=0)
        return by_name[part.name]

    for part in selection:
        weight(part)
    return by_name


def ready(waiting: Sequence[Part], finished: Collection[str], selection: Collection[str]) -> list[Part]:
    """The parts whose prerequisites have ended; one that was not chosen is taken as made before."""
    return [part for part in waiting if all(name in finished or name not in selection for name in part.prerequisites)]


def blocked(part: Part, passed: Mapping[str, bool]) -> str:
    """The prerequisite that did not pass, or ""."""
    return next((name for name in part.prerequisites if not passed.get(name, True)), "")


def run_all(
    selection: Sequence[Part],
    workers: int,
    start: Callable[[Part], Result],
    block: Callable[[Part, str], Result],
    is_good: Callable[[Result], bool],
    is_stopped: Callable[[], bool] = lambda: False,
) -> list[Result]:
    """Runs all parts; the results in the order of the parts. A part whose prerequisite failed is given to `block`."""
    names, order = {part.name for part in selection}, weights(selection)
    waiting = sorted(selection, key=lambda part: -order[part.name])
    by_name: dict[str, Result] = {}
    running: dict[Future[Result], Part] = {}
    with ThreadPoolExecutor(max(1, workers)) as pool:
        while waiting or running:
            passed = {name: is_good(outcome) for name, outcome in by_name.items()}
            for part in ready(waiting, by_name, names):
                if is_stopped() or len(running) >= workers:
                    break
                waiting.remove(part)
                cause = blocked(part, passed)
                future = pool.submit(block, part, cause) if cause else pool.submit(start, part)
                running[future] = part
            if not running:
                break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                by_name[running.pop(future).name] = future.result()
    return [by_name[part.name] for part in selection if part.name in by_name]
