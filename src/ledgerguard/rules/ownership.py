"""Who may hold a protected volume: owners exactly as granted, readers, nobody else.

A module of its own because create, start and restart ask the same of a container. Pure but for the look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ledgerguard.api import gojson, volume_options
from ledgerguard.model import Container, Mount
from ledgerguard.refusal import LookupFailed, Refused, lost
from ledgerguard.rules import grant_matching, host_areas, host_config, host_mounts, network_membership, restart_links
from ledgerguard.rules.policy import Scene

# Compose gives a container that replaces another this name first.
_REPLACING = re.compile(r"[0-9a-f]{12}_")


def check(container: Container, scene: Scene, *, to_be_created: bool) -> None:
    """Refuses a container that would hold, or reach, protected data otherwise than granted."""
    if to_be_created:
        container = replace(container, name=final_name(container.name))
    _check_volumes_from(container, scene)
    _check_joined(container, scene)
    held = protected_mounts(container, scene)
    shared = network_membership.shared(container)
    network_membership.check(container, held, meant(shared, scene) if shared else (), scene)
    _check_auto_remove(container, held)
    for mount in held:
        if mount.source not in scene.volumes:
            raise lost(
                (mount.source,), "mount", "is declared but the engine has no record of it; this would make another one",
                "make deploy",
            )  # fmt: skip
    _check_host(container, scene)
    may_reach_all = scene.profile == "standard" and gojson.flag(container.host.get("privileged"), "Privileged")
    if held and not all(_harmless_reader(mount, container) for mount in held):
        _check_owner(container, held, scene)
        return
    if to_be_created:
        _check_copies(held, scene)
    for mount in container.mounts:
        if mount not in held:
            _check_unless_allowed(container, mount, scene, may_reach_all)
    restart_links.check(container, held, scene)


def final_name(name: str) -> str:
    """What a container that replaces another will be called."""
    return _REPLACING.sub("", name, count=1)


def protected_mounts(container: Container, scene: Scene) -> tuple[Mount, ...]:
    """The container's mounts of protected volumes, by name. Raises LookupFailed for one that cannot be judged."""
    if container.fault:
        raise LookupFailed(container.fault)
    if not any(mount.kind == "volume" and mount.source for mount in container.mounts):
        return ()
    protected = scene.protected
    return tuple(mount for mount in container.mounts if mount.kind == "volume" and mount.source in protected)


def held_volumes(container: Container, scene: Scene) -> tuple[str, ...]:
    """Protected volumes that the container can reach at all: by name, or by a directory that overlaps theirs."""
    held = protected_mounts(container, scene)
    named = [mount.source for mount in held]
    written = [mount for mount in container.mounts if not mount.read_only and mount not in held]
    sources = [(mount, source) for mount in written if (source := scene.bound_directory(mount))]
    paths = scene.protected_paths() if sources else {}
    for mount, source in sources:
        hit = host_areas.reached(host_areas.shown(host_areas.both(source, scene.lookups), mount, scene.lookups), paths)
        named += [paths[hit]] if hit else []
    return tuple(dict.fromkeys(named))


def written_volumes(container: Container, scene: Scene) -> tuple[str, ...]:
    """Those of them that the container can write to."""
    readers = {mount.source for mount in protected_mounts(container, scene) if mount.read_only}
    writers = {mount.source for mount in protected_mounts(container, scene) if not mount.read_only}
    return tuple(name for name in held_volumes(container, scene) if name not in readers - writers)


def _without_privileged_masks(host: Mapping[str, object]) -> Mapping[str, object]:
    """A privileged container has no masks; that is judged as `privileged`."""
    if not gojson.flag(host.get("privileged"), "Privileged"):
        return host
    return {key: value for key, value in host.items() if key not in ("maskedpaths", "readonlypaths")}


def _check_host(container: Container, scene: Scene) -> None:
    host = _without_privileged_masks(container.host)
    for wrong in host_config.faults(host, scene.profile, scene.lookups.runtimes):
        scene.unless_allowed(container, wrong, host_config.refusal(wrong, scene.profile))


def _harmless_reader(mount: Mount, container: Container) -> bool:
    return mount.read_only and not mount.odd and not mount.propagates and not host_config.reaches_inside(container.host)


def _check_copies(held: tuple[Mount, ...], scene: Scene) -> None:
    """A reader of an empty volume: the engine would copy into it what the image has at the target."""
    for mount in held:
        if mount.copies and scene.lookups.is_empty(scene.directory_of(mount.source)):
            raise lost((mount.source,), "mount", "it is empty, and the engine would copy the image's files into it",
                       f"-v {mount.source}:{mount.target}:ro,nocopy")  # fmt: skip


# --- owners ---------------------------------------------------------------------------------------------------------


def _check_owner(container: Container, held: tuple[Mount, ...], scene: Scene) -> None:
    wrong = owner_fault(container, held, scene)
    if wrong:
        volumes = tuple(mount.source for mount in held)
        raise lost(volumes, "mount", f"container {container.name or '(no name)'} may not write to it: {wrong}",
                   f"mount it read-only (-v {volumes[0]}:{held[0].target}:ro)")  # fmt: skip


def owner_fault(container: Container, held: tuple[Mount, ...], scene: Scene) -> str:
    """What is not as granted; "" when the container is an owner of all it holds."""
    grants = scene.policy.declarations.grants_of(container.name)
    return grant_matching.grants_fault(container, held, grants, scene.names)


# --- everything else ------------------------------------------------------------------------------------------------


def _check_volumes_from(container: Container, scene: Scene) -> None:
    for reference, read_only in container.volumes_from:
        for other in meant(reference, scene):
            _check_auto_remove(container, protected_mounts(other, scene))
            held = held_volumes(other, scene)
            if held and (not read_only or host_config.reaches_inside(container.host)):
                raise lost(
                    held, "mount", f"--volumes-from {reference} would write to it", f"--volumes-from {reference}:ro"
                )


def _check_auto_remove(container: Container, held: tuple[Mount, ...]) -> None:
    """With `--rm` the engine removes anonymous volumes at the container's end, without any request."""
    taken = tuple(mount.source for mount in held if not mount.named)
    if taken and gojson.flag(container.host.get("autoremove"), "AutoRemove"):
        raise lost(taken, "mount", "a container with --rm would take it along at its end", "docker run without --rm")


def _check_joined(container: Container, scene: Scene) -> None:
    for reference in host_config.joined(container.host):
        for other in meant(reference, scene):
            held = held_volumes(other, scene)
            if held:
                raise lost(held, "mount", f"sharing the processes or memory of its owner {reference}")


def working_place(volume: str, safe: str) -> Refused:
    """The refusal of who would put something where an owner works."""
    reason = f"volume {volume}: an owner of protected data works with what stands there"
    return Refused(reason, safe, volumes=(volume,), operation="mount")


def meant(reference: str, scene: Scene) -> tuple[Container, ...]:
    """The containers that the engine could mean. It also knows names that links give, which are in no file."""
    found = scene.lookups.containers(reference)
    if not found:
        raise Refused(f"no such container: {reference[:64]}", "docker ps -a")
    return found


def _check_unless_allowed(container: Container, mount: Mount, scene: Scene, may_reach_all: bool) -> None:
    try:
        _check_other(mount, scene, may_reach_all)
    except Refused as refusal:
        if refusal.verdict.volumes and not mount.read_only:
            raise  # whoever writes protected data is an owner, or has an unlock
        scene.unless_allowed(container, thing_of(mount), refusal)


def thing_of(mount: Mount) -> str:
    """How an exception names a mount: with all that decides what it may do."""
    words = {"ro": mount.read_only, "propagates": mount.propagates, mount.odd: bool(mount.odd)}
    said = [word for word, holds in words.items() if holds]
    return f"{mount.kind} {mount.source} {','.join(said) or 'rw'}"


def _check_other(mount: Mount, scene: Scene, may_reach_all: bool = False) -> None:
    """A mount that is not a protected volume by name: where does it lead?"""
    if mount.kind == "bind":
        host_mounts.check(mount.source, mount, scene, may_reach_all)
    elif mount.kind == "tmpfs" and mount.odd:
        raise Refused(f"mount at {mount.target}: {mount.odd}", "options of a tmpfs alone: size, mode, uid, gid")
    elif mount.kind == "volume":
        if mount.source and (not mount.read_only or mount.options) and mount.source in scene.owners_volumes():
            raise working_place(mount.source, f"-v {mount.source}:{mount.target}:ro")
        known = scene.volumes.get(mount.source) if mount.source else None
        driver, chosen = (known.driver, known.options) if known else (mount.driver, mount.options)
        where = f"volume {mount.source or '(anonymous)'}"
        device = volume_options.bound_device(driver, chosen, "standard" if known else scene.profile, where)
        if device:
            host_mounts.check(device, mount, scene)
