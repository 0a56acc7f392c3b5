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
from ledgerguard.refusal import Refused
from ledgerguard.rules import host_areas
from ledgerguard.rules.policy import Scene


@dataclass(frozen=True)
class _Bound:
    """A directory of the host in a container: by its names and its location."""

    container: Container
    mount: Mount
    spots: tuple[str, ...]


def check(container: Container, held: tuple[Mount, ...], scene: Scene) -> None:
    """Refuses it as the one that could, and as the one that would follow."""
    own = tuple(_bound(container, held, scene))
    writes, follows = [one for one in own if _writes(one)], [one for one in own if _follows(one, scene)]
    if not writes and not follows:
        return
    others = [one for other in _others(container, scene) for one in _bound(other, (), scene)]
    pairs = [(outer, inner) for outer in writes for inner in (*others, *own) if _follows(inner, scene)]
    pairs += [(outer, inner) for outer in others if _writes(outer) for inner in follows]
    for outer, inner in pairs:
        if _holds(outer, inner) and not _covered(outer, inner):
            scene.unless_allowed(container, f"{inner.mount.source} in {outer.mount.source}", Refused(
                f"{inner.mount.source}: {outer.container.name or 'it'} may put a link in its place, and the restart "
                f"policy of {inner.container.name or 'it'} would follow it",
                f"{outer.mount.source} read-only, or --restart=no",
            ))  # fmt: skip


def _others(container: Container, scene: Scene) -> Iterable[Container]:
    return (one for one in scene.lookups.containers("") if one.id != container.id and not one.fault)


def _bound(container: Container, held: tuple[Mount, ...], scene: Scene) -> Iterable[_Bound]:
    for mount in container.mounts:
        directory = scene.bound_directory(mount)
        if directory and mount not in held and directory not in host_areas.HARMLESS:
            yield _Bound(container, mount, host_areas.located(host_areas.both(directory, scene.lookups), scene.lookups))


def _writes(one: _Bound) -> bool:
    return not one.mount.read_only


def _follows(one: _Bound, scene: Scene) -> bool:
    """What is read alone leads to nothing that *standard* keeps from being read."""
    policy = gojson.struct(one.container.host.get("restartpolicy"), "RestartPolicy")
    restarts = gojson.text(policy.get("name"), "RestartPolicy.Name") not in ("", "no")
    return restarts and (scene.profile == "strict" or not one.mount.read_only)


def _holds(outer: _Bound, inner: _Bound) -> bool:
    return any(above != below and host_areas.within(below, above) for above in outer.spots for below in inner.spots)


def _covered(outer: _Bound, inner: _Bound) -> bool:
    """In one container a mount point cannot be moved away: so where the inner one lies at its own place in the outer
    one, the link cannot be made."""
    if outer.container.name != inner.container.name:
        return False
    relative = posixpath.relpath(inner.spots[1], outer.spots[1])
    return posixpath.normpath(inner.mount.target) == posixpath.normpath(posixpath.join(outer.mount.target, relative))
