"""The journal against the disk: what was removed on purpose is explained, what is missing, swapped or added is not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from ledgervault.model import backup_names, digests, journal, manifest
from ledgervault.model.entry import Entry
from ledgervault.model.journal import Journal, Line
from ledgervault.model.manifest import SUFFIX, Manifest
from ledgervault.model.proof import Check, failed, inconclusive, note, ok
from ledgervault.model.records import RecordError
from ledgervault.storage import files
from ledgervault.storage.store import HEAD_HINT, Store, journal_data


def audit(store: Store) -> list[Check]:
    known = store.journal()
    checks = [*_chain(store, known)]
    entries = store.entries(known)
    for entry in entries:
        checks += _readable(f"file {entry.file}", _entry, store, entry)
    for line in _proofs_kept(known):
        checks += _readable(f"proof {line.data['proof']}", _proof, store, known, line)
    checks += _strangers(store, known)
    gone, forgotten = journal.removed(known.lines), journal.forgotten(known.lines)
    if gone:
        checks.append(note("removed", f"{len(gone)} backups removed on purpose, each with its line in the journal"))
    for file, line in forgotten.items():
        checks.append(note(f"forgotten {file}", f"{file}: forgotten on {line.time[:10]}: {line.data['reason']}"))
    for file, line in journal.accepted(known.lines).items():
        checks.append(note(f"accepted {file}", f"{file}: its loss accepted on {line.time[:10]}: {line.data['reason']}"))
    return checks


def _readable(id_: str, check: Callable[..., Iterator[Check]], *arguments: object) -> list[Check]:
    """A file that cannot be read was not checked; the others still are."""
    try:
        return [*check(*arguments)]
    except OSError as error:
        return [inconclusive(id_, f"{error.filename}: cannot be read: {error.strerror}", "mend its owner and mode")]


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
    yield from _head(store, known)


def _head(store: Store, known: Journal) -> Iterator[Check]:
    """No later line vouches for the last one: its hash is kept apart."""
    kept = store.kept_head()
    problem = store.head_problem(known)
    if problem:
        yield failed("journal head", f"journal.jsonl: {problem}", HEAD_HINT)
    elif kept is None:
        yield note("journal head", "journal.jsonl: no head is kept yet, so nothing vouches for its last line")
    elif kept.lines < len(known.lines):
        newer = len(known.lines) - kept.lines
        yield note("journal head", f"journal.jsonl: {newer} lines are newer than the head that was kept")
    elif not known.broken:
        yield ok("journal head", f"journal.jsonl: its last line is the one that was written, line {kept.lines}")


def _entry(store: Store, entry: Entry) -> Iterator[Check]:
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
    if journal.digest(text) != entry.line.manifest_sha256:
        return f"{place.name}: not the one that was written with the backup"
    if files.sha256(entry.path) != entry.line.data["sha256"]:
        return f"{entry.file}: its bytes are not those that were written"
    try:
        written = manifest.read(text)
    except RecordError as error:
        return f"{place.name}: {error}"
    return _digests_problem(store, entry, written) or _line_problem(entry, written)


def _digests_problem(store: Store, entry: Entry, written: Manifest) -> str | None:
    if written.digests is None:
        return None
    place = store.digests_path(entry.path)
    if not place.exists():
        return f"{place.name}: missing"
    return None if files.sha256(place) == written.digests.sha256 else f"{place.name}: its bytes are not those written"


def _line_problem(entry: Entry, written: Manifest) -> str | None:
    """The journal's own line says what the manifest says."""
    expected = journal_data(written)
    for key, value in expected.items():
        if entry.line.data.get(key) != value:
            seen = entry.line.data.get(key)
            return f"{entry.file}: {key} is {seen!r} in the journal's line {entry.line.seq}, {value!r} in its manifest"
    return None


def _proofs_kept(known: Journal) -> Iterator[Line]:
    gone = journal.removed(known.lines)
    files_taken = {line.file for line in known.lines if line.event == journal.BACKUP}
    for line in known.lines:
        if line.event == journal.PROOF and line.file not in gone and line.file in files_taken:
            yield line


def _proof(store: Store, known: Journal, line: Line) -> Iterator[Check]:
    backup = known.backup_of(line.file)
    path = store.tier(backup.data["tier"] if backup else "") / str(line.data["proof"])
    if not path.exists():
        yield failed(f"proof {path.name}", f"{path.name}: missing")
        return
    text = path.read_bytes()
    if journal.digest(text) != line.data["proof_sha256"]:
        yield failed(f"proof {path.name}", f"{path.name}: was changed after it was written")
        return
    for key, value in _said(text).items():
        if key in line.data and line.data[key] != value:
            text_ = f"{path.name}: {key} is {value!r}, {line.data[key]!r} in the journal's line {line.seq}"
            yield failed(f"proof {path.name}", text_, HEAD_HINT)


def _said(text: bytes) -> dict[str, object]:
    """What a proof's file and its line in the journal both say."""
    try:
        proof = json.loads(text)
    except ValueError:
        return {"verdict": "not readable"}
    keys = ("verdict", "level", "shrunken", "loss", "baseline")
    return {key: proof[key] for key in keys if isinstance(proof, dict) and key in proof}


def _strangers(store: Store, known: Journal) -> Iterator[Check]:
    promised = {line.file for line in known.lines if line.event == journal.BACKUP}
    proofs = {str(line.data["proof"]) for line in known.lines if line.event == journal.PROOF}
    for path in sorted(p for tier in backup_names.TIERS for p in store.tier(tier).glob("*") if not p.is_symlink()):
        name = path.name.removesuffix(SUFFIX).removesuffix(digests.SUFFIX)
        if name not in promised and path.name not in proofs and not path.name.startswith("."):
            yield failed(f"stranger {path.name}", f"{path.parent.name}/{path.name}: the journal knows nothing of it")
