"""The command line; a module of its own because it is the only part that talks to a person.

Exit codes: 0 holds, 1 the thing asked about is bad, 2 could not be found out or done, 64 usage. Standard library only:
it runs as root, as a zipapp, never from a virtual environment.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from ledgerguard import __version__
from ledgerguard.api import containers
from ledgerguard.declarations import merging, reader
from ledgerguard.declarations.model import NAME, Allowance, DeclarationError, Declarations, DeclaredVolume
from ledgerguard.lookups import declarations_file, proven_backup
from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.model import MODES, PROFILES
from ledgerguard.refusal import OPERATIONS, LookupFailed, Refusal, printable
from ledgerguard.rules import grant_drafts
from ledgerguard.rules.grant_drafts import GrantError
from ledgerguard.service import audit, findings, self_check
from ledgerguard.service.atomic_files import write_atomically
from ledgerguard.service.daemon import Settings, serve
from ledgerguard.service.server import ask_status
from ledgerguard.service.unlocks import Unlock, UnlockError, Unlocks, parse_span

HOLDS, BAD, COULD_NOT, USAGE = 0, 1, 2, 64
CONFIG, STATE, AUDIT_FILE = "/etc/ledgerguard/volumes.json", "/var/lib/ledgerguard", "/var/log/ledgerguard/audit.jsonl"
SOCKET, ENGINE, DATA_ROOT = "/run/docker/plugins/ledgerguard.sock", "unix:///run/docker.sock", "/var/lib/docker"
PROVEN_HOURS = 24.0
GRANT_SECONDS = 10.0
Command = Callable[[argparse.Namespace], int]  # returns the exit code
AddCommand = Callable[[str, Command, str], argparse.ArgumentParser]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"ledgerguard: {message}\nHINT: ledgerguard --help\n")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    arguments = _parser().parse_args(argv)
    command: Command = arguments.run
    try:
        return command(arguments)
    except BrokenPipeError:
        return COULD_NOT


def _report_error(command: str, problem: str, hint: str) -> None:
    print(f"ledgerguard {command}: {printable(problem)}\nHINT: {hint}", file=sys.stderr)


# --- arguments ------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ledgerguard", description="Keeps protected volumes from inside the engine.")
    parser.add_argument("--version", action="version", version=f"ledgerguard {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def add(name: str, run: Command, help_text: str) -> argparse.ArgumentParser:
        subparser = commands.add_parser(name, help=help_text, description=help_text)
        subparser.set_defaults(run=run)
        _add_common_options(subparser)
        return subparser

    _add_guard_commands(add)
    _add_declaration_commands(add)
    _add_unlock_commands(add)
    return parser


def _add_guard_commands(add: AddCommand) -> None:
    serve = add("serve", _serve, "answers the engine, until it is stopped")
    serve.add_argument(
        "--state-file",
        action="append",
        default=[],
        help="also write the state here, * for any directory (again for more)",
    )
    serve.add_argument("--mode", choices=MODES, default="enforce")
    serve.add_argument("--deadline", type=float, default=5.0, help="seconds for one decision")
    _add_hook_option(serve)
    add("status", _status, "what the running guard says of itself").add_argument("--json", action="store_true")
    check = add("check", _check, "attacks a volume of its own, looks at files, owners and volumes")
    check.add_argument(
        "--existing", action="store_true", help="also judge every container there is, and keep the verdict for `status`"
    )
    check.add_argument("--mode", choices=MODES, help="the mode it is meant to have (enforce)")
    check.add_argument("--daemon-json", default="/etc/docker/daemon.json")
    check.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="how long the engine may take to answer"
    )
    check.add_argument("--json", action="store_true")
    _add_hook_option(check)
    audit_parser = add("audit", _audit, "refusals and unlocks")
    audit_parser.add_argument("--since", default="", help="10m, 2h: no older lines")
    audit_parser.add_argument("--volume", default="")
    audit_parser.add_argument("--verdict", default="", help="refused, would-refuse, unlocked …")
    audit_parser.add_argument("--json", action="store_true")


def _add_declaration_commands(add: AddCommand) -> None:
    declare = add("declare", _declare, "adds or replaces declared volumes (root)")
    declare.add_argument(
        "files", metavar="FILE", nargs="+", help="- for what comes in; the files of a directory are one"
    )
    declare.add_argument("--only", action="store_true", help="what no FILE names is declared no longer")
    grant = add("grant", _grant, "what a container would need to be granted, as JSON: {volume: grant}; only reads")
    grant.add_argument("container", metavar="CONTAINER", help="created or running")
    grant.add_argument("--volume", action="append", default=[], help="only of this one (again for more); default: all")
    allow = add("allow", _allow, "lets one container have one thing that is refused to it, for good (root)")
    allow.add_argument("container", metavar="CONTAINER", help="its name")
    allow.add_argument("image", metavar="IMAGE", nargs="?", default="", help="its image, as the engine has it now")
    allow.add_argument("thing", metavar="THING", nargs="?", default="", help="as the refusal's hint says it")
    allow.add_argument("--remove", action="store_true", help="takes back all that the container is allowed")


def _add_unlock_commands(add: AddCommand) -> None:
    unlock = add("unlock", _unlock, "lets one operation through, once (root)")
    unlock.add_argument("volume", metavar="VOLUME")
    unlock.add_argument("--operation", required=True, choices=OPERATIONS)
    unlock.add_argument("--reason", required=True)
    unlock.add_argument("--for", dest="span", required=True, metavar="5m", help="30s, 5m; at most 1h")
    unlock.add_argument("--vault-state", help="the vault's state; default: of the volume's stack")
    unlock.add_argument("--backups", help="the directory of the backups; default: of the volume's stack")
    unlock.add_argument("--proven-hours", type=float, default=PROVEN_HOURS, help="how old the proven backup may be")
    lock = add("lock", _lock, "takes unlocks back (root)")
    lock.add_argument("volume", metavar="VOLUME", nargs="?", default="", help="default: all")


def _add_hook_option(parser: argparse.ArgumentParser) -> None:
    help_text = "a program that gets each line of the audit; again for arguments"
    parser.add_argument("--hook", action="append", default=[], help=help_text)


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default=CONFIG, help=f"the declarations ({CONFIG})")
    parser.add_argument("--state-dir", default=STATE, help=f"unlocks and state ({STATE})")
    parser.add_argument("--audit-file", default=AUDIT_FILE, help=f"({AUDIT_FILE})")
    parser.add_argument("--socket", default=SOCKET, help=f"where the engine asks; its name is the plugin's ({SOCKET})")
    parser.add_argument("--engine", default=ENGINE, help=f"({ENGINE})")
    parser.add_argument("--data-root", default=DATA_ROOT, help=f"the engine's ({DATA_ROOT})")
    parser.add_argument(
        "--profile", choices=PROFILES, default="standard", help="the least; a strict volume makes it strict"
    )


def _requires_root(name: str) -> Callable[[Command], Command]:
    """Refuses the command of this name to any other user."""

    def decorate(command: Command) -> Command:
        def run(arguments: argparse.Namespace) -> int:
            if os.geteuid() == 0:
                return command(arguments)
            _report_error(name, f"user {os.geteuid()} may not do this", f"sudo ledgerguard {name} …")
            return COULD_NOT

        return run

    return decorate


# --- commands -------------------------------------------------------------------------------------------------------


def _settings(arguments: argparse.Namespace) -> Settings:
    state_files = getattr(arguments, "state_file", ())
    return Settings(
        socket=Path(arguments.socket),
        engine=Path(arguments.engine.removeprefix("unix://")),
        data_root=Path(arguments.data_root),
        config=Path(arguments.config),
        state_dir=Path(arguments.state_dir),
        audit_file=Path(arguments.audit_file),
        state_files=tuple(map(Path, state_files)),
        mode=getattr(arguments, "mode", None) or "enforce",
        profile=arguments.profile,
        deadline=getattr(arguments, "deadline", 5.0),
        hook=tuple(getattr(arguments, "hook", ())),
    )


def _serve(arguments: argparse.Namespace) -> int:
    if arguments.deadline <= 0:
        _report_error("serve", f"--deadline {arguments.deadline:g}: not a time", "serve --deadline 5")
        return USAGE
    try:
        serve(_settings(arguments))
    except OSError as error:
        _report_error("serve", str(error), "ledgerguard status tells which guard runs")
        return COULD_NOT
    # Python waits for threads at its end; one whose look-up hangs must not keep the next guard from starting.
    signal.alarm(int(arguments.deadline) + 1)
    return HOLDS


def _status(arguments: argparse.Namespace) -> int:
    try:
        status = ask_status(Path(arguments.socket))
    except (OSError, ValueError, StopIteration) as error:
        _report_error("status", f"NOT ACTIVE: {arguments.socket}: {error}", self_check.service_hint("status"))
        return COULD_NOT
    if arguments.json:
        print(json.dumps(status, indent=1, sort_keys=True))
    else:
        counts = (
            ", ".join(f"{number} {verdict}" for verdict, number in sorted(status["decisions"].items()))
            or "no decision yet"
        )
        print(f"ledgerguard {status['version']}: mode {status['mode']}, profile {status['profile']}")
        print(f"since: {status['started']}")
        print(f"declared: {', '.join(status['declared']) or 'nothing'}\ndecisions: {counts}")
        for unlock in status["unlocks"]:
            print(f"unlocked: {unlock['volume']} for {unlock['operation']}, {unlock['seconds_left']} s left")
        if status["fault"]:
            print(f"fault: {status['fault']}")
        print(_check_line(status.get("check")))
    well = not status["fault"] and (status.get("check") or {}).get("verdict", findings.GOOD) == findings.GOOD
    return HOLDS if status["mode"] == "enforce" and well else BAD


def _check_line(summary: dict[str, Any] | None) -> str:
    """What the last whole check found; a verdict that is not good ends with the command that shows all of it."""
    if not summary:
        return "check: none yet\nHINT: ledgerguard check --existing"
    line = f"check at {summary['time']}: {summary['text']}"
    return line if summary["verdict"] == findings.GOOD else f"{line}\nHINT: ledgerguard check --existing"


def _check(arguments: argparse.Namespace) -> int:
    settings = _settings(arguments)
    if arguments.wait > 0:
        self_check.wait_for_engine(settings.engine, arguments.wait)
    results = self_check.run_checks(settings, Path(arguments.daemon_json), arguments.existing)
    if arguments.existing and (arguments.mode or not _has_other_mode(results)):
        results += self_check.save_verdict(settings, results)
    if arguments.json:
        print(
            json.dumps(
                {"exit": self_check.exit_code(results), "findings": [asdict(finding) for finding in results]}, indent=1
            )
        )
    else:
        for finding in results:
            print(
                f"{finding.verdict}: {finding.id}: {finding.what}" + (f"\nHINT: {finding.hint}" if finding.hint else "")
            )
    return self_check.exit_code(results)


def _has_other_mode(results: list[findings.Finding]) -> bool:
    """Whether the guard is in a mode that a person who named none may not have meant: shown, and not kept."""
    return any(finding.id == "mode" and finding.verdict != findings.GOOD for finding in results)


def _audit(arguments: argparse.Namespace) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    since = None
    if arguments.since:
        if arguments.since[-1] not in units or not arguments.since[:-1].isdigit():
            _report_error(
                "audit", f"--since {arguments.since!r}: expected something like 10m", "ledgerguard audit --since 2h"
            )
            return USAGE
        since = int(arguments.since[:-1]) * units[arguments.since[-1]]
    try:
        lines = [
            line
            for line in audit.read_lines(Path(arguments.audit_file))
            if audit.is_selected(line, since, arguments.volume, arguments.verdict)
        ]
    except OSError as error:
        _report_error("audit", f"{arguments.audit_file}: {error.strerror}", "sudo ledgerguard audit")
        return COULD_NOT
    for line in lines:
        text = " ".join(str(line.get(key, "")) for key in ("time", "verdict", "method", "uri", "reason"))
        print(json.dumps(line, sort_keys=True) if arguments.json else printable(text))
    return HOLDS


@_requires_root("declare")
def _declare(arguments: argparse.Namespace) -> int:
    try:
        new = merging.join_documents(
            [_read_declarations(file) for name in arguments.files for file in _declaration_files(name)]
        )
    except (OSError, UnicodeDecodeError) as error:
        _report_error("declare", str(error), "ledgerguard declare FILE")
        return COULD_NOT
    except DeclarationError as error:
        _report_error("declare", str(error), "docs/guard-declarations.schema.json says what is read")
        return BAD
    file_path = Path(arguments.config)
    try:
        current = declarations_file.load_declarations(file_path)
        after = merging.merge_into(current, new, arguments.only)
        if after == current and file_path.exists():
            print(f"as declared before: {', '.join(sorted(new.volumes)) or 'nothing'}")
            return HOLDS
        file_path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomically(file_path, merging.to_json(after), 0o644, is_synced=True)
    except (OSError, DeclarationError) as error:
        _report_error("declare", str(error), f"mend {file_path} or put it back from its copy")
        return COULD_NOT
    removed = sorted(set(current.volumes) - set(after.volumes))
    log = audit.Audit(Path(arguments.audit_file))
    log.write("declared", volumes=sorted(new.volumes), no_longer=removed, reason=", ".join(arguments.files))
    print(f"declared: {', '.join(sorted(new.volumes)) or 'nothing'}")
    if removed:
        print(f"no longer declared: {', '.join(removed)} (a label still protects)")
    return HOLDS


def _declaration_files(file: str) -> list[str]:
    """The file itself, or the JSON files of a directory."""
    path_given = Path(file)
    return [str(path) for path in sorted(path_given.glob("*.json"))] if path_given.is_dir() else [file]


def _read_declarations(file: str) -> Declarations:
    try:
        return reader.parse_declarations(sys.stdin.read() if file == "-" else Path(file).read_text())
    except DeclarationError as error:
        raise DeclarationError(f"{file}: {error}") from None


def _grant(arguments: argparse.Namespace) -> int:
    api = EngineApi(arguments.engine.removeprefix("unix://"), GRANT_SECONDS)
    try:
        document = api.get(f"/containers/{quote(arguments.container, safe='')}/json")
        image = api.image(str(document["Image"])) if document else None
    except LookupFailed as error:
        _report_error("grant", f"the engine at {arguments.engine} could not be asked: {error}", "docker info")
        return COULD_NOT
    if document is None or image is None:
        problem = "no such container" if document is None else f"the engine has no image {document['Image']}"
        _report_error("grant", f"{arguments.container}: {problem}", "docker ps -a")
        return COULD_NOT
    try:
        drafts = grant_drafts.draft_grants(containers.parse_inspect(document), image, arguments.volume)
    except (GrantError, Refusal) as error:
        _report_error("grant", str(error), "start the container without it, or leave the volume read-only in it (:ro)")
        return BAD
    print(
        json.dumps({name: grant_drafts.to_document(grant) for name, grant in drafts.items()}, indent=1, sort_keys=True)
    )
    return HOLDS


@_requires_root("allow")
def _allow(arguments: argparse.Namespace) -> int:
    if not NAME.fullmatch(arguments.container) or not (arguments.remove or (arguments.image and arguments.thing)):
        _report_error(
            "allow", "a container's name, its image and the thing are needed", "ledgerguard allow NAME IMAGE THING"
        )
        return USAGE
    file_path = Path(arguments.config)
    try:
        current = declarations_file.load_declarations(file_path)
        if arguments.remove:
            after = merging.remove_allowances(current, arguments.container)
        else:
            image = EngineApi(arguments.engine.removeprefix("unix://"), GRANT_SECONDS).image(arguments.image)
            if image is None:
                _report_error("allow", f"the engine has no image {arguments.image}", f"docker pull {arguments.image}")
                return BAD
            exception = Allowance(arguments.container, (image.id,), (arguments.thing,))
            after = merging.add_allowance(current, exception)
        file_path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomically(file_path, merging.to_json(after), 0o644, is_synced=True)
    except (OSError, DeclarationError, LookupFailed) as error:
        _report_error("allow", str(error), "docker info; ledgerguard status")
        return COULD_NOT
    verb = "no longer allowed" if arguments.remove else "allowed"
    log = audit.Audit(Path(arguments.audit_file))
    log.write(verb, reason=f"{arguments.container} {arguments.image} {arguments.thing}".strip())
    print(f"{verb}: {arguments.container}: {arguments.thing or 'everything'}")
    return HOLDS


# --- unlock and lock ------------------------------------------------------------------------------------------------


@_requires_root("unlock")
def _unlock(arguments: argparse.Namespace) -> int:
    try:
        seconds = parse_span(arguments.span)
        declared = declarations_file.load_declarations(Path(arguments.config)).volumes.get(arguments.volume)
    except UnlockError as error:
        _report_error("unlock", str(error), "ledgerguard unlock VOLUME --operation remove --reason … --for 5m")
        return USAGE
    except (OSError, DeclarationError) as error:
        _report_error("unlock", str(error), "ledgerguard declare FILE")
        return COULD_NOT
    if not arguments.reason.strip() or not NAME.fullmatch(arguments.volume):
        _report_error(
            "unlock", f"--reason {arguments.reason!r} or volume {arguments.volume!r} is empty or no name", "give both"
        )
        return USAGE
    evidence = _evidence(arguments, declared)
    if evidence is None:
        return BAD
    unlock = Unlock(arguments.volume, arguments.operation, arguments.reason, time.time() + seconds, evidence)
    facts = {
        "volumes": [arguments.volume],
        "operation": arguments.operation,
        "reason": arguments.reason,
        "evidence": evidence,
    }
    if not audit.Audit(Path(arguments.audit_file)).write("unlock", **facts):
        _report_error(
            "unlock",
            f"{arguments.audit_file} cannot be written, and an unlock without its line is none",
            "df; free the disk",
        )
        return COULD_NOT
    try:
        Unlocks(Path(arguments.state_dir) / "unlocks").add(unlock)
    except OSError as error:
        _report_error("unlock", str(error), "df; ls -ld " + arguments.state_dir)
        return COULD_NOT
    print(f"unlocked once: {arguments.operation} of {arguments.volume}, for {arguments.span} ({evidence})")
    return HOLDS


def _evidence(arguments: argparse.Namespace, declared: DeclaredVolume | None) -> str | None:
    """The proven backup or the typed phrase; None when there is neither."""
    vault_state, backups = _vault_paths(arguments, declared)
    try:
        if not vault_state or not backups:
            raise proven_backup.NotProven("the volume's stack is not known, so neither is its vault")
        backup = proven_backup.find_proven_backup(Path(vault_state), Path(backups), arguments.proven_hours * 3600)
        return f"proven backup {backup.file}, {backup.age_seconds / 3600:.1f} h old"
    except proven_backup.NotProven as error:
        phrase = f"lose {arguments.volume}"
        if not sys.stdin.isatty():
            _report_error(
                "unlock",
                f"no proven backup: {error}",
                f"make backup, then make prove; or type '{phrase}' at a terminal",
            )
            return None
        print(f"no proven backup: {printable(str(error))}\nType '{phrase}' to go on without one: ", end="", flush=True)
        if sys.stdin.readline().rstrip("\n") != phrase:
            _report_error("unlock", "that was another phrase", "make backup, then make prove")
            return None
        return "typed phrase, no proven backup"


def _vault_paths(arguments: argparse.Namespace, declared: DeclaredVolume | None) -> tuple[str, str]:
    stack = declared.labels.get("com.ledgerflow.stack", "") if declared else ""
    environment = declared.environment if declared else ""
    state = f"/etc/ledgerflow/{stack}-{environment}/state/vault.json" if stack else ""
    backups_volume = (
        declarations_file.load_declarations(Path(arguments.config)).volumes.get(f"{stack}_{environment}_backups")
        if stack
        else None
    )
    backups = f"{backups_volume.device}/data" if backups_volume and backups_volume.device else ""
    return arguments.vault_state or state, arguments.backups or backups


@_requires_root("lock")
def _lock(arguments: argparse.Namespace) -> int:
    removed = Unlocks(Path(arguments.state_dir) / "unlocks").clear(arguments.volume)
    audit.Audit(Path(arguments.audit_file)).write(
        "lock", volumes=[arguments.volume] if arguments.volume else [], reason=f"{removed} taken back"
    )
    print(f"locked: {removed} unlock{'' if removed == 1 else 's'} taken back")
    return HOLDS
