"""Requests that real clients sent to a guarded engine (docker, compose, the SDK, bytes), decided again without one.

`tests/guard/recording.py` makes the data: each request with the answers to what was looked up, so that the decision is
the same here, or a change of a rule is seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.api.request import Request
from ledgerguard.declarations import reader
from ledgerguard.model import Container, Endpoint, Exec, Image, Mount, Volume
from ledgerguard.refusal import LookupFailed
from ledgerguard.rules.decision import decide
from ledgerguard.rules.host_areas import ENGINE_SOCKETS, SOCKETS, HostAreas
from ledgerguard.rules.policy import Policy

DATA = json.loads((Path(__file__).parents[1] / "requests.json").read_text())
REQUESTS = DATA["requests"]


def rebuilt(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """A frozen dataclass of what json kept of it."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name not in data:  # younger than the recording
            continue
        value = data[field.name]
        if field.name == "mounts":
            value = tuple(rebuilt(Mount, one) for one in value)
        elif field.name == "endpoints":
            value = tuple(rebuilt(Endpoint, one) for one in value)
        elif isinstance(value, list):
            value = tuple(tuple(one) if isinstance(one, list) else one for one in value)
        values[field.name] = value
    return kind(**values)


def _key(argument: Any) -> Any:
    """An argument as it was given, where json knows no tuples."""
    return tuple(argument) if isinstance(argument, list) else argument


class Replayed:
    """Look-ups that give the recorded answers; what was not asked then fails now."""

    def __init__(self, asked: list[list[Any]]) -> None:
        self.answers = {(name, *map(_key, arguments)): DATA["answers"][index] for name, arguments, index in asked}

    def _get(self, *key: str) -> Any:
        if key not in self.answers:
            raise LookupFailed(f"not recorded: {key}")
        return self.answers[key]

    def volumes(self) -> Mapping[str, Volume]:
        return {name: rebuilt(Volume, one) for name, one in self._get("volumes").items()}

    def containers(self, reference: str) -> tuple[Container, ...]:
        return tuple(rebuilt(Container, one) for one in self._get("containers", reference))

    def image(self, reference: str) -> Image | None:
        found = self._get("image", reference)
        return rebuilt(Image, found) if found else None

    def execution(self, exec_id: str) -> Exec | None:
        found = self._get("execution", exec_id)
        return rebuilt(Exec, found) if found else None

    def real_path(self, path: str) -> str:
        return str(self._get("real_path", path))

    def submounts(self, path: str) -> tuple[str, ...]:
        return tuple(self._get("submounts", path))

    def locations(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._get("locations", paths))

    def network(self, reference: str) -> str:
        return str(self._get("network", reference))

    def runtimes(self) -> tuple[str, ...]:
        return tuple(self._get("runtimes"))

    def file_systems(self, path: str) -> tuple[tuple[str, str], ...]:
        return tuple((point, kind) for point, kind in self._get("file_systems", path))

    def exists(self, path: str) -> bool:
        return bool(self._get("exists", path))

    def is_empty(self, path: str) -> bool:
        return bool(self._get("is_empty", path))

    def recursive_read_only(self) -> bool:
        return bool(self._get("recursive_read_only"))

    def only_root_changes(self, path: str) -> bool:
        return bool(self._get("only_root_changes", path))


KNOWN = reader.parse_declarations(json.dumps(DATA["declarations"]))
ENGINE = "/srv/test/docker.sock"
PLACES = HostAreas(
    data_root="/srv/test/data",
    guard_directories=("/srv/test/etc", "/srv/test/state", "/srv/test/log"),
    sockets=(*SOCKETS, ENGINE),
    engine_sockets=ENGINE_SOCKETS | {ENGINE},
)


def test_there_are_enough_of_both_kinds() -> None:
    assert 60 <= len(REQUESTS) <= 250
    assert sum(one["allow"] for one in REQUESTS) >= 20
    assert sum(not one["allow"] for one in REQUESTS) >= 40


@pytest.mark.parametrize(
    "one", REQUESTS, ids=[f"{i}-{one['method']}-{one['uri'][:50]}" for i, one in enumerate(REQUESTS)]
)
def test_it_is_decided_as_it_was(one: dict[str, Any]) -> None:
    request = Request(one["method"], one["uri"], one["headers"], one["body"].encode("latin-1"))
    found = decide(request, Policy(KNOWN, one["profile"], PLACES), Replayed(one["asked"]))
    assert (found.allow, found.reason) == (one["allow"], one["reason"])
