"""One container service: from its short description to a hardened compose project, and whether it stands.

A module of its own because every service role hands the same kind of description to role `service`; the safe choices
(no root, read-only, no capabilities, limits, a real health check) are made here once, and cannot be forgotten by one.

A description (see roles/service/meta/argument_specs.yml) is a mapping with `name`, `image`, `uid` and, as wanted,
`command`, `entrypoint`, `environment`, `networks`, `ports`, `protected` (volume → target), `volumes`, `tmpfs`,
`memory_mb`, `healthcheck`, `secrets` (file → template), `files` (path → content), `inputs`, `exec` (commands that the
engine's guard lets be run inside), `ready` (a command inside that a deploy waits for, instead of
the container's health).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Description = Mapping[str, Any]
Stack = Mapping[str, str]

_HEALTH = {"interval": "10s", "timeout": "5s", "retries": 6, "start_period": "60s"}
_START_INTERVAL_SINCE = 25  # the engine's major version that can check more often while a container starts
_KNOWN = {
    "cap_add", "command", "entrypoint", "environment", "exec", "files", "gates", "grace_seconds", "healthcheck",
    "image", "inputs", "memory_mb", "mounts", "name", "networks", "oneoff", "ports", "protected", "read_only",
    "ready", "secrets", "shm_mb", "stop_signal", "tmpfs", "uid", "volumes", "working_dir",
}  # fmt: skip
_SECRET = re.compile(r"\{(?:secret|url|sha256):([a-z0-9_]+)\}")  # a reference in a secret's template
_NEEDED = {"name", "image", "uid", "networks", "memory_mb"}


class DescriptionError(ValueError):
    """A service's description that cannot be built."""


def digest(content: Any) -> str:
    """sha256 of any plain value, the same for the same content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def tree_content_digest(roots: list[str], base: str) -> str:
    """sha256 over path and content of every file below `roots` (paths relative to `base`); byte code left out."""
    total = hashlib.sha256()
    for root in roots:
        top = Path(base, root)
        if not top.exists():  # nothing would be compared with nothing, and always be the same
            raise DescriptionError(f"{top}: not there, so no digest of it\nHINT: correct the role's list of sources")
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                total.update(f"{path.relative_to(base)}\0".encode())
                total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def compose_project(description: Description, stack: Stack) -> dict[str, Any]:
    """The compose project of one service. `stack` has id, name, environment and config_root."""
    _check(description)
    name, uid = str(description["name"]), int(description["uid"])
    memory = f"{int(description['memory_mb'])}m"
    service: dict[str, Any] = {
        "container_name": f"{stack['id']}-{name}",
        "hostname": f"{stack['id']}-{name}",
        "image": description["image"],
        "pull_policy": "never",
        "user": f"{uid}:{uid}",
        "read_only": description.get("read_only", True),
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "init": True,
        # Not unless-stopped: a killed engine (26.1) notes its containers as stopped by hand when it starts again.
        "restart": "no" if description.get("oneoff") else "always",
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": 512,
        "tmpfs": ["/tmp:mode=1777,size=64m", *description.get("tmpfs", [])],  # noqa: S108 the container's own, for good
        "logging": {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}},
        "healthcheck": _healthcheck(description, stack),
        "stop_grace_period": f"{int(description.get('grace_seconds', 30))}s",
        "labels": _labels(description, stack),
        "volumes": _volumes(description, stack),
        "networks": list(description["networks"]),
        # Without this compose would make a network of the project's own, with a way out.
        "network_mode": None if description["networks"] else "none",
        **_optional(description),
    }
    return {
        "name": f"{stack['id']}-{name}",
        "services": {name: {key: setting for key, setting in service.items() if setting not in ([], {}, None)}},
        "networks": {
            network: {"external": True, "name": f"{stack['id']}-{network}"} for network in description["networks"]
        },
        "volumes": {
            volume: {"external": True, "name": f"{stack['volume_prefix']}_{volume}"}
            for volume in [*description.get("protected", {}), *description.get("mounts", {})]
        },
    }


def _check(description: Description) -> None:
    name = description.get("name", "?")
    if unknown := sorted(set(description) - _KNOWN):
        raise DescriptionError(f"service {name}: unknown keys {', '.join(unknown)} in its description")
    required = _NEEDED if description.get("oneoff") else _NEEDED | {"healthcheck"}
    if missing := sorted(required - set(description)):
        raise DescriptionError(f"service {name}: {', '.join(missing)} missing in its description")
    if not int(description["uid"]):
        raise DescriptionError(f"service {name}: uid 0; a service never runs as root")
    if any("docker.sock" in str(volume) for volume in description.get("volumes", [])):
        raise DescriptionError(f"service {name}: no container gets the engine's socket")
    if description.get("protected") and not (description.get("entrypoint") or description.get("command")):
        raise DescriptionError(
            f"service {name}: protected volumes, but no entrypoint or command to start after a check"
        )


def _healthcheck(description: Description, stack: Stack) -> dict[str, Any]:
    if description.get("oneoff"):
        return {"disable": True}
    major = str(stack.get("engine_version", "")).split(".")[0]
    often = {"start_interval": "1s"} if major.isdigit() and int(major) >= _START_INTERVAL_SINCE else {}
    return {**_HEALTH, **often, **description["healthcheck"]}


def _labels(description: Description, stack: Stack) -> dict[str, str]:
    content = digest([description.get("files", {}), description.get("protected", {})])
    return {
        "com.ledgerflow.stack": stack["name"],
        "com.ledgerflow.environment": stack["environment"],
        "com.ledgerflow.service": str(description["name"]),
        "com.ledgerflow.content": content[:16],
        "com.ledgerflow.secrets": "@SECRETS@",  # filled on the host: a changed secret makes another container
    }


def _volumes(description: Description, stack: Stack) -> list[str]:
    root = f"{stack['config_root']}/{description['name']}"
    volumes = [f"{root}/config:/config:ro", f"{root}/secrets:/run/secrets:ro"]
    if description.get("gates"):
        volumes.append(f"{stack['config_root']}/state/gates:/gates:ro")
    by_name = {**description.get("protected", {}), **description.get("mounts", {})}
    return [*volumes, *(f"{volume}:{target}" for volume, target in by_name.items()), *description.get("volumes", [])]


def _optional(description: Description) -> dict[str, Any]:
    entrypoint = description.get("entrypoint")
    if description.get("protected"):
        entrypoint = ["/bin/sh", "/config/start", *description.get("entrypoint", [])]
    return {
        "entrypoint": entrypoint,
        "command": description.get("command"),
        "cap_add": description.get("cap_add"),
        "working_dir": description.get("working_dir"),
        "environment": {key: str(setting) for key, setting in description.get("environment", {}).items()},
        "ports": description.get("ports", []),
        "stop_signal": description.get("stop_signal"),
        "shm_size": f"{description['shm_mb']}m" if "shm_mb" in description else None,
    }


def service_inputs(description: Description, sources: str) -> str:
    """The fingerprint of all that goes into a service: its description and the digest of the sources that render it."""
    return digest([description, sources])


def secrets_stored(description: Description, probe: Mapping[str, Any]) -> bool:
    """Whether the store has every secret the service is made with; one that is gone is to be made anew."""
    used = {name for template in description.get("secrets", {}).values() for name in _SECRET.findall(str(template))}
    return used <= set(probe["secrets"])


def service_changed(description: Description, probe: Mapping[str, Any], sources: str) -> bool:
    """Whether the service would be another one than the one last deployed, whatever state that one is in now."""
    recorded = probe["fingerprints"].get(str(description["name"]), {})
    return recorded.get("inputs") != service_inputs(description, sources) or not secrets_stored(description, probe)


def service_is_current(description: Description, probe: Mapping[str, Any], stack: Stack, sources: str) -> bool:
    """Whether the host already has exactly this service, running and healthy, so that nothing need be done.

    Every part is looked at afresh by the probe: the recorded fingerprint must match the inputs, the rendered files
    must be as they were left (content, owner, mode), the store must have its secrets, and the container must run the
    same image in good health. Where a guard is (`stack` has guarded), it must be declared.
    """
    name = str(description["name"])
    recorded = probe["fingerprints"].get(name, {})
    container = probe["containers"].get(f"{stack['id']}-{name}", {})
    return (
        bool(recorded)
        and (not stack.get("guarded") or name in probe["declarations"])
        and not service_changed(description, probe, sources)
        and recorded.get("files") == probe["files"].get(name)
        and recorded.get("image_id") == container.get("image_id")
        and recorded.get("container") == container.get("id")
        and container.get("state") == "running"
        and container.get("health") == "healthy"
    )


def service_fingerprints(deployed: Mapping[str, str], probe: Mapping[str, Any], stack: Stack) -> dict[str, Any]:
    """All fingerprints to record: those there were, and new ones of the services deployed now (name → inputs)."""
    fingerprints = dict(probe["fingerprints"])
    for name, inputs in deployed.items():
        container = probe["containers"].get(f"{stack['id']}-{name}", {})
        fingerprints[name] = {
            "inputs": inputs,
            "files": probe["files"].get(name, ""),
            "image_id": container.get("image_id", ""),
            "container": container.get("id", ""),
        }
    return fingerprints


def service_start_script(description: Description, config: str = "/config") -> str:
    """The sh script that lets a service start only on its own volumes, told by their sentinels.

    `config` is where the service's configuration is mounted. An empty sentinel is as bad as none.
    """
    lines = ["#!/bin/sh", "# Made by role service. Starts the service only on the volumes that are its own.", "set -eu"]
    lines += [
        "refuse() {",
        '  printf "%s: %s\\nHINT: %s\\n" "$1" "$2" "$3" >&2',
        "  sleep 5  # a restart policy would otherwise spin",
        "  exit 78",
        "}",
    ]
    for volume, target in description.get("protected", {}).items():
        sentinel, expected = f"{target}/.ledgerflow.json", f"{config}/sentinels/{volume}.json"
        lines += [
            f'if [ ! -f "{sentinel}" ] || [ ! -s "{sentinel}" ]; then',
            f'  refuse "volume {volume}" "no sentinel .ledgerflow.json in {target}: not the directory it should be, or '
            f'its disk is not mounted; nothing was initialised" "mount the disk and start again; make status shows '
            f'where it belongs"',
            "fi",
            f'if [ "$(cat "{sentinel}")" != "$(cat "{expected}")" ]; then',
            f'  refuse "volume {volume}" "the sentinel in {target} is another one: $(cat "{sentinel}")" '
            f'"expected $(cat "{expected}"); mount the right directory and start again"',
            "fi",
        ]
    return "\n".join([*lines, 'exec "$@"', ""])
