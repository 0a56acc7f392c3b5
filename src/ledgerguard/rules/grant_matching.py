"""Whether a container is what was declared: an owner of all that it holds, or a member of a stack.

A module of its own because holding a volume, joining a network and running a command ask the same of a container, and
`granting` tries on it what it made. Pure but for the look-ups.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledgerguard.api import gojson
from ledgerguard.declarations.model import Grant, OtherMount
from ledgerguard.model import Container, Image, Mount
from ledgerguard.rules import container_description, host_areas, host_config

# The network of a container for which nobody named one.
DEFAULT_NETWORKS = frozenset({"", "default", "bridge"})
WITHOUT_NETWORK = frozenset({"none", "host"})  # compared as the host configuration's network mode
Grants = Mapping[str, Sequence[Grant]]  # by volume; of each container one for each version


@dataclass(frozen=True)
class Names:
    """What a comparison asks of the engine: the image with an id, the name of a network."""

    image: Callable[[str], Image | None]
    network: Callable[[str], str] = str


def grants_fault(container: Container, held: tuple[Mount, ...], grants: Grants, names: Names) -> str:
    """What is not as these grants say; "" when they let the container hold all it holds."""
    inside = host_config.reaches_inside(container.host) or ", ".join(host_config.joined(container.host))
    if inside:
        return f"an owner with {inside}"
    for mount in held:
        if mount.source not in grants:
            return "no grant names this container" if not grants else f"its grants do not name {mount.source}"
    hidden = _hidden(container, held)
    if hidden:
        return f"a tmpfs at {hidden} would hide its data"
    faults = (_of_all(_holder_faults(container, mount, held, grants, names)) for mount in held)
    return next(filter(None, faults), "")


def fitting(container: Container, held: tuple[Mount, ...], grants: Grants, names: Names) -> list[Grant]:
    """The grants, of whichever version, that are exactly this container."""
    return [
        grant
        for mount in held
        for grant in grants.get(mount.source, ())
        if not _holder_fault(container, mount, held, grant, grants, names)
    ]


def member_fault(container: Container, held: tuple[Mount, ...], said: Sequence[Grant], names: Names) -> str:
    """What is not as any of these descriptions of the container says; "" when it is one of them."""
    inside = host_config.reaches_inside(container.host) or ", ".join(host_config.joined(container.host))
    if inside:
        return f"a member with {inside}"
    return _of_all(_member_fault(container, held, one, names) for one in said)


def _of_all(faults: Iterator[str]) -> str:
    """Nothing where one version fits, else what the newest one says."""
    first = ""
    for fault in faults:
        if not fault:
            return ""
        first = first or fault
    return first or "nothing is declared of it"


def _holder_faults(
    container: Container, mount: Mount, held: tuple[Mount, ...], grants: Grants, names: Names
) -> Iterator[str]:
    return (_holder_fault(container, mount, held, grant, grants, names) for grant in grants[mount.source])


def _holder_fault(
    container: Container, mount: Mount, held: tuple[Mount, ...], grant: Grant, grants: Grants, names: Names
) -> str:
    others = (*grant.mounts, *(other for some in grants.values() for one in some for other in one.mounts))
    return (
        _mount_fault(mount, grant)
        or _program_fault(container, grant, names.image)
        or _others_fault(container, held, others)
        or _description_fault(container, grant, names)
    )


def _member_fault(container: Container, held: tuple[Mount, ...], grant: Grant, names: Names) -> str:
    return (
        _program_fault(container, grant, names.image)
        or _others_fault(container, held, grant.mounts)
        or _description_fault(container, grant, names)
    )


def _description_fault(container: Container, grant: Grant, names: Names) -> str:
    """All that schema 1 said nothing of."""
    if grant.host is None:
        return ""
    image = names.image(container.image)
    return (
        container_description.host_fault(container, grant.host)
        or container_description.config_fault(container, grant.config, image)
        or container_description.environment_fault(grant.container, container.environment, grant.values, image)
        or _missing_fault(container, grant)
        or _network_fault(container, grant, names.network)
    )


def _missing_fault(container: Container, grant: Grant) -> str:
    """A declared mount that is not there: the program would find something else, or nothing, at its place."""
    named = [one.target for one in grant.mounts if one.source and not _anonymous(one.source)]
    missing = container_description.missing_mount(container.mounts, filter(None, [grant.target, *named]))
    return f"nothing is mounted at {missing}" if missing else ""


def _anonymous(source: str) -> bool:
    """A volume that was named by the engine: another container has another one."""
    return len(source) == 64 and set(source) <= set("0123456789abcdef")


def _network_fault(container: Container, grant: Grant, name_of: Callable[[str], str]) -> str:
    """A network or a name there that is not declared. Fewer are no fault: older clients join one after the other."""
    for one in container.endpoints:
        if one.network in WITHOUT_NETWORK or (not grant.networks and one.network in DEFAULT_NETWORKS):
            continue
        name = name_of(one.network)
        if name not in grant.networks:
            return f"network {name or one.network[:64]} is not declared"
        names = {*grant.networks[name], grant.container}
        if unknown := sorted(set(one.aliases) - names):
            return f"its name {unknown[0][:64]!r} in network {name} is not declared"
        if one.odd:
            return f"setting {one.odd} of network {name}"
    return ""


def _hidden(container: Container, held: tuple[Mount, ...]) -> str:
    """A tmpfs at or below a held volume: the owner would see an empty directory, and may begin a fresh ledger there."""
    spots = [*gojson.mapping(container.host.get("tmpfs"), "Tmpfs")]
    spots += [mount.target for mount in container.mounts if mount.kind == "tmpfs"]
    plain = [posixpath.normpath("/" + spot.lstrip("/")) for spot in spots]
    return next((spot for spot in plain for mount in held if host_areas.within(spot, mount.target)), "")


def _mount_fault(mount: Mount, grant: Grant) -> str:
    if posixpath.normpath(mount.target) != grant.target:
        return f"target {mount.target!r}, granted {grant.target!r}"
    if grant.read_only and not mount.read_only:
        return "granted read-only"
    return mount.odd or ("shared propagation" if mount.propagates else "")


def _program_fault(container: Container, grant: Grant, image_of: Callable[[str], Image | None]) -> str:
    """Image, entrypoint, command, user, directory, health check, environment: as granted, or as the image has it."""
    if container.image not in grant.images:
        return f"image {container.image[:19] or 'unknown to the engine'} is not granted"
    image = image_of(container.image)
    if image is None:
        return f"image {container.image[:19]} is not known to the engine"
    if grant.entrypoint is None:
        command = image.command if grant.command is None else grant.command
    else:  # an entrypoint of its own drops the image's command
        command = grant.command or ()
    wanted = {
        "entrypoint": (image.entrypoint if grant.entrypoint is None else grant.entrypoint, container.entrypoint),
        "command": (command, container.command),
        "user": (image.user if grant.user is None else grant.user, container.user),
        "working directory": (grant.working_dir or image.working_dir, container.working_dir),
    }
    for what, (granted, found) in wanted.items():
        if granted != found:
            return f"{what} {_short(found)}, granted {_short(granted)}"
    health = image.healthcheck if grant.healthcheck is None else grant.healthcheck
    if container.healthcheck not in (health, ("NONE",), ()):
        return f"health check {_short(container.healthcheck)}, granted {_short(health)}"
    return _environment_fault(container, grant, image)


def _environment_fault(container: Container, grant: Grant, image: Image) -> str:
    known = {*grant.environment, *grant.values, *image.environment}
    engines = container_description.ENGINES_PATH if grant.described else ""
    return next(
        (f"environment {one.partition('=')[0]} is not granted" for one in container.environment
         if one not in known and one.partition("=")[0] not in known and one != engines), ""
    )  # fmt: skip


def _short(value: object) -> str:
    text = " ".join(value) if isinstance(value, tuple) else str(value)
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _others_fault(container: Container, held: tuple[Mount, ...], granted: Sequence[OtherMount]) -> str:
    others = (mount for mount in container.mounts if mount not in held)
    return next((fault for mount in others if (fault := _other_fault(mount, granted))), "")


def _other_fault(mount: Mount, granted: Sequence[OtherMount]) -> str:
    if mount.kind == "tmpfs":
        return mount.odd
    source = mount.source if mount.named else ""
    if mount.options:
        return f"mount {source or 'of an anonymous volume'} at {mount.target} has options of its own"
    for other in granted:
        if (source, mount.target) == (other.source, other.target) and (mount.read_only or not other.read_only):
            return ""
    return f"mount {source or 'of an anonymous volume'} at {mount.target} is not granted"
