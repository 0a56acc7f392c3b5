"""Files that others read while they are written: whole, or as they were.

A module of its own because declarations, unlocks, the last check's verdict and the guard's state are written by
different processes, and none of them may leave half a file or one put aside.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_atomically(file: Path, text: str, mode: int, *, is_synced: bool = False) -> None:
    """`mode` whatever the umask; `is_synced`: on the disk before it has its name. Raises OSError, and then nothing has
    changed."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            os.fchmod(descriptor, mode)
            opened.write(text)
            if is_synced:
                opened.flush()
                os.fsync(descriptor)
        temporary.replace(file)
    except OSError:
        with suppress(OSError):
            temporary.unlink()
        raise
