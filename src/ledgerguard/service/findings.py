"""What a check found, as data, and the last `check --existing` kept for whoever asks the guard later.

A module of its own because the check is one process and the guard that tells of it another: this is all they share.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledgerguard.service.atomic_files import write_whole
from ledgerguard.service.audit import escaped, now

GOOD, BAD, UNKNOWN = "ok", "bad", "could not check"
FILE = "check.json"
MAX_FINDINGS = 20  # the guard writes its state each few seconds, and others read it


@dataclass(frozen=True)
class Finding:
    """`verdict` is ok, bad or could not check."""

    id: str
    verdict: str
    what: str
    hint: str = ""


def worst(found: Sequence[Finding]) -> str:
    """The verdict of all: bad if one is, and nothing looked at is no good verdict."""
    verdicts = {one.verdict for one in found}
    return BAD if BAD in verdicts else UNKNOWN if UNKNOWN in verdicts or not found else GOOD


def summary(found: Sequence[Finding]) -> dict[str, Any]:
    """{schema, time, verdict, looked_at, not_well, findings, text}: how many were made, those that are not well, and
    all of it on one line. Texts are escaped."""
    wrong = [asdict(one) for one in found if one.verdict != GOOD]
    told = {
        "schema": 1,
        "time": now(),
        "verdict": worst(found),
        "looked_at": len(found),
        "not_well": len(wrong),
        "findings": wrong[:MAX_FINDINGS],
        "text": _text(worst(found), len(found), wrong),
    }
    return dict(escaped(told))


def _text(verdict: str, looked_at: int, wrong: Sequence[dict[str, str]]) -> str:
    """The verdict, and what was found first."""
    if not wrong:
        return f"{verdict}: {looked_at} findings"
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{verdict}: {wrong[0]['id']}: {wrong[0]['what']}{more}"


def keep(place: Path, kept: dict[str, Any]) -> None:
    """Whole or not at all. Raises OSError."""
    write_whole(place / FILE, json.dumps(kept, indent=1, sort_keys=True) + "\n", 0o600)


def read(place: Path) -> dict[str, Any] | None:
    """The last one; None where nothing was checked yet. One that cannot be read is no good verdict."""
    file = place / FILE
    try:
        found = json.loads(file.read_text())
        return {key: found[key] for key in ("schema", "time", "verdict", "looked_at", "not_well", "findings", "text")}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        return summary([Finding("kept", UNKNOWN, f"{file}: {error}", "ledgerguard check --existing")])
