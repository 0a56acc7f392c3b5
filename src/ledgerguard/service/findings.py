"""What a check found, as data, and the last `check --existing` kept for whoever asks the guard later.

A module of its own because the check is one process and the guard that tells of it another: this is all they share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledgerguard.service.atomic_files import write_atomically
from ledgerguard.service.audit import escape, timestamp

GOOD, BAD, UNKNOWN = "ok", "bad", "could not check"
SUMMARY_FILE = "check.json"
MAX_FINDINGS = 20  # the guard writes its state each few seconds, and others read it


@dataclass(frozen=True)
class Finding:
    """`verdict` is ok, bad or could not check."""

    id: str
    verdict: str
    what: str
    hint: str = ""


def worst_verdict(findings: Sequence[Finding]) -> str:
    """The verdict of all: bad if one is, and nothing looked at is no good verdict."""
    verdicts = {finding.verdict for finding in findings}
    return BAD if BAD in verdicts else UNKNOWN if UNKNOWN in verdicts or not findings else GOOD


def summarize(findings: Sequence[Finding]) -> dict[str, Any]:
    """{schema, time, verdict, looked_at, not_well, findings, text}: how many were made, those that are not well, and
    all of it on one line. Texts are escaped."""
    failed = [asdict(finding) for finding in findings if finding.verdict != GOOD]
    summary = {
        "schema": 1,
        "time": timestamp(),
        "verdict": worst_verdict(findings),
        "looked_at": len(findings),
        "not_well": len(failed),
        "findings": failed[:MAX_FINDINGS],
        "text": _summary_text(worst_verdict(findings), len(findings), failed),
    }
    return dict(escape(summary))


def _summary_text(verdict: str, looked_at: int, failed: Sequence[dict[str, str]]) -> str:
    """The verdict, and what was found first."""
    if not failed:
        return f"{verdict}: {looked_at} findings"
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{verdict}: {failed[0]['id']}: {failed[0]['what']}{more}"


def save_summary(directory: Path, summary: dict[str, Any]) -> None:
    """Whole or not at all. Raises OSError."""
    write_atomically(directory / SUMMARY_FILE, json.dumps(summary, indent=1, sort_keys=True) + "\n", 0o600)


def load_summary(directory: Path) -> dict[str, Any] | None:
    """The last one; None where nothing was checked yet. One that cannot be read is no good verdict."""
    file = directory / SUMMARY_FILE
    try:
        summary = json.loads(file.read_text())
        return {key: summary[key] for key in ("schema", "time", "verdict", "looked_at", "not_well", "findings", "text")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return summarize([Finding("kept", UNKNOWN, f"{file}: {error}", "ledgerguard check --existing")])
