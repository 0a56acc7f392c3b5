"""A backup's bytes: reading a .sql.gz from the disk to its end, once, in constant memory."""

from __future__ import annotations

import hashlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ledgervault import argv, process
from ledgervault.content import SequenceValue

_CHUNK = 1 << 18
_OVERLAP = 4096  # longer than the longest setval and its comment
_MARK = b"Type: SEQUENCE SET;"
_DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version ([^\n]+)$", re.MULTILINE)
_SETVAL = re.compile(
    rb"^-- Name: [^\n]*; Type: SEQUENCE SET; [^\n]*\n--\n\n"
    rb"SELECT pg_catalog\.setval\('((?:[^'\n]|'')*)', (-?\d+), (true|false)\);$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ReadBack:
    size: int
    sha256: str
    uncompressed_size: int
    tail: bytes
    sequences: dict[str, SequenceValue]
    error: str | None  # what the decompressor said
    dumped_by: str = "unknown"  # pg_dump's version, as it says itself at the head of the dump


def read_back(path: Path) -> ReadBack:
    program = process.compressor()
    sequences: dict[str, SequenceValue] = {}
    total, window = 0, b""
    dumped_by: str | None = None
    with (
        path.open("rb") as file,
        process.Program(argv.DECOMPRESSORS[program], stdin=file, stdout=subprocess.PIPE) as reader,
        ThreadPoolExecutor(1) as pool,
    ):
        hashing = pool.submit(_hash, path)
        while chunk := reader.output.read(_CHUNK):
            total += len(chunk)
            window = window[-_OVERLAP:] + chunk
            if _MARK in window:
                sequences |= setvals(window)
            if dumped_by is None and (match := _DUMPED_BY.search(window)):
                dumped_by = match[1].decode(errors="replace")
        status, errors = reader.finish(), reader.errors().strip()
        digest, size = hashing.result()
    error = (errors or f"{program}: exit status {status}") if status else None
    return ReadBack(size, digest, total, window[-_OVERLAP:], sequences, error, dumped_by or "unknown")


def setvals(text: bytes) -> dict[str, SequenceValue]:
    """The values a dump gives to its sequences; only under pg_dump's own heading, so not from a row's text."""
    return {
        match[1].decode().replace("''", "'"): SequenceValue(int(match[2]), match[3] == b"true")
        for match in _SETVAL.finditer(text)
    }


def _hash(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size
