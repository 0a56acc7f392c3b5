"""The backups directory: what is in it, what each file is worth, and the only functions that write to it.

Everything that counts is first in the journal. A writer that is killed leaves partial names; `recover` finishes what
the journal knows of and removes what it does not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ledgervault.model import backup_names, clock, digests, journal, proof, retention
from ledgervault.model.errors import CouldNot, UsageError
from ledgervault.model.journal import Head, Journal, Line
from ledgervault.model.manifest import SUFFIX, Manifest
from ledgervault.model.proof import Proof
from ledgervault.model.records import RecordError, from_json, to_json
from ledgervault.model.retention import Decision, Rule
from ledgervault.storage import files

UNPROVEN = "unproven"
BACKUP_FAILED = "backup FAILED"  # in backup.log
HEAD_NAME = "journal-head.json"  # in the directory of the state, never beside the journal
HEAD_HINT = "compare the journal with the off-site copy; then remove this head: the next line keeps a new one"
_LOG = "backup.log"
_LOG_TAIL = 64 * 1024
_JOURNAL_WAIT = 60
_RESERVE = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A backup as the journal and the disk know it."""

    file: str
    path: Path
    line: Line
    verdict: str  # proven, failed, inconclusive, unproven
    ruling: Line | None
    intact: bool  # there, with the journal's size
    accepted: bool = False  # its loss, or that of a later one, was meant
    restored: bool = False  # it is what the newest restore put back
    superseded: bool = False  # taken before the newest restore, and not what was put back

    @property
    def proven(self) -> bool:
        return self.verdict == proof.PROVEN and self.intact

    @property
    def loss(self) -> str:
        """What its ruling proof said of rows lost since the baseline; NONE where there is none. A proof by an older
        version says whether it had shrunken."""
        data = self.ruling.data if self.ruling else {}
        return str(data.get("loss") or (proof.LOST if data.get("shrunken") else proof.NONE))

    @property
    def shrunken(self) -> bool:
        """Rows were lost, and nobody has said that it was meant."""
        return self.loss == proof.LOST and not self.accepted

    @property
    def is_baseline(self) -> bool:
        """Judged proven, and nothing lost unaccepted: later ones are compared with it, also if its file is missing. Not
        one from before a restore of another."""
        return self.verdict == proof.PROVEN and (self.loss == proof.NONE or self.accepted) and not self.superseded

    @property
    def complete(self) -> bool:
        """As `is_baseline`, and the file is as written: older ones may go."""
        return self.is_baseline and self.intact


@dataclass(frozen=True, slots=True)
class Store:
    root: Path
    environment: str
    prefix: str
    head_path: Path | None = None  # where the journal's head is kept, apart from the journal

    @property
    def journal_path(self) -> Path:
        return self.root / "journal.jsonl"

    @property
    def _reserve(self) -> Path:
        return self.root / ".reserve"

    def manifest_path(self, path: Path) -> Path:
        return path.with_name(path.name + SUFFIX)

    def tier(self, name: str) -> Path:
        return self.root / name

    # ---------------------------------------------------------------- reading

    def journal(self) -> Journal:
        """CouldNot where it cannot be read, or holds a line of a later version: this one would judge without it."""
        try:
            known = journal.checked(journal.read(self.journal_path.read_bytes()))
        except FileNotFoundError:
            return Journal((), journal.GENESIS)
        except OSError as error:
            hint = "is the backups volume mounted, and is this file readable by the vault's user?"
            raise CouldNot(str(self.journal_path), f"cannot be read: {error.strerror}", hint) from error
        if known.newer:
            raise CouldNot(str(self.journal_path), known.newer, "use the newer vault image (make deploy SERVICE=vault)")
        return known

    def failed_backup(self) -> dict[str, str] | None:
        """Time and text of the newest backup run, where it failed; backup.log has a line for each."""
        try:
            with (self.root / _LOG).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return None
        runs = [line.split(" ", 3) for line in lines if " backup taken " in line or f" {BACKUP_FAILED} " in line]
        if not runs or runs[-1][1:3] != BACKUP_FAILED.split(" "):
            return None
        return {"time": runs[-1][0], "text": " ".join(runs[-1][1:])}

    def head_problem(self, known: Journal) -> str | None:
        """What the kept head says against the journal; None also where no head is kept."""
        kept = self.kept_head()
        return journal.head_problem(known, kept) if kept is not None and known.broken is None else None

    def kept_head(self) -> Head | None:
        try:
            return from_json(Head, self.head_path.read_bytes()) if self.head_path is not None else None
        except FileNotFoundError:
            return None
        except (OSError, RecordError) as error:
            raise CouldNot(str(self.head_path), f"the journal's head cannot be read: {error}", HEAD_HINT) from error

    def entries(self, known: Journal | None = None) -> list[Entry]:
        """In the journal's order, oldest first; without what was removed on purpose, or is to be forgotten."""
        known = known or self.journal()
        gone = journal.removed(known.lines) | journal.forgotten(known.lines).keys()
        return [entry for entry in self._written(known) if entry.file not in gone]

    def _written(self, known: Journal) -> list[Entry]:
        """Every backup of the journal."""
        backups = [line for line in known.lines if line.event == journal.BACKUP]
        meant = journal.accepted(known.lines)
        up_to = max((line.seq for line in backups if line.file in meant), default=0)
        restore = journal.last_restore(known.lines)
        return [_with_restore(self._entry(known, line, line.seq <= up_to), restore) for line in backups]

    def newest_proven(self, kind: str = "db", entries: list[Entry] | None = None) -> Entry | None:
        found = [
            e for e in (entries if entries is not None else self.entries()) if e.proven and e.line.data["kind"] == kind
        ]
        return found[-1] if found else None

    def find(self, name: str) -> Path:
        """`latest` (newest proven), `newest`, a backup's name, or a path."""
        if name in ("latest", "newest"):
            entries = [e for e in self.entries() if e.line.data["kind"] != backup_names.PRE_RESTORE]
            chosen = self.newest_proven(entries=entries) if name == "latest" else (entries[-1] if entries else None)
            if chosen is None:
                what = "no proven backup yet" if name == "latest" else "no backup yet"
                raise CouldNot(str(self.root), what, "take one with `ledgervault backup` and prove it")
            return chosen.path
        candidates = [self.tier(tier) / name for tier in backup_names.TIERS if "/" not in name]
        for candidate in [*candidates, Path(name)]:
            if candidate.is_file():
                return candidate.resolve()
        raise UsageError(name, f"no such backup in {self.root}", "`ledgervault list` shows what there is")

    def owns(self, path: Path) -> bool:
        """Whether this file is one of ours: in a tier's directory, under the name of a backup."""
        inside = path.parent.parent == self.root.resolve() and path.parent.name in backup_names.TIERS
        return inside and backup_names.parse(path.name) is not None

    def _entry(self, known: Journal, line: Line, accepted: bool) -> Entry:
        path = self.tier(line.data["tier"]) / line.file
        ruling = journal.status(known.lines, line.file)
        try:
            intact = path.stat().st_size == line.data["size"] and self.manifest_path(path).exists()
        except OSError:
            intact = False
        verdict = str(ruling.data["verdict"]) if ruling else UNPROVEN
        return Entry(line.file, path, line, verdict, ruling, intact, accepted)

    # ---------------------------------------------------------------- writing

    def prepare(self, tier: str) -> None:
        """Refuses to make a directory tree where the volume should be mounted."""
        if not self.root.is_dir():
            raise CouldNot(str(self.root), "the backups directory is not there", "mount the backups volume")
        try:
            self.tier(tier).mkdir(mode=0o750, exist_ok=True)
            probe = self.root / ".writable"
            probe.touch()
            probe.unlink()
            self._keep_reserve()
        except OSError as error:
            raise CouldNot(
                str(self.root), f"cannot be written: {error}", "mount the backups volume writable"
            ) from error

    def _keep_reserve(self) -> None:
        """Room for the journal's lines about what is removed when the volume is full."""
        if self._reserve.exists():
            return
        try:
            files.write_whole(self._reserve, bytes(_RESERVE))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    @contextmanager
    def backing_up(self, what: str, wait_seconds: float) -> Iterator[None]:
        with files.locked(self.root / ".backup.lock", what, wait_seconds):
            self.recover()
            yield

    def free_name(self, kind: str, when: datetime) -> backup_names.BackupName:
        """A name nobody has, in any tier and in the journal."""
        taken = {line.file for line in self.journal().lines}
        name = backup_names.BackupName(self.prefix, kind, when.astimezone(UTC).replace(microsecond=0))
        while str(name) in taken or any((self.tier(tier) / str(name)).exists() for tier in backup_names.TIERS):
            name = name.later()
        return name

    def digests_path(self, path: Path) -> Path:
        return path.with_name(path.name + digests.SUFFIX)

    def commit(self, manifest: Manifest, digested: bytes | None = None) -> Path:
        """Gives a whole, synced, read-back dump its name. Journal first: from there on `recover` can finish."""
        path = self.tier(manifest.tier) / manifest.file
        text = to_json(manifest)
        files.write_aside(self.manifest_path(path), text)
        if digested is not None:
            files.write_aside(self.digests_path(path), digested)
        files.sync_directory(path.parent)
        data = journal_data(manifest)
        self._append(journal.BACKUP, manifest.file, journal.digest(text), data)
        files.reveal(self.manifest_path(path))
        if digested is not None:
            files.reveal(self.digests_path(path))
        files.reveal(path)
        files.sync_directory(path.parent)
        return path

    def record(self, path: Path, result: Proof) -> Path:
        text = to_json(result)
        target = path.with_name(backup_names.proof(path.name, files.now()))
        data = {
            "level": result.level,
            "verdict": result.verdict,
            "proof": target.name,
            "proof_sha256": journal.digest(text),
            "seconds": result.seconds,
            "shrunken": result.shrunken,
            "loss": result.loss,
            "baseline": result.baseline,
            "lost": result.lost_tables,
            "indexes": proof.DEFINITIONS if result.figures.get("indexes_unbuilt") else proof.ALL,
            "bad": [check.text for check in result.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE)][:5],
        }
        with self._journal_lock():
            files.write_aside(target, text)
            self._append_locked(journal.PROOF, path.name, result.manifest_sha256, data)
            files.reveal(target)
            files.sync_directory(path.parent)
        self.relink()
        return target

    def accept(self, file: str, reason: str) -> None:
        """The loss that this backup shows was meant."""
        self._append(journal.ACCEPTED, file, None, {"reason": reason})

    def forget(self, file: str, reason: str) -> None:
        """It counts for nothing any more. Its file stays until `prune` finds its time is up from here on."""
        self._append(journal.FORGOTTEN, file, None, {"reason": reason})
        self.relink()

    def restored(self, file: str, data: Mapping[str, Any]) -> None:
        """FILE is live again, and the baseline from here on. Once for each `id`: a killed run's line is added later."""
        with self._journal_lock():
            if any(line.data["id"] == data["id"] for line in self.journal().lines if line.event == journal.RESTORED):
                return
            self._append_locked(journal.RESTORED, file, None, dict(data))

    def relink(self) -> None:
        """`latest.*` in each tier names its newest proven backup, or is not there."""
        with self._journal_lock():
            entries = self.entries()
            for tier in backup_names.TIERS:
                for kind in backup_names.LINKED:
                    target = self.newest_proven(kind, [e for e in entries if e.line.data["tier"] == tier])
                    link = self.tier(tier) / backup_names.latest(kind)
                    if target is not None:
                        files.link(link, target.file)
                    elif link.is_symlink():
                        link.unlink()

    def prune(
        self, rules: Mapping[str, Rule], now: datetime, *, dry_run: bool = False, pressed: bool = False
    ) -> list[Decision]:
        """Removes what retention allows, except what somebody is reading. `pressed`: room is short, so that a doubt
        about the clock no longer stops it; ages count no time that is in doubt."""
        with self._journal_lock():
            known = self.journal()
            self._refuse_if_altered(known)
            forgotten = journal.forgotten(known.lines)
            lines = journal.without(known.lines, forgotten)
            if not pressed:
                _refuse_wrong_clock(lines, now)
            entries, ages = self._still_there(known), clock.ages(lines, now)
            backups = [_kept(entry, forgotten.get(entry.file), now, ages) for entry in entries]
            decisions = []
            for entry, backup in zip(entries, backups, strict=True):
                decision = _decision(backups, backup, rules.get(backup.tier), now)
                if decision.removed and entry.path.exists() and not files.unused(entry.path):
                    decision = replace(decision, removed=False, reason="somebody is reading it")
                if decision.removed and not dry_run:
                    data = {"tier": entry.line.data["tier"], "reason": decision.reason}
                    self._append_removal(entry, data)
                    self._unlink(entry.path)
                decisions.append(decision)
        return decisions

    def _append_removal(self, entry: Entry, data: dict[str, Any]) -> None:
        """A full volume takes this line too: room for it is kept."""
        arguments = (journal.REMOVED, entry.file, entry.line.manifest_sha256, data)
        try:
            self._append_locked(*arguments)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._append_locked(*arguments)

    def _still_there(self, known: Journal) -> list[Entry]:
        """What prune may have to remove: also what was forgotten."""
        gone = journal.removed(known.lines)
        return [entry for entry in self._written(known) if entry.file not in gone]

    def recover(self) -> None:
        """After a kill: what the journal knows is finished, the rest of the half-made goes. Under the backup lock."""
        with self._journal_lock():
            known = self.journal()
            self._refuse_if_broken(known)
            if known.torn:
                os.truncate(self.journal_path, self.journal_path.stat().st_size - known.torn)
            promised = {line.file for line in known.lines if line.event == journal.BACKUP}
            promised |= {file + suffix for file in promised for suffix in (SUFFIX, digests.SUFFIX)}
            promised |= {str(line.data["proof"]) for line in known.lines if line.event == journal.PROOF}
            gone = journal.removed(known.lines)
            for aside in sorted(self.root.glob(f"*/.*{backup_names.PARTIAL}")):
                name = backup_names.unpartial(aside.name)
                if name in promised and not aside.is_symlink():
                    aside.replace(aside.with_name(name or ""))
                else:
                    aside.unlink()
            for path in [p for p in self.root.glob("*/*") if p.name in gone and not p.is_dir()]:
                self._unlink(path)

    def log(self, text: str) -> None:
        with (self.root / _LOG).open("a", encoding="utf-8") as file:
            file.write(f"{files.stamp()} {' '.join(text.split())}\n")

    def _journal_lock(self) -> Any:
        return files.locked(self.root / ".journal.lock", "journal", _JOURNAL_WAIT)

    def _append(self, event: str, file: str, manifest_sha256: str | None, data: dict[str, Any]) -> None:
        with self._journal_lock():
            self._append_locked(event, file, manifest_sha256, data)

    def _append_locked(self, event: str, file: str, manifest_sha256: str | None, data: dict[str, Any]) -> None:
        known = self.journal()
        self._refuse_if_broken(known)
        line = journal.next_line(known, files.stamp(), event, file, manifest_sha256, data)
        encoded = journal.encode(line)
        descriptor = os.open(self.journal_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        with os.fdopen(descriptor, "wb") as target:
            if known.torn:
                os.ftruncate(target.fileno(), os.fstat(target.fileno()).st_size - known.torn)
            target.write(encoded)
            target.flush()
            os.fsync(target.fileno())
        if len(known.lines) == 0:
            files.sync_directory(self.root)
        self._keep_head(known, Head(line.seq, journal.digest(encoded)))

    def _keep_head(self, before: Journal, head: Head) -> None:
        """One that the journal contradicts stays: it is the evidence, and `audit` reports it until somebody decides."""
        if self.head_path is None:
            return
        try:
            if self.head_problem(before) is None:
                files.write_whole(self.head_path, to_json(head), mode=0o644)
        except (OSError, CouldNot) as error:
            self.log(f"the journal's head was not kept: {error}")

    def _refuse_if_altered(self, known: Journal) -> None:
        self._refuse_if_broken(known)
        problem = self.head_problem(known)
        if problem:
            raise CouldNot(str(self.journal_path), problem, HEAD_HINT)

    def _refuse_if_broken(self, known: Journal) -> None:
        """Neither finished nor removed nor added to: what cannot be believed decides nothing."""
        if known.broken:
            hint = "`ledgervault audit` says more; bring the journal back, or move it aside to begin a new one"
            raise CouldNot(str(self.journal_path), known.broken, hint)

    def _unlink(self, path: Path) -> None:
        for other in path.parent.glob(f"{path.name}.proof-*.json") if path.parent.is_dir() else ():
            other.unlink()
        for suffix in (SUFFIX, digests.SUFFIX):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def journal_data(manifest: Manifest) -> dict[str, Any]:
    """What the journal says of a backup, so that nobody reads every manifest."""
    tables = manifest.content.tables
    return {
        "kind": manifest.kind,
        "tier": manifest.tier,
        "environment": manifest.environment,
        "database": manifest.database,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "taken": manifest.snapshot,
        "tables": len(tables),
        "rows": manifest.content.rows,
        "watched": {name: tables[name].rows for name in manifest.watched if name in tables},
    }


def _with_restore(entry: Entry, restore: Line | None) -> Entry:
    """What the newest restore means for a backup. The one put back was chosen by a person, with its losses."""
    if restore is None or entry.line.seq > restore.seq:
        return entry
    is_chosen = entry.file == restore.file
    return replace(entry, restored=is_chosen, accepted=entry.accepted or is_chosen, superseded=not is_chosen)


def _kept(entry: Entry, forgotten: Line | None, now: datetime, ages: Mapping[int, timedelta]) -> retention.Kept:
    """A forgotten one is proven no more, and its age begins with the day it was forgotten."""
    data = entry.line.data
    taken = now - ages[(forgotten or entry.line).seq]
    proven = entry.proven and forgotten is None
    shrunken = proven and entry.shrunken
    uncompared = proven and not entry.complete and not shrunken
    return retention.Kept(entry.file, data["kind"], data["tier"], entry.line.seq, taken, proven, shrunken, uncompared)


def _decision(backups: list[retention.Kept], backup: retention.Kept, rule: Rule | None, now: datetime) -> Decision:
    if rule is None:
        return Decision(backup.file, backup.tier, False, f"tier {backup.tier} has no rule in the configuration")
    reason = retention.why_kept(backups, backup, rule, now)
    removal = f"older than {rule.keep_hours} h, a newer one is proven"
    return Decision(backup.file, backup.tier, reason is None, reason or removal)


def _refuse_wrong_clock(lines: Sequence[Line], now: datetime) -> None:
    if (jump := clock.stands_back(lines, now)) is not None:
        hint = (
            "set the clock; if it was ahead then, the next backup ends this, or `ledgervault forget FILE --reason` now"
        )
        raise CouldNot("prune", f"{jump.text()}: nothing is removed", hint)
    if (jump := clock.jump_in_doubt(lines, now)) is not None:
        hint = "look at the clock; after a day at work, or when room is short, pruning goes on by itself"
        raise CouldNot("prune", f"{jump.text()}: nothing is removed for a day", hint)
