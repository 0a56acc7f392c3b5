"""A backup's bytes: a .sql.gz read to its end, once, in constant memory."""

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
    """A file as the disk gives it back."""

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
    """Hears a dump go by, chunk by chunk: how long it is, how it ends, what its sequences are set to, who wrote it."""

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
    """A backup's own bytes, in order and once: hashed and decompressed to the end."""
    with reading_back(nullcontext(chunks)) as reading:
        return reading.result()


@contextmanager
def reading_back(
    source: AbstractContextManager[Iterable[bytes]], *, behind: bool = False
) -> Iterator[Future[ReadBack]]:
    """The same beside other work, `behind` it where processors are few. The block's end leaves `source`, which has to
    end its chunks, and waits for the reading; left here and not by the caller, so that a signal at any moment finds no
    reader that waits for more. Enter it in the main thread (`process`)."""
    decompress = compression.DECOMPRESSORS[compression.compressor()]
    with (
        process.Program(decompress, stdin=process.PIPE, stdout=process.PIPE, behind=behind) as program,
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
    """The values a dump gives to its sequences; only under pg_dump's own heading, so not from a row's text."""
    return {
        match[1].decode().replace("''", "'"): SequenceValue(int(match[2]), match[3] == b"true")
        for match in _SETVAL.finditer(text)
    }


def _feed(chunks: Iterable[bytes], target: IO[bytes]) -> FileHash:
    """Hashes all there is, also what a decompressor that gave up no longer takes."""
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
