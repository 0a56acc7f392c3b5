"""Who may join a protected stack's networks, and under which names: the stack's own as declared, nobody else.

A module of its own because a name in a network decides whom the stack's programs believe: whoever is called like the
cache is asked for what is in it. Pure but for the look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledgerguard.api import gojson
from ledgerguard.model import Container, Endpoint, Mount
from ledgerguard.refusal import Refusal
from ledgerguard.rules import grant_matching
from ledgerguard.rules.policy import Context

_CONTAINER_MODE = "container:"


def check_networks(
    container: Container, protected_mounts: tuple[Mount, ...], peers: Iterable[Container], context: Context
) -> None:
    """Refuses a container that would join such a network otherwise than declared. `peers`: those whose network it
    would share."""
    protected = context.policy.declarations.networks
    if not protected:
        return
    for peer in peers:
        for name in sorted(network_names(peer.endpoints, context) & protected):
            context.unless_allowed(container, f"network of {peer.name}", Refusal(
                f"network {name}: it is a protected stack's, and {peer.name} would share it", "docker run without it"
            ))  # fmt: skip
    check_endpoints(container, protected_mounts, container.endpoints, context)


def check_endpoints(
    container: Container, protected_mounts: tuple[Mount, ...], endpoints: tuple[Endpoint, ...], context: Context
) -> None:
    protected = context.policy.declarations.networks
    joined_names = network_names(endpoints, context) & protected
    if not joined_names:
        return
    descriptions = context.policy.declarations.descriptions_of(container.name)
    if any(not description.is_described and container.image in description.images for description in descriptions):
        return  # by schema 1, until its stack is deployed again
    if descriptions:
        fault = grant_matching.find_member_fault(container, protected_mounts, descriptions, context.names)
        if fault:
            raise Refusal(
                f"network {min(joined_names)}: container {container.name} is not as declared: {fault}", "make deploy"
            )
        return
    for endpoint in endpoints:
        name = context.network(endpoint.network)
        if name not in protected:
            continue
        context.unless_allowed(container, f"network {name}", Refusal(
            f"network {name}: it is a protected stack's, and this container is none of its own", "another network"
        ))  # fmt: skip
        taken_names = sorted(set(endpoint.aliases) & _stack_names(context, name))
        if taken_names:
            raise Refusal(f"network {name}: the name {taken_names[0][:64]!r} is one of the stack's own", "another name")


def network_names(endpoints: Iterable[Endpoint], context: Context) -> frozenset[str]:
    """The networks' names."""
    return frozenset(context.network(endpoint.network) for endpoint in endpoints)


def find_shared_network(container: Container) -> str:
    """The container whose network this one would share; "" if none."""
    mode = gojson.text(container.host.get("networkmode"), "NetworkMode")
    return mode.removeprefix(_CONTAINER_MODE) if mode.startswith(_CONTAINER_MODE) else ""


def _stack_names(context: Context, network: str) -> frozenset[str]:
    """All names of the stack's own in a network."""
    members = (member for member in context.policy.declarations.descriptions if network in member.networks)
    return frozenset().union(*(member.names for member in members))
