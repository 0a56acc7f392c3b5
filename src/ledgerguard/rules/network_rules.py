"""The rules for requests about networks: create, connect.

A module of its own because the names of a container in a network are part of its description.
"""

from __future__ import annotations

from dataclasses import replace

from ledgerguard.api import containers, gojson
from ledgerguard.refusal import Refused, lost
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
        if host_config.leads_away(name):
            raise Refused(f"network driver {name[:60]!r} is a path", "a driver's name")


def connect(call: Call) -> None:
    """A container's names in a network are part of what it is there."""
    body = gojson.struct(gojson.parse(call.body), "the body")
    endpoint = containers.endpoint(call.names["network"], body.get("endpointconfig"))
    for found in ownership.meant(gojson.text(body.get("container"), "Container"), call.scene):
        # Older engines are asked to connect the one that replaces another before it has its final name.
        container = found if found.running else replace(found, name=ownership.final_name(found.name))
        held = ownership.protected_mounts(container, call.scene)
        network_membership.check_endpoints(container, held, (endpoint,), call.scene)
        wrong = ownership.owner_fault(replace(container, endpoints=(endpoint,)), held, call.scene) if held else ""
        written = ownership.written_volumes(container, call.scene)
        if wrong and written:
            raise lost(written, "mount", f"connecting its owner {container.name}: {wrong}", "make deploy")
