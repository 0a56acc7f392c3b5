"""The gzip program of this host: the fastest one that is installed writes and reads the same .gz.

A module of its own because taking, proving and restoring a backup all choose the same program.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledgervault.host.process import PIPE, Program
from ledgervault.model.errors import CouldNot

COMPRESSORS: dict[str, tuple[str, ...]] = {  # in order of preference: the same .gz, at 0.26, 0.53 and 1 of the time
    "igzip": ("igzip", "-1", "-c"),
    "pigz": ("pigz", "-6", "-c"),
    "gzip": ("gzip", "-6", "-c"),
}
DECOMPRESSORS: dict[str, tuple[str, ...]] = {
    "igzip": ("igzip", "-d", "-c"),
    "pigz": ("pigz", "-d", "-c"),
    "gzip": ("gzip", "-d", "-c"),
}


@contextmanager
def decompressing(path: Path) -> Iterator[Program]:
    """A program whose output is the file's content."""
    with path.open("rb") as file, Program(DECOMPRESSORS[compressor()], stdin=file, stdout=PIPE) as program:
        yield program


def compressor() -> str:
    for name in COMPRESSORS:
        if shutil.which(name):
            return name
    raise CouldNot("compression", f"none of {', '.join(COMPRESSORS)} is installed", "is this the vault's image?")
