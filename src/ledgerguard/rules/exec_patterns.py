"""Which commands may be run inside an owner: by exact patterns of its grants. Pure.

A module of its own because it is the one place where words of a command line are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ledgerguard.declarations.model import Pattern
from ledgerguard.model import Container, Exec

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def is_allowed(command: Exec, container: Container, patterns: Iterable[Pattern]) -> bool:
    """Whether one of the patterns is exactly this command."""
    return (
        not command.privileged
        and not command.working_dir
        and any(_matches(command, container, pattern) for pattern in patterns)
    )


def _matches(command: Exec, container: Container, pattern: Pattern) -> bool:
    if (command.tty and not pattern.tty) or (command.input and not pattern.input):
        return False
    user = container.user if pattern.user is None else pattern.user
    if (command.user or container.user) != user:
        return False
    if not {variable.partition("=")[0] for variable in command.environment} <= {
        variable.partition("=")[0] for variable in pattern.environment
    }:
        return False
    return words_match(command.argv, pattern.argv)


def words_match(argv: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """`*` is one word that is no option, `{name}` one that is a name and no more, a last `**` any words."""
    if pattern and pattern[-1] == "**":
        pattern, argv = pattern[:-1], argv[: len(pattern) - 1]
    return len(argv) == len(pattern) and all(map(_word_matches, argv, pattern))


def _word_matches(word: str, pattern: str) -> bool:
    """A database's name may also be a whole connection string, which names a server: `{name}` holds none."""
    if pattern == "{name}":
        return _NAME.fullmatch(word) is not None
    return word == pattern or (pattern == "*" and not word.startswith("-"))
