"""Reads a backup's .sql.gz once to its end, in constant memory."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ledgervault.host import compression, process
from ledgervault.model.content import SequenceValue
from ledgervault.storage import files

_OVERLAP = 4096  # longer than the longest setval and its comment
_MARK = b"Type: SEQUENCE SET;"
_DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version ([^\n]+)$", re.MULTILINE)
_SETVAL = re.compile(
    rb"^-- Name: [^\n]*; Type: SEQUENCE SET; [^\n]*\n--\n\n"
    rb"SELECT pg_catalog\.setval\('((?:[^']|'')*)', (-?\d+), (true|false)\);$",  # a name may hold a newline
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class FileHash:
    """Size and hash of a file as the disk returns it."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ReadBack:
    size: int
    sha256: str
    uncompressed_size: int
    tail: bytes
    sequences: dict[str, SequenceValue]
    error: str | None  # what the decompressor said
    dumped_by: str = "unknown"  # pg_dump's version, as it says itself at the head of the dump


class DumpObserver:
    """Observes a dump chunk by chunk: its length, its end, its sequence values and its pg_dump version."""

    def __init__(self) -> None:
        self.size = 0
        self.sequences: dict[str, SequenceValue] = {}
        self.dumped_by: str | None = None
        self._window = b""

    @property
    def tail(self) -> bytes:
        return self._window[-_OVERLAP:]

    def observe(self, chunk: bytes) -> None:
        self.size += len(chunk)
        window = self._window = self.tail + chunk
        if _MARK in window:
            self.sequences |= setvals(window)
        if self.dumped_by is None and (match := _DUMPED_BY.search(window)):
            self.dumped_by = match[1].decode(errors="replace")

    def summary(self, file_hash: FileHash, error: str | None = None) -> ReadBack:
        return ReadBack(
            file_hash.size, file_hash.sha256, self.size, self.tail, self.sequences, error, self.dumped_by or "unknown"
        )


def read_back(chunks: Iterable[bytes]) -> ReadBack:
    """Hashes and decompresses a backup's bytes to the end."""
    with reading_back(nullcontext(chunks)) as reading:
        return reading.result()


@contextmanager
def reading_back(
    source: AbstractContextManager[Iterable[bytes]], *, low_priority: bool = False
) -> Iterator[Future[ReadBack]]:
    """`read_back` beside other work, with low priority if asked for. When the block ends it leaves `source`, which must
    end its chunks, and waits for the reader. The caller does not leave `source`, so that a signal at any moment finds
    no reader that waits for more. Enter it in the main thread (see `process`)."""
    decompress = compression.DECOMPRESSORS[compression.compressor()]
    with (
        process.Program(decompress, stdin=process.PIPE, stdout=process.PIPE, low_priority=low_priority) as program,
        ThreadPoolExecutor(2) as pool,
        source as chunks,
    ):
        feeding = pool.submit(_feed, chunks, program.input)
        yield pool.submit(_observe, program, feeding)


def chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(files.CHUNK):
            yield chunk


def file_hash(path: Path) -> FileHash:
    return FileHash(path.stat().st_size, files.sha256(path))


def setvals(text: bytes) -> dict[str, SequenceValue]:
    """The sequence values of a dump, only under pg_dump's own heading and never from a row's text."""
    return {
        match[1].decode().replace("''", "'"): SequenceValue(int(match[2]), match[3] == b"true")
        for match in _SETVAL.finditer(text)
    }


def _feed(chunks: Iterable[bytes], target: IO[bytes]) -> FileHash:
    """Hashes all chunks, also those that a failed decompressor no longer accepts."""
    digest, size, is_accepting = hashlib.sha256(), 0, True
    try:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            is_accepting = is_accepting and _write(target, chunk)
    finally:
        with suppress(BrokenPipeError):
            target.close()
    return FileHash(size, digest.hexdigest())


def _write(target: IO[bytes], chunk: bytes) -> bool:
    try:
        target.write(chunk)
    except BrokenPipeError:
        return False
    return True


def _observe(program: process.Program, feeding: Future[FileHash]) -> ReadBack:
    observer = DumpObserver()
    while chunk := program.output.read(files.CHUNK):
        observer.observe(chunk)
    status, stderr = program.finish(), program.errors().strip()
    return observer.summary(feeding.result(), (stderr or f"{program.name}: exit status {status}") if status else None)
