"""Checks a backup's manifest, its line in the journal and its bytes before anything is restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ledgervault.commands.context import Context
from ledgervault.model.journal import digest
from ledgervault.model.manifest import Manifest, end_marker, parse_manifest
from ledgervault.model.proof import Check, failed, inconclusive, note, ok
from ledgervault.model.records import NewerError, RecordError
from ledgervault.storage import archive
from ledgervault.storage.archive import ReadBack
from ledgervault.storage.store import Store


def read_manifest(store: Store, path: Path) -> tuple[Manifest | None, str | None, list[Check]]:
    place = store.manifest_path(path)
    try:
        text = place.read_bytes()
    except FileNotFoundError:
        hint = "bring it from where the backup came from; without it nobody knows what should be in the file"
        return None, None, [inconclusive("manifest", f"{place.name}: missing", hint)]
    except OSError as error:
        return None, None, [inconclusive("manifest", f"{place.name}: cannot be read: {error}")]
    try:
        return parse_manifest(text), digest(text), []
    except NewerError as error:
        return None, digest(text), [inconclusive("manifest", f"{place.name}: {error}", "use the newer vault image")]
    except RecordError as error:
        return None, digest(text), [failed("manifest", f"{place.name}: not a manifest of ours: {error}")]


def check_manifest(
    context: Context, path: Path, manifest: Manifest, manifest_sha256: str | None, need_journal: bool
) -> Iterator[Check]:
    if manifest.file != path.name:
        yield failed("manifest file", f"the manifest is of {manifest.file}, not of {path.name}")
    for key, actual, expected in (
        ("environment", manifest.environment, context.config.environment),
        ("database", manifest.database, context.config.database.name),
    ):
        if actual != expected:
            yield failed(
                key, f"{key}: a backup of '{actual}', expected '{expected}'", "prove it with that one's configuration"
            )
    yield from check_journal(context.store, path, manifest, manifest_sha256, need_journal)


def check_journal(
    store: Store, path: Path, manifest: Manifest, manifest_sha256: str | None, need_journal: bool
) -> Iterator[Check]:
    """The manifest is trusted only if its hash is in the journal, which is a chain of hashes."""
    if not need_journal:
        yield note("journal", "journal: not asked, as you wished")
        return
    journal = store.journal()
    if journal.broken is not None:
        yield failed("journal", f"journal: the chain is broken: {journal.broken}", "`ledgervault audit` says more")
        return
    line = journal.backup_of(manifest.file)
    if line is not None and line.manifest_sha256 == manifest_sha256:
        yield ok("journal", f"journal: line {line.seq} of {len(journal.lines)} knows this manifest")
    elif line is not None:
        yield failed("journal", f"journal: line {line.seq} knows another manifest of {path.name}: it was changed")
    elif journal.lines:
        yield failed("journal", f"journal: knows no backup {path.name}", "a file put here by hand? --without-journal")
    else:
        journal_path = store.journal_path
        yield inconclusive(
            "journal",
            f"{journal_path}: not there, so the manifest stands alone",
            "add --without-journal to accept that",
        )


def check_bytes_alone(path: Path) -> Iterator[Check]:
    """Without a manifest only the file's own format is checked: a file that is not our dump is bad."""
    back = archive.read_back(archive.chunks(path))
    if back.size == 0:
        yield failed("bytes", f"{path.name}: 0 bytes")
    elif back.error is not None:
        yield failed("bytes", f"{path.name}: cannot be decompressed: {back.error}")
    elif not back.tail.endswith(end_marker(path.name)):
        yield failed("end marker", f"{path.name}: does not end with its end marker")


def check_bytes(manifest: Manifest, back: ReadBack, floor: int) -> Iterator[Check]:
    if back.size != manifest.size:
        yield failed("size", f"size: {back.size} bytes, {manifest.size} in the manifest")
    if back.sha256 != manifest.sha256:
        yield failed("sha256", f"sha256: {back.sha256[:16]}..., {manifest.sha256[:16]}... in the manifest")
    if back.error is not None:
        yield failed("gzip", f"cannot be decompressed: {back.error}")
    elif not back.tail.endswith(end_marker(manifest.file)):
        yield failed("end marker", f"the dump does not end with the end marker of {manifest.file}")
    elif back.size == manifest.size and back.sha256 == manifest.sha256:
        yield ok("bytes", f"bytes: {back.size} bytes, sha256 and end marker as in the manifest")
    if back.sequences != manifest.sequences_dumped and back.error is None:
        yield failed("sequences in the dump", "the dump sets other sequence values than the manifest says")
    if manifest.size < floor:
        yield note(
            "size floor", f"smaller than the floor of {floor} bytes: {manifest.size} bytes; the comparison decides"
        )
