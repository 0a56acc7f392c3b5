"""What a person and a machine read: texts made of results, nothing decided here."""

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


def as_json(data: Any) -> str:
    return json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False)


def size(number: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if number < 1024 or unit == "GB":
            break
        number /= 1024
    return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"


def taken(manifest: Manifest, path: str, seconds: float) -> str:
    content = manifest.content
    lines = [
        f"backup {path}",
        f"  {len(content.tables)} tables, {content.rows} rows, {size(manifest.size)}, {seconds:.1f} s; not proven yet",
    ]
    for name, what in manifest.watched.items():
        rows = content.tables[name].rows if name in content.tables else 0
        lines.append(f"  {rows} {what.noun}" + ("" if rows else f": {what.empty}"))
    lines += [f"  not in this backup: {text}" for text in content.left_out]
    return "\n".join(lines)


def checks(found: Iterable[Check], every: bool = False) -> str:
    """What is not plainly well, and the rest if asked for."""
    lines = []
    for check in found:
        if every or check.result != OK:
            lines.append(f"  {_MARKS[check.result]} {check.text}")
            lines += [f"       HINT: {check.hint}"] if check.hint else []
    return "\n".join(lines)


def proof_text(result: Proof, every: bool) -> str:
    good = sum(check.result == OK for check in result.checks)
    body = checks(result.checks, every)
    last = f"VERDICT: {result.verdict} {result.file} ({good} checks hold, {result.seconds:.1f} s, level {result.level})"
    return f"{body}\n{last}" if body else last


def listing(entries: Sequence[Entry]) -> str:
    if not entries:
        return "no backups yet"
    rows = [("FILE", "TIER", "TAKEN (UTC)", "ROWS", "SIZE", "VERDICT")]
    for entry in entries:
        data = entry.line.data
        verdict = ", ".join([entry.verdict, *_remarks(entry)])
        rows.append((entry.file, data["tier"], data["taken"][:19], str(data["rows"]), size(data["size"]), verdict))
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


def shown(manifest: Manifest, entry: Entry | None) -> dict[str, Any]:
    """A manifest as a person asks for it: the long definitions counted, not printed."""
    data = plain(manifest)
    data["content"]["schema"] = f"{len(manifest.content.schema)} objects"
    data["verdict"] = entry.verdict if entry else "unknown to the journal"
    data["judged"] = entry.ruling.time if entry and entry.ruling else None
    return dict(data)


def pruned(decisions: Sequence[Decision], dry_run: bool) -> str:
    """Each backup with its reason, then how many went."""
    word = "would remove" if dry_run else "removed"
    lines = [f"{word if each.removed else 'keeps':12}  {each.tier}/{each.file}  {each.reason}" for each in decisions]
    return "\n".join([*lines, f"{word} {sum(each.removed for each in decisions)} of {len(decisions)} backups"])
