"""Whether a container is what was declared: an owner of all that it holds, or a member of a stack.

A module of its own because holding a volume, joining a network and running a command ask the same of a container, and
`grant_drafts` tries its drafts on it. Pure but for the look-ups.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ledgerguard.api import gojson
from ledgerguard.declarations.model import Grant, OtherMount
from ledgerguard.model import Container, Image, Mount
from ledgerguard.rules import container_description, host_areas, host_config

# The network of a container for which nobody named one.
DEFAULT_NETWORKS = frozenset({"", "default", "bridge"})
WITHOUT_NETWORK = frozenset({"none", "host"})  # compared as the host configuration's network mode
T = TypeVar("T")
Grants = Mapping[str, Sequence[Grant]]  # by volume; of each container one for each version


@dataclass(frozen=True)
class EngineNames:
    """What a comparison asks of the engine: the image with an id, the name of a network."""

    image: Callable[[str], Image | None]
    network: Callable[[str], str] = str


def find_grants_fault(
    container: Container, protected_mounts: tuple[Mount, ...], grants: Grants, names: EngineNames
) -> str:
    """What is not as these grants say; "" when they let the container hold all it holds."""
    power = host_config.find_remount_power(container.host) or ", ".join(host_config.shared_containers(container.host))
    if power:
        return f"an owner with {power}"
    for mount in protected_mounts:
        if mount.source not in grants:
            return "no grant names this container" if not grants else f"its grants do not name {mount.source}"
    hiding_target = _find_hiding_tmpfs(container, protected_mounts)
    if hiding_target:
        return f"a tmpfs at {hiding_target} would hide its data"
    faults = (
        _newest_fault(_owner_faults(container, mount, protected_mounts, grants, names)) for mount in protected_mounts
    )
    return next(filter(None, faults), "")


def find_matching_grants(
    container: Container, protected_mounts: tuple[Mount, ...], grants: Grants, names: EngineNames
) -> list[Grant]:
    """The grants, of whichever version, that are exactly this container."""
    return [
        grant
        for mount in protected_mounts
        for grant in grants.get(mount.source, ())
        if not _owner_fault(container, mount, protected_mounts, grant, grants, names)
    ]


def find_member_fault(
    container: Container, protected_mounts: tuple[Mount, ...], descriptions: Sequence[Grant], names: EngineNames
) -> str:
    """What is not as any of these descriptions of the container says; "" when it is one of them."""
    power = host_config.find_remount_power(container.host) or ", ".join(host_config.shared_containers(container.host))
    if power:
        return f"a member with {power}"
    return _newest_fault(_member_fault(container, protected_mounts, description, names) for description in descriptions)


def _newest_fault(faults: Iterator[str]) -> str:
    """Nothing where one version fits, else what the newest one says."""
    first = ""
    for fault in faults:
        if not fault:
            return ""
        first = first or fault
    return first or "nothing is declared of it"


def _owner_faults(
    container: Container, mount: Mount, protected_mounts: tuple[Mount, ...], grants: Grants, names: EngineNames
) -> Iterator[str]:
    return (_owner_fault(container, mount, protected_mounts, grant, grants, names) for grant in grants[mount.source])


def _owner_fault(
    container: Container,
    mount: Mount,
    protected_mounts: tuple[Mount, ...],
    grant: Grant,
    grants: Grants,
    names: EngineNames,
) -> str:
    companions = (
        *grant.mounts,
        *(companion for versions in grants.values() for other_grant in versions for companion in other_grant.mounts),
    )
    return (
        _mount_fault(mount, grant)
        or _program_fault(container, grant, names.image)
        or _companions_fault(container, protected_mounts, companions)
        or _description_fault(container, grant, names)
    )


def _member_fault(container: Container, protected_mounts: tuple[Mount, ...], grant: Grant, names: EngineNames) -> str:
    return (
        _program_fault(container, grant, names.image)
        or _companions_fault(container, protected_mounts, grant.mounts)
        or _description_fault(container, grant, names)
    )


def _description_fault(container: Container, grant: Grant, names: EngineNames) -> str:
    """All that schema 1 said nothing of."""
    if grant.host is None:
        return ""
    image = names.image(container.image)
    return (
        container_description.find_host_fault(container, grant.host)
        or container_description.find_config_fault(container, grant.config, image)
        or container_description.find_environment_fault(grant.container, container.environment, grant.values, image)
        or _missing_mount_fault(container, grant)
        or _network_fault(container, grant, names.network)
    )


def _missing_mount_fault(container: Container, grant: Grant) -> str:
    """A declared mount that is not there: the program would find something else, or nothing, at its place."""
    targets = [mount.target for mount in grant.mounts if mount.source and not _is_anonymous(mount.source)]
    missing = container_description.find_missing_mount(container.mounts, filter(None, [grant.target, *targets]))
    return f"nothing is mounted at {missing}" if missing else ""


def _is_anonymous(source: str) -> bool:
    """A volume that was named by the engine: another container has another one."""
    return len(source) == 64 and set(source) <= set("0123456789abcdef")


def _network_fault(container: Container, grant: Grant, find_name: Callable[[str], str]) -> str:
    """A network or a name there that is not declared. Fewer are no fault: older clients join one after the other."""
    for endpoint in container.endpoints:
        if endpoint.network in WITHOUT_NETWORK or (not grant.networks and endpoint.network in DEFAULT_NETWORKS):
            continue
        name = find_name(endpoint.network)
        if name not in grant.networks:
            return f"network {name or endpoint.network[:64]} is not declared"
        names = {*grant.networks[name], grant.container}
        if unknown := sorted(set(endpoint.aliases) - names):
            return f"its name {unknown[0][:64]!r} in network {name} is not declared"
        if endpoint.unsupported:
            return f"setting {endpoint.unsupported} of network {name}"
    return ""


def _find_hiding_tmpfs(container: Container, protected_mounts: tuple[Mount, ...]) -> str:
    """A tmpfs at or below a held volume: the owner would see an empty directory, and may begin a fresh ledger there."""
    targets = [*gojson.mapping(container.host.get("tmpfs"), "Tmpfs")]
    targets += [mount.target for mount in container.mounts if mount.kind == "tmpfs"]
    normalized = [posixpath.normpath("/" + spot.lstrip("/")) for spot in targets]
    return next(
        (spot for spot in normalized for mount in protected_mounts if host_areas.is_within(spot, mount.target)), ""
    )


def _mount_fault(mount: Mount, grant: Grant) -> str:
    if posixpath.normpath(mount.target) != grant.target:
        return f"target {mount.target!r}, granted {grant.target!r}"
    if grant.read_only and not mount.read_only:
        return "granted read-only"
    return mount.unsupported or ("shared propagation" if mount.propagates else "")


def _program_fault(container: Container, grant: Grant, find_image: Callable[[str], Image | None]) -> str:
    """Image, entrypoint, command, user, directory, health check, environment: as granted, or as the image has it."""
    if container.image not in grant.images:
        return f"image {container.image[:19] or 'unknown to the engine'} is not granted"
    image = find_image(container.image)
    if image is None:
        return f"image {container.image[:19]} is not known to the engine"
    inherited_command = image.command if grant.entrypoint is None else ()  # an entrypoint drops the image's command
    granted_and_actual = {
        "entrypoint": (_granted(grant.entrypoint, image.entrypoint), container.entrypoint),
        "command": (_granted(grant.command, inherited_command), container.command),
        "user": (_granted(grant.user, image.user), container.user),
        "working directory": (grant.working_dir or image.working_dir, container.working_dir),
    }
    for subject, (granted, actual) in granted_and_actual.items():
        if granted != actual:
            return f"{subject} {_shorten(actual)}, granted {_shorten(granted)}"
    healthcheck = _granted(grant.healthcheck, image.healthcheck)
    if container.healthcheck not in (healthcheck, ("NONE",), ()):
        return f"health check {_shorten(container.healthcheck)}, granted {_shorten(healthcheck)}"
    return _environment_fault(container, grant, image)


def _granted(declared: T | None, inherited: T) -> T:
    """What a grant says; as the image has it where the grant says nothing."""
    return inherited if declared is None else declared


def _environment_fault(container: Container, grant: Grant, image: Image) -> str:
    allowed = {*grant.environment, *grant.values, *image.environment}
    engine_path = container_description.ENGINE_PATH if grant.is_described else ""
    for variable in container.environment:
        name = variable.partition("=")[0]
        if not allowed & {variable, name} and variable != engine_path:
            return f"environment {name} is not granted"
    return ""


def _shorten(value: object) -> str:
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _companions_fault(container: Container, protected_mounts: tuple[Mount, ...], granted: Sequence[OtherMount]) -> str:
    companions = (mount for mount in container.mounts if mount not in protected_mounts)
    return next((fault for mount in companions if (fault := _companion_fault(mount, granted))), "")


def _companion_fault(mount: Mount, granted: Sequence[OtherMount]) -> str:
    if mount.kind == "tmpfs":
        return mount.unsupported
    source = mount.source if mount.is_named else ""
    if mount.options:
        return f"mount {source or 'of an anonymous volume'} at {mount.target} has options of its own"
    for companion in granted:
        if (source, mount.target) == (companion.source, companion.target) and (
            mount.read_only or not companion.read_only
        ):
            return ""
    return f"mount {source or 'of an anonymous volume'} at {mount.target} is not granted"
