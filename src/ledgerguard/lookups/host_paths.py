"""The host's own paths: where one really leads, what is mounted below it, and in which file system it lies.

A module of its own because it reads the host and nothing of the engine. A directory can be had by several names:
through links, and through a file system that is mounted in two places, which no link shows.
"""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterable
from pathlib import Path

from ledgerguard.lookups import mount_table
from ledgerguard.lookups.mount_table import MountPoint, MountTable
from ledgerguard.refusal import LookupFailed

MAX_LINKS = 40  # as the kernel


def submounts(path: str) -> tuple[str, ...]:
    """Mount points strictly below the path. Raises LookupFailed."""
    return tuple(mount_table.read_mount_table().below(path))


def locations(paths: Iterable[str]) -> tuple[str, ...]:
    """`DEVICE:PATH` of each real path: the same for the same directory, wherever it is mounted. Raises LookupFailed."""
    table = mount_table.read_mount_table()
    return tuple(location(path, table) for path in paths)


def location(path: str, table: MountTable) -> str:
    """The path inside its file system, behind the file system's device."""
    mount = find_mount(path, table)
    inside = f"{mount.root}/{path[len(mount.point) :]}".lstrip("/")  # normpath keeps two slashes at the front
    return f"{mount.device}:{posixpath.normpath('/' + inside)}"


def find_mount(path: str, table: MountTable) -> MountPoint:
    """The mount that holds the path: the nearest above it, and of several at one point the last. Raises
    LookupFailed."""
    above = path
    while above not in table.points:
        if above in ("/", ""):
            raise LookupFailed(f"mounts: {path} is below none")
        above = posixpath.dirname(above)
    return table.points[above]


def file_systems(path: str) -> tuple[tuple[str, str], ...]:
    """(mount point, type) of what holds the path, then of each mount strictly below it. Raises LookupFailed."""
    table = mount_table.read_mount_table()
    mounts = (find_mount(path, table), *(table.points[point] for point in table.below(path)))
    return tuple((mount.point, mount.kind) for mount in mounts)


def real_path(path: str) -> str:
    """Where the path leads, as `os.path.realpath` says it, but for a link inside of /proc: that is another one for each
    process, so it is left as it is written, and what is below /proc is not known to be good."""
    resolved, pending, links_followed = "/", _split_reversed(path), 0
    while pending:
        part = pending.pop()
        if part == "..":
            resolved = posixpath.dirname(resolved)
            continue
        candidate = posixpath.join(resolved, part)
        target = _read_link(candidate)
        if target is None:
            resolved = candidate
        elif resolved == "/proc" or resolved.startswith("/proc/"):
            return posixpath.normpath("/".join((candidate, *reversed(pending))))
        else:
            links_followed += 1
            if links_followed > MAX_LINKS:
                raise LookupFailed(f"{path}: more than {MAX_LINKS} links")
            resolved = "/" if target.startswith("/") else resolved
            pending += _split_reversed(target)
    return resolved


def _split_reversed(path: str) -> list[str]:
    """The path's components, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _read_link(path: str) -> str | None:
    """What the link says; None where there is no link."""
    try:
        return os.readlink(path)  # noqa: PTH115 a Path would fold its dots
    except OSError:
        return None


def exists(path: str) -> bool:
    """Whether something is there. Raises LookupFailed where that cannot be seen."""
    try:
        os.stat(path)  # noqa: PTH116 a Path would call a loop of links absent
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise LookupFailed(f"{path}: {error}") from error
    return True


def is_empty(path: str) -> bool:
    """Whether the directory holds nothing. Raises LookupFailed."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except OSError as error:
        raise LookupFailed(f"{path}: {error}") from error


def only_root_changes(path: str) -> bool:
    """Whether no component of the path can be swapped by anybody but root. Raises LookupFailed."""
    current = Path("/")
    for part in ("", *Path(path).parts[1:]):
        current = current / part
        try:
            status = current.lstat()
        except FileNotFoundError:
            return True
        except OSError as error:
            raise LookupFailed(f"{current}: {error}") from error
        writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and current != Path(path)
        if status.st_uid != 0 or writable:
            return False
    return True
