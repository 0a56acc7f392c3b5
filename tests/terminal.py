"""A program at a terminal, and the person who answers its question.

A module of its own because some questions are asked of a person alone: neither Ansible nor `ledger_docker` takes a
pipe's word.
"""

from __future__ import annotations

import os
import pty
import select
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def at_a_terminal(
    argv: Sequence[str],
    environment: Mapping[str, str],
    typed: Callable[[bytes], bytes],
    place: Path = Path(),
    silence: float | None = None,
) -> tuple[int, bytes]:
    """(exit code, what was shown) of a program with a terminal of its own, in `place`.

    `typed` is given what was shown so far and says what is typed then: after each thing shown, or, with `silence`, each
    time nothing came for so many seconds.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(place)
        os.execvpe(argv[0], list(argv), dict(environment))  # noqa: S606 a program at a terminal is what is tested
    shown = b""
    while True:
        ready, _, _ = select.select([terminal], [], [], silence)
        if ready:
            try:
                piece = os.read(terminal, 4096)
            except OSError:  # Linux says so when the last end is closed
                break
            if not piece:
                break
            shown += piece
        if (silence is None or not ready) and (answer := typed(shown)):
            os.write(terminal, answer)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown


def answered(
    argv: Sequence[str], place: Path, environment: Mapping[str, str], question: str, word: str
) -> tuple[int, str]:
    """(exit code, what was shown) of a make target; `word` is typed when it asks the question, until it is taken: what
    is typed before Ansible listens is thrown away by it."""
    code, shown = at_a_terminal(
        argv, environment, lambda so_far: f"{word}\r".encode() if question.encode() in so_far else b"", place, 3
    )
    return code, shown.decode(errors="replace").replace("\r", "")
