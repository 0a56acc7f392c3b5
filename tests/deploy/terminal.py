"""A program at a terminal, and the person who answers its question.

A module of its own because some questions are asked of a person alone: Ansible reads no pipe.
"""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Mapping, Sequence
from pathlib import Path


def answered(
    argv: Sequence[str], place: Path, environment: Mapping[str, str], question: str, word: str
) -> tuple[int, str]:
    """(exit code, what was shown) of a program in `place`; `word` is typed when it asks the question."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe(argv[0], list(argv), dict(environment))  # noqa: S606 at a terminal of its own
    shown = b""
    while True:
        # What is typed before Ansible listens is thrown away by it, so it is typed until it is taken.
        ready, _, _ = select.select([terminal], [], [], 3)
        if not ready:
            if question.encode() in shown:
                os.write(terminal, f"{word}\r".encode())
            continue
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # Linux says so when the last end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode(errors="replace").replace("\r", "")
