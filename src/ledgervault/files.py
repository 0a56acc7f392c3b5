"""Files that must be whole or absent: written aside, synced, renamed; locks that name their holder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ledgervault import names
from ledgervault.errors import CouldNot

_POLL_SECONDS = 0.1


def now() -> datetime:
    return datetime.now(UTC)


def stamp(when: datetime | None = None) -> str:
    return (when or now()).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_aside(path: Path, data: bytes, mode: int = 0o640) -> Path:
    """Whole and synced under its partial name; `reveal` gives it its own."""
    aside = path.with_name(names.partial(path.name))
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return aside


def reveal(path: Path) -> None:
    path.with_name(names.partial(path.name)).replace(path)


def write_whole(path: Path, data: bytes, mode: int = 0o640) -> None:
    write_aside(path, data, mode)
    reveal(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link(path: Path, target: str) -> None:
    """A symbolic link replaced in one step."""
    aside = path.with_name(names.partial(path.name))
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(path)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def from_the_disk(path: Path) -> None:
    """Forget the cached pages, so that reading back reads what the disk holds."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def locked(path: Path, what: str, wait_seconds: float) -> Iterator[None]:
    """One holder at a time, whoever waits too long is told who it is. The kernel lets go when the holder dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        _acquire(descriptor, path, wait_seconds)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"what": what, "pid": os.getpid(), "since": stamp()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    try:
        held = json.loads(path.read_bytes())
        return f"{held['what']} (pid {held['pid']}, since {held['since']})"
    except (OSError, ValueError, KeyError):
        return "somebody who left no name"


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """A reader's mark on a backup: whoever prunes leaves it alone meanwhile."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def unused(path: Path) -> bool:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """A descriptor that holds the lock, or None. For locks that live as long as a process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _acquire(descriptor: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                what = f"held by {holder(path)}, waited {wait_seconds:.0f} s"
                raise CouldNot(f"lock {path}", what, "let it finish, then try again") from None
            time.sleep(_POLL_SECONDS)
        else:
            return
