"""Counts of tests, read from and written as JUnit files.

A module of its own because the runner and the linters share it, and because how a skip or a missing file counts is a
rule of the house: what could not run is a failure.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# XML cannot hold these, whatever a tool printed.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Counts:
    """What a part of the tests came to."""

    passed: int = 0
    failed: int = 0
    skipped: tuple[str, ...] = ()  # name and reason of each
    failures: tuple[str, ...] = ()  # name and first line of each

    def __add__(self, more: Counts) -> Counts:
        return Counts(
            self.passed + more.passed,
            self.failed + more.failed,
            self.skipped + more.skipped,
            self.failures + more.failures,
        )


def read(path: Path) -> Counts:
    """The counts of one file; a file that is missing, broken or empty of tests is one failure."""
    try:
        cases = list(ET.parse(path).iter("testcase"))  # noqa: S314 written by our own test runs a moment ago
    except (OSError, ET.ParseError):
        return Counts(failed=1)
    skipped = tuple(
        f"{case.get('name')}: {skip.get('message', '')}" for case in cases if (skip := case.find("skipped")) is not None
    )
    failures = tuple(
        f"{case.get('classname', '')}.{case.get('name')}: {(wrong.get('message') or '').strip()[:300]}"
        for case in cases
        if (wrong := next((element for element in case if element.tag in ("failure", "error")), None)) is not None
    )
    if not cases:
        return Counts(failed=1)
    return Counts(len(cases) - len(failures) - len(skipped), len(failures), skipped, failures)


def write(path: Path, suite: str, cases: Iterable[tuple[str, float, str]]) -> None:
    """Writes cases of (name, seconds, message); an empty message is a pass."""
    top = ET.Element("testsuite", name=suite)
    for name, seconds, message in cases:
        case = ET.SubElement(top, "testcase", classname=suite, name=name, time=f"{seconds:.2f}")
        if message:
            message = _CONTROL.sub("?", message)
            ET.SubElement(case, "failure", message=message.splitlines()[0][:200]).text = message
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(top).write(path, encoding="utf-8", xml_declaration=True)
