"""What a deploy declares to the engine's guard: its volumes, and which containers of ours may hold them.

A module of its own because the guard compares exactly: a grant has to say what compose will ask the engine for. What
is made here is read by `ledgerguard declare` (docs/guard-declarations.schema.json); nothing is asked of a container,
as all of it is declared before the first one is created.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

SCHEMA = 2
ROUNDS = 2_000  # as the guard has it (`descriptions.py`); a test compares
# Of a compose project's service: all that is read below, and what the engine compares with nothing.
_SAID = {
    "cap_add", "cap_drop", "command", "container_name", "entrypoint", "environment", "healthcheck", "hostname", "image",
    "init", "labels", "logging", "mem_limit", "memswap_limit", "network_mode", "networks", "pids_limit", "ports",
    "pull_policy", "read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "stop_signal", "tmpfs",
    "user", "volumes", "working_dir",
}  # fmt: skip
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"([0-9]+)([bkmg]?)b?", re.IGNORECASE)


def volume_declarations(declared: Sequence[Facts], environment: str, profile: str) -> dict[str, Any]:
    """The protected volumes as they must be, without a grant. `declared`: what filter declared_volumes gives."""
    volumes = {
        volume["name"]: {
            "environment": environment,
            "profile": profile,
            "driver": volume["driver"],
            "options": dict(volume["options"]),
            "labels": dict(volume["labels"]),
        }
        for volume in declared
        if volume["protected"]
    }
    return {"schema": SCHEMA, "volumes": volumes}


def network_declarations(networks: Sequence[Facts], stack_id: str) -> dict[str, Any]:
    """The stack's networks, which its own containers alone may join."""
    return {"schema": SCHEMA, "volumes": {}, "networks": [f"{stack_id}-{network['name']}" for network in networks]}


def service_declarations(
    project: Facts, image: Facts, environment: str, protected: Sequence[str], patterns: Sequence[Facts] = ()
) -> dict[str, Any]:
    """The grants of a compose project's one service on those of its volumes that are protected; without one, what it is
    as a member of the stack's networks.

    `project`: what filter compose_project gives; `image`: the engine's inspect of its image; `protected`: volumes by
    their short names; `patterns`: the commands that may be run inside ({argv, user, environment, tty, input}).
    """
    (service,) = project["services"].values()
    if unknown := sorted(set(service) - _SAID):
        problem = (
            f"service {service['container_name']}: the guard would not know {', '.join(unknown)} of its compose project"
        )
        raise ValueError(f"{problem}\nHINT: filter service_declarations has to say what compose makes of it")
    mounts = [_mount(str(mounted), project["volumes"]) for mounted in service.get("volumes", [])]
    container = service["container_name"]
    grant = {
        "container": container,
        "images": [image["Id"]],
        **_program(service),
        "environment": sorted(service.get("environment", {})),
        "values": {name: _digest(container, name, content) for name, content in service.get("environment", {}).items()},
        "exec": [dict(pattern) for pattern in patterns],
        "host": _host(service),
        "config": _config(service),
        "networks": {
            project["networks"][mounted]["name"]: _names(project, service) for mounted in service.get("networks", [])
        },
    }
    protected_names = {project["volumes"][name]["name"] for name in protected}
    volumes = {}
    for mount in mounts:
        if mount["source"] in protected_names:
            other_mounts = [mounted for mounted in mounts if mounted is not mount] + _anonymous(service, image, mounts)
            own_mount = {"target": mount["target"], "read_only": mount["read_only"], "mounts": other_mounts}
            volumes[mount["source"]] = {"environment": environment, "grants": [{**grant, **own_mount}]}
    if volumes:
        return {"schema": SCHEMA, "volumes": volumes}
    return {
        "schema": SCHEMA,
        "volumes": {},
        "members": [{**grant, "mounts": mounts + _anonymous(service, image, mounts)}],
    }


def _digest(container: str, name: str, content: Any) -> str:
    """Of a variable's value, which may be a secret. Compose reads `$$` as `$`."""
    plain = str(content).replace("$$", "$")
    return hashlib.pbkdf2_hmac("sha256", plain.encode(), f"{container}/{name}".encode(), ROUNDS).hex()


def _names(project: Facts, service: Facts) -> list[str]:
    """What compose calls it in its networks: by the service's name and the container's."""
    return [next(iter(project["services"])), service["container_name"]]


def _host(service: Facts) -> dict[str, Any]:
    """What compose makes of the service's keys in the engine's host configuration."""
    settings = {
        "Memory": _bytes(service.get("mem_limit")),
        "MemorySwap": _bytes(service.get("memswap_limit")),
        "PidsLimit": service.get("pids_limit"),
        "ShmSize": _bytes(service.get("shm_size")),
        "ReadonlyRootfs": service.get("read_only"),
        "Init": service.get("init"),
        "CapAdd": service.get("cap_add"),
        "CapDrop": service.get("cap_drop"),
        "SecurityOpt": service.get("security_opt"),
        "Tmpfs": dict(_tmpfs(str(spec)) for spec in service.get("tmpfs", [])),
        "LogConfig": _logs(service.get("logging")),
        "RestartPolicy": {"Name": service.get("restart", "no")},
        "PortBindings": _ports(service.get("ports", [])),
        "NetworkMode": service.get("network_mode"),
    }
    return {key: setting for key, setting in settings.items() if setting not in (None, False, 0, {}, [])}


def _bytes(size: Any) -> int:
    """Of 512m, as compose reads it; 0 where there is none."""
    match = _SIZE.fullmatch(str(size or 0))
    if match is None:
        raise ValueError(f"a size of {size!r} is not known here\nHINT: write it as 512m")
    return int(match[1]) * _UNITS[match[2].lower()]


def _tmpfs(spec: str) -> tuple[str, str]:
    target, _, words = spec.partition(":")
    return target, words


def _logs(logging: Facts | None) -> dict[str, Any] | None:
    return {"Type": logging["driver"], "Config": dict(logging.get("options", {}))} if logging else None


def _ports(ports: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """[ADDRESS:]HOST:CONTAINER of each published port."""
    bindings: dict[str, list[dict[str, str]]] = {}
    for spec in ports:
        *before, inside = str(spec).split(":")
        outside = before[-1] if before else ""
        bindings.setdefault(f"{inside}/tcp", []).append(
            {"HostIp": ":".join(before[:-1]).strip("[]"), "HostPort": outside}
        )
    return bindings


def _config(service: Facts) -> dict[str, Any]:
    settings = {
        "Hostname": service.get("hostname"),
        "StopSignal": service.get("stop_signal"),
        "StopTimeout": int(str(service["stop_grace_period"]).removesuffix("s"))
        if "stop_grace_period" in service
        else 0,
    }
    return {key: setting for key, setting in settings.items() if setting}


def _program(service: Facts) -> dict[str, Any]:
    """What runs, as far as the service says so; the rest is the image's."""
    program = {key: service[key] for key in ("user", "working_dir") if key in service}
    program |= {key: _words(service[key]) for key in ("entrypoint", "command") if key in service}
    health = service.get("healthcheck", {})
    if "test" in health:
        program["healthcheck"] = _words(health["test"])
    return program


def _words(words: Sequence[str]) -> list[str]:
    """Compose reads `$$` as `$`."""
    return [str(word).replace("$$", "$") for word in words]


def _mount(spec: str, volumes: Facts) -> dict[str, Any]:
    """SOURCE:TARGET[:ro] of a compose file; a volume by the name that the engine knows."""
    source, target, *mode = spec.split(":")
    name = source if source.startswith("/") else volumes[source]["name"]
    return {"source": name, "target": target, "read_only": mode == ["ro"]}


def _anonymous(service: Facts, image: Facts, mounts: Sequence[Facts]) -> list[dict[str, Any]]:
    """A nameless volume for each that the image declares and the service puts nothing at."""
    mounted = {mount["target"] for mount in mounts} | {str(spec).split(":")[0] for spec in service.get("tmpfs", [])}
    targets = (image.get("Config") or {}).get("Volumes") or {}
    return [{"source": "", "target": target, "read_only": False} for target in sorted(targets) if target not in mounted]


def with_commands(document: Facts, patterns: Sequence[Facts]) -> dict[str, Any]:
    """The same declarations, whose grants also let these commands be run inside."""
    volumes = {
        name: {
            **volume,
            "grants": [{**grant, "exec": [*grant.get("exec", []), *patterns]} for grant in volume["grants"]],
        }
        for name, volume in document["volumes"].items()
    }
    return {**document, "volumes": volumes}
