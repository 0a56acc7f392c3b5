"""Whether a prune with these filters spares every protected volume, reckoned as the engine reckons. Pure.

A module of its own because the engine's filters do not mean what they look like: several values of `label!` exclude
only a volume that has all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledgerguard.api import gojson
from ledgerguard.model import Volume
from ledgerguard.refusal import Refusal

SAFE_COMMAND = "docker volume rm NAME... (docker volume prune -f of today's clients takes nameless volumes alone)"
ANONYMOUS_LABEL = "com.docker.volume.anonymous"  # the engine's label of a volume that it named itself
ANONYMOUS_ONLY_SINCE = (1, 42)  # the API's version since which a prune takes them alone, unless all are chosen
_KNOWN = {"label", "label!", "all"}


def parse_filters(raw: str) -> dict[str, tuple[str, ...]]:
    """field → values, of either form the engine reads ({"label": {"a": true}} and {"label": ["a"]})."""
    if not raw:
        return {}
    filters = gojson.parse(raw.encode())
    if not isinstance(filters, dict):
        raise Refusal("the prune's filters are not an object", SAFE_COMMAND)
    if unknown := sorted(set(filters) - _KNOWN):
        raise Refusal(f"unknown filter {unknown[0]!r}", SAFE_COMMAND)
    return {name: _parse_values(name, field) for name, field in filters.items()}


def _parse_values(name: str, field: object) -> tuple[str, ...]:
    if isinstance(field, list) and all(isinstance(text, str) for text in field):
        return tuple(field)
    if isinstance(field, dict) and all(text is True for text in field.values()):
        return tuple(field)
    raise Refusal(f"filter {name!r} is not a list of texts", SAFE_COMMAND)


def labels_match(labels_wanted: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    """The engine's rule: every value has to match; a value is `key` or `key=value`."""
    return all(_has_label(wanted_label, labels) for wanted_label in labels_wanted)


def _has_label(wanted_label: str, labels: Mapping[str, str]) -> bool:
    key, equals, content = wanted_label.partition("=")
    return key in labels and (not equals or labels[key] == content)


def is_spared(volume: Volume, filters: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether the engine would leave this volume alone for its labels."""
    if filters.get("label") and not labels_match(filters["label"], volume.labels):
        return True
    return bool(filters.get("label!")) and labels_match(filters["label!"], volume.labels)


def find_pruned_volumes(
    raw: str, protected: Iterable[Volume], version: tuple[int, ...] | None = None
) -> tuple[str, ...]:
    """Names of protected volumes that a prune with these filters may take. `version`: the API's that was asked for;
    where none was, the engine takes its own, which may be an old one."""
    filters = parse_filters(raw)
    takes_named = version is None or version < ANONYMOUS_ONLY_SINCE or bool(filters.get("all"))
    return tuple(
        volume.name
        for volume in protected
        if (takes_named or ANONYMOUS_LABEL in volume.labels) and not is_spared(volume, filters)
    )
