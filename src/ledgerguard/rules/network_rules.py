"""The rules for requests about networks: create, connect.

A module of its own because the names of a container in a network are part of its description.
"""

from __future__ import annotations

from dataclasses import replace

from ledgerguard.api import containers, gojson
from ledgerguard.refusal import Refusal, volume_refusal
from ledgerguard.rules import (
    host_config,
    network_membership,
    ownership,
)
from ledgerguard.rules.call import Call


def create_network(call: Call) -> None:
    """An unknown driver is a plugin's, which the engine looks for by that name as a path."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    addresses = gojson.struct(body.get("ipam"), "IPAM")
    driver, manager = gojson.text(body.get("driver"), "Driver"), gojson.text(addresses.get("driver"), "IPAM.Driver")
    for name in (driver, manager):
        if host_config.is_driver_path(name):
            raise Refusal(f"network driver {name[:60]!r} is a path", "a driver's name")


def connect_network(call: Call) -> None:
    """A container's names in a network are part of what it is there."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    endpoint = containers.parse_endpoint(call.names["network"], body.get("endpointconfig"))
    for recorded in ownership.find_containers(gojson.text(body.get("container"), "Container"), call.context):
        # Older engines are asked to connect the one that replaces another before it has its final name.
        container = (
            recorded if recorded.running else replace(recorded, name=ownership.name_after_replacement(recorded.name))
        )
        protected_mounts = ownership.find_protected_mounts(container, call.context)
        network_membership.check_endpoints(container, protected_mounts, (endpoint,), call.context)
        fault = (
            ownership.find_owner_fault(replace(container, endpoints=(endpoint,)), protected_mounts, call.context)
            if protected_mounts
            else ""
        )
        volumes = ownership.find_writable_volumes(container, call.context)
        if fault and volumes:
            raise volume_refusal(volumes, "mount", f"connecting its owner {container.name}: {fault}", "make deploy")
