"""What a person asks of a playbook, as data: read, checked, and turned into a command line.

A module of its own because nothing in it does anything: `ledgerflow.play.run` runs what this builds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledgerflow.play.rights import Decision

LOCAL = ("dev", "ci")
REMOTE = ("staging", "prod")
# Playbooks that change nothing need no lock, and fewer rights.
READ_ONLY = ("status", "list_backups", "env_check", "preflight")
OPERATIONS = ("volume", "database", "deploy")  # the checklists of preflight
REDUCED = "engine_reduced"  # the variable that tells the inventory to use a user's own engine
VERDICTS = {"holds": 0, "proven": 0, "accepted": 0, "forgotten": 0, "bad": 1, "failed": 1, "inconclusive": 2}
OF_A_DATABASE = ("restore_undo", "restore_drop")  # NAME= is a database there
DECISIONS = ("accept", "forget")  # what a person decides about a backup, and why
USAGE = 64


@dataclass(frozen=True)
class Request:
    """What is wanted, as a person gave it on make's command line."""

    playbook: str
    env: str = "dev"
    stack: str = ""
    service: str = ""
    file: str = ""
    confirm: str = ""
    dry: bool = False
    force: bool = False
    database: str = ""
    reason: str = ""
    operation: str = ""
    settings: str = ""
    verbosity: int = 0
    strategy: str = ""
    cold: bool = False
    yes: bool = False
    judge: bool = False
    extra: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Names this run's log, lock, summary and verdict."""
        return "-".join(part for part in (self.playbook, self.stack, self.env) if part)

    @property
    def target(self) -> str:
        """The make target, which names what is written for machines and people: build/results/<target>.json."""
        return self.playbook.replace("_", "-")

    @property
    def command(self) -> str:
        """The make command that asks for it, for hints."""
        words = [f"make {self.target}", f"ENV={self.env}" if self.env != "dev" else ""]
        words += [f"SERVICE={self.service}" if self.service else "", f"STACK={self.stack}" if self.stack else ""]
        words.append(f"OP={self.operation}" if self.operation else "")
        return " ".join(word for word in words if word)


class Refusal(Exception):
    """One message, its hint, and the exit code."""

    def __init__(self, what: str, hint: str, code: int = USAGE) -> None:
        super().__init__(what)
        self.what, self.hint, self.code = what, hint, code


def read_request(argv: list[str], environ: Mapping[str, str]) -> Request:
    """Reads the playbook from the arguments and the rest from make's variables."""
    parser = argparse.ArgumentParser(
        prog="scripts/play",
        description="Runs one playbook; takes make's variables from the environment.",
        allow_abbrev=False,
    )
    parser.add_argument("playbook", help="a file of playbooks/, without .yml")
    parser.add_argument("--judge", action="store_true", help="end with the verdict the playbook wrote")
    parser.add_argument("-e", dest="variables", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("extra", nargs="*", help="options for ansible-playbook, after --")
    options = parser.parse_args(argv)
    level = environ.get("V", "") or "0"
    if not level.isdecimal() or int(level) > 6:
        raise Refusal(f"V={level}: not a number from 0 to 6", f"make {options.playbook} V=1")
    bad = [pair for pair in options.variables if "=" not in pair]
    if bad:
        raise Refusal(f"-e {bad[0]}: not NAME=VALUE", f"scripts/play {options.playbook} -e name=value")
    return Request(
        playbook=options.playbook,
        env=environ.get("ENV", "dev"),  # an empty one was given by a variable that is not set
        stack=environ.get("STACK", ""),
        service=environ.get("SERVICE", ""),
        file=environ.get("FILE", ""),
        confirm=environ.get("CONFIRM", ""),
        dry=is_yes(environ.get("DRY", "")),
        force=is_yes(environ.get("FORCE", "")),
        database=environ.get("NAME", "") if options.playbook in OF_A_DATABASE else "",
        reason=environ.get("REASON", ""),
        operation=environ.get("OP", ""),
        settings=environ.get("SETTINGS", ""),
        verbosity=int(level),
        strategy=environ.get("STRATEGY", ""),
        cold=is_yes(environ.get("COLD", "")),
        yes=has_agreed(environ),
        judge=options.judge,
        extra=tuple(options.extra),
        variables=dict(pair.split("=", 1) for pair in options.variables),
    )


def has_agreed(environ: Mapping[str, str]) -> bool:
    """Whether what needs sudo was agreed to beforehand: nobody can be asked in a workflow."""
    return is_yes(environ.get("YES", "")) or is_yes(environ.get("CI", ""))


def is_yes(answer: str) -> bool:
    """True for the usual ways to write yes."""
    return answer.lower() in {"1", "true", "yes", "y"}


def check_request(request: Request, playbooks: set[str], inventories: set[str]) -> None:
    """Raises Refusal where the request names something that is not there."""
    if request.playbook not in playbooks:
        raise Refusal(f"playbooks/{request.playbook}.yml: not there", f"one of: {', '.join(sorted(playbooks))}")
    if request.env not in LOCAL + REMOTE:
        raise Refusal(f"ENV={request.env}: unknown environment", f"ENV= one of {', '.join(LOCAL + REMOTE)}")
    if request.env not in inventories:
        raise Refusal(
            f"inventory/{request.env}: not there",
            f"cp -r inventory/{request.env}.example inventory/{request.env} and edit its hosts.yml",
        )
    if request.playbook == "preflight" and request.operation not in OPERATIONS:
        operations = ", ".join(OPERATIONS)
        raise Refusal(f"OP={request.operation}: not one of {operations}", f"make preflight OP={OPERATIONS[0]}")
    if request.playbook in DECISIONS:
        check_decision(request)
    if request.strategy not in {"", "linear", "mitogen"}:
        raise Refusal(f"STRATEGY={request.strategy}: unknown", "STRATEGY=mitogen, or leave it out")
    if request.settings and not Path(request.settings).is_file():
        raise Refusal(f"SETTINGS={request.settings}: no such file", "cp .env.example FILE and edit it")


def check_decision(request: Request) -> None:
    """A decision names its backup and its reason, which both stay in the journal."""
    example = f"make {request.target} FILE=newest REASON='…' (make list-backups shows the names)"
    if not request.file:
        raise Refusal("FILE=: no backup is named", example)
    if not request.reason.strip():
        raise Refusal("REASON=: is empty, and it stays in the journal", example)


def settings_text(example: str, env: str) -> str:
    """The first settings file: the example, for this environment."""
    lines = [f"LEDGER_ENV={env}" if line.startswith("LEDGER_ENV=") else line for line in example.splitlines()]
    return "\n".join(lines) + "\n"


def playbook_variables(request: Request, decision: Decision, results_folder: Path) -> dict[str, Any]:
    """Extra variables: what make was given, under the names the playbooks know."""
    variables: dict[str, Any] = {
        "play_results_dir": str(results_folder),
        "play_summary_file": str(results_folder / f"{request.name}.txt"),
        "play_verdict_file": str(results_folder / f"{request.target}.json"),
    }
    by_variable = {
        "stack_name": request.stack,
        "deploy_service": request.service,
        "backup_file": request.file,
        "confirm": request.confirm,
        "backup_reason": request.reason,
        "restore_database": request.database,
        # Other playbooks go through a checklist too, each through its own.
        "preflight_operation": request.operation if request.playbook == "preflight" else "",
    }
    variables |= {name: content for name, content in by_variable.items() if content}
    if request.dry:
        variables |= {"prune_dry_run": True, "restore_dry_run": True}
    if request.force:
        variables["restore_force"] = True
    if request.settings:
        variables["settings_file"] = str(Path(request.settings).resolve())
    if decision.reduced:
        variables[REDUCED] = True
    if request.cold:
        variables["service_fingerprints_enabled"] = False
    return variables | dict(request.variables)


def playbook_argv(request: Request, decision: Decision, root: Path) -> list[str]:
    """The command line of ansible-playbook."""
    argv = [str(root / ".venv/bin/ansible-playbook"), f"playbooks/{request.playbook}.yml"]
    argv += ["--inventory", f"inventory/{request.env}"]
    argv += ["--extra-vars", json.dumps(playbook_variables(request, decision, root / "build/results"), sort_keys=True)]
    if request.verbosity:
        argv.append("-" + "v" * request.verbosity)
    if decision.password:
        argv.append("--ask-become-pass")
    return [*argv, *request.extra]


def playbook_environment(request: Request, decision: Decision, root: Path, log: Path) -> dict[str, str]:
    """What ansible-playbook reads from its environment, beside the person's own."""
    variables = {
        "ANSIBLE_CONFIG": str(root / "ansible.cfg"),
        "ANSIBLE_LOG_PATH": str(log),
        # A cache for each stack: two of them may be deployed at once.
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(root / "build/facts" / f"{request.stack or 'default'}-{request.env}"),
        "LEDGERFLOW_BECOME": "true" if decision.become else "false",
        "PYTHONUNBUFFERED": "1",
    }
    if decision.docker_host:
        variables["DOCKER_HOST"] = decision.docker_host
    if request.cold:
        variables["ANSIBLE_CACHE_PLUGIN"] = "memory"
        variables["ANSIBLE_GATHERING"] = "implicit"
    if request.strategy == "mitogen":
        plugins = next(iter(sorted(root.glob(".venv/lib/python3*/site-packages/ansible_mitogen/plugins/strategy"))))
        variables |= {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": str(plugins)}
    return variables


def read_verdict(text: str | None) -> tuple[str, int]:
    """The closing line and the exit code of a target that judges; no file, or a strange one, is inconclusive."""
    if text is None:
        return "VERDICT: inconclusive (the playbook wrote no verdict)", 2
    try:
        verdict = str(json.loads(text)["verdict"])
        code = VERDICTS[verdict]
    except (ValueError, KeyError, TypeError):
        return f"VERDICT: inconclusive (not a verdict: {text[:80]!r})", 2
    return f"VERDICT: {verdict}", code
