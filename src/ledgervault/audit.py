"""The journal against the disk: what was removed on purpose is explained, what is missing, swapped or added is not."""

from __future__ import annotations

from collections.abc import Iterator

from ledgervault import files, journal, names
from ledgervault.journal import Journal
from ledgervault.manifest import SUFFIX
from ledgervault.proof import Check, failed, inconclusive, note, ok
from ledgervault.store import Entry, Store


def audit(store: Store) -> list[Check]:
    known = store.journal()
    checks = [*_chain(store, known)]
    entries = store.entries(known)
    for entry in entries:
        checks.append(_entry(store, entry))
    checks += _proofs(store, known)
    checks += _strangers(store, known)
    gone = journal.removed(known.lines)
    if gone:
        checks.append(note("removed", f"{len(gone)} backups removed on purpose, each with its line in the journal"))
    return checks


def _chain(store: Store, known: Journal) -> Iterator[Check]:
    if known.broken:
        hint = "bring the journal back from the off-site copy; until then nothing is added to it"
        yield failed("journal", f"journal.jsonl: {known.broken}", hint)
    elif not known.lines:
        yield inconclusive("journal", f"{store.journal_path}: empty or missing, so nothing can be audited")
    else:
        yield ok(
            "journal", f"journal.jsonl: {len(known.lines)} lines, each follows the one before, head {known.head[:12]}"
        )
    if known.torn:
        yield note(
            "journal tail", f"journal.jsonl: {known.torn} bytes of an unfinished line; the next backup removes them"
        )


def _entry(store: Store, entry: Entry) -> Check:
    manifest = store.manifest_path(entry.path)
    if not entry.path.exists():
        return failed(f"file {entry.file}", f"{entry.file}: missing, and the journal tells of no removal")
    if not manifest.exists():
        return failed(f"file {entry.file}", f"{manifest.name}: missing")
    if files.sha256(manifest) != entry.line.manifest_sha256:
        return failed(f"file {entry.file}", f"{manifest.name}: not the one that was written with the backup")
    if files.sha256(entry.path) != entry.line.data["sha256"]:
        return failed(f"file {entry.file}", f"{entry.file}: its bytes are not those that were written")
    return ok(f"file {entry.file}", f"{entry.file}: as written, {entry.verdict}")


def _proofs(store: Store, known: Journal) -> Iterator[Check]:
    gone = journal.removed(known.lines)
    tiers = {line.file: line.data["tier"] for line in known.lines if line.event == journal.BACKUP}
    for line in known.lines:
        if line.event != journal.PROOF or line.file in gone or line.file not in tiers:
            continue
        path = store.tier(tiers[line.file]) / str(line.data["proof"])
        if not path.exists():
            yield failed(f"proof {path.name}", f"{path.name}: missing")
        elif files.sha256(path) != line.data["proof_sha256"]:
            yield failed(f"proof {path.name}", f"{path.name}: was changed after it was written")


def _strangers(store: Store, known: Journal) -> Iterator[Check]:
    promised = {line.file for line in known.lines if line.event == journal.BACKUP}
    proofs = {str(line.data["proof"]) for line in known.lines if line.event == journal.PROOF}
    for path in sorted(p for tier in names.TIERS for p in store.tier(tier).glob("*") if not p.is_symlink()):
        name = path.name.removesuffix(SUFFIX)
        if name not in promised and path.name not in proofs and not path.name.startswith("."):
            yield failed(f"stranger {path.name}", f"{path.parent.name}/{path.name}: the journal knows nothing of it")
