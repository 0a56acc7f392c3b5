"""Proves a backup: checks its bytes, restores it into a throw-away server, compares it and records the verdict."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledgervault.commands import backup_checks, restored_copy
from ledgervault.commands.context import Context
from ledgervault.commands.losses import NO_LOSS, Loss
from ledgervault.commands.restored_copy import Restoration
from ledgervault.host import deadline, process
from ledgervault.model import comparison, proof
from ledgervault.model.errors import CouldNot
from ledgervault.model.proof import Check, Proof, failed, inconclusive
from ledgervault.storage import archive, files
from ledgervault.storage.archive import FileHash

MAJOR = 17  # of the programs in this image


@dataclass(frozen=True, slots=True)
class Options:
    record: bool = True
    need_journal: bool = True
    indexes: str = proof.ALL  # or DEFINITIONS


@dataclass(frozen=True, slots=True)
class _Outcome:
    checks: list[Check]
    compared: bool
    manifest_sha256: str | None
    figures: dict[str, float]
    loss: Loss = NO_LOSS
    rewritten: dict[str, str] = field(default_factory=dict)


def prove(context: Context, path: Path, options: Options) -> Proof:
    return _make_proof(context, path, "data", options)


def verify(context: Context, path: Path, options: Options) -> Proof:
    return _make_proof(context, path, "bytes", options)


def _make_proof(context: Context, path: Path, level: str, options: Options) -> Proof:
    start_time, start = files.now(), time.monotonic()
    process.work_in_batches()
    limit, setting = context.config.limits.proof_timeout_seconds, "limits.proof_timeout_seconds"
    with files.in_use(path), deadline.within("proof", limit, setting) as time_limit:
        outcome = _examine(context, path, level, options)
    if time_limit.passed:  # what was stopped looks like a dump that does not load, and says nothing about the backup
        error = time_limit.error
        outcome = replace(outcome, checks=[inconclusive("time", str(error), error.hint)])
    file_proof = Proof(
        schema=proof.SCHEMA,
        file=path.name,
        manifest_sha256=outcome.manifest_sha256,
        level=level,
        verdict=proof.verdict(outcome.checks, outcome.compared),
        begun=files.stamp(start_time),
        finished=files.stamp(),
        seconds=round(time.monotonic() - start, 3),
        checks=tuple(outcome.checks),
        figures=outcome.figures,
        shrunken=outcome.loss.verdict == proof.LOST,
        loss=outcome.loss.verdict,
        baseline=outcome.loss.baseline,
        written=outcome.rewritten,
    )
    if options.record and context.store.owns(path):
        _record(context, path, file_proof)
    return file_proof


def _record(context: Context, path: Path, file_proof: Proof) -> None:
    try:
        context.store.record(path, file_proof)
        bad = "; ".join(check.text for check in file_proof.checks if check.result in (proof.FAILED, proof.INCONCLUSIVE))
        context.store.log(f"{file_proof.level} {file_proof.verdict} {path.name} {file_proof.seconds:.1f} s {bad}")
    except OSError as error:
        raise CouldNot(
            str(context.store.root), f"the proof cannot be written: {error}", "is the volume full?"
        ) from error


def _examine(context: Context, path: Path, level: str, options: Options) -> _Outcome:
    manifest, manifest_sha256, checks = backup_checks.read_manifest(context.store, path)
    if manifest is None:
        checks += backup_checks.check_bytes_alone(path)
        return _Outcome(checks, False, manifest_sha256, {})
    checks += backup_checks.check_manifest(context, path, manifest, manifest_sha256, options.need_journal)
    context.say(f"reading {path.name}")
    figures, floor = {"size": float(manifest.size)}, context.config.limits.size_floor_bytes
    if level == "bytes":
        checks += backup_checks.check_bytes(manifest, archive.read_back(archive.chunks(path)), floor)
        return _Outcome(checks, True, manifest_sha256, figures)
    file_hash = archive.file_hash(path)
    if file_hash != FileHash(manifest.size, manifest.sha256):
        checks += backup_checks.check_bytes(manifest, archive.read_back(archive.chunks(path)), floor)
        if not comparison.failures(checks):
            checks.append(failed("bytes", "bytes: read twice, the disk gave two things", "check the disk"))
    if comparison.failures(checks):
        return _Outcome(checks, False, manifest_sha256, figures)
    if manifest.major > MAJOR:
        text = f"made by PostgreSQL {manifest.major}, this image restores up to {MAJOR}"
        return _Outcome(
            [*checks, inconclusive("version", text, "prove it with the newer vault image")], False, manifest_sha256, {}
        )
    restoration = Restoration(context, path, manifest, file_hash)
    checks += restored_copy.restore_and_compare(restoration, options.indexes)
    loss = restoration.losses[-1] if restoration.losses else NO_LOSS
    compared = comparison.is_comparable(manifest)
    return _Outcome(
        [*checks, *loss.checks], compared, manifest_sha256, restoration.figures, loss, restoration.rewritten
    )
