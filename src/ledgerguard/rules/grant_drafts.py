"""From a container, as the engine shows it, to the grants that let exactly this container hold its volumes. Pure.

A module of its own because it is the judge's question turned round: `holding` compares a container with its grants, and
what is made here is tried on `holding` before anybody declares it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from ledgerguard.api import containers
from ledgerguard.declarations.model import NAME, Grant, OtherMount, Pattern
from ledgerguard.model import Container, Image, Mount
from ledgerguard.rules import container_description, grant_matching


class GrantError(ValueError):
    """What keeps a container from being granted, with the value seen."""


def grants_of(
    container: Container, image: Image, volumes: Collection[str] = (), patterns: tuple[Pattern, ...] = ()
) -> dict[str, Grant]:
    """volume → grant, of the volumes named or of all that the container mounts by name. `patterns`: what may be run
    inside.

    What the container has from its image is left to the image. Of the environment's values digests are kept, as they
    may be secrets. Raises GrantError where there is no volume, or no grant would let the container in.
    """
    known = [mount for mount in container.mounts if mount.kind == "volume" and mount.source]
    held = tuple(mount for mount in known if (mount.source in volumes if volumes else mount.named))
    if not held and not volumes:
        raise GrantError(f"container {container.name}: it mounts no volume by its name, so there is nothing to grant")
    if missing := sorted(set(volumes) - {mount.source for mount in held}):
        there = ", ".join(mount.source for mount in known) or "none"
        raise GrantError(f"container {container.name}: volume {missing[0]} is not mounted (mounted: {there})")
    if not NAME.fullmatch(container.name):
        raise GrantError(f"container {container.name!r}: not a name that can be granted")
    made = {mount.source: _grant(container, image, mount, patterns) for mount in held}
    grants = {volume: (grant,) for volume, grant in made.items()}
    fault = grant_matching.grants_fault(container, held, grants, grant_matching.Names({container.image: image}.get))
    if fault:
        raise GrantError(f"container {container.name}: no grant lets it hold its volumes: {fault}")
    return made


def to_data(grant: Grant) -> dict[str, Any]:
    """The grant as declarations write it, without what is as by default."""
    return {key: value for key, value in asdict(grant).items() if value not in (None, (), False, {})}


def _grant(container: Container, image: Image, held: Mount, patterns: tuple[Pattern, ...]) -> Grant:
    own_entrypoint = container.entrypoint != image.entrypoint
    values = _values(container, image)
    # With an entrypoint of its own nothing of the image's command is left.
    own_command = container.command != (() if own_entrypoint else image.command)
    return Grant(
        container=container.name,
        images=(container.image,),
        target=held.target,
        read_only=held.read_only,
        entrypoint=container.entrypoint if own_entrypoint else None,
        command=container.command if own_command else None,
        user=container.user if container.user != image.user else None,
        working_dir=container.working_dir if container.working_dir != image.working_dir else None,
        healthcheck=container.healthcheck if container.healthcheck != image.healthcheck else None,
        environment=tuple(sorted(values)),
        mounts=_others(container, held),
        exec=patterns,
        host=container_description.settings(container.host),
        config=container_description.config_form(container, image),
        values=values,
        networks=_networks(container),
    )


def _values(container: Container, image: Image) -> dict[str, str]:
    own = (one.partition("=") for one in container_description.own_environment(container.environment, image))
    return {name: container_description.value_digest(container.name, name, value) for name, _, value in own}


def _networks(container: Container) -> dict[str, tuple[str, ...]]:
    """Of a container in the default network alone none is kept: that is the default."""
    joined = {
        one.network: one.aliases for one in container.endpoints if one.network not in grant_matching.WITHOUT_NETWORK
    }
    return joined if set(joined) - grant_matching.DEFAULT_NETWORKS else {}


def _others(container: Container, held: Mount) -> tuple[OtherMount, ...]:
    """All other mounts: as the engine has them, and as they were asked for, because the next request says it so."""
    asked = containers.asked_mounts(container.host)
    spelt = [form for mount in (*container.mounts, *asked) if _other(mount, held) for form in _forms(mount)]
    return tuple(dict.fromkeys(spelt))


def _other(mount: Mount, held: Mount) -> bool:
    return mount.kind != "tmpfs" and (mount.kind, mount.source) != (held.kind, held.source)


def _forms(mount: Mount) -> list[OtherMount]:
    """An anonymous volume has no name at first; compose hands it on to the next container by its name."""
    sources = [mount.source] if mount.named else ["", mount.source]
    return [OtherMount(source, mount.target, mount.read_only) for source in dict.fromkeys(sources)]
