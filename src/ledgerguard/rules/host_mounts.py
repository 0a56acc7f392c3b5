"""What of the host a container may be given by a path: no way around to protected data, to the engine, to the system.

A module of its own because binds, volumes' devices and what is recorded of both ask the same of a path, whoever holds
it. Pure but for the look-ups.
"""

from __future__ import annotations

from ledgerguard.model import Mount
from ledgerguard.refusal import Refusal, volume_refusal
from ledgerguard.rules import host_areas
from ledgerguard.rules.policy import Context


def check_host_path(path: str, mount: Mount, context: Context, may_reach_all: bool = False) -> None:
    """Refuses a host path that reaches protected data, the engine or the system, for what this mount may do with it.

    `may_reach_all`: the container may do anything by itself, so that what it reads needs no look.
    """
    paths = host_areas.resolve(path, context.lookups)
    _check_missing_source(path, paths, context, may_reach_all)
    # SELinux's `z` relabels what it only reads.
    only_reads = mount.read_only and not mount.unsupported
    if only_reads and may_reach_all:
        return
    if only_reads and not mount.propagates:
        _check_readable(path, paths, mount, context)
        return
    visible = host_areas.visible_paths(paths, mount, context.lookups)
    _check_protected_paths(path, visible, context)
    if not may_reach_all:
        _check_file_systems(path, paths, mount, context, host_areas.KERNEL_FILE_SYSTEMS)
        check_writable = _check_writable_in_strict if context.is_strict else _check_writable_in_standard
        check_writable(path, paths, visible, context)


def _check_protected_paths(path: str, visible: tuple[str, ...], context: Context) -> None:
    protected = context.protected_paths()
    hit = host_areas.find_overlap(visible, protected)
    if hit:
        detail = f" {hit}" if hit.startswith("/") else ", which is mounted in two places"
        raise volume_refusal(
            (protected[hit],), "mount", f"{path} reaches its directory{detail}", f"-v {protected[hit]}:/x:ro"
        )


def _check_writable_in_standard(path: str, paths: tuple[str, str], visible: tuple[str, ...], context: Context) -> None:
    """Developers' tools may write the engine's socket and a user's own run-time directory."""
    harmless = {*context.policy.areas.engine_sockets, *host_areas.HARMLESS_PATHS}
    if not set(paths) <= harmless and not all(map(host_areas.is_in_user_runtime, paths)):
        _check_system(path, paths, visible, context, "/home or /srv")


def _check_writable_in_strict(path: str, paths: tuple[str, str], visible: tuple[str, ...], context: Context) -> None:
    if not set(paths) <= host_areas.HARMLESS_PATHS:
        _check_system(path, paths, visible, context, "/srv")
        _check_data_directory(path, paths, context)


def _check_system(path: str, paths: tuple[str, str], visible: tuple[str, ...], context: Context, safe: str) -> None:
    """Refuses what leads to root's login, to the system, or to the configuration of owners."""
    login_path = next(filter(host_areas.is_root_login_path, paths), "")
    hit = login_path or host_areas.find_overlap(visible, _system_areas(context))
    if hit:
        raise Refusal(
            f"host reach: a writable mount of {path} reaches {hit}", f"mount it read-only, or a directory below {safe}"
        )


def _system_areas(context: Context) -> tuple[str, ...]:
    return host_areas.with_locations((*context.policy.areas.system, *context.owners_files()), context.lookups)


def _check_missing_source(path: str, paths: tuple[str, str], context: Context, may_reach_all: bool) -> None:
    """The engine makes a directory of root's where a bind's source is missing: `standby.signal` in a database's
    directory is one to the server, and `nologin` in /etc to everybody."""
    if context.lookups.exists(paths[0]) or set(paths) <= host_areas.HARMLESS_PATHS:
        return
    protected = context.protected_paths()
    locations = host_areas.with_locations(paths, context.lookups)
    hit = host_areas.find_holder(locations, protected)
    if hit:
        raise volume_refusal(
            (protected[hit],), "mount", f"{path} is not there, and the engine would make it in its directory"
        )
    if may_reach_all or (not context.is_strict and all(map(host_areas.is_in_user_runtime, paths))):
        return
    hit = host_areas.find_holder(locations, _system_areas(context))
    if hit:
        raise Refusal(f"host reach: {path} is not there, and the engine would make it in {hit}", f"mkdir {path} first")


def _check_file_systems(
    path: str, paths: tuple[str, str], mount: Mount, context: Context, closed: frozenset[str]
) -> None:
    """A file system of the kernel's is one wherever it is mounted: a chroot has a /proc of its own."""
    systems = context.lookups.file_systems(paths[1])
    hit = next(((point, kind) for point, kind in systems[: None if mount.recursive else 1] if kind in closed), None)
    if hit:
        raise Refusal(f"host reach: {path} reaches the {hit[1]} file system at {hit[0]}", "mount only what is needed")


def _check_data_directory(path: str, paths: tuple[str, str], context: Context) -> None:
    """In strict: what is known to be a place of data, and cannot be turned into another."""
    if not all(host_areas.find_holder((checked,), host_areas.DATA_AREAS) for checked in paths):
        raise Refusal(
            f"host reach (strict): {path} is not below {', '.join(host_areas.DATA_AREAS)}",
            "mount it read-only, or a volume",
        )
    if not all(context.lookups.only_root_changes(checked) for checked in paths):
        raise Refusal(
            f"host reach (strict): {path} can be swapped by others than root",
            "chown root it and what is above, or a volume",
        )


def _check_readable(path: str, paths: tuple[str, str], mount: Mount, context: Context) -> None:
    if set(paths) <= host_areas.HARMLESS_PATHS:
        return
    areas = context.policy.areas
    locations = host_areas.with_locations(paths, context.lookups)
    sockets = host_areas.with_locations(areas.sockets, context.lookups)
    may_read_sockets = not context.is_strict and set(paths) <= areas.engine_sockets
    if not may_read_sockets and host_areas.find_holder(locations, sockets):
        raise Refusal(f"host reach: {path} is a socket's place, read-only or not")
    if context.is_strict:
        _check_engine_areas(path, locations, sockets, context)
    _check_live_areas(path, paths, mount, context)
    _check_later_mounts(path, paths, mount, context)
    if mount.recursive and not (mount.complete and context.lookups.recursive_read_only()):
        _check_submounts(path, paths, context)


def _check_engine_areas(path: str, locations: tuple[str, ...], sockets: tuple[str, ...], context: Context) -> None:
    """In strict nobody reads what holds the engine's sockets or directory. Its containers' own files may be read."""
    data_root = context.policy.areas.data_root
    engine_areas = host_areas.with_locations((data_root,), context.lookups)
    for location in locations:
        contained = host_areas.find_within(location, (*sockets, *engine_areas))
        if contained:
            raise Refusal(f"host reach (strict): {path} holds {contained}", "mount only what is needed")
    container_areas = host_areas.with_locations((f"{data_root}/containers",), context.lookups)
    if host_areas.find_overlap(locations, engine_areas) and not host_areas.find_overlap(locations, container_areas):
        raise Refusal(f"host reach (strict): {path} is the engine's own", "mount only what is needed")


def _check_live_areas(path: str, paths: tuple[str, str], mount: Mount, context: Context) -> None:
    """Reading /proc is enough to enter the file systems of other processes, and reading a socket's place to use it. Of
    `/` nothing is promised in standard, where it may be read."""
    if paths[1] == "/" and not context.is_strict:
        return
    closed = host_areas.LIVE_AREAS if context.is_strict else ("/proc",)
    kinds = host_areas.LIVE_FILE_SYSTEMS if context.is_strict else host_areas.PROCESS_FILE_SYSTEMS
    locations = host_areas.with_locations(paths, context.lookups)
    hit = host_areas.find_overlap(locations, host_areas.with_locations(closed, context.lookups))
    if hit:
        raise Refusal(
            f"host reach ({context.profile}): {path} reaches {hit}, read-only or not", "mount only what is needed"
        )
    _check_file_systems(path, paths, mount, context, kinds)


def _check_later_mounts(path: str, paths: tuple[str, str], mount: Mount, context: Context) -> None:
    """Whatever overlaps the engine's own directory is made a receiver of later mounts, and those are not read-only: the
    protected volumes of containers that start later. Of `/` nothing is promised where it may be read at all."""
    if paths[1] == "/" or not mount.recursive or not host_areas.find_overlap(paths, (context.policy.areas.data_root,)):
        return
    protected = context.protected_paths()
    hit = host_areas.find_overlap(paths, protected)
    if hit:
        raise volume_refusal((protected[hit],), "mount", f"{path}: what the engine mounts there later is writable",
                   f"-v {protected[hit]}:/x:ro")  # fmt: skip


def _check_submounts(path: str, paths: tuple[str, str], context: Context) -> None:
    """Read-only stops at the first file system below on older engines."""
    protected = context.protected_paths()
    for below in context.lookups.submounts(paths[1]):
        hit = host_areas.find_overlap(host_areas.with_locations((below,), context.lookups), protected)
        if hit:
            raise volume_refusal((protected[hit],), "mount", f"{below} stays writable below the read-only {path}")
