"""The one form of what is wrong: the place, the problem, and the HINT that fixes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Finding = dict[str, str]  # where, what, hint


def finding(place: str, problem: str, hint: str) -> Finding:
    """As playbooks and JSON files hold it."""
    return {"where": place, "what": problem, "hint": hint}


def message(place: str, problem: str, hint: str) -> str:
    """As a person reads it."""
    return f"{place}: {problem}\nHINT: {hint}"


def findings_text(findings: Iterable[Mapping[str, str]]) -> str:
    """One message with every finding."""
    return "\n".join(message(entry["where"], entry["what"], entry["hint"]) for entry in findings)
