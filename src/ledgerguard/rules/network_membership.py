"""Who may join a protected stack's networks, and under which names: the stack's own as declared, nobody else.

A module of its own because a name in a network decides whom the stack's programs believe: whoever is called like the
cache is asked for what is in it. Pure but for the look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledgerguard.api import gojson
from ledgerguard.model import Container, Endpoint, Mount
from ledgerguard.refusal import Refused
from ledgerguard.rules import grant_matching
from ledgerguard.rules.policy import Scene

_SHARED = "container:"


def check(container: Container, held: tuple[Mount, ...], others: Iterable[Container], scene: Scene) -> None:
    """Refuses a container that would join such a network otherwise than declared. `others`: those whose network it
    would share."""
    protected = scene.policy.declarations.networks
    if not protected:
        return
    for other in others:
        for name in sorted(joined(other.endpoints, scene) & protected):
            scene.unless_allowed(container, f"network of {other.name}", Refused(
                f"network {name}: it is a protected stack's, and {other.name} would share it", "docker run without it"
            ))  # fmt: skip
    check_endpoints(container, held, container.endpoints, scene)


def check_endpoints(
    container: Container, held: tuple[Mount, ...], endpoints: tuple[Endpoint, ...], scene: Scene
) -> None:
    protected = scene.policy.declarations.networks
    names = joined(endpoints, scene) & protected
    if not names:
        return
    said = scene.policy.declarations.descriptions_of(container.name)
    if any(not one.described and container.image in one.images for one in said):
        return  # by schema 1, until its stack is deployed again
    if said:
        fault = grant_matching.member_fault(container, held, said, scene.names)
        if fault:
            raise Refused(
                f"network {min(names)}: container {container.name} is not as declared: {fault}", "make deploy"
            )
        return
    for one in endpoints:
        name = scene.network(one.network)
        if name not in protected:
            continue
        scene.unless_allowed(container, f"network {name}", Refused(
            f"network {name}: it is a protected stack's, and this container is none of its own", "another network"
        ))  # fmt: skip
        taken = sorted(set(one.aliases) & _names_of(scene, name))
        if taken:
            raise Refused(f"network {name}: the name {taken[0][:64]!r} is one of the stack's own", "another name")


def joined(endpoints: Iterable[Endpoint], scene: Scene) -> frozenset[str]:
    """The networks' names."""
    return frozenset(scene.network(one.network) for one in endpoints)


def shared(container: Container) -> str:
    """The container whose network this one would share; "" if none."""
    mode = gojson.text(container.host.get("networkmode"), "NetworkMode")
    return mode.removeprefix(_SHARED) if mode.startswith(_SHARED) else ""


def _names_of(scene: Scene, network: str) -> frozenset[str]:
    """All names of the stack's own in a network."""
    own = (one for one in scene.policy.declarations.descriptions if network in one.networks)
    return frozenset().union(*(one.names for one in own))
