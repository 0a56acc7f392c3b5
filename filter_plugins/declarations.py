"""What a deploy declares to the engine's guard: its volumes, and which containers of ours may hold them.

A module of its own because the guard compares exactly: a grant has to say what compose will ask the engine for. What
is made here is read by `ledgerguard declare` (docs/guard-declarations.schema.json); nothing is asked of a container,
as all of it is declared before the first one is created.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Facts = Mapping[str, Any]

SCHEMA = 1


def volume_declarations(declared: Sequence[Facts], environment: str, profile: str) -> dict[str, Any]:
    """The protected volumes as they must be, without a grant. `declared`: what filter declared_volumes gives."""
    volumes = {
        one["name"]: {
            "environment": environment,
            "profile": profile,
            "driver": one["driver"],
            "options": dict(one["options"]),
            "labels": dict(one["labels"]),
        }
        for one in declared
        if one["protected"]
    }
    return {"schema": SCHEMA, "volumes": volumes}


def service_declarations(
    project: Facts, image: Facts, environment: str, protected: Sequence[str], patterns: Sequence[Facts] = ()
) -> dict[str, Any]:
    """The grants of a compose project's one service on those of its volumes that are protected.

    `project`: what filter compose_project gives; `image`: the engine's inspect of its image; `protected`: volumes by
    their short names; `patterns`: the commands that may be run inside ({argv, user, environment}).
    """
    (service,) = project["services"].values()
    mounts = [_mount(str(one), project["volumes"]) for one in service.get("volumes", [])]
    grant = {
        "container": service["container_name"],
        "images": [image["Id"]],
        **_program(service),
        "environment": sorted(service.get("environment", {})),
        "exec": [dict(pattern) for pattern in patterns],
    }
    held = {project["volumes"][name]["name"] for name in protected}
    volumes = {}
    for mount in mounts:
        if mount["source"] in held:
            others = [one for one in mounts if one is not mount] + _anonymous(service, image, mounts)
            own = {"target": mount["target"], "read_only": mount["read_only"], "mounts": others}
            volumes[mount["source"]] = {"environment": environment, "grants": [{**grant, **own}]}
    return {"schema": SCHEMA, "volumes": volumes}


def _program(service: Facts) -> dict[str, Any]:
    """What runs, as far as the service says so; the rest is the image's."""
    found = {key: service[key] for key in ("user", "working_dir") if key in service}
    found |= {key: _words(service[key]) for key in ("entrypoint", "command") if key in service}
    health = service.get("healthcheck", {})
    if "test" in health:
        found["healthcheck"] = _words(health["test"])
    return found


def _words(value: Sequence[str]) -> list[str]:
    """Compose reads `$$` as `$`."""
    return [str(word).replace("$$", "$") for word in value]


def _mount(spec: str, volumes: Facts) -> dict[str, Any]:
    """SOURCE:TARGET[:ro] of a compose file; a volume by the name that the engine knows."""
    source, target, *mode = spec.split(":")
    name = source if source.startswith("/") else volumes[source]["name"]
    return {"source": name, "target": target, "read_only": mode == ["ro"]}


def _anonymous(service: Facts, image: Facts, mounts: Sequence[Facts]) -> list[dict[str, Any]]:
    """A nameless volume for each that the image declares and the service puts nothing at."""
    taken = {mount["target"] for mount in mounts} | {str(one).split(":")[0] for one in service.get("tmpfs", [])}
    targets = (image.get("Config") or {}).get("Volumes") or {}
    return [{"source": "", "target": target, "read_only": False} for target in sorted(targets) if target not in taken]


def with_commands(document: Facts, patterns: Sequence[Facts]) -> dict[str, Any]:
    """The same declarations, whose grants also let these commands be run inside."""
    volumes = {
        name: {**one, "grants": [{**grant, "exec": [*grant.get("exec", []), *patterns]} for grant in one["grants"]]}
        for name, one in document["volumes"].items()
    }
    return {**document, "volumes": volumes}


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by the name that playbooks use."""
        return {
            "service_declarations": service_declarations,
            "volume_declarations": volume_declarations,
            "with_commands": with_commands,
        }
