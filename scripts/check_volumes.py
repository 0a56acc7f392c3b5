"""Finds what would lose a protected volume before it is committed: in compose files, scripts, workflows, playbooks.

A module of its own because it is the door: it collects the files, puts their findings together and says the verdict.
Compose files are parsed as YAML (`scripts.compose_checks`), scripts by the shell's rules (`scripts.shell_commands`),
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

from filter_plugins.service import compose_project
from scripts import addresses, compose_checks, script_sources
from scripts.compose_checks import Finding, Rules
from scripts.script_sources import COMPOSE
from scripts.shell_commands import Invocation, base, invocations, unreadable
from scripts.shell_unknowns import could_lose
from scripts.topology import Service, Topology, TopologyError, read_topology, read_variables

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))  # what reads docker's arguments is the wrapper's own

from ledger_docker.arguments import ANONYMOUS, UNUSED, Command, read_command  # noqa: E402
from ledger_docker.judgement import SAFE_FILTER, filters_match  # noqa: E402

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
        figures = {"files": self.files, "projects": self.projects, "findings": [asdict(one) for one in self.findings]}
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


def check_file(path: Path, kind: str, text: str, rules: Rules, where: str) -> list[Finding]:
    """What one file must not hold, without what its remarks allow."""
    try:
        found = check_compose(path, text, rules, where) if kind == COMPOSE else check_scripts(kind, text, where)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, what = mark.line + 1 if mark else 1, f"not YAML: {getattr(error, 'problem', error)}"
        return [Finding("file.unreadable", where, line, what, "make lint ONLY=yamllint", unknown=True)]
    lines = text.splitlines()
    return [finding for finding in found if not allowed(lines, finding.line)]


def allowed(lines: Sequence[str], number: int) -> bool:
    """Whether a remark with a reason stands on this line, or alone on the one before."""
    here = lines[number - 1] if 0 < number <= len(lines) else ""
    before = lines[number - 2].strip() if 1 < number <= len(lines) + 1 else ""
    return bool(_ALLOWED.search(here) or (before.startswith("#") and _ALLOWED.search(before)))


def check_compose(path: Path, text: str, rules: Rules, where: str) -> list[Finding]:
    """A compose file; a template is rendered with the values of dev, and its lines are the rendered ones."""
    beside = path.parent / ".env"
    given = compose_checks.read_env(beside.read_text()) if beside.is_file() else {}
    variables = {"PWD": str(path.parent.resolve()), **given}  # compose is started beside its file
    if path.suffix == ".j2":
        try:
            text = str(read_variables(ROOT / "inventory/dev", ROOT / "roles").evaluate("{{ '' }}" + text))
        except (TemplateError, TopologyError, KeyError, TypeError, ValueError) as error:
            what = f"cannot be rendered without a host: {error}"
            hint = "deploy it, then make check-volumes FILE=the rendered file"
            return [Finding("compose.unknown", where, 1, what, hint, unknown=True)]
        where += " (rendered)"
    return compose_checks.check(text, where, str(path.parent.resolve()), rules, variables)


def check_scripts(kind: str, text: str, where: str) -> list[Finding]:
    """The commands of a file's scripts, and its tasks that remove volumes."""
    found: list[Finding] = []
    for script in [*script_sources.scripts_of(kind, text), *script_sources.shell_functions_of(kind, text)]:
        for each in invocations(script.text, script.line):
            found += check_command(each.words, each.line, where) or check_unknown(each, where)
        for line in unreadable(script.text):
            what, hint = "the shell's grammar ends here", "write it in plainer words, as bash -n and shellcheck read it"
            found.append(Finding("script.unreadable", where, script.line + line - 1, what, hint, unknown=True))
    for removal in script_sources.removals_of(kind, text):
        hint = "leave the volumes: make down stops a stack; or give the reason: # check-volumes: allow REASON"
        found.append(Finding("script.module", where, removal.line, f"{removal.what} removes volumes", hint))
    return list(dict.fromkeys(found))


def check_command(words: Sequence[str], line: int, where: str) -> list[Finding]:
    """A finding where a command removes volumes, or prunes without a filter."""
    program = base(words[0]) if words else ""
    if program not in _DOCKER:
        return []
    command = read_command([*_DOCKER[program], *words[1:]])
    if command is None:
        return []
    if command.path[1] == "prune" and command.path[0] in {"volume", "system"}:
        return (
            [] if _spares(command) else [_finding(command, line, where, "takes volumes and more without sparing ours")]
        )
    if set(command.removes) - {ANONYMOUS, UNUSED}:
        return [_finding(command, line, where, "removes volumes")]
    return []


def check_unknown(command: Invocation, where: str) -> list[Finding]:
    """A finding where what nobody knows could be a command that removes volumes."""
    if not could_lose(command, tuple(_DOCKER), lambda words: bool(check_command(words, command.line, where))):
        return []
    what = f"`{' '.join(command.words)}` may remove volumes: its words are known to the caller only"
    hint = "name the command in the script, or quote the variable; or # check-volumes: allow REASON"
    return [Finding("script.unknown", where, command.line, what, hint, unknown=True)]


def _spares(command: Command) -> bool:
    """Whether the filters of a prune spare what is protected."""
    return not filters_match(command.values("filter"), {"com.ledgerflow.protect": "true"})


def _finding(command: Command, line: int, where: str, what: str) -> Finding:
    hints = {
        "prune": f"docker {command.path[0]} prune --filter {SAFE_FILTER}",
        "down": "docker compose down, without --volumes",
    }
    hint = hints.get(command.path[1], "leave it out; by hand: ledger_docker, which refuses protected ones")
    told = " ".join([command.name, *[f"--{name}" for name, _ in command.options], *command.words])
    text = f"{hint}; or # check-volumes: allow REASON"
    return Finding(f"script.{command.path[1]}", where, line, f"`{told}` {what}", text)


# --- all of them ----------------------------------------------------------------------------------------------------


def look(paths: Sequence[Path], root: Path, rules: Rules, every: bool) -> Report:
    """Looks at these files; with `every` those of no known kind are passed over, else each is a finding."""
    report = Report()
    for path in paths:
        where = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        try:
            text = path.read_text(errors="replace")
        except OSError as error:
            what = f"cannot be read: {error.strerror}"
            report.findings.append(Finding("file.unreadable", where, 1, what, f"ls -l {where}", unknown=True))
            continue
        kind = script_sources.kind_of(path.relative_to(root) if path.is_relative_to(root) else path, text)
        kind = kind or ("" if every else guessed(text))
        if kind:
            report.files += 1
            report.findings += check_file(path, kind, text, rules, where)
        elif not every:
            what, hint = "neither a compose file nor a script, workflow, Makefile or playbook", "name another FILE"
            report.findings.append(Finding("file.unknown", where, 1, what, hint, unknown=True))
    return report


def guessed(text: str) -> str:
    """A compose file under another name, by its services."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return ""
    return COMPOSE if isinstance(value, dict) and "services" in value else ""


def look_at_projects(stacks: Iterable[Topology], rules: Rules, report: Report) -> None:
    """The projects that a deploy would make."""
    for stack in stacks:
        for service in stack.services:
            where = f"{stack.environment}: project of service {service.name}"
            report.projects += 1
            report.findings += compose_checks.check(project_text(service, stack), where, "/", rules)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"check-volumes: {message}\nHINT: make check-volumes FILE=compose.yml\n")


def main(argv: Sequence[str]) -> int:
    """0 nothing found, 1 something found, 2 could not check."""
    parser = _Parser(prog="make check-volumes", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true", help="the report for machines")
    parser.add_argument("files", nargs="*", type=Path, help="the whole repository where none is given")
    given = parser.parse_args(argv)
    stacks = topologies(ROOT)
    rules = rules_of(stacks)
    paths = [path.resolve() for path in given.files] or addresses.committed()
    report = look(paths, ROOT, rules, every=not given.files)
    if not given.files:
        look_at_projects(stacks, rules, report)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    if given.json:
        print(RESULT.read_text(), end="")
        return report.code
    if report.findings:
        print(compose_checks.joined(report.findings))
    print(f"check-volumes: {report.files} files and {report.projects} projects, {len(report.findings)} findings")
    print(f"VERDICT: {report.verdict}")
    return report.code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
