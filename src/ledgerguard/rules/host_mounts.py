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
    if mount.read_only and not mount.unsupported and (may_reach_all or not mount.propagates):
        if not may_reach_all:
            _check_readable(path, paths, mount, context)
        return
    visible = host_areas.visible_paths(paths, mount, context.lookups)
    protected = context.protected_paths()
    hit = host_areas.find_overlap(visible, protected)
    if hit:
        detail = f" {hit}" if hit.startswith("/") else ", which is mounted in two places"
        raise volume_refusal(
            (protected[hit],), "mount", f"{path} reaches its directory{detail}", f"-v {protected[hit]}:/x:ro"
        )
    if may_reach_all:
        return
    areas = context.policy.areas
    _check_file_systems(path, paths, mount, context, host_areas.KERNEL_FILE_SYSTEMS)
    if context.profile == "standard" and all(map(host_areas.is_in_user_runtime, paths)):
        return
    if context.profile == "standard" and set(paths) <= {*areas.engine_sockets, *host_areas.HARMLESS_PATHS}:
        return
    login_path = next(filter(host_areas.is_root_login_path, paths), "")
    system = host_areas.with_locations((*areas.system, *context.owners_files()), context.lookups)
    hit = login_path or host_areas.find_overlap(visible, system)
    if hit and not (context.profile == "strict" and set(paths) <= host_areas.HARMLESS_PATHS):
        safe = "/srv" if context.profile == "strict" else "/home or /srv"
        raise Refusal(
            f"host reach: a writable mount of {path} reaches {hit}", f"mount it read-only, or a directory below {safe}"
        )
    if context.profile == "strict" and not set(paths) <= host_areas.HARMLESS_PATHS:
        _check_data_directory(path, paths, context)


def _check_missing_source(path: str, paths: tuple[str, str], context: Context, may_reach_all: bool) -> None:
    """The engine makes a directory of root's where a bind's source is missing: `standby.signal` in a database's
    directory is one to the server, and `nologin` in /etc to everybody."""
    if context.lookups.exists(paths[0]) or set(paths) <= host_areas.HARMLESS_PATHS:
        return
    protected = context.protected_paths()
    locations = host_areas.with_locations(paths, context.lookups)
    hit = next((area for area in protected for location in locations if host_areas.is_within(location, area)), "")
    if hit:
        raise volume_refusal(
            (protected[hit],), "mount", f"{path} is not there, and the engine would make it in its directory"
        )
    if may_reach_all or (context.profile == "standard" and all(map(host_areas.is_in_user_runtime, paths))):
        return
    system = host_areas.with_locations((*context.policy.areas.system, *context.owners_files()), context.lookups)
    hit = next((area for area in system for location in locations if host_areas.is_within(location, area)), "")
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
    if any(not any(host_areas.is_within(checked, area) for area in host_areas.DATA_AREAS) for checked in paths):
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
    socket_areas = host_areas.with_locations(areas.sockets, context.lookups)
    sockets = [socket for location in locations for socket in socket_areas if host_areas.is_within(location, socket)]
    if sockets and (context.profile == "strict" or not set(paths) <= areas.engine_sockets):
        raise Refusal(f"host reach: {path} is a socket's place, read-only or not")
    if context.profile == "strict":
        engine_areas = host_areas.with_locations((areas.data_root,), context.lookups)
        contained = [
            area
            for location in locations
            for area in (*socket_areas, *engine_areas)
            if host_areas.is_within(area, location)
        ]
        if contained:
            raise Refusal(f"host reach (strict): {path} holds {contained[0]}", "mount only what is needed")
        logs = host_areas.with_locations((f"{areas.data_root}/containers",), context.lookups)
        if host_areas.find_overlap(locations, engine_areas) and not host_areas.find_overlap(
            locations, logs
        ):  # containers' own files, sockets among them
            raise Refusal(f"host reach (strict): {path} is the engine's own", "mount only what is needed")
    _check_live_areas(path, paths, mount, context)
    _check_later_mounts(path, paths, mount, context)
    if mount.recursive and not (mount.complete and context.lookups.recursive_read_only()):
        _check_submounts(path, paths, context)


def _check_live_areas(path: str, paths: tuple[str, str], mount: Mount, context: Context) -> None:
    """Reading /proc is enough to enter the file systems of other processes, and reading a socket's place to use it. Of
    `/` nothing is promised in standard, where it may be read."""
    in_standard = () if paths[1] == "/" else ("/proc",)
    closed = host_areas.LIVE_AREAS if context.profile == "strict" else in_standard
    hit = host_areas.find_overlap(
        host_areas.with_locations(paths, context.lookups), host_areas.with_locations(closed, context.lookups)
    )
    if hit:
        raise Refusal(
            f"host reach ({context.profile}): {path} reaches {hit}, read-only or not", "mount only what is needed"
        )
    if context.profile == "strict" or paths[1] != "/":
        kinds = host_areas.LIVE_FILE_SYSTEMS if context.profile == "strict" else host_areas.PROCESS_FILE_SYSTEMS
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
