"""Who may hold a protected volume: owners exactly as granted, readers, nobody else.

A module of its own because create, start and restart ask the same of a container. Pure but for the look-ups.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from ledgerguard.api import gojson, volume_options
from ledgerguard.model import Container, Mount
from ledgerguard.refusal import LookupFailed, Refusal, volume_refusal
from ledgerguard.rules import grant_matching, host_areas, host_config, host_mounts, network_membership, restart_links
from ledgerguard.rules.policy import Context

# Compose gives a container that replaces another this name first.
_REPLACING = re.compile(r"[0-9a-f]{12}_")


def check_container(container: Container, context: Context, *, to_be_created: bool) -> None:
    """Refuses a container that would hold, or reach, protected data otherwise than granted."""
    if to_be_created:
        container = replace(container, name=name_after_replacement(container.name))
    _check_volumes_from(container, context)
    _check_shared_namespaces(container, context)
    protected_mounts = find_protected_mounts(container, context)
    shared = network_membership.find_shared_network(container)
    network_membership.check_networks(
        container, protected_mounts, find_containers(shared, context) if shared else (), context
    )
    _check_auto_remove(container, protected_mounts)
    for mount in protected_mounts:
        if mount.source not in context.volumes:
            raise volume_refusal(
                (mount.source,), "mount", "is declared but the engine has no record of it; this would make another one",
                "make deploy",
            )  # fmt: skip
    _check_host(container, context)
    may_reach_all = context.profile == "standard" and gojson.flag(container.host.get("privileged"), "Privileged")
    if protected_mounts and not all(_is_harmless_reader(mount, container) for mount in protected_mounts):
        _check_owner(container, protected_mounts, context)
        return
    if to_be_created:
        _check_copies(protected_mounts, context)
    for mount in container.mounts:
        if mount not in protected_mounts:
            _check_unless_allowed(container, mount, context, may_reach_all)
    restart_links.check_restart_links(container, protected_mounts, context)


def name_after_replacement(name: str) -> str:
    """What a container that replaces another will be called."""
    return _REPLACING.sub("", name, count=1)


def find_protected_mounts(container: Container, context: Context) -> tuple[Mount, ...]:
    """The container's mounts of protected volumes, by name. Raises LookupFailed for one that cannot be judged."""
    if container.fault:
        raise LookupFailed(container.fault)
    if not any(mount.kind == "volume" and mount.source for mount in container.mounts):
        return ()
    protected = context.protected
    return tuple(mount for mount in container.mounts if mount.kind == "volume" and mount.source in protected)


def find_reachable_volumes(container: Container, context: Context) -> tuple[str, ...]:
    """Protected volumes that the container can reach at all: by name, or by a directory that overlaps theirs."""
    protected_mounts = find_protected_mounts(container, context)
    names = [mount.source for mount in protected_mounts]
    writable = [mount for mount in container.mounts if not mount.read_only and mount not in protected_mounts]
    sources = [(mount, source) for mount in writable if (source := context.bound_directory(mount))]
    paths = context.protected_paths() if sources else {}
    for mount, source in sources:
        hit = host_areas.find_overlap(
            host_areas.visible_paths(host_areas.resolve(source, context.lookups), mount, context.lookups), paths
        )
        names += [paths[hit]] if hit else []
    return tuple(dict.fromkeys(names))


def find_writable_volumes(container: Container, context: Context) -> tuple[str, ...]:
    """Those of them that the container can write to."""
    readers = {mount.source for mount in find_protected_mounts(container, context) if mount.read_only}
    writers = {mount.source for mount in find_protected_mounts(container, context) if not mount.read_only}
    return tuple(name for name in find_reachable_volumes(container, context) if name not in readers - writers)


def _without_privileged_masks(host: Mapping[str, object]) -> Mapping[str, object]:
    """A privileged container has no masks; that is judged as `privileged`."""
    if not gojson.flag(host.get("privileged"), "Privileged"):
        return host
    return {key: value for key, value in host.items() if key not in ("maskedpaths", "readonlypaths")}


def _check_host(container: Container, context: Context) -> None:
    host = _without_privileged_masks(container.host)
    for fault in host_config.find_faults(host, context.profile, context.lookups.runtimes):
        context.unless_allowed(container, fault, host_config.host_refusal(fault, context.profile))


def _is_harmless_reader(mount: Mount, container: Container) -> bool:
    return (
        mount.read_only
        and not mount.unsupported
        and not mount.propagates
        and not host_config.find_remount_power(container.host)
    )


def _check_copies(protected_mounts: tuple[Mount, ...], context: Context) -> None:
    """A reader of an empty volume: the engine would copy into it what the image has at the target."""
    for mount in protected_mounts:
        if mount.copies and context.lookups.is_empty(context.directory_of(mount.source)):
            raise volume_refusal(
                (mount.source,),
                "mount",
                "it is empty, and the engine would copy the image's files into it",
                f"-v {mount.source}:{mount.target}:ro,nocopy",
            )


# --- owners ---------------------------------------------------------------------------------------------------------


def _check_owner(container: Container, protected_mounts: tuple[Mount, ...], context: Context) -> None:
    fault = find_owner_fault(container, protected_mounts, context)
    if fault:
        volumes = tuple(mount.source for mount in protected_mounts)
        raise volume_refusal(
            volumes,
            "mount",
            f"container {container.name or '(no name)'} may not write to it: {fault}",
            f"mount it read-only (-v {volumes[0]}:{protected_mounts[0].target}:ro)",
        )


def find_owner_fault(container: Container, protected_mounts: tuple[Mount, ...], context: Context) -> str:
    """What is not as granted; "" when the container is an owner of all it holds."""
    grants = context.policy.declarations.grants_of(container.name)
    return grant_matching.find_grants_fault(container, protected_mounts, grants, context.names)


# --- everything else ------------------------------------------------------------------------------------------------


def _check_volumes_from(container: Container, context: Context) -> None:
    for reference, read_only in container.volumes_from:
        for source in find_containers(reference, context):
            _check_auto_remove(container, find_protected_mounts(source, context))
            volumes = find_reachable_volumes(source, context)
            if volumes and (not read_only or host_config.find_remount_power(container.host)):
                raise volume_refusal(
                    volumes, "mount", f"--volumes-from {reference} would write to it", f"--volumes-from {reference}:ro"
                )


def _check_auto_remove(container: Container, protected_mounts: tuple[Mount, ...]) -> None:
    """With `--rm` the engine removes anonymous volumes at the container's end, without any request."""
    volumes = tuple(mount.source for mount in protected_mounts if not mount.is_named)
    if volumes and gojson.flag(container.host.get("autoremove"), "AutoRemove"):
        raise volume_refusal(
            volumes, "mount", "a container with --rm would take it along at its end", "docker run without --rm"
        )


def _check_shared_namespaces(container: Container, context: Context) -> None:
    for reference in host_config.shared_containers(container.host):
        for peer in find_containers(reference, context):
            volumes = find_reachable_volumes(peer, context)
            if volumes:
                raise volume_refusal(volumes, "mount", f"sharing the processes or memory of its owner {reference}")


def owner_input_refusal(volume: str, safe: str) -> Refusal:
    """The refusal of who would put something where an owner works."""
    reason = f"volume {volume}: an owner of protected data works with what stands there"
    return Refusal(reason, safe, volumes=(volume,), operation="mount")


def find_containers(reference: str, context: Context) -> tuple[Container, ...]:
    """The containers that the engine could mean. It also knows names that links give, which are in no file."""
    containers = context.lookups.containers(reference)
    if not containers:
        raise Refusal(f"no such container: {reference[:64]}", "docker ps -a")
    return containers


def _check_unless_allowed(container: Container, mount: Mount, context: Context, may_reach_all: bool) -> None:
    try:
        _check_unprotected_mount(mount, context, may_reach_all)
    except Refusal as refusal:
        if refusal.verdict.volumes and not mount.read_only:
            raise  # whoever writes protected data is an owner, or has an unlock
        context.unless_allowed(container, permission_for(mount), refusal)


def permission_for(mount: Mount) -> str:
    """How an exception names a mount: with all that decides what it may do."""
    words = {"ro": mount.read_only, "propagates": mount.propagates, mount.unsupported: bool(mount.unsupported)}
    flags = [word for word, holds in words.items() if holds]
    return f"{mount.kind} {mount.source} {','.join(flags) or 'rw'}"


def _check_unprotected_mount(mount: Mount, context: Context, may_reach_all: bool = False) -> None:
    """A mount that is not a protected volume by name: where does it lead?"""
    if mount.kind == "bind":
        host_mounts.check_host_path(mount.source, mount, context, may_reach_all)
    elif mount.kind == "tmpfs" and mount.unsupported:
        raise Refusal(f"mount at {mount.target}: {mount.unsupported}", "options of a tmpfs alone: size, mode, uid, gid")
    elif mount.kind == "volume":
        if mount.source and (not mount.read_only or mount.options) and mount.source in context.owners_volumes():
            raise owner_input_refusal(mount.source, f"-v {mount.source}:{mount.target}:ro")
        volume = context.volumes.get(mount.source) if mount.source else None
        driver, options = (volume.driver, volume.options) if volume else (mount.driver, mount.options)
        subject = f"volume {mount.source or '(anonymous)'}"
        device = volume_options.find_bound_device(driver, options, "standard" if volume else context.profile, subject)
        if device:
            host_mounts.check_host_path(device, mount, context)
