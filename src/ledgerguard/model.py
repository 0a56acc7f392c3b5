"""What is known of volumes, containers and images, whoever said it (a request's body, the engine's files, its API).

A module of its own because the rules see only these: the same rule judges a container that is to be created and one
that is to be started. Frozen, without behaviour that reads anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

PROTECT, ENVIRONMENT, DISPOSABLE = "com.ledgerflow.protect", "com.ledgerflow.environment", "ci"
PROFILES = ("standard", "strict")
MODES = ("enforce", "observe", "off")


@dataclass(frozen=True)
class Volume:
    """The engine's record of a volume."""

    name: str
    driver: str = "local"
    labels: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def labelled(self) -> bool:
        """Whether its label protects it. What continuous integration makes is disposable by definition."""
        return PROTECT in self.labels and self.labels.get(ENVIRONMENT) != DISPOSABLE


@dataclass(frozen=True)
class Mount:
    """One mount of a container. `source` is a volume's name or a host path, "" for an anonymous volume.

    `complete`: a read-only mount that is read-only below too, as far as its options say; `propagates`: later mounts of
    the host appear in it, because it was asked for so; `copies`: an empty volume is filled from the image when the
    container is made, read-only or not.
    """

    kind: str
    source: str
    target: str
    read_only: bool = False
    complete: bool = True
    recursive: bool = True
    propagates: bool = False
    is_named: bool = True
    copies: bool = True
    driver: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    unsupported: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A network that a container joins, by name or id, with its names there. `unsupported`: a setting that no
    declaration can hold."""

    network: str
    aliases: tuple[str, ...] = ()
    unsupported: str = ""


@dataclass(frozen=True)
class Image:
    """An image by its id, with what a container inherits from it."""

    id: str
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    healthcheck: tuple[str, ...] = ()
    stop_signal: str = ""


@dataclass(frozen=True)
class Container:
    """A container as it is, or as it is to be. `host` is its host configuration and `config` the rest of its
    configuration, by folded key; `is_recorded`: the engine has recorded it, with its own defaults;
    `fault`: why it cannot be judged, though its name is known."""

    name: str
    image: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    environment: tuple[str, ...]
    working_dir: str
    healthcheck: tuple[str, ...]
    mounts: tuple[Mount, ...]
    host: Mapping[str, Any]
    id: str = ""
    running: bool = False
    volumes_from: tuple[tuple[str, bool], ...] = ()
    fault: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    endpoints: tuple[Endpoint, ...] = ()
    is_recorded: bool = False


@dataclass(frozen=True)
class Exec:
    """A command to be run inside a container."""

    container: str
    argv: tuple[str, ...]
    user: str = ""
    privileged: bool = False
    environment: tuple[str, ...] = ()
    working_dir: str = ""
    tty: bool = False
    input: bool = False


class Lookups(Protocol):
    """What the rules may ask. Each raises LookupFailed when it cannot tell."""

    def volumes(self) -> Mapping[str, Volume]: ...

    def containers(self, reference: str) -> tuple[Container, ...]:
        """Every container the engine could mean by this id, name or prefix."""
        ...

    def image(self, reference: str) -> Image | None: ...

    def execution(self, exec_id: str) -> Exec | None:
        """What an exec id will run; its environment and working directory are not told by the engine."""
        ...

    def network(self, reference: str) -> str:
        """The name of the network with this name or id; "" if there is none."""
        ...

    def runtimes(self) -> tuple[str, ...]:
        """The runtimes that root has set up in this engine, the default one first."""
        ...

    def real_path(self, path: str) -> str:
        """Where links lead; a path below /proc where one of them is another for each process."""
        ...

    def submounts(self, path: str) -> tuple[str, ...]:
        """Mount points strictly below the path."""
        ...

    def locations(self, paths: tuple[str, ...]) -> tuple[str, ...]:
        """`DEVICE:PATH` of each real path in its file system, which may be mounted in other places too."""
        ...

    def file_systems(self, path: str) -> tuple[tuple[str, str], ...]:
        """(mount point, type of its file system) of what holds the path, then of each strictly below it."""
        ...

    def exists(self, path: str) -> bool:
        """Whether something is there: a link counts by where it leads."""
        ...

    def is_empty(self, path: str) -> bool:
        """Whether the directory holds nothing."""
        ...

    def recursive_read_only(self) -> bool:
        """Whether this engine and kernel make a read-only bind read-only all the way down."""
        ...

    def only_root_changes(self, path: str) -> bool:
        """Whether no component of the path can be swapped by anybody but root."""
        ...
