"""Whether a container could put a link where a restart policy will mount something. Pure but for the look-ups.

A module of its own because it asks of two containers at once: one that may write the directory above, and one that the
engine starts again by itself, following whatever it finds there, without any request that could be judged.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass

from ledgerguard.api import gojson
from ledgerguard.model import Container, Mount
from ledgerguard.refusal import Refusal
from ledgerguard.rules import host_areas
from ledgerguard.rules.policy import Context


@dataclass(frozen=True)
class _BoundDirectory:
    """A directory of the host in a container: by its names and its location."""

    container: Container
    mount: Mount
    spots: tuple[str, ...]


def check_restart_links(container: Container, protected_mounts: tuple[Mount, ...], context: Context) -> None:
    """Refuses it as the one that could, and as the one that would follow."""
    directories = tuple(_bound_directories(container, protected_mounts, context))
    writable, followed = (
        [directory for directory in directories if _is_writable(directory)],
        [directory for directory in directories if _is_followed(directory, context)],
    )
    if not writable and not followed:
        return
    other_directories = [
        directory
        for other_container in _other_containers(container, context)
        for directory in _bound_directories(other_container, (), context)
    ]
    pairs = [
        (outer, inner)
        for outer in writable
        for inner in (*other_directories, *directories)
        if _is_followed(inner, context)
    ]
    pairs += [(outer, inner) for outer in other_directories if _is_writable(outer) for inner in followed]
    for outer, inner in pairs:
        if _contains(outer, inner) and not _is_covered(outer, inner):
            context.unless_allowed(container, f"{inner.mount.source} in {outer.mount.source}", Refusal(
                f"{inner.mount.source}: {outer.container.name or 'it'} may put a link in its place, and the restart "
                f"policy of {inner.container.name or 'it'} would follow it",
                f"{outer.mount.source} read-only, or --restart=no",
            ))  # fmt: skip


def _other_containers(container: Container, context: Context) -> Iterable[Container]:
    return (other for other in context.lookups.containers("") if other.id != container.id and not other.fault)


def _bound_directories(
    container: Container, protected_mounts: tuple[Mount, ...], context: Context
) -> Iterable[_BoundDirectory]:
    for mount in container.mounts:
        directory = context.bound_directory(mount)
        if directory and mount not in protected_mounts and directory not in host_areas.HARMLESS_PATHS:
            yield _BoundDirectory(
                container,
                mount,
                host_areas.with_locations(host_areas.resolve(directory, context.lookups), context.lookups),
            )


def _is_writable(directory: _BoundDirectory) -> bool:
    return not directory.mount.read_only


def _is_followed(directory: _BoundDirectory, context: Context) -> bool:
    """What is read alone leads to nothing that *standard* keeps from being read."""
    policy = gojson.struct(directory.container.host.get("restartpolicy"), "RestartPolicy")
    restarts = gojson.text(policy.get("name"), "RestartPolicy.Name") not in ("", "no")
    return restarts and (context.profile == "strict" or not directory.mount.read_only)


def _contains(outer: _BoundDirectory, inner: _BoundDirectory) -> bool:
    return any(above != below and host_areas.is_within(below, above) for above in outer.spots for below in inner.spots)


def _is_covered(outer: _BoundDirectory, inner: _BoundDirectory) -> bool:
    """In one container a mount point cannot be moved away: so where the inner one lies at its own place in the outer
    one, the link cannot be made."""
    if outer.container.name != inner.container.name:
        return False
    relative = posixpath.relpath(inner.spots[1], outer.spots[1])
    return posixpath.normpath(inner.mount.target) == posixpath.normpath(posixpath.join(outer.mount.target, relative))
