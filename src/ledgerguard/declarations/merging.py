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
    Declared,
    Grant,
    Pattern,
)

Key = tuple[str, str]


def to_json(declarations: Declarations) -> str:
    volumes = {name: asdict(one) for name, one in declarations.volumes.items()}
    for one in volumes.values():
        del one["name"]
    members = [{key: value for key, value in asdict(one).items() if key != "target"} for one in declarations.members]
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "volumes": volumes,
        "networks": sorted(declarations.networks),
        "members": members,
        "exceptions": [asdict(one) for one in declarations.exceptions],
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


# --- several documents ------------------------------------------------------------------------------------------------


def joined(documents: Sequence[Declarations]) -> Declarations:
    """All documents as one. What a volume is, one of them says; the others repeat it or leave it out, and add grants.
    Of a grant others may add commands. Raises DeclarationError where two disagree."""
    whole = Declarations()
    for document in documents:
        volumes = dict(whole.volumes)
        for name, one in document.volumes.items():
            volumes[name] = _both(volumes[name], one) if name in volumes else one
        whole = Declarations(
            volumes,
            whole.networks | document.networks,
            _together(whole.members, document.members, "members"),
            (*whole.exceptions, *document.exceptions),
        )
    return whole


def _refuse(where: str, what: str) -> DeclarationError:
    return DeclarationError(f"{where}: {what}")


def _both(first: Declared, second: Declared) -> Declared:
    where = f"volumes.{first.name}"
    if first.environment != second.environment:
        raise _refuse(f"{where}.environment", f"{first.environment!r} and {second.environment!r}")
    left_out = Declared(first.name, first.environment)
    said = {}
    for key in ("driver", "options", "labels", "profile"):
        values = [getattr(one, key) for one in (first, second) if getattr(one, key) != getattr(left_out, key)]
        if len(values) > 1 and values[0] != values[1]:
            raise _refuse(f"{where}.{key}", f"declared twice: {values[0]!r} and {values[1]!r}")
        said[key] = values[0] if values else getattr(left_out, key)
    return replace(first, grants=_together(first.grants, second.grants, f"{where}.grants"), **said)


def _together(first: Iterable[Grant], second: Iterable[Grant], where: str) -> tuple[Grant, ...]:
    """The grants of both; two of the same container are one, and may differ in their commands alone. Those of one
    document, which has one for each version, are left as they are."""
    grants = list(first)
    names = {one.container for one in first}
    for grant in second:
        same = [place for place, one in enumerate(grants) if _program(one) == _program(grant)]
        if same:
            place = same[0]
            grants[place] = replace(grants[place], exec=_patterns(grants[place], grant))
        elif grant.container in names:
            raise _refuse(where, f"container {grant.container!r} is granted in two ways")
        else:
            grants.append(grant)
    return tuple(grants)


def _program(grant: Grant) -> Grant:
    """The grant without its commands: what it says of the container."""
    return replace(grant, exec=())


def _patterns(first: Grant, second: Grant) -> tuple[Pattern, ...]:
    return tuple(dict.fromkeys([*first.exec, *second.exec]))


# --- over time --------------------------------------------------------------------------------------------------------


def merged(known: Declarations, new: Declarations, only: bool = False) -> Declarations:
    """`new` over `known`: a volume is replaced whole, and so is a member, but earlier versions of their containers stay
    until five newer ones have come. `only`: what `new` does not name is declared no longer. Exceptions stay."""
    volumes = {name: _with_history(known, one) for name, one in new.volumes.items()}
    names = {one.container for one in new.members}
    others = () if only else tuple(one for one in known.members if one.container not in names)
    before = tuple(one for one in known.members if one.container in names)
    return Declarations(
        volumes if only else {**known.volumes, **volumes},
        new.networks if only else known.networks | new.networks,
        (*others, *_versions(new.members, before)),
        tuple(dict.fromkeys([*known.exceptions, *new.exceptions])),
    )


def with_exception(known: Declarations, exception: Allowance) -> Declarations:
    """With one more; things of the same container and image come together."""
    same = [one for one in known.exceptions if (one.container, one.images) == (exception.container, exception.images)]
    things = tuple(dict.fromkeys([*(thing for one in same for thing in one.things), *exception.things]))
    others = tuple(one for one in known.exceptions if one not in same)
    return replace(known, exceptions=(*others, replace(exception, things=things)))


def without_exceptions(known: Declarations, container: str) -> Declarations:
    return replace(known, exceptions=tuple(one for one in known.exceptions if one.container != container))


def _with_history(known: Declarations, new: Declared) -> Declared:
    before = known.volumes.get(new.name)
    return replace(new, grants=_versions(new.grants, before.grants)) if before else new


def _versions(new: Sequence[Grant], before: Sequence[Grant]) -> tuple[Grant, ...]:
    """Each container's own, the newest first. One that no new grant names has none any more."""
    found: list[Grant] = []
    for key in dict.fromkeys((one.container, one.target) for one in new):
        found += _of_one([one for one in new if (one.container, one.target) == key],
                         [one for one in before if (one.container, one.target) == key])  # fmt: skip
    return tuple(found)


def _of_one(new: Sequence[Grant], before: Sequence[Grant]) -> list[Grant]:
    fresh = [one for grant in new for one in _each_image(grant)]
    old = [_described(one, new[0]) for grant in before for one in _each_image(grant)]
    programs = [_program(one) for one in fresh]
    kept = [*fresh, *(one for one in old if _program(one) not in programs)]
    return _gathered(kept[: max(KEPT_VERSIONS, len(fresh))])


def _each_image(grant: Grant) -> list[Grant]:
    return [replace(grant, images=(image,)) for image in grant.images]


def _described(old: Grant, new: Grant) -> Grant:
    """A version that schema 1 declared, with what the new one says of the rest: for whoever rolls back to it. Its
    host settings are those of the new one, as nothing is known of them; so are the values of variables of both."""
    if old.described or not new.described:
        return old
    values = {name: digest for name, digest in new.values.items() if name in old.environment}
    return replace(old, host=new.host, config=new.config, networks=new.networks, values=values, exec=new.exec)


def _gathered(versions: Sequence[Grant]) -> list[Grant]:
    """Neighbours that differ in their image alone, as one grant."""
    found: list[Grant] = []
    for one in versions:
        if found and replace(found[-1], images=()) == replace(one, images=()):
            found[-1] = replace(found[-1], images=tuple(dict.fromkeys([*found[-1].images, *one.images])))
        else:
            found.append(one)
    return found
