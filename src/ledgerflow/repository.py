"""Where the checkout is, and which files are in it.

The package is installed in place, so it cannot be asked where it works: a copy of a checkout may share its environment.
Every command changes to the checkout's top folder first, and that one counts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` that holds our playbooks; without one, the folder this file is in."""
    folders = (start, *start.parents)
    return next((folder for folder in folders if (folder / "playbooks/deploy.yml").is_file()), _own_root())


def _own_root() -> Path:
    return Path(__file__).resolve().parents[2]


ROOT = find_root(Path.cwd())


def committed_files() -> list[Path]:
    """Files git knows or would add; CalledProcessError where the checkout is not git's."""
    argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(argv, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]
