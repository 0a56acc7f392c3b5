"""What an attempt and its allowed twin are, and the list that each group of the catalogue adds its own to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import docker.errors

from tools.kit.guard_world import OWNER, World

REFUSED, ALLOWED = "refused", "allowed"
SPARE = "label!=com.ledgerflow.protect"
OLD_PRUNE = "/v1.41/volumes/prune"  # below 1.42 named volumes are taken


@dataclass(frozen=True)
class Attempt:
    """`run` does it. Expected per profile: refused (and nothing lost) or allowed."""

    group: str
    name: str
    run: Callable[[World], Any]
    standard: str = REFUSED
    strict: str = REFUSED
    loses: bool | str = True  # or the version that alone loses
    only: str = ""

    def loses_on(self, version: str) -> bool:
        return self.loses if isinstance(self.loses, bool) else self.loses == version

    def expected(self, profile: str) -> str:
        return self.standard if profile == "standard" else self.strict


ATTEMPTS: list[Attempt] = []
TWINS: list[Attempt] = []


def attempt(group: str, name: str, **more: Any) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    def keep(run: Callable[[World], Any]) -> Callable[[World], Any]:
        ATTEMPTS.append(Attempt(group, name, run, **more))
        return run

    return keep


def twin(group: str, name: str, **more: Any) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    def keep(run: Callable[[World], Any]) -> Callable[[World], Any]:
        TWINS.append(Attempt(group, name, run, **{"standard": ALLOWED, "strict": ALLOWED, "loses": False, **more}))
        return run

    return keep


def free(world: World) -> None:
    """The owner goes away first, as `compose down` does it: then nothing of the engine's own holds the volume back."""
    world.cli("rm", "-f", OWNER)
    world.said.clear()


def freed(run: Callable[[World], Any]) -> Callable[[World], Any]:
    def both(world: World) -> Any:
        free(world)
        return run(world)

    return both


def sdk(run: Callable[[Any], Any]) -> Callable[[World], Any]:
    """The Python SDK; what it raises counts as said."""

    def called(world: World) -> None:
        with closing(world.sdk()) as client:
            try:
                run(client)
            except docker.errors.DockerException as error:
                world.said.append(str(error))

    return called
