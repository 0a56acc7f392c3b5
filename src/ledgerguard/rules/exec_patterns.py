"""Which commands may be run inside an owner: by exact patterns of its grants. Pure.

A module of its own because it is the one place where words of a command line are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ledgerguard.declarations.model import Pattern
from ledgerguard.model import Container, Exec

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def allowed(wanted: Exec, container: Container, patterns: Iterable[Pattern]) -> bool:
    """Whether one of the patterns is exactly this command."""
    return not wanted.privileged and not wanted.working_dir and any(_fits(wanted, container, one) for one in patterns)


def _fits(wanted: Exec, container: Container, pattern: Pattern) -> bool:
    if (wanted.tty and not pattern.tty) or (wanted.input and not pattern.input):
        return False
    user = container.user if pattern.user is None else pattern.user
    if (wanted.user or container.user) != user:
        return False
    if not {one.partition("=")[0] for one in wanted.environment} <= {
        one.partition("=")[0] for one in pattern.environment
    }:
        return False
    return words_fit(wanted.argv, pattern.argv)


def words_fit(argv: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """`*` is one word that is no option, `{name}` one that is a name and no more, a last `**` any words."""
    if pattern and pattern[-1] == "**":
        pattern, argv = pattern[:-1], argv[: len(pattern) - 1]
    return len(argv) == len(pattern) and all(map(_word_fits, argv, pattern))


def _word_fits(word: str, wanted: str) -> bool:
    """A database's name may also be a whole connection string, which names a server: `{name}` holds none."""
    if wanted == "{name}":
        return _NAME.fullmatch(word) is not None
    return word == wanted or (wanted == "*" and not word.startswith("-"))
