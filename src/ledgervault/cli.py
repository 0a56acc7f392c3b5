"""The command line: parses arguments, runs one command and prints its result as text or JSON with one of four exit
codes."""

from __future__ import annotations

import argparse
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NoReturn

from ledgervault import __version__, cli_restore
from ledgervault.commands import health, prune, report
from ledgervault.commands.audit import audit
from ledgervault.commands.context import Context, Say, load_config, make_context, silent, to_stderr
from ledgervault.host import deadline
from ledgervault.model import backup_names, config, proof
from ledgervault.model.entry import Entry
from ledgervault.model.errors import CouldNot, UsageError, VaultError
from ledgervault.model.manifest import Manifest, parse_manifest
from ledgervault.model.proof import Check, Proof
from ledgervault.model.records import RecordError, plain
from ledgervault.storage import files

USAGE = 64
_Command = Callable[..., argparse.ArgumentParser]
_ASKED_TO_STOP = (signal.SIGTERM, signal.SIGINT)
_CLEAN_UP_SECONDS = 8  # below what `schedule` and Docker wait before they kill
_WORDS = {proof.PROVEN: "holds", proof.FAILED: "bad", proof.INCONCLUSIVE: "inconclusive"}  # not a backup's verdict
_EPILOG = "exit codes: 0 it holds, 1 the thing checked is bad, 2 could not check or take, 64 usage"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        print(f"{self.prog}: {message}\nHINT: {self.prog} --help", file=sys.stderr)
        raise SystemExit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    for number in _ASKED_TO_STOP:
        signal.signal(number, _terminate)
    try:
        with _progress(options.json) as say:
            context = make_context(load_config(options.config), say)
            with _time_limit(context, options.command):
                code: int = options.run(context, options)
    except VaultError as error:
        return _report_error(error, options)
    except OSError as error:
        place = f"{error.filename or options.command}"
        return _report_error(CouldNot(place, error.strerror or str(error), "look at the volume and its modes"), options)
    except Exception:  # a bug; Python's own exit status would say that the thing checked is bad
        traceback.print_exc()
        return CouldNot.code
    except KeyboardInterrupt:
        signal.alarm(0)  # cleaned up in time
        print("ledgervault: interrupted, nothing half-made was kept", file=sys.stderr)
        return CouldNot.code
    return code


def _report_error(error: VaultError, options: argparse.Namespace) -> int:
    if options.json:
        print(report.as_json({"verdict": "error", "exit": error.code, "error": str(error), "hint": error.hint}))
    print(f"ledgervault: {error.text()}", file=sys.stderr)
    return error.code


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ledgervault", description="Takes, proves, keeps and restores backups.", epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"ledgervault {__version__}")
    parser.add_argument("--config", type=Path, default=config.DEFAULT_PATH, help="TOML file (default: %(default)s)")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(dest="command", required=True, parser_class=_Parser, metavar="COMMAND")

    def command(
        name: str, run: Callable[[Context, argparse.Namespace], int], text: str, file: bool = False
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text, epilog=_EPILOG)
        added.add_argument("--json", action="store_true", help="one JSON document on standard output")
        if file:
            added.add_argument("file", metavar="FILE", help="a name, a path, `latest` (newest proven) or `newest`")
        added.set_defaults(run=run)
        return added

    _add_backups(command)
    _add_databases(command)
    cli_restore.add(command)
    command("schedule", _schedule, "run until stopped: a backup each hour, each proven, old ones removed")
    alive = command("health", _health, "whether the schedule ticks, and the newest proven backup is young")
    alive.add_argument("--heartbeat", action="store_true", help="the schedule alone: what a deploy waits for")
    return parser


def _add_backups(command: _Command) -> None:
    take = command("backup", _backup, "take a backup of the configured database")
    take.add_argument("--kind", choices=tuple(backup_names.ENDINGS), default="db")
    take.add_argument("--tier", choices=backup_names.TIERS, default="hourly")
    take.add_argument("--prove", action="store_true", help="and prove it")
    verify = command("verify", _verify, "check a backup's bytes against its manifest (level bytes)", file=True)
    text = "restore a backup into a throw-away server and compare everything (level data)"
    prove = command("prove", _prove, text, file=True)
    for check in (verify, prove):
        check.add_argument("--no-record", action="store_true", help="write no proof, no journal line")
        check.add_argument("--without-journal", action="store_true", help="accept a manifest that no journal knows")
        _add_all(check)
    prove.add_argument("--then-prune", action="store_true", help="if proven, remove what its tier no longer keeps")
    verify.set_defaults(indexes=proof.ALL)
    text = "`definitions`: compare secondary indexes without building them (default: %(default)s)"
    prove.add_argument("--indexes", choices=(proof.ALL, proof.DEFINITIONS), default=proof.ALL, help=text)
    command("list", _list, "list the backups with their verdicts, oldest first")
    command("show", _show, "show a backup's manifest", file=True)
    for name, run, text in (
        ("accept", _accept, "say that the rows a backup has lost were meant to go: later ones are compared with it"),
        ("forget", _forget, "let a backup count for nothing, one from the future for example; its file goes in time"),
    ):
        command(name, run, text, file=True).add_argument("--reason", required=True, help="kept in the journal")
    command("audit", _audit, "compare the journal with the files")
    command("state", _state, "print, and write anew, what others may believe about the backups")
    prune = command("prune", _prune, "remove what no tier keeps any longer; never the newest proven ones")
    prune.add_argument(
        "--dry-run", action="store_true", help="remove nothing: say what would go, and why the rest stays"
    )


def _add_databases(command: _Command) -> None:
    restore = command(
        "restore", _restore, "restore a backup into a new database of the environment's server", file=True
    )
    restore.add_argument("--into-database", required=True, metavar="NAME")
    restore.add_argument(
        "--create", action="store_true", required=True, help="make it; one that exists is never touched"
    )
    restore.add_argument("--unproven", action="store_true", help="take a backup that is not proven")
    _add_all(restore)
    compared = command("compare", _compare, "compare a live database with a backup's manifest", file=True)
    compared.add_argument("--database", required=True, metavar="NAME")
    _add_all(compared)
    outgrown = command("verify-data", _verify_data, "check that the live database lost nothing since a proven backup")
    text = "a proven backup (default: the baseline, the newest that lost nothing unaccepted)"
    outgrown.add_argument("--file", default="latest", metavar="FILE", help=text)
    _add_all(outgrown)


def _add_all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="show the checks that hold too")


def _backup(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import backup, state  # imported here: other commands need no database driver

    if options.kind == "full":
        raise UsageError("--kind full", "not yet: only `db` can be taken", "ledgervault backup --kind db")
    new_backup = backup.take_backup(context, options.kind, options.tier)
    state.update(context)
    code = 0
    proven: Proof | None = None
    if options.prove:
        from ledgervault.commands import prove

        proven = prove.prove(context, new_backup.path, prove.Options())
        state.update(context)
        code = proof.EXIT[proven.verdict]
    if options.json:
        facts = {
            "file": new_backup.manifest.file,
            "path": str(new_backup.path),
            "seconds": round(new_backup.seconds, 3),
        }
        facts |= {
            "size": new_backup.manifest.size,
            "sha256": new_backup.manifest.sha256,
            "rows": new_backup.manifest.content.rows,
        }
        tables = {name: table.rows for name, table in new_backup.manifest.content.tables.items()}
        print(report.as_json({**facts, "tables": tables, "exit": code, "proof": plain(proven) if proven else None}))
    else:
        print(report.backup_text(new_backup.manifest, str(new_backup.path), new_backup.seconds))
        print(*([report.proof_text(proven, False)] if proven else []), sep="\n")
    return code


def _verify(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import prove

    return _judged(context, options, prove.verify)


def _prove(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import prove

    code = _judged(context, options, prove.prove)
    if code == 0 and options.then_prune:
        prune.after_proof(context)
    return code


def _judged(context: Context, options: argparse.Namespace, judge: Callable[..., Proof]) -> int:
    from ledgervault.commands import prove, state

    path = context.store.find(options.file)
    choice = prove.Options(not options.no_record, not options.without_journal, options.indexes)
    try:
        file_proof = judge(context, path, choice)
    except OSError as error:
        raise CouldNot(str(path), f"cannot be read: {error.strerror}", "look at the backups volume") from error
    if choice.record and context.store.owns(path):
        state.update(context)
    return _tell(file_proof, options)


def _tell(file_proof: Proof, options: argparse.Namespace) -> int:
    code = proof.EXIT[file_proof.verdict]
    print(
        report.as_json({**plain(file_proof), "exit": code})
        if options.json
        else report.proof_text(file_proof, options.all)
    )
    return code


def _list(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import state

    journal = context.store.journal()
    entries = context.store.entries(journal)
    print(
        report.as_json([state.entry_document(entry) for entry in entries])
        if options.json
        else report.list_text(entries)
    )
    if journal.broken:
        print(f"ledgervault: {context.store.journal_path}: {journal.broken}\nHINT: ledgervault audit", file=sys.stderr)
        return CouldNot.code
    return 0


def _verify_data(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import losses, verify_data

    judgement = verify_data.verify(context, losses.find_baseline_path(context, options.file))
    verdict = proof.verdict(judgement.checks, True)
    word, code = _WORDS[verdict], proof.EXIT[verdict]
    visible_checks = judgement.checks if options.all else [check for check in judgement.checks if _is_figure(check)]
    text = report.checks_text(visible_checks, True)
    if options.json:
        changes = {name: plain(figures) if figures else None for name, figures in judgement.changes.items()}
        answer = {"verdict": word, "exit": code, "file": judgement.file, "tables": changes}
        print(
            report.as_json(
                answer | {"checks": [plain(check) for check in judgement.checks], "lines": text.splitlines()}
            )
        )
    else:
        print(text)
        print(f"VERDICT: {word} {judgement.file}")
    return code


def _is_figure(check: Check) -> bool:
    """A check about a table's rows. It is printed even when it holds."""
    return check.result != proof.OK or check.id == "rows" or check.id.startswith("table ")


def _show(context: Context, options: argparse.Namespace) -> int:
    path = context.store.find(options.file)
    manifest = _manifest_of(context, path)
    entry = next((e for e in context.store.entries() if e.file == path.name), None)
    print(report.as_json(plain(manifest) if options.json else report.manifest_document(manifest, entry)))
    return 0


def _manifest_of(context: Context, path: Path) -> Manifest:
    try:
        return parse_manifest(context.store.manifest_path(path).read_bytes())
    except (OSError, RecordError) as error:
        raise CouldNot(path.name, f"its manifest cannot be read: {error}", "ledgervault audit") from error


def _accept(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import decisions

    return _decided(context, options, decisions.accept, "accepted")


def _forget(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import decisions

    return _decided(context, options, decisions.forget, "forgotten")


def _decided(context: Context, options: argparse.Namespace, decide: Callable[..., Entry], word: str) -> int:
    from ledgervault.commands import state

    entry = decide(context, options.file, options.reason)
    state.update(context)
    answer = {"verdict": word, "exit": 0, "file": entry.file, "reason": options.reason}
    print(report.as_json(answer) if options.json else f"VERDICT: {word} {entry.file}")
    return 0


def _audit(context: Context, options: argparse.Namespace) -> int:
    return _tell_checks(audit(context.store), options, "", True)


def _tell_checks(checks: list[Check], options: argparse.Namespace, subject: str, show_all: bool) -> int:
    verdict = proof.verdict(checks, True)
    word, code = _WORDS[verdict], proof.EXIT[verdict]
    if options.json:
        document = {"verdict": word, "exit": code, "checks": [plain(check) for check in checks]}
        print(report.as_json(document | ({"file": subject} if subject else {})))
    else:
        print(report.checks_text(checks, show_all))
        print(f"VERDICT: {word} {subject}".rstrip())
    return code


def _state(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import state

    state.update(context)
    print(report.as_json(state.collect_facts(context)))
    return 0


def _prune(context: Context, options: argparse.Namespace) -> int:
    decisions = prune.prune(context, dry_run=options.dry_run)
    if options.json:
        removed = [decision.file for decision in decisions if decision.removed]
        listed = [plain(decision) for decision in decisions]
        facts = {"verdict": "holds", "exit": 0, "dry_run": options.dry_run, "removed": removed, "files": listed}
        print(report.as_json(facts))
    else:
        print(report.prune_text(decisions, options.dry_run))
    return 0


def _restore(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore

    result = restore.restore(context, context.store.find(options.file), options.into_database, options.unproven)
    return _tell(result, options)


def _compare(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands import restore

    return _tell(restore.compare_database(context, context.store.find(options.file), options.database), options)


def _schedule(context: Context, options: argparse.Namespace) -> int:
    from ledgervault.commands.schedule import Schedule

    return Schedule(Context(context.config, context.store, to_stderr), options.config).run()


def _health(context: Context, options: argparse.Namespace) -> int:
    if options.heartbeat:
        print(health.heartbeat(context).text)
        return 0
    return _tell_checks(health.judge(context, files.now()), options, "", True)


def _terminate(*_: Any) -> NoReturn:
    """Leaves time to clean up. Then the kernel ends this process as kill -9 would; the next run removes the rest."""
    for number in _ASKED_TO_STOP:
        signal.signal(number, signal.SIG_IGN)
    signal.alarm(_CLEAN_UP_SECONDS)
    raise KeyboardInterrupt


def _time_limit(context: Context, command: str) -> AbstractContextManager[object]:
    """Backups and proofs have limits of their own. The other commands that read a server get the limit of a proof."""
    if command not in ("restore", "compare", "verify-data", *cli_restore.LIMITED):
        return nullcontext()
    return deadline.within(command, context.config.limits.proof_timeout_seconds, "limits.proof_timeout_seconds")


@contextmanager
def _progress(machine: bool) -> Iterator[Say]:
    """A spinner at a terminal, silence in a log."""
    if machine or not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console

    with Console(stderr=True).status("") as status:
        yield status.update
