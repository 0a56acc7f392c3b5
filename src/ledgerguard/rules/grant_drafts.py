"""Drafts the grants that let exactly one container, as the engine shows it, hold its volumes. Pure.

A module of its own because it is `grant_matching` the other way round: a draft is tried there before it is returned.
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


def draft_grants(
    container: Container, image: Image, volumes: Collection[str] = (), patterns: tuple[Pattern, ...] = ()
) -> dict[str, Grant]:
    """volume → grant, of the volumes named or of all that the container mounts by name. `patterns`: what may be run
    inside.

    What the container has from its image is left to the image. Of the environment's values digests are kept, as they
    may be secrets. Raises GrantError where there is no volume, or no grant would let the container in.
    """
    named_mounts = [mount for mount in container.mounts if mount.kind == "volume" and mount.source]
    granted_mounts = tuple(mount for mount in named_mounts if (mount.source in volumes if volumes else mount.is_named))
    if not granted_mounts and not volumes:
        raise GrantError(f"container {container.name}: it mounts no volume by its name, so there is nothing to grant")
    if missing := sorted(set(volumes) - {mount.source for mount in granted_mounts}):
        mounted = ", ".join(mount.source for mount in named_mounts) or "none"
        raise GrantError(f"container {container.name}: volume {missing[0]} is not mounted (mounted: {mounted})")
    if not NAME.fullmatch(container.name):
        raise GrantError(f"container {container.name!r}: not a name that can be granted")
    drafts = {mount.source: _draft_grant(container, image, mount, patterns) for mount in granted_mounts}
    grants = {volume: (grant,) for volume, grant in drafts.items()}
    fault = grant_matching.find_grants_fault(
        container, granted_mounts, grants, grant_matching.EngineNames({container.image: image}.get)
    )
    if fault:
        raise GrantError(f"container {container.name}: no grant lets it hold its volumes: {fault}")
    return drafts


def to_document(grant: Grant) -> dict[str, Any]:
    """The grant as declarations write it, without what is as by default."""
    return {key: value for key, value in asdict(grant).items() if value not in (None, (), False, {})}


def _draft_grant(container: Container, image: Image, mount: Mount, patterns: tuple[Pattern, ...]) -> Grant:
    has_entrypoint = container.entrypoint != image.entrypoint
    digests = _digest_values(container, image)
    # With an entrypoint of its own nothing of the image's command is left.
    has_command = container.command != (() if has_entrypoint else image.command)
    return Grant(
        container=container.name,
        images=(container.image,),
        target=mount.target,
        read_only=mount.read_only,
        entrypoint=container.entrypoint if has_entrypoint else None,
        command=container.command if has_command else None,
        user=container.user if container.user != image.user else None,
        working_dir=container.working_dir if container.working_dir != image.working_dir else None,
        healthcheck=container.healthcheck if container.healthcheck != image.healthcheck else None,
        environment=tuple(sorted(digests)),
        mounts=_companion_mounts(container, mount),
        exec=patterns,
        host=container_description.declarable_host_settings(container.host),
        config=container_description.normalize_config(container, image),
        values=digests,
        networks=_declared_networks(container),
    )


def _digest_values(container: Container, image: Image) -> dict[str, str]:
    variables = (
        variable.partition("=")
        for variable in container_description.environment_beside_image(container.environment, image)
    )
    return {name: container_description.digest_value(container.name, name, value) for name, _, value in variables}


def _declared_networks(container: Container) -> dict[str, tuple[str, ...]]:
    """Of a container in the default network alone none is kept: that is the default."""
    joined = {
        endpoint.network: endpoint.aliases
        for endpoint in container.endpoints
        if endpoint.network not in grant_matching.WITHOUT_NETWORK
    }
    return joined if set(joined) - grant_matching.DEFAULT_NETWORKS else {}


def _companion_mounts(container: Container, granted: Mount) -> tuple[OtherMount, ...]:
    """All other mounts: as the engine has them, and as they were asked for, because the next request says it so."""
    requested = containers.parse_mounts(container.host)
    companions = [
        form for mount in (*container.mounts, *requested) if _is_companion(mount, granted) for form in _spellings(mount)
    ]
    return tuple(dict.fromkeys(companions))


def _is_companion(mount: Mount, granted: Mount) -> bool:
    return mount.kind != "tmpfs" and (mount.kind, mount.source) != (granted.kind, granted.source)


def _spellings(mount: Mount) -> list[OtherMount]:
    """An anonymous volume has no name at first; compose hands it on to the next container by its name."""
    sources = [mount.source] if mount.is_named else ["", mount.source]
    return [OtherMount(source, mount.target, mount.read_only) for source in dict.fromkeys(sources)]
