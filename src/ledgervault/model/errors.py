"""The errors for users, apart so that every layer can raise them without the command line.

VaultError
├── Bad          exit 1    the thing checked is bad
├── CouldNot     exit 2    could not check, could not take
└── UsageError   exit 64   the request makes no sense
"""

from __future__ import annotations


class VaultError(Exception):
    """`<where>: <what is wrong, with the value seen>` and a HINT that fixes it."""

    code = 2

    def __init__(self, place: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{place}: {problem}")
        self.where = place
        self.what = problem
        self.hint = hint

    def text(self) -> str:
        return f"{self}\nHINT: {self.hint}" if self.hint else str(self)


class Bad(VaultError):
    code = 1


class CouldNot(VaultError):
    code = 2


class UsageError(VaultError):
    code = 64
