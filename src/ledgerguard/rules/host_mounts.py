"""What of the host a container may be given by a path: no way around to protected data, to the engine, to the system.

A module of its own because binds, volumes' devices and what is recorded of both ask the same of a path, whoever holds
it. Pure but for the look-ups.
"""

from __future__ import annotations

from ledgerguard.model import Mount
from ledgerguard.refusal import Refused, lost
from ledgerguard.rules import host_areas
from ledgerguard.rules.policy import Scene


def check(path: str, mount: Mount, scene: Scene, may_reach_all: bool = False) -> None:
    """Refuses a host path that reaches protected data, the engine or the system, for what this mount may do with it.

    `may_reach_all`: the container may do anything by itself, so that what it reads needs no look.
    """
    paths = host_areas.both(path, scene.lookups)
    _check_there(path, paths, scene, may_reach_all)
    # SELinux's `z` relabels what it only reads.
    if mount.read_only and not mount.odd and (may_reach_all or not mount.propagates):
        if not may_reach_all:
            _check_readable(path, paths, mount, scene)
        return
    shown = host_areas.shown(paths, mount, scene.lookups)
    protected = scene.protected_paths()
    hit = host_areas.reached(shown, protected)
    if hit:
        where = f" {hit}" if hit.startswith("/") else ", which is mounted in two places"
        raise lost((protected[hit],), "mount", f"{path} reaches its directory{where}", f"-v {protected[hit]}:/x:ro")
    if may_reach_all:
        return
    known = scene.policy.places
    _check_types(path, paths, mount, scene, host_areas.KERNELS)
    if scene.profile == "standard" and all(map(host_areas.of_a_user, paths)):
        return
    if scene.profile == "standard" and set(paths) <= {*known.engine_sockets, *host_areas.HARMLESS}:
        return
    opening = next(filter(host_areas.opens_root, paths), "")
    system = host_areas.located((*known.system, *scene.owners_files()), scene.lookups)
    hit = opening or host_areas.reached(shown, system)
    if hit and not (scene.profile == "strict" and set(paths) <= host_areas.HARMLESS):
        safe = "/srv" if scene.profile == "strict" else "/home or /srv"
        raise Refused(
            f"host reach: a writable mount of {path} reaches {hit}", f"mount it read-only, or a directory below {safe}"
        )
    if scene.profile == "strict" and not set(paths) <= host_areas.HARMLESS:
        _check_data(path, paths, scene)


def _check_there(path: str, paths: tuple[str, str], scene: Scene, may_reach_all: bool) -> None:
    """The engine makes a directory of root's where a bind's source is missing: `standby.signal` in a database's
    directory is one to the server, and `nologin` in /etc to everybody."""
    if scene.lookups.exists(paths[0]) or set(paths) <= host_areas.HARMLESS:
        return
    protected = scene.protected_paths()
    seen = host_areas.located(paths, scene.lookups)
    hit = next((spot for spot in protected for one in seen if host_areas.within(one, spot)), "")
    if hit:
        raise lost((protected[hit],), "mount", f"{path} is not there, and the engine would make it in its directory")
    if may_reach_all or (scene.profile == "standard" and all(map(host_areas.of_a_user, paths))):
        return
    system = host_areas.located((*scene.policy.places.system, *scene.owners_files()), scene.lookups)
    hit = next((spot for spot in system for one in seen if host_areas.within(one, spot)), "")
    if hit:
        raise Refused(f"host reach: {path} is not there, and the engine would make it in {hit}", f"mkdir {path} first")


def _check_types(path: str, paths: tuple[str, str], mount: Mount, scene: Scene, closed: frozenset[str]) -> None:
    """A file system of the kernel's is one wherever it is mounted: a chroot has a /proc of its own."""
    systems = scene.lookups.file_systems(paths[1])
    hit = next(((point, kind) for point, kind in systems[: None if mount.recursive else 1] if kind in closed), None)
    if hit:
        raise Refused(f"host reach: {path} reaches the {hit[1]} file system at {hit[0]}", "mount only what is needed")


def _check_data(path: str, paths: tuple[str, str], scene: Scene) -> None:
    """In strict: what is known to be a place of data, and cannot be turned into another."""
    if any(not any(host_areas.within(one, spot) for spot in host_areas.DATA) for one in paths):
        raise Refused(
            f"host reach (strict): {path} is not below {', '.join(host_areas.DATA)}", "mount it read-only, or a volume"
        )
    if not all(scene.lookups.only_root_changes(one) for one in paths):
        raise Refused(
            f"host reach (strict): {path} can be swapped by others than root",
            "chown root it and what is above, or a volume",
        )


def _check_readable(path: str, paths: tuple[str, str], mount: Mount, scene: Scene) -> None:
    if set(paths) <= host_areas.HARMLESS:
        return
    where = scene.policy.places
    seen = host_areas.located(paths, scene.lookups)
    kept = host_areas.located(where.sockets, scene.lookups)
    sockets = [socket for one in seen for socket in kept if host_areas.within(one, socket)]
    if sockets and (scene.profile == "strict" or not set(paths) <= where.engine_sockets):
        raise Refused(f"host reach: {path} is a socket's place, read-only or not")
    if scene.profile == "strict":
        inside = host_areas.located((where.data_root,), scene.lookups)
        above = [spot for one in seen for spot in (*kept, *inside) if host_areas.within(spot, one)]
        if above:
            raise Refused(f"host reach (strict): {path} holds {above[0]}", "mount only what is needed")
        logs = host_areas.located((f"{where.data_root}/containers",), scene.lookups)
        if host_areas.reached(seen, inside) and not host_areas.reached(
            seen, logs
        ):  # containers' own files, sockets among them
            raise Refused(f"host reach (strict): {path} is the engine's own", "mount only what is needed")
    _check_live(path, paths, mount, scene)
    _check_later(path, paths, mount, scene)
    if mount.recursive and not (mount.complete and scene.lookups.recursive_read_only()):
        _check_submounts(path, paths, scene)


def _check_live(path: str, paths: tuple[str, str], mount: Mount, scene: Scene) -> None:
    """Reading /proc is enough to enter the file systems of other processes, and reading a socket's place to use it. Of
    `/` nothing is promised in standard, where it may be read."""
    in_standard = () if paths[1] == "/" else ("/proc",)
    closed = host_areas.LIVE if scene.profile == "strict" else in_standard
    hit = host_areas.reached(host_areas.located(paths, scene.lookups), host_areas.located(closed, scene.lookups))
    if hit:
        raise Refused(
            f"host reach ({scene.profile}): {path} reaches {hit}, read-only or not", "mount only what is needed"
        )
    if scene.profile == "strict" or paths[1] != "/":
        kinds = host_areas.LIVE_KINDS if scene.profile == "strict" else host_areas.PROCESSES
        _check_types(path, paths, mount, scene, kinds)


def _check_later(path: str, paths: tuple[str, str], mount: Mount, scene: Scene) -> None:
    """Whatever overlaps the engine's own directory is made a receiver of later mounts, and those are not read-only: the
    protected volumes of containers that start later. Of `/` nothing is promised where it may be read at all."""
    if paths[1] == "/" or not mount.recursive or not host_areas.reached(paths, (scene.policy.places.data_root,)):
        return
    protected = scene.protected_paths()
    hit = host_areas.reached(paths, protected)
    if hit:
        raise lost((protected[hit],), "mount", f"{path}: what the engine mounts there later is writable",
                   f"-v {protected[hit]}:/x:ro")  # fmt: skip


def _check_submounts(path: str, paths: tuple[str, str], scene: Scene) -> None:
    """Read-only stops at the first file system below on older engines."""
    protected = scene.protected_paths()
    for below in scene.lookups.submounts(paths[1]):
        hit = host_areas.reached(host_areas.located((below,), scene.lookups), protected)
        if hit:
            raise lost((protected[hit],), "mount", f"{below} stays writable below the read-only {path}")
