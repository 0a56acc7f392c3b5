"""Measures the sentences of README.md and docs/: their median and 95th percentile in words, and the longest ones.

A module of its own because a test holds the two numbers and a writer wants to see the sentences behind them.
`python -m tools.sentences [PAGE…]` prints both. Code blocks, tables, headings and generated parts are not prose.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MEDIAN_LIMIT, P95_LIMIT = 15, 30
SHOWN = 15

# A fenced block, an HTML comment.
NOT_PROSE = re.compile(r"^ *```.*?^ *```$|<!--.*?-->", re.MULTILINE | re.DOTALL)
# A line that starts a list entry, a quotation or a numbered step.
ENTRY = re.compile(r"^\s*(?:[-*>]|\d+\.)\s+(?:\[[ x]\] )?")
# An inline command counts as one word, whatever it holds; a link as its text.
COMMAND, LINK = re.compile(r"`[^`]+`"), re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
# The end of a sentence, with the brackets and marks that belong to it.
END = re.compile(r"([.!?][)\"*_]*)\s+(?=[\"(*_`]*[A-Z0-9`])")
# A full stop that ends no sentence.
SHORTENED = re.compile(r"\b(e\.g|i\.e|vs|p\.m|a\.m)\.")


@dataclass(frozen=True)
class Sentence:
    """One sentence: the page it is on, relative to the repository, and its text."""

    page: str
    text: str

    @property
    def words(self) -> int:
        return len([word for word in self.text.split() if re.search(r"\w", word)])


def paragraphs(markdown: str) -> list[str]:
    """The prose of a page, one paragraph or list entry each, with each inline command as one word."""
    blocks: list[list[str]] = [[]]
    for line in COMMAND.sub("`command`", NOT_PROSE.sub("\n\n", markdown)).splitlines():
        text = line.strip()
        if not text or text.startswith(("|", "#")):
            blocks.append([])
        elif ENTRY.match(line):
            blocks.append([ENTRY.sub("", line)])
        else:
            blocks[-1].append(text)
    return [LINK.sub(r"\1", " ".join(block)) for block in blocks if block]


def sentences(page: str, markdown: str) -> list[Sentence]:
    """The sentences of one page. A fragment of fewer than three words, such as a label, is no sentence."""
    prose = "\n".join(END.sub(r"\1\n", SHORTENED.sub(r"\1", block)) for block in paragraphs(markdown))
    entries = [Sentence(page, text) for text in prose.split("\n")]
    return [entry for entry in entries if entry.words >= 3]


def percentile(counts: list[int], share: float) -> int:
    """The smallest count that is at least as large as this share of them. ValueError where there are none."""
    if not counts:
        raise ValueError("no sentences: nothing was measured")
    return sorted(counts)[max(0, -(-int(len(counts) * share * 100) // 100) - 1)]


def pages() -> list[Path]:
    """README.md and every document."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def read(paths: Iterable[Path]) -> list[Sentence]:
    """The sentences of some pages of the repository."""
    named = [(path.resolve(), path.read_text()) for path in paths]
    return [entry for path, text in named for entry in sentences(str(path.relative_to(ROOT)), text)]


def main(arguments: list[str]) -> int:
    """Prints the longest sentences and the figures; 0 within the limits, 1 above one, 2 where there is no prose."""
    entries = read([Path(name) for name in arguments] or pages())
    if not entries:
        print("sentences: no prose: nothing was measured\nHINT: name pages that hold sentences", file=sys.stderr)
        return 2
    counts = [entry.words for entry in entries]
    median, p95 = percentile(counts, 0.5), percentile(counts, 0.95)
    for entry in sorted(entries, key=lambda entry: -entry.words)[:SHOWN]:
        print(f"{entry.words:4d}  {entry.page}: {entry.text}")
    print(f"sentences: {len(entries)}, median {median} words (at most {MEDIAN_LIMIT}), p95 {p95} (at most {P95_LIMIT})")
    return int(median > MEDIAN_LIMIT or p95 > P95_LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
