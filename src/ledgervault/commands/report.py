"""Formats results as text and JSON. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ledgervault.model.entry import Entry
from ledgervault.model.manifest import Manifest
from ledgervault.model.proof import LOST, OK, UNKNOWN, Check, Proof
from ledgervault.model.records import plain
from ledgervault.model.retention import Decision

_MARKS = {"ok": "ok  ", "failed": "FAIL", "inconclusive": "????", "note": "note"}


def as_json(document: Any) -> str:
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)


def size_text(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def backup_text(manifest: Manifest, path: str, seconds: float) -> str:
    content, size = manifest.content, size_text(manifest.size)
    lines = [
        f"backup {path}",
        f"  {len(content.tables)} tables, {content.rows} rows, {size}, {seconds:.1f} s; not proven yet",
    ]
    for name, watched in manifest.watched.items():
        rows = content.tables[name].rows if name in content.tables else 0
        lines.append(f"  {rows} {watched.noun}" + ("" if rows else f": {watched.empty}"))
    lines += [f"  not in this backup: {text}" for text in content.left_out]
    return "\n".join(lines)


def checks_text(checks: Iterable[Check], show_all: bool = False) -> str:
    """The checks that need attention, or all of them with `show_all`."""
    lines = []
    for check in checks:
        if show_all or check.result != OK:
            lines.append(f"  {_MARKS[check.result]} {check.text}")
            lines += [f"       HINT: {check.hint}"] if check.hint else []
    return "\n".join(lines)


def proof_text(file_proof: Proof, show_all: bool) -> str:
    good = sum(check.result == OK for check in file_proof.checks)
    body = checks_text(file_proof.checks, show_all)
    verdict, seconds, level = file_proof.verdict, file_proof.seconds, file_proof.level
    last = f"VERDICT: {verdict} {file_proof.file} ({good} checks hold, {seconds:.1f} s, level {level})"
    return f"{body}\n{last}" if body else last


def list_text(entries: Sequence[Entry]) -> str:
    if not entries:
        return "no backups yet"
    rows = [("FILE", "TIER", "TAKEN (UTC)", "ROWS", "SIZE", "VERDICT")]
    for entry in entries:
        fields = entry.line.data
        verdict = ", ".join([entry.verdict, *_remarks(entry)])
        rows.append(
            (entry.file, fields["tier"], fields["taken"][:19], str(fields["rows"]), size_text(fields["size"]), verdict)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _remarks(entry: Entry) -> Iterator[str]:
    if not entry.intact:
        yield "NOT AS WRITTEN"
    if entry.shrunken:
        yield "SHRUNKEN"
    elif entry.loss == LOST:
        yield "loss accepted"
    elif entry.loss == UNKNOWN:
        yield "LOSS UNKNOWN"


def manifest_document(manifest: Manifest, entry: Entry | None) -> dict[str, Any]:
    """The manifest for a person: the long definitions are counted, not printed."""
    document = plain(manifest)
    document["content"]["schema"] = f"{len(manifest.content.schema)} objects"
    document["verdict"] = entry.verdict if entry else "unknown to the journal"
    document["judged"] = entry.ruling.time if entry and entry.ruling else None
    return dict(document)


def prune_text(decisions: Sequence[Decision], dry_run: bool) -> str:
    """Each backup with its reason, then the number of removed ones."""
    word = "would remove" if dry_run else "removed"
    lines = [
        f"{word if decision.removed else 'keeps':12}  {decision.tier}/{decision.file}  {decision.reason}"
        for decision in decisions
    ]
    return "\n".join([*lines, f"{word} {sum(decision.removed for decision in decisions)} of {len(decisions)} backups"])
