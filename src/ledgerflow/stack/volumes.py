"""Compares the volumes a stack declares with what the engine and the host have.

A module of its own because Docker's modules report `ok` on a volume whose labels or options are wrong and never change
them: whether a volume is the declared one has to be decided here, on data, before a service is put on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from ledgerflow.findings import message

Facts = Mapping[str, Any]

PROTECT = "com.ledgerflow.protect"
PAGE = " (docs/runbooks/recreate-volume.md)"
DRIVER = "local"
NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
MODE = re.compile(r"0[0-7]{2}0")
STACK = re.compile(r"[a-z][a-z0-9-]{0,30}")


def declared_volumes(
    volumes: Sequence[Facts], scratch: Sequence[Facts], stack: Facts, labels: Facts
) -> list[dict[str, Any]]:
    """The volumes as they must be: name, driver, labels, options; `path` is empty where the engine keeps the data.

    `stack`: name, environment, root, bind_backed. `labels`: the literal labels of protected and scratch volumes.
    """
    protected = [_declaration(volume, stack, labels["protected"], stack["bind_backed"]) for volume in volumes]
    return protected + [_declaration(volume, stack, labels["scratch"], False) for volume in scratch]


def _declaration(volume: Facts, stack: Facts, literal: Facts, bind_backed: bool) -> dict[str, Any]:
    directory = PurePosixPath(stack["root"]) / stack["name"] / stack["environment"] / volume["name"]
    path = str(directory) if bind_backed else ""
    owner = {"com.ledgerflow.service": volume["service"]} if volume.get("service") else {}
    return {
        "name": f"{stack['name']}_{stack['environment']}_{volume['name']}",
        "driver": DRIVER,
        "labels": {
            **literal,
            "com.ledgerflow.stack": stack["name"],
            "com.ledgerflow.environment": stack["environment"],
            **owner,
        },
        "options": {"type": "none", "o": "bind", "device": path} if path else {},
        "path": path,
        "protected": PROTECT in literal,
    }


def declaration_faults(volumes: Sequence[Facts], scratch: Sequence[Facts], stack: Facts) -> list[str]:
    """Refusals of names that could not be used, or would meet another volume's."""
    faults = []
    if not STACK.fullmatch(str(stack["name"])):
        faults.append(message("protected_volume_stack", f"{stack['name']!r} is no stack name", "a-z, 0-9 and hyphens"))
    if stack.get("bind_backed", True) and not PurePosixPath(stack["root"]).is_absolute():
        faults.append(message("protected_volume_root", f"{stack['root']!r} is no absolute path", "/srv"))
    names = [str(volume["name"]) for volume in (*volumes, *scratch)]
    faults += [
        message("protected volumes", f"{name!r} is no volume name", "a-z, 0-9 and underscores")
        for name in names
        if not NAME.fullmatch(name)
    ]
    modes = {str(volume["name"]): str(volume.get("mode", "0700")) for volume in volumes}
    faults += [
        message("protected volumes", f"{name}: mode {mode!r} is not octal or opens data/ to others", 'mode: "0700"')
        for name, mode in modes.items()
        if not MODE.fullmatch(mode)
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [message("protected volumes", f"{name!r} is declared twice", "remove one of the two") for name in twice]
    return faults


def inspected_volumes(inspections: Iterable[Facts]) -> dict[str, dict[str, Any]]:
    """{name: {driver, labels, options}} of volumes as the engine's inspect writes them."""
    return {
        inspection["Name"]: {
            "driver": inspection.get("Driver", ""),
            "labels": inspection.get("Labels") or {},
            "options": inspection.get("Options") or {},
        }
        for inspection in inspections
        if inspection
    }


def missing_volumes(declared: Sequence[Facts], inspected: Facts) -> list[Facts]:
    """The declared volumes that the engine does not have."""
    return [volume for volume in declared if volume["name"] not in inspected]


def volume_findings(declared: Sequence[Facts], inspected: Facts, complete: bool = False) -> list[str]:
    """A refusal for each volume that is not exactly as declared; with `complete` also for one that is missing."""
    findings = []
    for volume in declared:
        actual = inspected.get(volume["name"])
        if actual is not None:
            wrong = _differences(volume, actual)
            findings += (
                [message(f"volume {volume['name']}", "; ".join(wrong), _way_out(volume, actual))] if wrong else []
            )
        elif complete:
            hint = f"docker volume inspect {volume['name']}"
            findings.append(message(f"volume {volume['name']}", "was made and is not there", hint))
    return findings


def _differences(volume: Facts, actual: Facts) -> list[str]:
    wrong = []
    if actual["driver"] != volume["driver"]:
        wrong.append(f"driver is {actual['driver']!r}, declared {volume['driver']!r}")
    for aspect in ("labels", "options"):
        have, want = actual.get(aspect) or {}, volume[aspect]
        word = aspect.removesuffix("s")
        wrong += [f"{word} {key} is missing (declared {want[key]!r})" for key in sorted(set(want) - set(have))]
        wrong += [f"{word} {key}={have[key]!r} is not declared" for key in sorted(set(have) - set(want))]
        changed = sorted(key for key in set(want) & set(have) if want[key] != have[key])
        wrong += [f"{word} {key} is {have[key]!r}, declared {want[key]!r}" for key in changed]
    return wrong


def _way_out(volume: Facts, actual: Facts) -> str:
    """How to get from the volume that is there to the declared one without losing what it holds."""
    name, options, labels = volume["name"], actual.get("options") or {}, actual.get("labels") or {}
    if not volume["protected"] and PROTECT not in labels and not options:
        return f"it is scratch, nothing is kept in it: docker volume rm {name}"
    if options.get("o") == "bind" and options.get("device") and actual["driver"] == DRIVER:
        device = options["device"]
        advice = (
            "which is right" if device == volume["path"] else f"not in {volume['path'] or 'the engine'}: move it first"
        )
        return (
            f"its data is in {device}, {advice}. Take a backup (make backup), stop what uses it (make down), then "
            f"docker volume rm {name} removes only the engine's record of it; make deploy makes it anew{PAGE}"
        )
    if volume["path"] and not options and not labels:
        # So it looks where the engine lost its records, though its data may lie where it always did.
        return (
            f"if {volume['path']}/.ledgerflow.json is there, the engine only lost what it knew of it{PAGE}. If not, "
            f"its data is inside the engine, so do not remove it: make adopt FROM=volume:{name} under another stack"
        )
    return (
        f"its data is inside the engine, so do not remove it: make adopt FROM=volume:{name} under another STACK_NAME, "
        "or take a backup and restore it there"
    )


def volumes_recorded(volumes: Sequence[Facts], probe: Facts) -> bool:
    """Whether the host's first look already shows each directory's sentinel equal to its record."""
    records, sentinels = probe.get("records") or {}, probe.get("sentinels") or {}
    return all(
        records.get(volume["name"]) and records[volume["name"]] == sentinels.get(volume["name"]) for volume in volumes
    )


def volumes_image(image: str, images: Facts) -> str:
    """Of an image's versions in `images` (tag → id) the wanted one, else any; empty where there is none yet."""
    versions = [tag for tag in sorted(images) if tag.rpartition(":")[0] == image.rpartition(":")[0]]
    return image if image in versions else next(iter(versions), "")


def volumes_probe(directories: Sequence[Facts], probe: Facts) -> dict[str, Any]:
    """The first look brought up to date with what volume_directory returned."""
    sentinels = {directory["name"]: directory["sentinel"] for directory in directories}
    initialised = {directory["name"] for directory in directories if directory["initialised"]}
    return {
        **probe,
        "records": {**(probe.get("records") or {}), **sentinels},
        "sentinels": {**(probe.get("sentinels") or {}), **sentinels},
        "initialised": sorted(initialised | set(probe.get("initialised") or [])),
    }
