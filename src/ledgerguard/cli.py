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
from ledgerguard.declarations.model import NAME, Allowance, DeclarationError, Declarations, Declared
from ledgerguard.lookups import declarations_file, proven_backup
from ledgerguard.lookups.engine_api import EngineApi
from ledgerguard.model import MODES, PROFILES
from ledgerguard.refusal import OPERATIONS, LookupFailed, Refused, printable
from ledgerguard.rules import grant_drafts
from ledgerguard.rules.grant_drafts import GrantError
from ledgerguard.service import audit, findings, self_check
from ledgerguard.service.atomic_files import write_whole
from ledgerguard.service.daemon import Settings, serve
from ledgerguard.service.server import ask_status
from ledgerguard.service.unlocks import Unlock, UnlockError, Unlocks, seconds_of

HOLDS, BAD, COULD_NOT, USAGE = 0, 1, 2, 64
CONFIG, STATE, AUDIT_FILE = "/etc/ledgerguard/volumes.json", "/var/lib/ledgerguard", "/var/log/ledgerguard/audit.jsonl"
SOCKET, ENGINE, DATA_ROOT = "/run/docker/plugins/ledgerguard.sock", "unix:///run/docker.sock", "/var/lib/docker"
PROVEN_HOURS = 24.0
GRANT_SECONDS = 10.0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"ledgerguard: {message}\nHINT: ledgerguard --help\n")


def main(argv: list[str] | None = None) -> int:
    """Returns the exit code."""
    given = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = given.run
    try:
        return command(given)
    except BrokenPipeError:
        return COULD_NOT


def _say(where: str, what: str, hint: str) -> None:
    print(f"ledgerguard {where}: {printable(what)}\nHINT: {hint}", file=sys.stderr)


# --- arguments ------------------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="ledgerguard", description="Keeps protected volumes from inside the engine.")
    parser.add_argument("--version", action="version", version=f"ledgerguard {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=_Parser)

    def command(name: str, run: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_text, description=help_text)
        made.set_defaults(run=run)
        _common(made)
        return made

    serve = command("serve", _serve, "answers the engine, until it is stopped")
    serve.add_argument(
        "--state-file",
        action="append",
        default=[],
        help="also write the state here, * for any directory (again for more)",
    )
    serve.add_argument("--mode", choices=MODES, default="enforce")
    serve.add_argument("--deadline", type=float, default=5.0, help="seconds for one decision")
    _hook(serve)
    command("status", _status, "what the running guard says of itself").add_argument("--json", action="store_true")
    check = command("check", _check, "attacks a volume of its own, looks at files, owners and volumes")
    check.add_argument(
        "--existing", action="store_true", help="also judge every container there is, and keep the verdict for `status`"
    )
    check.add_argument("--mode", choices=MODES, help="the mode it is meant to have (enforce)")
    check.add_argument("--daemon-json", default="/etc/docker/daemon.json")
    check.add_argument(
        "--wait", type=float, default=0.0, metavar="SECONDS", help="how long the engine may take to answer"
    )
    check.add_argument("--json", action="store_true")
    _hook(check)
    shown = command("audit", _audit, "refusals and unlocks")
    shown.add_argument("--since", default="", help="10m, 2h: no older lines")
    shown.add_argument("--volume", default="")
    shown.add_argument("--verdict", default="", help="refused, would-refuse, unlocked …")
    shown.add_argument("--json", action="store_true")
    declare = command("declare", _declare, "adds or replaces declared volumes (root)")
    declare.add_argument(
        "files", metavar="FILE", nargs="+", help="- for what comes in; the files of a directory are one"
    )
    declare.add_argument("--only", action="store_true", help="what no FILE names is declared no longer")
    grant = command("grant", _grant, "what a container would need to be granted, as JSON: {volume: grant}; only reads")
    grant.add_argument("container", metavar="CONTAINER", help="created or running")
    grant.add_argument("--volume", action="append", default=[], help="only of this one (again for more); default: all")
    allow = command("allow", _allow, "lets one container have one thing that is refused to it, for good (root)")
    allow.add_argument("container", metavar="CONTAINER", help="its name")
    allow.add_argument("image", metavar="IMAGE", nargs="?", default="", help="its image, as the engine has it now")
    allow.add_argument("thing", metavar="THING", nargs="?", default="", help="as the refusal's hint says it")
    allow.add_argument("--remove", action="store_true", help="takes back all that the container is allowed")
    unlock = command("unlock", _unlock, "lets one operation through, once (root)")
    unlock.add_argument("volume", metavar="VOLUME")
    unlock.add_argument("--operation", required=True, choices=OPERATIONS)
    unlock.add_argument("--reason", required=True)
    unlock.add_argument("--for", dest="span", required=True, metavar="5m", help="30s, 5m; at most 1h")
    unlock.add_argument("--vault-state", help="the vault's state; default: of the volume's stack")
    unlock.add_argument("--backups", help="the directory of the backups; default: of the volume's stack")
    unlock.add_argument("--proven-hours", type=float, default=PROVEN_HOURS, help="how old the proven backup may be")
    lock = command("lock", _lock, "takes unlocks back (root)")
    lock.add_argument("volume", metavar="VOLUME", nargs="?", default="", help="default: all")
    return parser


def _hook(parser: argparse.ArgumentParser) -> None:
    told = "a program that gets each line of the audit; again for arguments"
    parser.add_argument("--hook", action="append", default=[], help=told)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", default=CONFIG, help=f"the declarations ({CONFIG})")
    parser.add_argument("--state-dir", default=STATE, help=f"unlocks and state ({STATE})")
    parser.add_argument("--audit-file", default=AUDIT_FILE, help=f"({AUDIT_FILE})")
    parser.add_argument("--socket", default=SOCKET, help=f"where the engine asks; its name is the plugin's ({SOCKET})")
    parser.add_argument("--engine", default=ENGINE, help=f"({ENGINE})")
    parser.add_argument("--data-root", default=DATA_ROOT, help=f"the engine's ({DATA_ROOT})")
    parser.add_argument(
        "--profile", choices=PROFILES, default="standard", help="the least; a strict volume makes it strict"
    )


def _root(what: str) -> bool:
    if os.geteuid() == 0:
        return True
    _say(what, f"user {os.geteuid()} may not do this", f"sudo ledgerguard {what} …")
    return False


# --- commands -------------------------------------------------------------------------------------------------------


def _settings(given: argparse.Namespace) -> Settings:
    return Settings(
        Path(given.socket), Path(given.engine.removeprefix("unix://")), Path(given.data_root), Path(given.config),
        Path(given.state_dir), Path(given.audit_file), tuple(Path(one) for one in getattr(given, "state_file", ())),
        getattr(given, "mode", None) or "enforce", given.profile, getattr(given, "deadline", 5.0),
        tuple(getattr(given, "hook", ())),
    )  # fmt: skip


def _serve(given: argparse.Namespace) -> int:
    if given.deadline <= 0:
        _say("serve", f"--deadline {given.deadline:g}: not a time", "serve --deadline 5")
        return USAGE
    try:
        serve(_settings(given))
    except OSError as error:
        _say("serve", str(error), "ledgerguard status tells which guard runs")
        return COULD_NOT
    # Python waits for threads at its end; one whose look-up hangs must not keep the next guard from starting.
    signal.alarm(int(given.deadline) + 1)
    return HOLDS


def _status(given: argparse.Namespace) -> int:
    try:
        status = ask_status(Path(given.socket))
    except (OSError, ValueError, StopIteration) as error:
        _say("status", f"NOT ACTIVE: {given.socket}: {error}", self_check.service_hint("status"))
        return COULD_NOT
    if given.json:
        print(json.dumps(status, indent=1, sort_keys=True))
    else:
        counts = (
            ", ".join(f"{number} {what}" for what, number in sorted(status["decisions"].items())) or "no decision yet"
        )
        print(f"ledgerguard {status['version']}: mode {status['mode']}, profile {status['profile']}")
        print(f"since: {status['started']}")
        print(f"declared: {', '.join(status['declared']) or 'nothing'}\ndecisions: {counts}")
        for one in status["unlocks"]:
            print(f"unlocked: {one['volume']} for {one['operation']}, {one['seconds_left']} s left")
        if status["fault"]:
            print(f"fault: {status['fault']}")
        print(_check_line(status.get("check")))
    well = not status["fault"] and (status.get("check") or {}).get("verdict", findings.GOOD) == findings.GOOD
    return HOLDS if status["mode"] == "enforce" and well else BAD


def _check_line(kept: dict[str, Any] | None) -> str:
    """What the last whole check found; a verdict that is not good ends with the command that shows all of it."""
    if not kept:
        return "check: none yet\nHINT: ledgerguard check --existing"
    told = f"check at {kept['time']}: {kept['text']}"
    return told if kept["verdict"] == findings.GOOD else f"{told}\nHINT: ledgerguard check --existing"


def _check(given: argparse.Namespace) -> int:
    settings = _settings(given)
    if given.wait > 0:
        self_check.wait_for_engine(settings.engine, given.wait)
    found = self_check.check(settings, Path(given.daemon_json), given.existing)
    if given.existing and (given.mode or not _in_another_mode(found)):
        found += self_check.keep(settings, found)
    if given.json:
        print(json.dumps({"exit": self_check.exit_code(found), "findings": [asdict(one) for one in found]}, indent=1))
    else:
        for one in found:
            print(f"{one.verdict}: {one.id}: {one.what}" + (f"\nHINT: {one.hint}" if one.hint else ""))
    return self_check.exit_code(found)


def _in_another_mode(found: list[findings.Finding]) -> bool:
    """Whether the guard is in a mode that a person who named none may not have meant: shown, and not kept."""
    return any(one.id == "mode" and one.verdict != findings.GOOD for one in found)


def _audit(given: argparse.Namespace) -> int:
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    since = None
    if given.since:
        if given.since[-1] not in units or not given.since[:-1].isdigit():
            _say("audit", f"--since {given.since!r}: expected something like 10m", "ledgerguard audit --since 2h")
            return USAGE
        since = int(given.since[:-1]) * units[given.since[-1]]
    try:
        found = [
            line
            for line in audit.lines(Path(given.audit_file))
            if audit.chosen(line, since, given.volume, given.verdict)
        ]
    except OSError as error:
        _say("audit", f"{given.audit_file}: {error.strerror}", "sudo ledgerguard audit")
        return COULD_NOT
    for line in found:
        told = " ".join(str(line.get(key, "")) for key in ("time", "verdict", "method", "uri", "reason"))
        print(json.dumps(line, sort_keys=True) if given.json else printable(told))
    return HOLDS


def _declare(given: argparse.Namespace) -> int:
    if not _root("declare"):
        return COULD_NOT
    try:
        new = merging.joined([_read_declarations(file) for given_file in given.files for file in _all(given_file)])
    except (OSError, UnicodeDecodeError) as error:
        _say("declare", str(error), "ledgerguard declare FILE")
        return COULD_NOT
    except DeclarationError as error:
        _say("declare", str(error), "docs/guard-declarations.schema.json says what is read")
        return BAD
    place = Path(given.config)
    try:
        known = declarations_file.load(place)
        after = merging.merged(known, new, given.only)
        if after == known and place.exists():
            print(f"as declared before: {', '.join(sorted(new.volumes)) or 'nothing'}")
            return HOLDS
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(place, merging.to_json(after), 0o644, synced=True)
    except (OSError, DeclarationError) as error:
        _say("declare", str(error), f"mend {place} or put it back from its copy")
        return COULD_NOT
    gone = sorted(set(known.volumes) - set(after.volumes))
    log = audit.Audit(Path(given.audit_file))
    log.write("declared", volumes=sorted(new.volumes), no_longer=gone, reason=", ".join(given.files))
    print(f"declared: {', '.join(sorted(new.volumes)) or 'nothing'}")
    if gone:
        print(f"no longer declared: {', '.join(gone)} (a label still protects)")
    return HOLDS


def _all(file: str) -> list[str]:
    """The file itself, or the JSON files of a directory."""
    place = Path(file)
    return [str(one) for one in sorted(place.glob("*.json"))] if place.is_dir() else [file]


def _read_declarations(file: str) -> Declarations:
    try:
        return reader.read(sys.stdin.read() if file == "-" else Path(file).read_text())
    except DeclarationError as error:
        raise DeclarationError(f"{file}: {error}") from None


def _grant(given: argparse.Namespace) -> int:
    api = EngineApi(given.engine.removeprefix("unix://"), GRANT_SECONDS)
    try:
        shown = api.get(f"/containers/{quote(given.container, safe='')}/json")
        image = api.image(str(shown["Image"])) if shown else None
    except LookupFailed as error:
        _say("grant", f"the engine at {given.engine} could not be asked: {error}", "docker info")
        return COULD_NOT
    if shown is None or image is None:
        what = "no such container" if shown is None else f"the engine has no image {shown['Image']}"
        _say("grant", f"{given.container}: {what}", "docker ps -a")
        return COULD_NOT
    try:
        made = grant_drafts.grants_of(containers.inspected(shown), image, given.volume)
    except (GrantError, Refused) as error:
        _say("grant", str(error), "start the container without it, or leave the volume read-only in it (:ro)")
        return BAD
    print(json.dumps({name: grant_drafts.to_data(one) for name, one in made.items()}, indent=1, sort_keys=True))
    return HOLDS


def _allow(given: argparse.Namespace) -> int:
    if not _root("allow"):
        return COULD_NOT
    if not NAME.fullmatch(given.container) or not (given.remove or (given.image and given.thing)):
        _say("allow", "a container's name, its image and the thing are needed", "ledgerguard allow NAME IMAGE THING")
        return USAGE
    place = Path(given.config)
    try:
        known = declarations_file.load(place)
        if given.remove:
            after = merging.without_exceptions(known, given.container)
        else:
            image = EngineApi(given.engine.removeprefix("unix://"), GRANT_SECONDS).image(given.image)
            if image is None:
                _say("allow", f"the engine has no image {given.image}", f"docker pull {given.image}")
                return BAD
            exception = Allowance(given.container, (image.id,), (given.thing,))
            after = merging.with_exception(known, exception)
        place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_whole(place, merging.to_json(after), 0o644, synced=True)
    except (OSError, DeclarationError, LookupFailed) as error:
        _say("allow", str(error), "docker info; ledgerguard status")
        return COULD_NOT
    verb = "no longer allowed" if given.remove else "allowed"
    log = audit.Audit(Path(given.audit_file))
    log.write(verb, reason=f"{given.container} {given.image} {given.thing}".strip())
    print(f"{verb}: {given.container}: {given.thing or 'everything'}")
    return HOLDS


# --- unlock and lock ------------------------------------------------------------------------------------------------


def _unlock(given: argparse.Namespace) -> int:
    if not _root("unlock"):
        return COULD_NOT
    try:
        seconds = seconds_of(given.span)
        declared = declarations_file.load(Path(given.config)).volumes.get(given.volume)
    except UnlockError as error:
        _say("unlock", str(error), "ledgerguard unlock VOLUME --operation remove --reason … --for 5m")
        return USAGE
    except (OSError, DeclarationError) as error:
        _say("unlock", str(error), "ledgerguard declare FILE")
        return COULD_NOT
    if not given.reason.strip() or not NAME.fullmatch(given.volume):
        _say("unlock", f"--reason {given.reason!r} or volume {given.volume!r} is empty or no name", "give both")
        return USAGE
    evidence = _evidence(given, declared)
    if evidence is None:
        return BAD
    unlock = Unlock(given.volume, given.operation, given.reason, time.time() + seconds, evidence)
    facts = {"volumes": [given.volume], "operation": given.operation, "reason": given.reason, "evidence": evidence}
    if not audit.Audit(Path(given.audit_file)).write("unlock", **facts):
        _say(
            "unlock",
            f"{given.audit_file} cannot be written, and an unlock without its line is none",
            "df; free the disk",
        )
        return COULD_NOT
    try:
        Unlocks(Path(given.state_dir) / "unlocks").add(unlock)
    except OSError as error:
        _say("unlock", str(error), "df; ls -ld " + given.state_dir)
        return COULD_NOT
    print(f"unlocked once: {given.operation} of {given.volume}, for {given.span} ({evidence})")
    return HOLDS


def _evidence(given: argparse.Namespace, declared: Declared | None) -> str | None:
    """The proven backup or the typed phrase; None when there is neither."""
    vault_state, backups = _vault_places(given, declared)
    try:
        if not vault_state or not backups:
            raise proven_backup.NotProven("the volume's stack is not known, so neither is its vault")
        backup = proven_backup.look(Path(vault_state), Path(backups), given.proven_hours * 3600)
        return f"proven backup {backup.file}, {backup.age_seconds / 3600:.1f} h old"
    except proven_backup.NotProven as error:
        phrase = f"lose {given.volume}"
        if not sys.stdin.isatty():
            _say(
                "unlock",
                f"no proven backup: {error}",
                f"make backup, then make prove; or type '{phrase}' at a terminal",
            )
            return None
        print(f"no proven backup: {printable(str(error))}\nType '{phrase}' to go on without one: ", end="", flush=True)
        if sys.stdin.readline().rstrip("\n") != phrase:
            _say("unlock", "that was another phrase", "make backup, then make prove")
            return None
        return "typed phrase, no proven backup"


def _vault_places(given: argparse.Namespace, declared: Declared | None) -> tuple[str, str]:
    stack = declared.labels.get("com.ledgerflow.stack", "") if declared else ""
    environment = declared.environment if declared else ""
    state = f"/etc/ledgerflow/{stack}-{environment}/state/vault.json" if stack else ""
    known = declarations_file.load(Path(given.config)).volumes.get(f"{stack}_{environment}_backups") if stack else None
    backups = f"{known.device}/data" if known and known.device else ""
    return given.vault_state or state, given.backups or backups


def _lock(given: argparse.Namespace) -> int:
    if not _root("lock"):
        return COULD_NOT
    removed = Unlocks(Path(given.state_dir) / "unlocks").clear(given.volume)
    audit.Audit(Path(given.audit_file)).write(
        "lock", volumes=[given.volume] if given.volume else [], reason=f"{removed} taken back"
    )
    print(f"locked: {removed} unlock{'' if removed == 1 else 's'} taken back")
    return HOLDS
