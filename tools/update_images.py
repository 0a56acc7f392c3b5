"""Resolves the digests of the official images anew and dates the packages of ours, in images/versions.yml.

A script of its own because it needs a registry and edits text: the comments and anchors are worth keeping, so the
lines are replaced one by one instead of writing the YAML anew.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

VERSIONS = Path(__file__).resolve().parents[1] / "images/versions.yml"

_PULL = re.compile(
    r"(?P<head>pull:\n\s+repository: (?P<repository>\S+)\n\s+tag: \"?(?P<tag>[^\"\s]+)\"?\n\s+digest: )(?P<digest>\S+)"
)


def image_places(text: str) -> list[str]:
    """repository:tag of every official image, in the file's order."""
    return [f"{match['repository']}:{match['tag']}" for match in _PULL.finditer(text)]


def update_digests(text: str, digests: Mapping[str, str], today: str) -> str:
    """The text with the digests by place, and `refreshed` set to today; places without a digest stay as they are."""

    def line(match: re.Match[str]) -> str:
        return match["head"] + digests.get(f"{match['repository']}:{match['tag']}", match["digest"])

    return re.sub(r'(?m)^refreshed: ".*"$', f'refreshed: "{today}"', _PULL.sub(line, text))


def ask_digest(place: str, registry: str) -> str:
    """The digest that the registry has for repository:tag, or "" and a word on stderr."""
    argv = ["docker", "buildx", "imagetools", "inspect", "--format", "{{json .Manifest}}", f"{registry}/{place}"]
    process = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if process.returncode:
        answer = (process.stderr.strip().splitlines() or ["nothing"])[-1]
        print(
            f"image {registry}/{place}: the registry answers: {answer}\nHINT: its digest stays as it was",
            file=sys.stderr,
        )
        return ""
    return str(json.loads(process.stdout)["digest"])


def main(arguments: list[str]) -> int:
    """0 all resolved, 2 where the registry did not tell."""
    registry = arguments[0] if arguments else "docker.io"
    text = VERSIONS.read_text(encoding="utf-8")
    digests = {place: ask_digest(place, registry) for place in image_places(text)}
    resolved = {place: digest for place, digest in digests.items() if digest}
    VERSIONS.write_text(update_digests(text, resolved, datetime.now(UTC).date().isoformat()), encoding="utf-8")
    return 0 if resolved.keys() == digests.keys() else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
