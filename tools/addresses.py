"""Looks for what must not be committed: index addresses, places of one machine, private keys.

A module of its own because locks are written on machines with package settings of their own, and such an address
would only be noticed by whoever cannot reach it.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from ledgerflow.repository import ROOT, committed_files

LOCKS = ("requirements/*.txt", "tests/**/*.txt", "tests/workflows/package-lock.json")
IN_LOCKS = re.compile(r"https?://|file://|--(extra-)?index-url|--find-links|\"resolved\":")
# Written in pieces, so that this file does not find itself.
ANYWHERE = re.compile("-----BEGIN [A-Z ]*PRIVATE " + "KEY-----|" + "/(?:root|home/[a-z]+)/" + r"\.(?:pyenv|cache|ssh)")


def findings(path: Path, text: str) -> list[str]:
    """What one file must not hold, line by line."""
    relative = path.relative_to(ROOT)
    patterns = [ANYWHERE] + [IN_LOCKS for lock in LOCKS if relative.match(lock)]
    return [
        f"{relative}:{number}: {match[0]!r} must not be committed"
        for number, line in enumerate(text.splitlines(), start=1)
        for pattern in patterns
        if (match := pattern.search(line))
    ]


def main() -> int:
    """Returns 0 when nothing was found, 1 when something was, 2 when it could not look."""
    try:
        files = committed_files()
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"addresses: could not list the files: {error}\nHINT: run it in a git checkout", file=sys.stderr)
        return 2
    hits = [line for path in files for line in findings(path, path.read_text(errors="replace"))]
    print("\n".join(hits) if hits else f"addresses: {len(files)} files are clean")
    return 1 if hits else 0


if __name__ == "__main__":
    sys.exit(main())
