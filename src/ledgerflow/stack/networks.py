"""The networks of a stack: what they must be, which are missing, and which of the engine's are not what they should be.

A module of its own because a network that is not internal lets the database out, and the engine keeps a network's
options for good: what is there is judged before anything is made, and what was made is judged again.

A network as the engine has it is {driver, internal, labels}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ledgerflow.findings import Finding, finding

Network = Mapping[str, Any]

DRIVER = "bridge"
LABEL = "com.ledgerflow.network"


def networks_missing(
    networks: Iterable[Network], stack_id: str, present: Mapping[str, Network]
) -> list[dict[str, Any]]:
    """The networks to make: {name, internal, labels}."""
    return [network for network in _declared(networks, stack_id) if network["name"] not in present]


def networks_findings(networks: Iterable[Network], stack_id: str, present: Mapping[str, Network]) -> list[Finding]:
    """Networks that have one of our names and are not as declared."""
    findings = []
    for network in _declared(networks, stack_id):
        existing = present.get(network["name"])
        if existing is None:
            continue
        expected = {"driver": DRIVER, "internal": network["internal"], f"label {LABEL}": network["name"]}
        actual = {
            "driver": existing["driver"],
            "internal": bool(existing["internal"]),
            f"label {LABEL}": existing["labels"].get(LABEL, "missing"),
        }
        findings += [
            finding(
                f"network {network['name']}",
                f"{aspect} is {_text(actual[aspect])}, {_text(setting)} is declared",
                f"docker network inspect {network['name']}; if nothing else needs it: "
                f"docker network rm {network['name']}",
            )
            for aspect, setting in expected.items()
            if actual[aspect] != setting
        ]
    return findings


def networks_listed(lines: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Networks by name, from `docker network ls --format json`, where everything is text."""
    networks = (json.loads(line) for line in lines)
    return {
        network["Name"]: {
            "driver": network["Driver"],
            "internal": network["Internal"] == "true",
            "labels": dict(label.split("=", 1) for label in network["Labels"].split(",") if "=" in label),
        }
        for network in networks
    }


def _declared(networks: Iterable[Network], stack_id: str) -> list[dict[str, Any]]:
    names = [(f"{stack_id}-{network['name']}", bool(network["internal"])) for network in networks]
    return [{"name": name, "internal": internal, "labels": {LABEL: name}} for name, internal in names]


def _text(setting: Any) -> str:
    return str(setting).lower() if isinstance(setting, bool) else str(setting)
