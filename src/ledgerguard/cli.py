"""The command line; a module of its own because it is the only part that talks to a person.

The guard itself is not written yet. Every command says so and exits 2 (could not check): nobody may take its silence
for protection. Standard library only: it will run as root, never from a virtual environment.
"""

from __future__ import annotations

import argparse
import sys

from ledgerguard import __version__

NOT_ACTIVE = "ledgerguard: NOT ACTIVE: the engine guard is not part of this version; no request is refused by it"
HINT = "HINT: see 'Protection' in docs/architecture.md for what does protect the data today"
COULD_NOT_CHECK, USAGE = 2, 64


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]  # ends the program, as the original does
        self.exit(USAGE, f"ledgerguard: {message}\nHINT: ledgerguard --help\n")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    parser = _Parser(prog="ledgerguard", description="Keeps protected volumes. " + NOT_ACTIVE.split(": ", 1)[1])
    parser.add_argument("--version", action="version", version=f"ledgerguard {__version__} (not active yet)")
    parser.parse_args(argv)
    print(f"{NOT_ACTIVE}\n{HINT}", file=sys.stderr)
    return COULD_NOT_CHECK
