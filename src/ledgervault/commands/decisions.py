"""A person's decisions about backups: a loss was intended, or a backup no longer counts.

Each decision is kept in the journal with its reason.
"""

from __future__ import annotations

from ledgervault.commands.context import Context
from ledgervault.model import baseline
from ledgervault.model.entry import Entry
from ledgervault.model.errors import CouldNot, UsageError


def accept(context: Context, name: str, reason: str) -> Entry:
    """Makes the backup the baseline. It must be proven, because a baseline must be restorable, and show a loss."""
    _check_reason(reason)
    entry = _find_entry(context, name)
    if not entry.proven:
        raise CouldNot(
            entry.file, f"is {entry.verdict}, not proven: it cannot be a baseline", f"ledgervault prove {name}"
        )
    if entry.accepted or entry.complete:
        base = baseline.find_baseline(context.store.entries(), entry.file)
        since = f" since {base.file}" if base else ""
        hint = "a loss that no backup shows yet: `ledgervault backup --prove`, then accept FILE=newest"
        raise CouldNot(entry.file, f"nothing to accept: it has lost nothing{since}, or its loss was accepted", hint)
    context.store.accept(entry.file, reason.strip())
    context.store.log(f"loss accepted {entry.file}: {reason}")
    return entry


def forget(context: Context, name: str, reason: str) -> Entry:
    """Refused for the last proven backup of its kind: nothing could be restored after that."""
    _check_reason(reason)
    entry = _find_entry(context, name)
    kind = entry.line.data["kind"]
    other_proven = [
        e for e in context.store.entries() if e.proven and e.line.data["kind"] == kind and e.file != entry.file
    ]
    if entry.proven and not other_proven:
        hint = "take another and prove it first: `ledgervault backup --prove`"
        raise CouldNot(entry.file, "is the only proven backup, so it is not forgotten", hint)
    context.store.forget(entry.file, reason.strip())
    context.store.log(f"forgotten {entry.file}: {reason}")
    return entry


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("--reason", "is empty", "say why: it stays in the journal")


def _find_entry(context: Context, name: str) -> Entry:
    journal = context.store.journal()
    if journal.broken:
        raise CouldNot(str(context.store.journal_path), journal.broken, "ledgervault audit")
    entries = context.store.entries(journal)
    if name in ("latest", "newest"):
        name = context.store.find(name).name
    entry = next((entry for entry in entries if entry.file == name or str(entry.path) == name), None)
    if entry is None:
        raise UsageError(name, "the journal knows no such backup", "`ledgervault list` shows what there is")
    return entry
