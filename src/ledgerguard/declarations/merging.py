"""Declarations put together: several documents as one, and new ones over those that were there, with their history.

A module of its own because reading is a contract with the roles and this is what happens over time: the last five
versions of a container stay declared, each with its whole description, so that a rollback is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

from ledgerguard.declarations.model import (
    KEPT_VERSIONS,
    SCHEMA,
    Allowance,
    DeclarationError,
    Declarations,
    DeclaredVolume,
    Grant,
    Pattern,
)

Key = tuple[str, str]


def to_json(declarations: Declarations) -> str:
    volumes = {name: asdict(volume) for name, volume in declarations.volumes.items()}
    for volume in volumes.values():
        del volume["name"]
    members = [
        {key: content for key, content in asdict(member).items() if key != "target"} for member in declarations.members
    ]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "volumes": volumes,
        "networks": sorted(declarations.networks),
        "members": members,
        "exceptions": [asdict(allowance) for allowance in declarations.exceptions],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


# --- several documents ------------------------------------------------------------------------------------------------


def join_documents(documents: Sequence[Declarations]) -> Declarations:
    """All documents as one. What a volume is, one of them says; the others repeat it or leave it out, and add grants.
    Of a grant others may add commands. Raises DeclarationError where two disagree."""
    joined = Declarations()
    for document in documents:
        volumes = dict(joined.volumes)
        for name, volume in document.volumes.items():
            volumes[name] = _join_volumes(volumes[name], volume) if name in volumes else volume
        joined = Declarations(
            volumes,
            joined.networks | document.networks,
            _join_grants(joined.members, document.members, "members"),
            (*joined.exceptions, *document.exceptions),
        )
    return joined


def _error(path: str, problem: str) -> DeclarationError:
    return DeclarationError(f"{path}: {problem}")


def _join_volumes(first: DeclaredVolume, second: DeclaredVolume) -> DeclaredVolume:
    path = f"volumes.{first.name}"
    if first.environment != second.environment:
        raise _error(f"{path}.environment", f"{first.environment!r} and {second.environment!r}")
    defaults = DeclaredVolume(first.name, first.environment)
    fields = {}
    for key in ("driver", "options", "labels", "profile"):
        declared_values = [
            getattr(volume, key) for volume in (first, second) if getattr(volume, key) != getattr(defaults, key)
        ]
        if len(declared_values) > 1 and declared_values[0] != declared_values[1]:
            raise _error(f"{path}.{key}", f"declared twice: {declared_values[0]!r} and {declared_values[1]!r}")
        fields[key] = declared_values[0] if declared_values else getattr(defaults, key)
    return replace(first, grants=_join_grants(first.grants, second.grants, f"{path}.grants"), **fields)


def _join_grants(first: Iterable[Grant], second: Iterable[Grant], path: str) -> tuple[Grant, ...]:
    """The grants of both; two of the same container are one, and may differ in their commands alone. Those of one
    document, which has one for each version, are left as they are."""
    grants = list(first)
    names = {grant.container for grant in first}
    for grant in second:
        positions = [
            position
            for position, candidate in enumerate(grants)
            if _without_commands(candidate) == _without_commands(grant)
        ]
        if positions:
            position = positions[0]
            grants[position] = replace(grants[position], exec=_join_commands(grants[position], grant))
        elif grant.container in names:
            raise _error(path, f"container {grant.container!r} is granted in two ways")
        else:
            grants.append(grant)
    return tuple(grants)


def _without_commands(grant: Grant) -> Grant:
    """The grant without its commands: what it says of the container."""
    return replace(grant, exec=())


def _join_commands(first: Grant, second: Grant) -> tuple[Pattern, ...]:
    return tuple(dict.fromkeys([*first.exec, *second.exec]))


# --- over time --------------------------------------------------------------------------------------------------------


def merge_into(current: Declarations, new: Declarations, only: bool = False) -> Declarations:
    """`new` over `current`: a volume is replaced whole, and so is a member, but earlier versions of their containers
    stay until there are five newer ones. `only`: drops what `new` does not name. Allowances stay."""
    volumes = {name: _with_history(current, volume) for name, volume in new.volumes.items()}
    names = {member.container for member in new.members}
    kept_members = () if only else tuple(member for member in current.members if member.container not in names)
    earlier = tuple(member for member in current.members if member.container in names)
    return Declarations(
        volumes if only else {**current.volumes, **volumes},
        new.networks if only else current.networks | new.networks,
        (*kept_members, *_merge_versions(new.members, earlier)),
        tuple(dict.fromkeys([*current.exceptions, *new.exceptions])),
    )


def add_allowance(current: Declarations, added: Allowance) -> Declarations:
    """With one more; things of the same container and image come together."""
    joined = [
        allowance
        for allowance in current.exceptions
        if (allowance.container, allowance.images) == (added.container, added.images)
    ]
    things = tuple(
        dict.fromkeys([*(permission for allowance in joined for permission in allowance.things), *added.things])
    )
    unchanged = tuple(allowance for allowance in current.exceptions if allowance not in joined)
    return replace(current, exceptions=(*unchanged, replace(added, things=things)))


def remove_allowances(current: Declarations, container: str) -> Declarations:
    return replace(
        current, exceptions=tuple(allowance for allowance in current.exceptions if allowance.container != container)
    )


def _with_history(current: Declarations, new: DeclaredVolume) -> DeclaredVolume:
    earlier = current.volumes.get(new.name)
    return replace(new, grants=_merge_versions(new.grants, earlier.grants)) if earlier else new


def _merge_versions(new: Sequence[Grant], earlier: Sequence[Grant]) -> tuple[Grant, ...]:
    """Each container's own, the newest first. One that no new grant names has none any more."""
    versions: list[Grant] = []
    for key in dict.fromkeys((grant.container, grant.target) for grant in new):
        versions += _merge_container_versions([grant for grant in new if (grant.container, grant.target) == key],
                         [grant for grant in earlier if (grant.container, grant.target) == key])  # fmt: skip
    return tuple(versions)


def _merge_container_versions(new: Sequence[Grant], earlier: Sequence[Grant]) -> list[Grant]:
    fresh = [version for grant in new for version in _split_by_image(grant)]
    old = [_with_description(version, new[0]) for grant in earlier for version in _split_by_image(grant)]
    programs = [_without_commands(version) for version in fresh]
    versions = [*fresh, *(version for version in old if _without_commands(version) not in programs)]
    return _group_by_image(versions[: max(KEPT_VERSIONS, len(fresh))])


def _split_by_image(grant: Grant) -> list[Grant]:
    return [replace(grant, images=(image,)) for image in grant.images]


def _with_description(old: Grant, new: Grant) -> Grant:
    """A version that schema 1 declared, with what the new one says of the rest: for whoever rolls back to it. Its
    host settings are those of the new one, as nothing is known of them; so are the values of variables of both."""
    if old.is_described or not new.is_described:
        return old
    digests = {name: digest for name, digest in new.values.items() if name in old.environment}
    return replace(old, host=new.host, config=new.config, networks=new.networks, values=digests, exec=new.exec)


def _group_by_image(versions: Sequence[Grant]) -> list[Grant]:
    """Neighbours that differ in their image alone, as one grant."""
    groups: list[Grant] = []
    for version in versions:
        if groups and replace(groups[-1], images=()) == replace(version, images=()):
            groups[-1] = replace(groups[-1], images=tuple(dict.fromkeys([*groups[-1].images, *version.images])))
        else:
            groups.append(version)
    return groups
