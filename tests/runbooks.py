"""The fenced commands of docs/runbooks, read from the pages themselves, so that what is tested is what a person reads.

A module of its own because the tests of hosts, of stacks and of workflows run them, and because it knows which of a
page's commands nobody has asked for: those would be commands that no test runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

PLACE = Path(__file__).resolve().parents[1] / "docs/runbooks"
# What is shown and not typed.
SHOWN = "text"


@dataclass(frozen=True)
class Block:
    """One fenced block: the nearest heading above it, without `#`, and its lines."""

    heading: str
    command: str


def read(text: str) -> list[Block]:
    """The blocks of commands of a page, in its order. Raises AssertionError for a fence that is neither `sh`, which is
    typed, nor `text`, which is seen."""
    found, heading = list[Block](), ""
    for title, language, body in re.findall(r"^#+ ([^\n]*)$|^```(\S*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if title:
            heading = title
            continue
        assert language in ("sh", SHOWN), f"below {heading!r}: a fence of {language!r}, wanted sh or {SHOWN}"
        if language == "sh":
            found.append(Block(heading, body))
    return found


@dataclass
class Runbook:
    """A page of docs/runbooks by its name, `guard-down.md`. It notes which of its blocks were asked for."""

    name: str
    asked: set[int] = field(default_factory=set)

    @property
    def text(self) -> str:
        return (PLACE / self.name).read_text()

    def blocks(self) -> list[str]:
        """All commands, block by block."""
        found = read(self.text)
        assert found != [], f"{self.name}: no block of commands"
        self.asked |= set(range(len(found)))
        return [one.command for one in found]

    def under(self, heading: str, *wanted: int) -> list[str]:
        """The commands below one heading, block by block, or those of them that are wanted, counted from 0.
        AssertionError where there are none."""
        found = [(number, one) for number, one in enumerate(read(self.text)) if one.heading == heading]
        assert found, f"{self.name}: no block of commands under {heading!r}"
        chosen = [found[place] for place in wanted] or found
        self.asked |= {number for number, _block in chosen}
        return [one.command for _number, one in chosen]

    def not_asked_for(self) -> list[str]:
        """The commands that no test has asked for so far."""
        return [one.command for number, one in enumerate(read(self.text)) if number not in self.asked]
