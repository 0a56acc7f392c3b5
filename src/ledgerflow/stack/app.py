"""Which colour of a web app is live, which one a new version goes to, and the descriptions of its processes.

A module of its own because a switch is decided here from facts alone: gate files, containers and descriptions. The
gate file is the single truth of which colour is live.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COLOURS = ("blue", "green")


def live_colour(probe: Mapping[str, Any], web: str) -> str:
    """The colour whose gate is open, blue first; "" where none is."""
    return next((colour for colour in COLOURS if f"{web}-{colour}" in probe["gates"]), "")


def target_colour(probe: Mapping[str, Any], web: str, stack_id: str, changed: bool) -> str:
    """The colour to bring up: the live one where only its container is gone or ill, else the other one.

    `changed` tells whether the live colour's container would be another one (image or content); a container that is
    merely stopped is started again in place.
    """
    live = live_colour(probe, web)
    if not live:
        return COLOURS[0]
    exists = f"{stack_id}-{web}-{live}" in probe["containers"]
    return live if not (changed and exists) else next(colour for colour in COLOURS if colour != live)


def process_description(process: Mapping[str, Any], common: Mapping[str, Any], colour: str = "") -> dict[str, Any]:
    """A process as role service wants it: its own keys over the common ones, `{colour}` filled in."""
    merged = {**common, **process}
    for key in ("environment", "secrets", "protected"):
        merged[key] = {**common.get(key, {}), **process.get(key, {})}
    merged["volumes"] = [*common.get("volumes", []), *process.get("volumes", [])]
    merged["environment"] = {k: str(v).replace("{colour}", colour) for k, v in merged["environment"].items()}
    if colour:
        merged["name"] = f"{merged['name']}-{colour}"
        merged["gates"] = True
    return merged
