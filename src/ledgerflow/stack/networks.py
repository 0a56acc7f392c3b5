"""The networks of a stack: what they must be, which are missing, and which of the engine's are not what they should be.

A module of its own because a network that is not internal lets the database out, and the engine keeps a network's
options for good: what is there is judged before anything is made, and what was made is judged again.

A network as the engine has it is {driver, internal, labels}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

Finding = dict[str, str]
Network = Mapping[str, Any]

DRIVER = "bridge"
LABEL = "com.ledgerflow.network"


def networks_missing(items: Iterable[Network], stack_id: str, present: Mapping[str, Network]) -> list[dict[str, Any]]:
    """The networks to make: {name, internal, labels}."""
    return [network for network in _declared(items, stack_id) if network["name"] not in present]


def networks_findings(items: Iterable[Network], stack_id: str, present: Mapping[str, Network]) -> list[Finding]:
    """Networks that have one of our names and are not as declared."""
    findings = []
    for network in _declared(items, stack_id):
        there = present.get(network["name"])
        if there is None:
            continue
        wanted = {"driver": DRIVER, "internal": network["internal"], f"label {LABEL}": network["name"]}
        seen = {
            "driver": there["driver"],
            "internal": bool(there["internal"]),
            f"label {LABEL}": there["labels"].get(LABEL, "missing"),
        }
        findings += [
            {
                "where": f"network {network['name']}",
                "what": f"{what} is {_text(seen[what])}, {_text(value)} is declared",
                "hint": f"docker network inspect {network['name']}; if nothing else needs it: "
                f"docker network rm {network['name']}",
            }
            for what, value in wanted.items()
            if seen[what] != value
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


def _declared(items: Iterable[Network], stack_id: str) -> list[dict[str, Any]]:
    names = [(f"{stack_id}-{item['name']}", bool(item["internal"])) for item in items]
    return [{"name": name, "internal": internal, "labels": {LABEL: name}} for name, internal in names]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
