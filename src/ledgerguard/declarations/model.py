"""What root declares, as values: protected volumes, grants, allowed commands, allowances.

A module of its own because the rules read only these values, whichever document they came from. Frozen and without I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ledgerguard.model import Volume

SCHEMA = 2
SCHEMA_WITHOUT_HOST = 1  # the schema whose grants say nothing of host settings, networks and values
KEPT_VERSIONS = 5
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class DeclarationError(ValueError):
    """`place: what is wrong, with the value seen`."""


@dataclass(frozen=True)
class Pattern:
    """A command that may be run inside an owner. In `argv`, `*` stands for one word that is no option, `{name}` for one
    that is a name and no connection string, and `**` as the last word for any number of words. `user` None: the
    container's own. `tty` and `input`: with a terminal, and with what the caller types or pipes."""

    argv: tuple[str, ...]
    user: str | None = None
    environment: tuple[str, ...] = ()
    tty: bool = False
    input: bool = False


@dataclass(frozen=True)
class OtherMount:
    """What else the owner mounts: a host path or an unprotected volume."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Grant:
    """One container that may hold the volume, exactly described. None: as its image says.

    `host` and `config`: what of its host configuration and of the rest is not as by default; `host` None: by schema 1,
    which said nothing of them, of networks and of values. `values`: name → digest of a variable that must have this
    value. `networks`: name → names it may be given there. The target is empty for a member: a container of the stack
    that holds no protected volume."""

    container: str
    images: tuple[str, ...]
    target: str
    read_only: bool = False
    entrypoint: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    user: str | None = None
    working_dir: str | None = None
    healthcheck: tuple[str, ...] | None = None
    environment: tuple[str, ...] = ()
    mounts: tuple[OtherMount, ...] = ()
    exec: tuple[Pattern, ...] = ()
    host: Mapping[str, Any] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_described(self) -> bool:
        return self.host is not None

    @property
    def names(self) -> frozenset[str]:
        """All names by which others reach it in its networks."""
        return frozenset({self.container}.union(*self.networks.values()))


@dataclass(frozen=True)
class Allowance:
    """What root lets one container have though the guard would refuse it."""

    container: str
    images: tuple[str, ...]
    things: tuple[str, ...]


@dataclass(frozen=True)
class DeclaredVolume:
    """One protected volume."""

    name: str
    environment: str
    driver: str = "local"
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    profile: str = "standard"
    grants: tuple[Grant, ...] = ()

    @property
    def device(self) -> str:
        return self.options.get("device", "")


@dataclass(frozen=True)
class Declarations:
    """All of them, by name. `networks` are the stacks' own: only `members`, owners, and what is allowed may join them.
    `exceptions` are root's, and no stack's."""

    volumes: Mapping[str, DeclaredVolume] = field(default_factory=dict)
    networks: frozenset[str] = frozenset()
    members: tuple[Grant, ...] = ()
    exceptions: tuple[Allowance, ...] = ()

    @property
    def profile(self) -> str:
        """The engine's: strict as soon as one volume is."""
        return "strict" if any(volume.profile == "strict" for volume in self.volumes.values()) else "standard"

    def protected(self, volumes: Mapping[str, Volume]) -> frozenset[str]:
        """Names of all protected volumes: the declared ones, and those that carry the label."""
        return frozenset(self.volumes) | {name for name, volume in volumes.items() if volume.labelled}

    def grants_of(self, container: str) -> dict[str, tuple[Grant, ...]]:
        """volume → grants of the container with this name, one for each of its versions, the newest first."""
        grants_by_volume = {
            name: tuple(grant for grant in volume.grants if grant.container == container)
            for name, volume in self.volumes.items()
        }
        return {name: grants for name, grants in grants_by_volume.items() if grants}

    def descriptions_of(self, container: str) -> tuple[Grant, ...]:
        """All that is said of the container with this name: as an owner, as a member."""
        descriptions = (*(grant for grants in self.grants_of(container).values() for grant in grants), *self.members)
        return tuple(description for description in descriptions if description.container == container)

    @property
    def descriptions(self) -> tuple[Grant, ...]:
        return (*(grant for volume in self.volumes.values() for grant in volume.grants), *self.members)

    def names_container(self, name: str) -> bool:
        """Whether something is declared of a container with this name."""
        names = {description.container for description in self.descriptions} | {
            allowance.container for allowance in self.exceptions
        }
        return name in names

    def allows(self, container: str, image: str, permission: str) -> bool:
        """Whether root let the container have this one thing."""
        return any(
            allowance.container == container and image in allowance.images and permission in allowance.things
            for allowance in self.exceptions
        )
