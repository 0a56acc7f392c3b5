"""Compares the journal with the disk: explains every removal, and reports missing, changed and unknown files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from ledgervault.model import backup_names, digests
from ledgervault.model.entry import Entry
from ledgervault.model.journal import (
    BACKUP,
    PROOF,
    Journal,
    Line,
    accepted_lines,
    digest,
    forgotten_lines,
    removed_files,
)
from ledgervault.model.manifest import SUFFIX, Manifest, parse_manifest
from ledgervault.model.proof import Check, failed, inconclusive, note, ok
from ledgervault.model.records import RecordError
from ledgervault.storage import files
from ledgervault.storage.store import HEAD_HINT, Store, journal_data


def audit(store: Store) -> list[Check]:
    journal = store.journal()
    checks = [*_check_chain(store, journal)]
    entries = store.entries(journal)
    for entry in entries:
        checks += _check_readable(f"file {entry.file}", _check_entry, store, entry)
    for line in _remaining_proofs(journal):
        checks += _check_readable(f"proof {line.data['proof']}", _check_proof, store, journal, line)
    checks += _unknown_files(store, journal)
    removed, forgotten = removed_files(journal.lines), forgotten_lines(journal.lines)
    if removed:
        checks.append(note("removed", f"{len(removed)} backups removed on purpose, each with its line in the journal"))
    for file, line in forgotten.items():
        checks.append(note(f"forgotten {file}", f"{file}: forgotten on {line.time[:10]}: {line.data['reason']}"))
    for file, line in accepted_lines(journal.lines).items():
        checks.append(note(f"accepted {file}", f"{file}: its loss accepted on {line.time[:10]}: {line.data['reason']}"))
    return checks


def _check_readable(id_: str, check: Callable[..., Iterator[Check]], *arguments: object) -> list[Check]:
    """A file that cannot be read is inconclusive; the other files are still checked."""
    try:
        return [*check(*arguments)]
    except OSError as error:
        return [inconclusive(id_, f"{error.filename}: cannot be read: {error.strerror}", "mend its owner and mode")]


def _check_chain(store: Store, journal: Journal) -> Iterator[Check]:
    if journal.broken:
        hint = "bring the journal back from the off-site copy; until then nothing is added to it"
        yield failed("journal", f"journal.jsonl: {journal.broken}", hint)
    elif not journal.lines:
        yield inconclusive("journal", f"{store.journal_path}: empty or missing, so nothing can be audited")
    else:
        yield ok(
            "journal",
            f"journal.jsonl: {len(journal.lines)} lines, each follows the one before, head {journal.head[:12]}",
        )
    if journal.torn:
        yield note(
            "journal tail", f"journal.jsonl: {journal.torn} bytes of an unfinished line; the next backup removes them"
        )
    yield from _check_head(store, journal)


def _check_head(store: Store, journal: Journal) -> Iterator[Check]:
    """No later line confirms the last line, so its hash is stored outside the journal."""
    kept_head = store.kept_head()
    problem = store.head_problem(journal)
    if problem:
        yield failed("journal head", f"journal.jsonl: {problem}", HEAD_HINT)
    elif kept_head is None:
        yield note("journal head", "journal.jsonl: no head is kept yet, so nothing vouches for its last line")
    elif kept_head.lines < len(journal.lines):
        newer = len(journal.lines) - kept_head.lines
        yield note("journal head", f"journal.jsonl: {newer} lines are newer than the head that was kept")
    elif not journal.broken:
        yield ok("journal head", f"journal.jsonl: its last line is the one that was written, line {kept_head.lines}")


def _check_entry(store: Store, entry: Entry) -> Iterator[Check]:
    problem = _entry_problem(store, entry)
    id_ = f"file {entry.file}"
    yield failed(id_, problem) if problem else ok(id_, f"{entry.file}: as written, {entry.verdict}")


def _entry_problem(store: Store, entry: Entry) -> str | None:
    place = store.manifest_path(entry.path)
    if not entry.path.exists():
        return f"{entry.file}: missing, and the journal tells of no removal"
    if not place.exists():
        return f"{place.name}: missing"
    text = place.read_bytes()
    if digest(text) != entry.line.manifest_sha256:
        return f"{place.name}: not the one that was written with the backup"
    if files.sha256(entry.path) != entry.line.data["sha256"]:
        return f"{entry.file}: its bytes are not those that were written"
    try:
        manifest = parse_manifest(text)
    except RecordError as error:
        return f"{place.name}: {error}"
    return _digests_problem(store, entry, manifest) or _line_problem(entry, manifest)


def _digests_problem(store: Store, entry: Entry, manifest: Manifest) -> str | None:
    if manifest.digests is None:
        return None
    place = store.digests_path(entry.path)
    if not place.exists():
        return f"{place.name}: missing"
    return None if files.sha256(place) == manifest.digests.sha256 else f"{place.name}: its bytes are not those written"


def _line_problem(entry: Entry, manifest: Manifest) -> str | None:
    """Reports the first field in which the journal's line and the manifest disagree."""
    for key, expected in journal_data(manifest).items():
        if entry.line.data.get(key) != expected:
            recorded, seq = entry.line.data.get(key), entry.line.seq
            return f"{entry.file}: {key} is {recorded!r} in the journal's line {seq}, {expected!r} in its manifest"
    return None


def _remaining_proofs(journal: Journal) -> Iterator[Line]:
    removed = removed_files(journal.lines)
    backup_files = {line.file for line in journal.lines if line.event == BACKUP}
    for line in journal.lines:
        if line.event == PROOF and line.file not in removed and line.file in backup_files:
            yield line


def _check_proof(store: Store, journal: Journal, line: Line) -> Iterator[Check]:
    backup = journal.backup_of(line.file)
    path = store.tier(backup.data["tier"] if backup else "") / str(line.data["proof"])
    if not path.exists():
        yield failed(f"proof {path.name}", f"{path.name}: missing")
        return
    text = path.read_bytes()
    if digest(text) != line.data["proof_sha256"]:
        yield failed(f"proof {path.name}", f"{path.name}: was changed after it was written")
        return
    for key, value in _proof_claims(text).items():
        if key in line.data and line.data[key] != value:
            text_ = f"{path.name}: {key} is {value!r}, {line.data[key]!r} in the journal's line {line.seq}"
            yield failed(f"proof {path.name}", text_, HEAD_HINT)


def _proof_claims(text: bytes) -> dict[str, object]:
    """The fields that a proof's file and its line in the journal share."""
    try:
        proof = json.loads(text)
    except ValueError:
        return {"verdict": "not readable"}
    keys = ("verdict", "level", "shrunken", "loss", "baseline")
    return {key: proof[key] for key in keys if isinstance(proof, dict) and key in proof}


def _unknown_files(store: Store, journal: Journal) -> Iterator[Check]:
    promised = {line.file for line in journal.lines if line.event == BACKUP}
    proofs = {str(line.data["proof"]) for line in journal.lines if line.event == PROOF}
    for path in sorted(p for tier in backup_names.TIERS for p in store.tier(tier).glob("*") if not p.is_symlink()):
        name = path.name.removesuffix(SUFFIX).removesuffix(digests.SUFFIX)
        if name not in promised and path.name not in proofs and not path.name.startswith("."):
            yield failed(f"stranger {path.name}", f"{path.parent.name}/{path.name}: the journal knows nothing of it")
