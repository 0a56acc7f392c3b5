"""Whether a prune with these filters spares every protected volume, reckoned as the engine reckons. Pure.

A module of its own because the engine's filters do not mean what they look like: several values of `label!` exclude
only a volume that has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledgerguard.api import gojson
from ledgerguard.model import Volume
from ledgerguard.refusal import Refused

SAFE = "docker volume rm NAME... (docker volume prune -f of today's clients takes nameless volumes alone)"
ANONYMOUS = "com.docker.volume.anonymous"  # the engine's label of a volume that it named itself
ANONYMOUS_ALONE = (1, 42)  # the API's version since which a prune takes them alone, unless all are chosen
_KNOWN = {"label", "label!", "all"}


def values(raw: str) -> dict[str, tuple[str, ...]]:
    """field → values, of either form the engine reads ({"label": {"a": true}} and {"label": ["a"]})."""
    if not raw:
        return {}
    read = gojson.parse(raw.encode())
    if not isinstance(read, dict):
        raise Refused("the prune's filters are not an object", SAFE)
    if unknown := sorted(set(read) - _KNOWN):
        raise Refused(f"unknown filter {unknown[0]!r}", SAFE)
    return {name: _values(name, item) for name, item in read.items()}


def _values(name: str, item: object) -> tuple[str, ...]:
    if isinstance(item, list) and all(isinstance(one, str) for one in item):
        return tuple(item)
    if isinstance(item, dict) and all(one is True for one in item.values()):
        return tuple(item)
    raise Refused(f"filter {name!r} is not a list of texts", SAFE)


def matches(wanted: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    """The engine's rule: every value has to match; a value is `key` or `key=value`."""
    return all(_has(one, labels) for one in wanted)


def _has(one: str, labels: Mapping[str, str]) -> bool:
    key, equals, value = one.partition("=")
    return key in labels and (not equals or labels[key] == value)


def spared(volume: Volume, chosen: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the engine would leave this volume alone for its labels."""
    if chosen.get("label") and not matches(chosen["label"], volume.labels):
        return True
    return bool(chosen.get("label!")) and matches(chosen["label!"], volume.labels)


def taken(raw: str, protected: Iterable[Volume], version: tuple[int, ...] | None = None) -> tuple[str, ...]:
    """Names of protected volumes that a prune with these filters may take. `version`: the API's that was asked for;
    where none was, the engine takes its own, which may be an old one."""
    chosen = values(raw)
    every = version is None or version < ANONYMOUS_ALONE or bool(chosen.get("all"))
    return tuple(
        volume.name for volume in protected if (every or ANONYMOUS in volume.labels) and not spared(volume, chosen)
    )
