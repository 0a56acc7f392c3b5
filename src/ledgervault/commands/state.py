"""`vault.json`: a small file that tells the deploy, the guard and the status page about the backups.

It is derived from the journal each time, so a lost or old file does no harm.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ledgervault.commands.context import Context
from ledgervault.model import baseline, proof
from ledgervault.model.entry import Entry
from ledgervault.storage import files

SCHEMA = 1
STARTED = "started"  # in scratch: its time is that of the schedule's start


def collect_facts(context: Context) -> dict[str, Any]:
    journal = context.store.journal()
    entries = context.store.entries(journal)
    newest = entries[-1] if entries else None
    proven = context.store.newest_proven(entries=entries)
    waiting = [entry for entry in entries if proven is None or entry.line.seq > proven.line.seq]
    verdicts = (proof.PROVEN, proof.FAILED, proof.INCONCLUSIVE, "unproven")
    return {
        "schema": SCHEMA,
        "environment": context.config.environment,
        "database": context.config.database.name,
        "updated": files.stamp(),
        "newest": entry_document(newest),
        "newest_proven": entry_document(proven),
        "baseline": entry_document(baseline.find_baseline(entries)),
        "unaccepted_loss": entry_document(baseline.find_open_loss(entries)),
        "backups": {verdict: sum(entry.verdict == verdict for entry in entries) for verdict in verdicts},
        "schedule_started": _schedule_start(context),
        "proven_age_minutes": context.config.limits.proven_age_minutes,
        "queue": sum(entry.verdict == "unproven" for entry in waiting),
        "last_failure": last_failure(context, newest),
        "journal": {"lines": len(journal.lines), "head": journal.head, "broken": journal.broken},
    }


def last_failure(context: Context, newest: Entry | None) -> dict[str, str] | None:
    """The newest run if it failed: no backup was taken, or its proof has another verdict than proven."""
    failure = context.store.failed_backup()
    if failure is not None:
        return failure
    if newest is not None and newest.ruling is not None and newest.verdict != proof.PROVEN:
        bad = "; ".join(newest.ruling.data.get("bad", []))
        return {"time": newest.ruling.time, "text": f"{newest.file} {newest.verdict}: {bad}"}
    return None


def _schedule_start(context: Context) -> str | None:
    try:
        return files.stamp(datetime.fromtimestamp((context.scratch / STARTED).stat().st_mtime, UTC))
    except OSError:
        return None


def entry_document(entry: Entry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    fields = entry.line.data
    return {
        "file": entry.file,
        "path": f"{fields['tier']}/{entry.file}",
        "kind": fields["kind"],
        "tier": fields["tier"],
        "taken": fields["taken"],
        "size": fields["size"],
        "sha256": fields["sha256"],
        "manifest_sha256": entry.line.manifest_sha256,
        "rows": fields["rows"],
        "tables": fields["tables"],
        "watched": fields["watched"],
        "verdict": entry.verdict,
        "judged": entry.ruling.time if entry.ruling else None,
        "shrunken": entry.shrunken,
        "loss": entry.loss,
        "accepted": entry.accepted,
        "bad": entry.ruling.data.get("bad", []) if entry.ruling else [],
        "intact": entry.intact,
    }


def update(context: Context) -> None:
    place = context.config.places.state
    if place is not None:
        text = json.dumps(collect_facts(context), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        files.write_whole(Path(place), text.encode(), mode=0o644)
