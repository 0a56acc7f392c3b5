"""Whether somebody can be told of an incident.

A module of its own because it is asked before anything happens, and of the inventory alone: at 3 a.m. it is too late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ledgerflow.findings import Finding, finding

PLACE = "inventory/{environment}/group_vars/all/incident.yml"
WANTED = ("name", "reach", "for")
EXAMPLE = ("example.org", "+1 555 01")


def contact_findings(contacts: Any, environment: str) -> list[Finding]:
    """A finding {where, what, hint} where `contacts` names nobody, and for each entry that would reach nobody."""
    place = PLACE.format(environment=environment)
    if not isinstance(contacts, Sequence) or isinstance(contacts, str) or not contacts:
        return [_of_contacts(place, f"incident_contacts is {contacts!r}: nobody would be told of an incident")]
    faults = ((number, _fault(contact)) for number, contact in enumerate(contacts, 1))
    return [_of_contacts(place, f"incident_contacts, entry {number}: {fault}") for number, fault in faults if fault]


def _fault(contact: Any) -> str:
    if not isinstance(contact, Mapping):
        return f"{contact!r} is not {{name, reach, for}}"
    missing = [key for key in WANTED if not str(contact.get(key) or "").strip()]
    if missing:
        return f"{', '.join(missing)} not set"
    reach = str(contact["reach"])
    return f"{reach!r} is the example's" if any(example in reach for example in EXAMPLE) else ""


def _of_contacts(place: str, problem: str) -> Finding:
    return finding(place, problem, "name people and how they are reached there; docs/runbooks/incident.md")
