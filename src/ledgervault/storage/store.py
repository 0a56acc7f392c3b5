"""The backups directory: its entries and their verdicts, and the only functions that write to it.

Every change is first written to the journal. A killed writer leaves partial names: `recover` finishes what the journal
lists and removes the rest.
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

from ledgervault.model import backup_names, clock, digests, proof, retention
from ledgervault.model.entry import UNPROVEN, Entry
from ledgervault.model.errors import CouldNot, UsageError
from ledgervault.model.journal import (
    ACCEPTED,
    BACKUP,
    FORGOTTEN,
    GENESIS,
    PROOF,
    REMOVED,
    RESTORED,
    Head,
    Journal,
    Line,
    accepted_lines,
    check_line_data,
    digest,
    encode_line,
    find_ruling,
    forgotten_lines,
    head_problem,
    lines_without,
    next_line,
    parse_journal,
    removed_files,
)
from ledgervault.model.live_history import History, live_history
from ledgervault.model.manifest import SUFFIX, Manifest
from ledgervault.model.proof import Proof
from ledgervault.model.records import RecordError, from_json, to_json
from ledgervault.model.retention import Decision, Rule
from ledgervault.storage import files

BACKUP_FAILED = "backup FAILED"  # in backup.log
HEAD_NAME = "journal-head.json"  # in the directory of the state, never beside the journal
HEAD_HINT = "compare the journal with the off-site copy; then remove this head: the next line keeps a new one"
_LOG = "backup.log"
_LOG_TAIL = 64 * 1024
_JOURNAL_WAIT = 60
_RESERVE = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Store:
    root: Path
    environment: str
    prefix: str
    head_path: Path | None = None  # the journal's head, outside the backups directory

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
        """Raises CouldNot if it cannot be read, or has a line of a later version, which this one would ignore."""
        try:
            journal = check_line_data(parse_journal(self.journal_path.read_bytes()))
        except FileNotFoundError:
            return Journal((), GENESIS)
        except OSError as error:
            hint = "is the backups volume mounted, and is this file readable by the vault's user?"
            raise CouldNot(str(self.journal_path), f"cannot be read: {error.strerror}", hint) from error
        if journal.newer:
            raise CouldNot(
                str(self.journal_path), journal.newer, "use the newer vault image (make deploy SERVICE=vault)"
            )
        return journal

    def failed_backup(self) -> dict[str, str] | None:
        """Time and text of the newest backup run if it failed; backup.log has a line for each run."""
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

    def head_problem(self, journal: Journal) -> str | None:
        """Compares the journal with the stored head; None also without a stored head."""
        kept_head = self.kept_head()
        return head_problem(journal, kept_head) if kept_head is not None and journal.broken is None else None

    def kept_head(self) -> Head | None:
        try:
            return from_json(Head, self.head_path.read_bytes()) if self.head_path is not None else None
        except FileNotFoundError:
            return None
        except (OSError, RecordError) as error:
            raise CouldNot(str(self.head_path), f"the journal's head cannot be read: {error}", HEAD_HINT) from error

    def entries(self, journal: Journal | None = None) -> list[Entry]:
        """In the journal's order, oldest first, without removed and forgotten backups."""
        journal = journal or self.journal()
        removed = removed_files(journal.lines) | forgotten_lines(journal.lines).keys()
        return [entry for entry in self._written(journal) if entry.file not in removed]

    def _written(self, journal: Journal) -> list[Entry]:
        """Every backup of the journal. What was accepted of something else than what is live is not accepted here."""
        backups = [line for line in journal.lines if line.event == BACKUP]
        history, accepted = live_history(journal.lines), accepted_lines(journal.lines)
        everywhere = [line.seq for line in backups if line.file in accepted]
        here = [seq for seq in everywhere if history.has(seq)]
        entries = []
        for line in backups:
            up_to = max(here if history.has(line.seq) else everywhere, default=0)
            entries.append(_with_history(self._entry(journal, line, line.seq <= up_to), history))
        return entries

    def newest_proven(self, kind: str = "db", entries: list[Entry] | None = None) -> Entry | None:
        proven = [
            entry
            for entry in (entries if entries is not None else self.entries())
            if entry.proven and entry.line.data["kind"] == kind
        ]
        return proven[-1] if proven else None

    def find(self, name: str) -> Path:
        """`latest` (newest proven), `newest`, a backup's name, or a path."""
        if name in ("latest", "newest"):
            entries = [entry for entry in self.entries() if entry.line.data["kind"] != backup_names.PRE_RESTORE]
            entry = self.newest_proven(entries=entries) if name == "latest" else (entries[-1] if entries else None)
            if entry is None:
                message = "no proven backup yet" if name == "latest" else "no backup yet"
                raise CouldNot(str(self.root), message, "take one with `ledgervault backup` and prove it")
            return entry.path
        candidates = [self.tier(tier) / name for tier in backup_names.TIERS if "/" not in name]
        for candidate in [*candidates, Path(name)]:
            if candidate.is_file():
                return candidate.resolve()
        raise UsageError(name, f"no such backup in {self.root}", "`ledgervault list` shows what there is")

    def owns(self, path: Path) -> bool:
        """Whether the file is in a tier's directory under the name of a backup."""
        inside = path.parent.parent == self.root.resolve() and path.parent.name in backup_names.TIERS
        return inside and backup_names.parse(path.name) is not None

    def _entry(self, journal: Journal, line: Line, accepted: bool) -> Entry:
        path = self.tier(line.data["tier"]) / line.file
        ruling = find_ruling(journal.lines, line.file)
        try:
            intact = path.stat().st_size == line.data["size"] and self.manifest_path(path).exists()
        except OSError:
            intact = False
        verdict = str(ruling.data["verdict"]) if ruling else UNPROVEN
        return Entry(line.file, path, line, verdict, ruling, intact, accepted)

    # ---------------------------------------------------------------- writing

    def prepare(self, tier: str) -> None:
        """Refuses to create a directory tree at the place where the volume should be mounted."""
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
        """Keeps room for the journal's lines about removals when the volume is full."""
        if self._reserve.exists():
            return
        try:
            files.write_whole(self._reserve, bytes(_RESERVE))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise

    @contextmanager
    def backing_up(self, purpose: str, wait_seconds: float) -> Iterator[None]:
        with files.locked(self.root / ".backup.lock", purpose, wait_seconds):
            self.recover()
            yield

    def free_name(self, kind: str, moment: datetime) -> backup_names.BackupName:
        """A name that no tier and no line of the journal has."""
        used_names = {line.file for line in self.journal().lines}
        name = backup_names.BackupName(self.prefix, kind, moment.astimezone(UTC).replace(microsecond=0))
        while str(name) in used_names or any((self.tier(tier) / str(name)).exists() for tier in backup_names.TIERS):
            name = name.later()
        return name

    def digests_path(self, path: Path) -> Path:
        return path.with_name(path.name + digests.SUFFIX)

    def commit(self, manifest: Manifest, digested: bytes | None = None) -> Path:
        """Gives a complete, synced and read-back dump its name. The journal's line comes first: from then on `recover`
        can finish."""
        path = self.tier(manifest.tier) / manifest.file
        text = to_json(manifest)
        files.write_aside(self.manifest_path(path), text)
        if digested is not None:
            files.write_aside(self.digests_path(path), digested)
        files.sync_directory(path.parent)
        data = journal_data(manifest)
        self._append(BACKUP, manifest.file, digest(text), data)
        files.reveal(self.manifest_path(path))
        if digested is not None:
            files.reveal(self.digests_path(path))
        files.reveal(path)
        files.sync_directory(path.parent)
        return path

    def record(self, path: Path, file_proof: Proof) -> Path:
        text = to_json(file_proof)
        target = path.with_name(backup_names.proof(path.name, files.now()))
        data = {
            "level": file_proof.level,
            "verdict": file_proof.verdict,
            "proof": target.name,
            "proof_sha256": digest(text),
            "seconds": file_proof.seconds,
            "shrunken": file_proof.shrunken,
            "loss": file_proof.loss,
            "baseline": file_proof.baseline,
            "lost": file_proof.lost_tables,
            "indexes": proof.DEFINITIONS if file_proof.figures.get("indexes_unbuilt") else proof.ALL,
            "bad": [check.text for check in file_proof.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE)][
                :5
            ],
        }
        with self._journal_lock():
            files.write_aside(target, text)
            self._append_locked(PROOF, path.name, file_proof.manifest_sha256, data)
            files.reveal(target)
            files.sync_directory(path.parent)
        self.relink()
        return target

    def accept(self, file: str, reason: str) -> None:
        """Records that this backup's loss was intended."""
        self._append(ACCEPTED, file, None, {"reason": reason})

    def forget(self, file: str, reason: str) -> None:
        """The backup no longer counts. `prune` removes its file when its tier's time, from now on, is up."""
        self._append(FORGOTTEN, file, None, {"reason": reason})
        self.relink()

    def restored(self, file: str, data: Mapping[str, Any]) -> None:
        """FILE is live again, and the baseline from here on; or the restore that the line `undoes` is as if it never
        was. Once for each `id`: a killed run's line is added later."""
        with self._journal_lock():
            if any(line.data["id"] == data["id"] for line in self.journal().lines if line.event == RESTORED):
                return
            self._append_locked(RESTORED, file, None, dict(data))

    def relink(self) -> None:
        """In each tier `latest.*` links to its newest proven backup, or does not exist."""
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
        """Removes what retention allows, except backups that are being read. With `pressed` room is short, and a doubt
        about the clock no longer stops pruning; ages never count time that is in doubt."""
        with self._journal_lock():
            journal = self.journal()
            self._refuse_if_altered(journal)
            forgotten = forgotten_lines(journal.lines)
            lines = lines_without(journal.lines, forgotten)
            if not pressed:
                _refuse_wrong_clock(lines, now)
            entries, ages = self._still_there(journal), clock.ages(lines, now)
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
        """Frees the reserved room if the volume is too full for this line."""
        arguments = (REMOVED, entry.file, entry.line.manifest_sha256, data)
        try:
            self._append_locked(*arguments)
        except OSError as error:
            if error.errno != errno.ENOSPC or not self._reserve.exists():
                raise
            self._reserve.unlink()
            self._append_locked(*arguments)

    def _still_there(self, journal: Journal) -> list[Entry]:
        """The backups that pruning may remove, including forgotten ones."""
        removed = removed_files(journal.lines)
        return [entry for entry in self._written(journal) if entry.file not in removed]

    def recover(self) -> None:
        """After a kill: finishes what the journal lists and removes other partial files. Requires the backup lock."""
        with self._journal_lock():
            journal = self.journal()
            self._refuse_if_broken(journal)
            if journal.torn:
                os.truncate(self.journal_path, self.journal_path.stat().st_size - journal.torn)
            promised = {line.file for line in journal.lines if line.event == BACKUP}
            promised |= {file + suffix for file in promised for suffix in (SUFFIX, digests.SUFFIX)}
            promised |= {str(line.data["proof"]) for line in journal.lines if line.event == PROOF}
            removed = removed_files(journal.lines)
            for aside in sorted(self.root.glob(f"*/.*{backup_names.PARTIAL}")):
                name = backup_names.unpartial(aside.name)
                if name in promised and not aside.is_symlink():
                    aside.replace(aside.with_name(name or ""))
                else:
                    aside.unlink()
            for path in [p for p in self.root.glob("*/*") if p.name in removed and not p.is_dir()]:
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
        journal = self.journal()
        self._refuse_if_broken(journal)
        line = next_line(journal, files.stamp(), event, file, manifest_sha256, data)
        encoded = encode_line(line)
        descriptor = os.open(self.journal_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        with os.fdopen(descriptor, "wb") as target:
            if journal.torn:
                os.ftruncate(target.fileno(), os.fstat(target.fileno()).st_size - journal.torn)
            target.write(encoded)
            target.flush()
            os.fsync(target.fileno())
        if len(journal.lines) == 0:
            files.sync_directory(self.root)
        self._keep_head(journal, Head(line.seq, digest(encoded)))

    def _keep_head(self, before: Journal, head: Head) -> None:
        """A head that contradicts the journal stays: it is evidence, and `audit` reports it until a person decides."""
        if self.head_path is None:
            return
        try:
            if self.head_problem(before) is None:
                files.write_whole(self.head_path, to_json(head), mode=0o644)
        except (OSError, CouldNot) as error:
            self.log(f"the journal's head was not kept: {error}")

    def _refuse_if_altered(self, journal: Journal) -> None:
        self._refuse_if_broken(journal)
        problem = self.head_problem(journal)
        if problem:
            raise CouldNot(str(self.journal_path), problem, HEAD_HINT)

    def _refuse_if_broken(self, journal: Journal) -> None:
        """A broken journal is not appended to, and nothing is removed because of it."""
        if journal.broken:
            hint = "`ledgervault audit` says more; bring the journal back, or move it aside to begin a new one"
            raise CouldNot(str(self.journal_path), journal.broken, hint)

    def _unlink(self, path: Path) -> None:
        for proof_path in path.parent.glob(f"{path.name}.proof-*.json") if path.parent.is_dir() else ():
            proof_path.unlink()
        for suffix in (SUFFIX, digests.SUFFIX):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def journal_data(manifest: Manifest) -> dict[str, Any]:
    """The fields of a backup's line in the journal, so that listing need not read every manifest."""
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


def _with_history(entry: Entry, history: History) -> Entry:
    """What restores mean for a backup. A person chose the restored one, with its losses."""
    if history.has(entry.line.seq):
        return entry
    is_chosen = entry.file == history.chosen
    return replace(entry, restored=is_chosen, accepted=entry.accepted or is_chosen, superseded=not is_chosen)


def _kept(entry: Entry, forgotten: Line | None, now: datetime, ages: Mapping[int, timedelta]) -> retention.Candidate:
    """A forgotten backup is not proven, and its age starts when it was forgotten."""
    data = entry.line.data
    taken_at = now - ages[(forgotten or entry.line).seq]
    proven = entry.proven and forgotten is None
    shrunken = proven and entry.shrunken
    uncompared = proven and not entry.complete and not shrunken
    return retention.Candidate(
        entry.file, data["kind"], data["tier"], entry.line.seq, taken_at, proven, shrunken, uncompared
    )


def _decision(
    backups: list[retention.Candidate], backup: retention.Candidate, rule: Rule | None, now: datetime
) -> Decision:
    if rule is None:
        return Decision(backup.file, backup.tier, False, f"tier {backup.tier} has no rule in the configuration")
    reason = retention.why_kept(backups, backup, rule, now)
    removal = f"older than {rule.keep_hours} h, a newer one is proven"
    return Decision(backup.file, backup.tier, reason is None, reason or removal)


def _refuse_wrong_clock(lines: Sequence[Line], now: datetime) -> None:
    if (jump := clock.find_step_back(lines, now)) is not None:
        hint = (
            "set the clock; if it was ahead then, the next backup ends this, or `ledgervault forget FILE --reason` now"
        )
        raise CouldNot("prune", f"{jump.text()}: nothing is removed", hint)
    if (jump := clock.find_doubtful_jump(lines, now)) is not None:
        hint = "look at the clock; after a day at work, or when room is short, pruning goes on by itself"
        raise CouldNot("prune", f"{jump.text()}: nothing is removed for a day", hint)
