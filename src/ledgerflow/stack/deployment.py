"""What a stack consists of now, for people and for the vault.

A module of its own because `state/deployment.json` is a contract with others (they must not ask the engine), and the
status table shows the same facts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ledgerflow.findings import finding
from ledgervault.model.health_rules import judge

COLOURS = {"blue": "green", "green": "blue"}
_OTHER_COLOUR = re.compile("(?<=-)(blue|green)$")

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
        "services": {
            name: {"image": container["image"], "image_id": container["image_id"]}
            for name, container in services.items()
        },
    }


def proven_backup_due(vault: Mapping[str, Any], limit_hours: float, now: datetime | None = None) -> bool:
    """Whether `state/vault.json` names no proven backup younger than the limit; one of the future does not count."""
    proven = vault.get("newest_proven") or {}
    try:
        taken_at = datetime.fromisoformat(str(proven["taken"]))
        age = (now or datetime.now(UTC)) - taken_at
    except (KeyError, ValueError, TypeError):  # TypeError: a time without a zone
        return True
    return not timedelta(0) <= age <= timedelta(hours=limit_hours)


def vault_checks(vault: Mapping[str, Any], now: datetime | None = None) -> list[dict[str, str]]:
    """What the vault itself says of its work, judged now by its own rule: result, text and hint of each check."""
    checks = judge(vault, now or datetime.now(UTC))
    return [{"result": check.result, "text": check.text, "hint": check.hint} for check in checks]


def vault_findings(vault: Mapping[str, Any], now: datetime | None = None) -> list[dict[str, str]]:
    """A finding for each thing that is bad: age, last failure, loss, queue. None in the first hour after a start."""
    bad = [check for check in vault_checks(vault, now) if check["result"] == "failed"]
    return [finding("backups", check["text"], check["hint"]) for check in bad]


def pruned_lines(files: list[Mapping[str, Any]], dry_run: bool) -> list[str]:
    """A line for each backup: whether it goes, and why."""
    word = "would remove" if dry_run else "removed"
    return [f"{word if file['removed'] else 'keeps'} {file['tier']}/{file['file']}: {file['reason']}" for file in files]


def services_of_roles(probe: Mapping[str, Any], roles: list[str]) -> list[str]:
    """Services that have rendered files and belong to one of the roles: redis → redis-queue, redis-cache."""
    prefixes = tuple(f"{role}-" for role in roles)
    return [name for name in sorted(probe["files"]) if name in roles or name.startswith(prefixes)]


def unwell_services(probe: Mapping[str, Any], stack: Mapping[str, str], expected: list[str]) -> list[dict[str, str]]:
    """A finding for each expected service that is not running in good health."""
    containers = stack_containers(probe["containers"], stack)
    findings = [] if expected else [finding(stack["id"], "no service is expected", "see inventory")]
    for name in expected:
        container = containers.get(name)
        if container is None or container["state"] != "running" or container["health"] != "healthy":
            problem = _state_text(container) if container else "not there"
            hint = f"docker logs {stack['id']}-{name}; make deploy ENV={stack['environment']}"
            findings.append(finding(f"service {name}", problem, hint))
    return findings + _failed_versions(containers, stack, expected)


def _state_text(container: Mapping[str, Any]) -> str:
    return f"{container['state']}, {container['health']} ({container['status']})"


def _failed_versions(
    containers: Mapping[str, Any], stack: Mapping[str, str], expected: list[str]
) -> list[dict[str, str]]:
    """The other colour of an expected one, where it is not well: it takes no traffic, and is started for ever."""
    other_colours = {_OTHER_COLOUR.sub(lambda match: COLOURS[match[0]], name) for name in expected} - set(expected)
    ill = {
        name: container
        for name, container in containers.items()
        if name in other_colours and (container["state"] != "running" or container["health"] == "unhealthy")
    }
    return [
        finding(
            f"service {name}",
            f"a version that failed is still there: {_state_text(container)}",
            f"make deploy ENV={stack['environment']} removes it",
        )
        for name, container in ill.items()
    ]


def guard_findings(guard: Mapping[str, Any], expected: str, environment: str) -> list[dict[str, str]]:
    """What is not well with the engine's guard: `guard` is what it wrote of itself last, `expected` its mode."""
    status = guard_text(guard)
    if expected == "off" or (
        status == f"{guard.get('mode')}, {guard.get('profile')}" and _is_expected_mode(guard, expected)
    ):
        return []
    hint = f"sudo ledgerguard check --existing; make deploy ENV={environment}; docs/runbooks/guard-down.md"
    return [finding("engine guard", f"{status} (wanted: {expected})", hint)]


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


def _is_expected_mode(guard: Mapping[str, Any], expected: str) -> bool:
    either = expected in ("auto", "observe-first")
    return guard.get("mode") in (("enforce", "observe") if either else (expected,))


def foreign_sentinels(sentinels: Mapping[str, str | None], stack: str, environment: str) -> list[str]:
    """Directories whose sentinel names another stack or environment, or cannot be read as one."""
    foreign = []
    for name, text in sentinels.items():
        if text is None:
            continue
        try:
            sentinel = json.loads(text)
            is_ours = sentinel.get("stack") == stack and sentinel.get("environment") == environment
        except (ValueError, AttributeError):
            is_ours = False
        if not is_ours:
            foreign.append(name)
    return foreign
