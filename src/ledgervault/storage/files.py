"""Files that are complete or absent (written under a partial name, synced, renamed), and locks with holders' names."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ledgervault.model import backup_names
from ledgervault.model.errors import CouldNot

_POLL_SECONDS = 0.1
CHUNK = 1 << 18  # bytes read at a time
_SYNC_BYTES = 8 << 20


def now() -> datetime:
    return datetime.now(UTC)


def stamp(moment: datetime | None = None) -> str:
    return (moment or now()).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def write_aside(path: Path, data: bytes, mode: int = 0o640) -> Path:
    """Writes and syncs the file under its partial name; `reveal` gives it its own."""
    aside = path.with_name(backup_names.partial(path.name))
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return aside


def reveal(path: Path) -> None:
    path.with_name(backup_names.partial(path.name)).replace(path)


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
    """Replaces a symbolic link in one step."""
    aside = path.with_name(backup_names.partial(path.name))
    aside.unlink(missing_ok=True)
    aside.symlink_to(target)
    aside.replace(path)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Growing:
    """A new file that one thread writes while another reads back what is on the disk. The reader syncs, so that the
    writer never waits for the disk. Synced bytes leave the cache, so that reading back reads what the disk holds."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self._back = path.open("rb", buffering=0)
        self._news = threading.Condition()
        self._ended = False
        self.size = 0

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        with self._news:
            self.size += len(data)
            self._news.notify_all()

    def _chunks(self) -> Iterator[bytes]:
        """Yields the bytes until the writer is done, and waits for more. It ends early if the disk returns less."""
        with self._back:
            while (place := self._back.tell()) < (size := self._more_than(place)):
                os.fsync(self._back.fileno())
                os.posix_fadvise(self._back.fileno(), place, 0, os.POSIX_FADV_DONTNEED)
                while (place := self._back.tell()) < size:
                    if not (chunk := self._back.read(min(CHUNK, size - place))):
                        return
                    yield chunk

    def _more_than(self, place: int) -> int:
        """Waits until enough bytes for a sync are written, or the file has ended, and returns the size."""
        with self._news:
            self._news.wait_for(lambda: self._ended or self.size - place >= _SYNC_BYTES)
            return self.size

    def __enter__(self) -> Iterator[bytes]:
        """The chunks that are read back. The file ends with the block."""
        return self._chunks()

    def __exit__(self, *_: object) -> None:
        with self._news:
            self._ended = True
            self._news.notify_all()
        self._file.close()


@contextmanager
def locked(path: Path, purpose: str, wait_seconds: float) -> Iterator[None]:
    """One holder at a time; the error of a wait that was too long names the holder. The kernel releases a dead holder's
    lock."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        _acquire(descriptor, path, wait_seconds)
        with suppress(OSError):  # on a full volume the holder has no name, and the lock holds all the same
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps({"what": purpose, "pid": os.getpid(), "since": stamp()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def holder(path: Path) -> str:
    try:
        record = json.loads(path.read_bytes())
        return f"{record['what']} (pid {record['pid']}, since {record['since']})"
    except (OSError, ValueError, KeyError):
        return "somebody who left no name"


@contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Marks a backup as being read: pruning skips it."""
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
                message = f"held by {holder(path)}, waited {wait_seconds:.0f} s"
                raise CouldNot(f"lock {path}", message, "let it finish, then try again") from None
            time.sleep(_POLL_SECONDS)
        else:
            return
