"""The host's own paths: where one really leads, what is mounted below it, and in which file system it lies.

A module of its own because it reads the host and nothing of the engine. A directory can be had by several names:
through links, and through a file system that is mounted in two places, which no link shows.
"""

from __future__ import annotations

import os
import posixpath
import re
import select
import stat
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from ledgerguard.refusal import LookupFailed

MOUNTS = Path("/proc/self/mountinfo")
MAX_LINKS = 40  # as the kernel
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class MountPoint:
    """`root` of the file system of type `kind` on `device` (major:minor) is seen at `point`."""

    device: str
    root: str
    point: str
    kind: str = ""


class Table(tuple[MountPoint, ...]):
    """The mount points in the kernel's order."""

    @cached_property
    def points(self) -> dict[str, MountPoint]:
        """By their path. Walked up from a path: that costs the path's depth and not the number of mounts."""
        return {one.point: one for one in self}

    @cached_property
    def ordered(self) -> list[str]:
        """The points' paths in order: what is below one follows it."""
        return sorted(self.points)

    def below(self, path: str) -> Iterator[str]:
        """Mount points strictly below the path."""
        start = path.rstrip("/") + "/"
        for point in self.ordered[bisect_left(self.ordered, start) :]:
            if not point.startswith(start):
                return
            if point != start:  # the root, whose own path is the start of all
                yield point


@lru_cache(maxsize=2)
def table_of(text: bytes) -> Table:
    """The mount points of a `mountinfo`, as proc(5) describes it; what is mounted over another comes later. The kernel
    escapes blanks, line ends and backslashes and nothing else, so no other byte may end a line or a word."""
    fields = (line.split(b" ") for line in text.split(b"\n") if line)
    return Table(_mount_point(words) for words in fields)


def _mount_point(words: list[bytes]) -> MountPoint:
    """The type comes after the optional fields, which a lone `-` ends."""
    kind = words[words.index(b"-", 6) + 1]
    return MountPoint(words[2].decode("ascii"), _plain(words[3]), _plain(words[4]), kind.decode("ascii", "replace"))


def _plain(escaped: bytes) -> str:
    """A name as os.path has it, UTF-8 or not."""
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), escaped))


@dataclass
class _Kept:
    """The table as it was read last. The kernel writes 500 mounts in a millisecond or two and a decision asks twenty
    times, so it is read again only when the kernel tells the open file that a mount has changed."""

    file: Path | None = None
    descriptor: int = -1
    table: Table = field(default_factory=Table)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, file: Path) -> Table:
        with self.lock:
            try:
                if self.file != file or not _is_kernels(file):
                    self._open(file)
                elif not self._changed():
                    return self.table
                os.lseek(self.descriptor, 0, os.SEEK_SET)
                self.table = table_of(_all_of(self.descriptor))
            except BaseException:
                self.file = None  # half a table is none
                raise
            return self.table

    def _changed(self) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLPRI)
        return any(event & (select.POLLPRI | select.POLLERR) for _, event in poll.poll(0))

    def _open(self, file: Path) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        self.descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        self.file = file


def _is_kernels(file: Path) -> bool:
    """An ordinary file never says that it has changed."""
    return file.parts[1:2] == ("proc",)


def _all_of(descriptor: int) -> bytes:
    found = bytearray()
    while chunk := os.read(descriptor, 1 << 16):
        found += chunk
    return bytes(found)


_kept = _Kept()


def _table() -> Table:
    try:
        return _kept.read(MOUNTS)
    except (OSError, IndexError, ValueError) as error:
        raise LookupFailed(f"mounts: {error}") from error


def submounts(path: str) -> tuple[str, ...]:
    """Mount points strictly below the path. Raises LookupFailed."""
    return tuple(_table().below(path))


def locations(paths: Iterable[str]) -> tuple[str, ...]:
    """`DEVICE:PATH` of each real path: the same for the same directory, wherever it is mounted. Raises LookupFailed."""
    table = _table()
    return tuple(location(path, table) for path in paths)


def location(path: str, table: Table) -> str:
    """The path inside its file system, behind the file system's device."""
    nearest = holder(path, table)
    inside = f"{nearest.root}/{path[len(nearest.point) :]}".lstrip("/")  # normpath keeps two slashes at the front
    return f"{nearest.device}:{posixpath.normpath('/' + inside)}"


def holder(path: str, table: Table) -> MountPoint:
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
    table = _table()
    shown = (holder(path, table), *(table.points[point] for point in table.below(path)))
    return tuple((one.point, one.kind) for one in shown)


def real_path(path: str) -> str:
    """Where the path leads, as `os.path.realpath` says it, but for a link inside of /proc: that is another one for each
    process, so it is left as it is written, and what is below /proc is not known to be good."""
    done, left, links = "/", _parts(path), 0
    while left:
        part = left.pop()
        if part == "..":
            done = posixpath.dirname(done)
            continue
        there = posixpath.join(done, part)
        target = _link(there)
        if target is None:
            done = there
        elif done == "/proc" or done.startswith("/proc/"):
            return posixpath.normpath("/".join((there, *reversed(left))))
        else:
            links += 1
            if links > MAX_LINKS:
                raise LookupFailed(f"{path}: more than {MAX_LINKS} links")
            done = "/" if target.startswith("/") else done
            left += _parts(target)
    return done


def _parts(path: str) -> list[str]:
    """The path's components, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def _link(path: str) -> str | None:
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
