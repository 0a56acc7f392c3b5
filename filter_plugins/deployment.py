"""What a stack consists of now, for people and for the vault.

A module of its own because `state/deployment.json` is a contract with others (they must not ask the engine), and the
status table shows the same facts.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

COLOURS = {"blue": "green", "green": "blue"}
_OTHER_COLOUR = re.compile("(?<=-)(blue|green)$")
SOURCES = Path(__file__).resolve().parents[1] / "src"

GUARD_SILENT_SECONDS = 30  # it writes each 5 seconds


def stack_containers(containers: Mapping[str, Any], stack: Mapping[str, str]) -> dict[str, Any]:
    """The stack's containers by service name, in order of name."""
    prefix = f"{stack['id']}-"
    return {name.removeprefix(prefix): containers[name] for name in sorted(containers) if name.startswith(prefix)}


def deployment_facts(probe: Mapping[str, Any], stack: Mapping[str, str], commit: str) -> dict[str, Any]:
    """Commit, and each service's image and image id; no time, so that the same deployment is the same file."""
    services = stack_containers(probe["containers"], stack)
    return {
        "schema": 1,
        "environment": stack["environment"],
        "stack": stack["name"],
        "commit": commit,
        "engine": probe["engine"]["version"],
        "services": {name: {"image": item["image"], "image_id": item["image_id"]} for name, item in services.items()},
    }


def proven_backup_due(vault: Mapping[str, Any], limit_hours: float, now: datetime | None = None) -> bool:
    """Whether `state/vault.json` names no proven backup younger than the limit; one of the future does not count."""
    proven = vault.get("newest_proven") or {}
    try:
        taken = datetime.fromisoformat(str(proven["taken"]))
        age = (now or datetime.now(UTC)) - taken
    except (KeyError, ValueError, TypeError):  # TypeError: a time without a zone
        return True
    return not timedelta(0) <= age <= timedelta(hours=limit_hours)


def vault_checks(vault: Mapping[str, Any], now: datetime | None = None) -> list[dict[str, str]]:
    """What the vault itself says of its work, judged now by its own rule: result, text and hint of each check."""
    # Not at the top: every playbook loads this file.
    if str(SOURCES) not in sys.path:
        sys.path.append(str(SOURCES))
    from ledgervault.model.health_rules import judge

    checks = judge(vault, now or datetime.now(UTC))
    return [{"result": check.result, "text": check.text, "hint": check.hint} for check in checks]


def vault_findings(vault: Mapping[str, Any], now: datetime | None = None) -> list[dict[str, str]]:
    """A finding for each thing that is bad: age, last failure, loss, queue. None in the first hour after a start."""
    bad = [check for check in vault_checks(vault, now) if check["result"] == "failed"]
    return [{"where": "backups", "what": check["text"], "hint": check["hint"]} for check in bad]


def pruned_lines(files: list[Mapping[str, Any]], dry_run: bool) -> list[str]:
    """A line for each backup: whether it goes, and why."""
    word = "would remove" if dry_run else "removed"
    return [f"{word if each['removed'] else 'keeps'} {each['tier']}/{each['file']}: {each['reason']}" for each in files]


def services_of_roles(probe: Mapping[str, Any], roles: list[str]) -> list[str]:
    """Services that have rendered files and belong to one of the roles: redis → redis-queue, redis-cache."""
    prefixes = tuple(f"{role}-" for role in roles)
    return [name for name in sorted(probe["files"]) if name in roles or name.startswith(prefixes)]


def unwell_services(probe: Mapping[str, Any], stack: Mapping[str, str], expected: list[str]) -> list[dict[str, str]]:
    """A finding for each expected service that is not running in good health."""
    there = stack_containers(probe["containers"], stack)
    findings = [] if expected else [{"where": stack["id"], "what": "no service is expected", "hint": "see inventory"}]
    for name in expected:
        item = there.get(name)
        if item is None or item["state"] != "running" or item["health"] != "healthy":
            what = "not there" if item is None else f"{item['state']}, {item['health']} ({item['status']})"
            hint = f"docker logs {stack['id']}-{name}; make deploy ENV={stack['environment']}"
            findings.append({"where": f"service {name}", "what": what, "hint": hint})
    return findings + _failed_versions(there, stack, expected)


def _failed_versions(there: Mapping[str, Any], stack: Mapping[str, str], expected: list[str]) -> list[dict[str, str]]:
    """The other colour of an expected one, where it is not well: it takes no traffic, and is started for ever."""
    others = {_OTHER_COLOUR.sub(lambda match: COLOURS[match[0]], name) for name in expected} - set(expected)
    ill = {
        name: item
        for name, item in there.items()
        if name in others and (item["state"] != "running" or item["health"] == "unhealthy")
    }
    return [
        {
            "where": f"service {name}",
            "what": f"a version that failed is still there: {item['state']}, {item['health']} ({item['status']})",
            "hint": f"make deploy ENV={stack['environment']} removes it",
        }
        for name, item in ill.items()
    ]


def guard_findings(guard: Mapping[str, Any], wanted: str, environment: str) -> list[dict[str, str]]:
    """What is not well with the engine's guard: `guard` is what it wrote of itself last, `wanted` its mode."""
    told = guard_text(guard)
    if wanted == "off" or (told == f"{guard.get('mode')}, {guard.get('profile')}" and _as_wanted(guard, wanted)):
        return []
    hint = f"sudo ledgerguard check --existing; make deploy ENV={environment}; docs/runbooks/guard-down.md"
    return [{"where": "engine guard", "what": f"{told} (wanted: {wanted})", "hint": hint}]


def guard_text(guard: Mapping[str, Any]) -> str:
    """One line of what the guard does now."""
    if not guard or guard["age_seconds"] > GUARD_SILENT_SECONDS:
        return "NOT ACTIVE here" + (f": silent for {guard['age_seconds']} s" if guard else "")
    text = f"{guard.get('mode')}, {guard.get('profile')}"
    text += f"; fault: {guard['fault']}" if guard.get("fault") else ""
    check = guard.get("check") or {}
    if check.get("verdict", "ok") == "ok":
        return text
    return f"{text}; check at {check.get('time')}: {check.get('text')}"


def guard_invitation(guard: Mapping[str, Any], environment: str, volume: str) -> list[str]:
    """What an operator can do about the guard: in dev see it refuse, anywhere turn on one that only observes."""
    if not guard or guard["age_seconds"] > GUARD_SILENT_SECONDS:
        return []
    if guard.get("mode") == "observe":
        command = f"ENV={environment} scripts/play deploy -e volume_guard_mode=enforce"
        return [f"nothing is refused yet; turn it on: {command}"]
    if guard.get("mode") == "enforce" and environment == "dev":
        return [f"try the command that lost the data once: docker volume rm -f {volume}"]
    return []


def _as_wanted(guard: Mapping[str, Any], wanted: str) -> bool:
    either = wanted in ("auto", "observe-first")
    return guard.get("mode") in (("enforce", "observe") if either else (wanted,))


def foreign_sentinels(sentinels: Mapping[str, str | None], stack: str, environment: str) -> list[str]:
    """Directories whose sentinel names another stack or environment, or cannot be read as one."""
    foreign = []
    for name, text in sentinels.items():
        if text is None:
            continue
        try:
            seen = json.loads(text)
            ours = seen.get("stack") == stack and seen.get("environment") == environment
        except (ValueError, AttributeError):
            ours = False
        if not ours:
            foreign.append(name)
    return foreign


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by the name that playbooks use."""
        return {
            "deployment_facts": deployment_facts,
            "foreign_sentinels": foreign_sentinels,
            "guard_findings": guard_findings,
            "guard_invitation": guard_invitation,
            "guard_text": guard_text,
            "proven_backup_due": proven_backup_due,
            "pruned_lines": pruned_lines,
            "services_of_roles": services_of_roles,
            "stack_containers": stack_containers,
            "unwell_services": unwell_services,
            "vault_checks": vault_checks,
            "vault_findings": vault_findings,
        }
