"""Finds what would lose a protected volume before it is committed: in compose files, scripts, workflows, playbooks.

A module of its own because it is the door: it collects the files, puts their findings together and says the verdict.
Compose files are parsed as YAML (`compose`), scripts by the shell's rules (`shell_commands`),
and a docker command is read as docker reads it (`ledger_docker`): a comment or an `echo` of the words is
fine. The projects that role service makes are looked at as compose is given them, for every inventory.

    make check-volumes                     the whole repository
    make check-volumes FILE=compose.yml    one file, or several with spaces between

A finding that is meant carries its reason: `# check-volumes: allow REASON`, on its line or alone on the line before.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jinja2 import TemplateError

from ledger_docker.arguments import ANONYMOUS, UNUSED, Command, read_command
from ledger_docker.judgement import SAFE_FILTER, filters_match
from ledgerflow.checks import compose as compose_checks
from ledgerflow.checks import script_sources
from ledgerflow.checks.compose import Finding, Rules
from ledgerflow.checks.script_sources import COMPOSE
from ledgerflow.checks.shell_commands import Invocation, invocations, program_name, unreadable_lines
from ledgerflow.checks.shell_unknowns import could_lose
from ledgerflow.repository import ROOT, committed_files
from ledgerflow.stack.service import compose_project
from ledgerflow.stack.topology import Service, Topology, TopologyError, read_topology, read_variables

ENVIRONMENTS = ("dev", "ci", "staging", "prod")
RESULT = ROOT / "build/results/check-volumes.json"
USAGE = 64
_ALLOWED = re.compile(r"#\s*check-volumes: allow \S")
_DOCKER = {"docker": (), "docker-compose": ("compose",), "ledger_docker": (), "podman": ()}
_LEAST = {"image": "any", "uid": 1, "memory_mb": 1, "entrypoint": ["any"], "healthcheck": {"test": ["CMD", "any"]}}


@dataclass
class Report:
    """What was looked at, and what was found."""

    files: int = 0
    projects: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """holds, bad or inconclusive; nothing looked at is inconclusive."""
        if any(not finding.unknown for finding in self.findings):
            return "bad"
        return "inconclusive" if self.findings or not self.files + self.projects else "holds"

    @property
    def code(self) -> int:
        """The exit code."""
        return {"holds": 0, "bad": 1, "inconclusive": 2}[self.verdict]

    def as_json(self) -> dict[str, Any]:
        """The form of build/results."""
        figures = {
            "files": self.files,
            "projects": self.projects,
            "findings": [asdict(finding) for finding in self.findings],
        }
        return {"verdict": self.verdict, "exit": self.code, "figures": figures}


# --- rules of this repository ---------------------------------------------------------------------------------------


@cache  # evaluating four inventories takes a second
def topologies(root: Path) -> list[Topology]:
    """The stack of every environment."""
    return [read_topology(environment, root) for environment in ENVIRONMENTS]


def rules_of(stacks: Iterable[Topology]) -> Rules:
    """Names and places of every protected volume."""
    stacks = list(stacks)
    names = {f"{stack.stack}_{stack.environment}_{volume}" for stack in stacks for volume in stack.volumes}
    return Rules(frozenset(names), tuple(sorted({stack.data_root for stack in stacks if stack.data_root})))


def project_text(service: Service, stack: Topology) -> str:
    """A service's compose project, made by role service's own filter from what matters here."""
    place = {
        "id": f"{stack.stack}-{stack.environment}",
        "name": stack.stack,
        "environment": stack.environment,
        "config_root": f"/etc/ledgerflow/{stack.stack}-{stack.environment}",
        "volume_prefix": f"{stack.stack}_{stack.environment}",
    }
    ports = [f"{port}:{port.rpartition(':')[2]}" for port in service.ports]
    description = {
        **_LEAST,
        "name": service.name,
        "networks": list(service.networks),
        "protected": dict(service.protected),
        "mounts": dict(service.scratch),
        "volumes": list(service.binds),
        "ports": ports,
    }
    return yaml.safe_dump(compose_project(description, place), sort_keys=False)


# --- one file -------------------------------------------------------------------------------------------------------


def check_file(path: Path, kind: str, text: str, rules: Rules, place: str) -> list[Finding]:
    """What one file must not hold, without what its remarks allow."""
    try:
        findings = check_compose(path, text, rules, place) if kind == COMPOSE else check_scripts(kind, text, place)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, problem = mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', error)}"
        return [Finding("file.unreadable", place, line, problem, "make lint ONLY=yamllint", unknown=True)]
    lines = text.splitlines()
    return [finding for finding in findings if not is_allowed(lines, finding.line)]


def is_allowed(lines: Sequence[str], number: int) -> bool:
    """Whether a remark with a reason stands on this line, or alone on the one before."""
    current_line = lines[number - 1] if 0 < number <= len(lines) else ""
    before = lines[number - 2].strip() if 1 < number <= len(lines) + 1 else ""
    return bool(_ALLOWED.search(current_line) or (before.startswith("#") and _ALLOWED.search(before)))


def check_compose(path: Path, text: str, rules: Rules, place: str) -> list[Finding]:
    """A compose file; a template is rendered with the values of dev, and its lines are the rendered ones."""
    beside = path.parent / ".env"
    from_env = compose_checks.read_env(beside.read_text()) if beside.is_file() else {}
    variables = {"PWD": str(path.parent.resolve()), **from_env}  # compose is started beside its file
    if path.suffix == ".j2":
        try:
            text = str(read_variables(ROOT / "inventory/dev", ROOT / "roles").evaluate("{{ '' }}" + text))
        except (TemplateError, TopologyError, KeyError, TypeError, ValueError) as error:
            problem = f"cannot be rendered without a host: {error}"
            hint = "deploy it, then make check-volumes FILE=the rendered file"
            return [Finding("compose.unknown", place, 1, problem, hint, unknown=True)]
        place += " (rendered)"
    return compose_checks.check_text(text, place, str(path.parent.resolve()), rules, variables)


def check_scripts(kind: str, text: str, place: str) -> list[Finding]:
    """The commands of a file's scripts, and its tasks that remove volumes."""
    findings: list[Finding] = []
    for script in [*script_sources.scripts_of(kind, text), *script_sources.shell_functions_of(kind, text)]:
        for invocation in invocations(script.text, script.line):
            findings += check_command(invocation.words, invocation.line, place) or check_unknown(invocation, place)
        for line in unreadable_lines(script.text):
            problem, hint = (
                "the shell's grammar ends here",
                "write it in plainer words, as bash -n and shellcheck read it",
            )
            findings.append(Finding("script.unreadable", place, script.line + line - 1, problem, hint, unknown=True))
    for removal in script_sources.removals_of(kind, text):
        hint = "leave the volumes: make down stops a stack; or give the reason: # check-volumes: allow REASON"
        findings.append(Finding("script.module", place, removal.line, f"{removal.what} removes volumes", hint))
    return list(dict.fromkeys(findings))


def check_command(words: Sequence[str], line: int, place: str) -> list[Finding]:
    """A finding where a command removes volumes, or prunes without a filter."""
    program = program_name(words[0]) if words else ""
    if program not in _DOCKER:
        return []
    command = read_command([*_DOCKER[program], *words[1:]])
    if command is None:
        return []
    if command.path[1] == "prune" and command.path[0] in {"volume", "system"}:
        return (
            []
            if _spares_protected(command)
            else [_finding(command, line, place, "takes volumes and more without sparing ours")]
        )
    if set(command.removes) - {ANONYMOUS, UNUSED}:
        return [_finding(command, line, place, "removes volumes")]
    return []


def check_unknown(command: Invocation, place: str) -> list[Finding]:
    """A finding where what nobody knows could be a command that removes volumes."""
    if not could_lose(command, tuple(_DOCKER), lambda words: bool(check_command(words, command.line, place))):
        return []
    problem = f"`{' '.join(command.words)}` may remove volumes: its words are known to the caller only"
    hint = "name the command in the script, or quote the variable; or # check-volumes: allow REASON"
    return [Finding("script.unknown", place, command.line, problem, hint, unknown=True)]


def _spares_protected(command: Command) -> bool:
    """Whether the filters of a prune spare what is protected."""
    return not filters_match(command.values("filter"), {"com.ledgerflow.protect": "true"})


def _finding(command: Command, line: int, place: str, problem: str) -> Finding:
    hints = {
        "prune": f"docker {command.path[0]} prune --filter {SAFE_FILTER}",
        "down": "docker compose down, without --volumes",
    }
    hint = hints.get(command.path[1], "leave it out; by hand: ledger_docker, which refuses protected ones")
    command_line = " ".join([command.name, *[f"--{name}" for name, _ in command.options], *command.words])
    text = f"{hint}; or # check-volumes: allow REASON"
    return Finding(f"script.{command.path[1]}", place, line, f"`{command_line}` {problem}", text)


# --- all of them ----------------------------------------------------------------------------------------------------


def check_paths(paths: Sequence[Path], root: Path, rules: Rules, skip_unknown: bool) -> Report:
    """Looks at these files; with `skip_unknown` those of no known kind are passed over, else each is a finding."""
    report = Report()
    for path in paths:
        place = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        try:
            text = path.read_text(errors="replace")
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            report.findings.append(Finding("file.unreadable", place, 1, problem, f"ls -l {place}", unknown=True))
            continue
        kind = script_sources.kind_of(path.relative_to(root) if path.is_relative_to(root) else path, text)
        kind = kind or ("" if skip_unknown else guess_kind(text))
        if kind:
            report.files += 1
            report.findings += check_file(path, kind, text, rules, place)
        elif not skip_unknown:
            problem, hint = "neither a compose file nor a script, workflow, Makefile or playbook", "name another FILE"
            report.findings.append(Finding("file.unknown", place, 1, problem, hint, unknown=True))
    return report


def guess_kind(text: str) -> str:
    """A compose file under another name, by its services."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return ""
    return COMPOSE if isinstance(document, dict) and "services" in document else ""


def check_projects(stacks: Iterable[Topology], rules: Rules, report: Report) -> None:
    """The projects that a deploy would make."""
    for stack in stacks:
        for service in stack.services:
            place = f"{stack.environment}: project of service {service.name}"
            report.projects += 1
            report.findings += compose_checks.check_text(project_text(service, stack), place, "/", rules)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"check-volumes: {message}\nHINT: make check-volumes FILE=compose.yml\n")


def main(argv: Sequence[str]) -> int:
    """0 nothing found, 1 something found, 2 could not check."""
    parser = _Parser(prog="make check-volumes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="the report for machines")
    parser.add_argument("files", nargs="*", type=Path, help="the whole repository where none is given")
    options = parser.parse_args(argv)
    stacks = topologies(ROOT)
    rules = rules_of(stacks)
    paths = [path.resolve() for path in options.files] or committed_files()
    report = check_paths(paths, ROOT, rules, skip_unknown=not options.files)
    if not options.files:
        check_projects(stacks, rules, report)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if options.json:
        print(RESULT.read_text(), end="")
        return report.code
    if report.findings:
        print(compose_checks.report_text(report.findings))
    print(f"check-volumes: {report.files} files and {report.projects} projects, {len(report.findings)} findings")
    print(f"VERDICT: {report.verdict}")
    return report.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
