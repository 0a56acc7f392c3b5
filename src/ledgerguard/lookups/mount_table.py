"""The table of what is mounted on the host, read again only when the kernel reports a change.

A module of its own because its price decides that of a decision: the kernel writes 500 mounts in a millisecond or two.
"""

from __future__ import annotations

import os
import re
import select
import threading
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from ledgerguard.refusal import LookupFailed

MOUNTS = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True)
class MountPoint:
    """`root` of the file system of type `kind` on `device` (major:minor) is seen at `point`."""

    device: str
    root: str
    point: str
    kind: str = ""


class MountTable(tuple[MountPoint, ...]):
    """The mount points in the kernel's order."""

    @cached_property
    def points(self) -> dict[str, MountPoint]:
        """By their path. Walked up from a path: that costs the path's depth and not the number of mounts."""
        return {mount.point: mount for mount in self}

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
def parse_mountinfo(text: bytes) -> MountTable:
    """The mount points of a `mountinfo`, as proc(5) describes it; what is mounted over another comes later. The kernel
    escapes blanks, line ends and backslashes and nothing else, so no other byte may end a line or a word."""
    fields = (line.split(b" ") for line in text.split(b"\n") if line)
    return MountTable(_parse_mount_point(words) for words in fields)


def _parse_mount_point(words: list[bytes]) -> MountPoint:
    """The type comes after the optional fields, which a lone `-` ends."""
    kind = words[words.index(b"-", 6) + 1]
    return MountPoint(
        words[2].decode("ascii"), _unescape(words[3]), _unescape(words[4]), kind.decode("ascii", "replace")
    )


def _unescape(escaped: bytes) -> str:
    """A name as os.path has it, UTF-8 or not."""
    return os.fsdecode(_ESCAPED.sub(lambda match: bytes([int(match[1], 8)]), escaped))


@dataclass
class _CachedTable:
    """The table as it was read last. The kernel writes 500 mounts in a millisecond or two and a decision asks twenty
    times, so it is read again only when the kernel tells the open file that a mount has changed."""

    file: Path | None = None
    descriptor: int = -1
    table: MountTable = field(default_factory=MountTable)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, file: Path) -> MountTable:
        with self.lock:
            try:
                if self.file != file or not _is_kernel_file(file):
                    self._open(file)
                elif not self._changed():
                    return self.table
                os.lseek(self.descriptor, 0, os.SEEK_SET)
                self.table = parse_mountinfo(_read_all(self.descriptor))
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


def _is_kernel_file(file: Path) -> bool:
    """An ordinary file never says that it has changed."""
    return file.parts[1:2] == ("proc",)


def _read_all(descriptor: int) -> bytes:
    content = bytearray()
    while chunk := os.read(descriptor, 1 << 16):
        content += chunk
    return bytes(content)


_cached = _CachedTable()


def read_mount_table() -> MountTable:
    try:
        return _cached.read(MOUNTS)
    except (OSError, IndexError, ValueError) as error:
        raise LookupFailed(f"mounts: {error}") from error
