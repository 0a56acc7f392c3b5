"""The rules for routes that touch no protected data themselves, and for those that are always refused.

A module of its own because they look nothing up.
"""

from __future__ import annotations

from ledgerguard.refusal import Refusal
from ledgerguard.rules.call import Call


def allow(_call: Call) -> None:
    """Touches no volume and no container's content."""


def refuse(call: Call) -> None:
    """Plugins, swarm and checkpoints work past what a plugin is shown."""
    raise Refusal(
        f"{call.request.method} {call.request.uri[:80]}: swarm, engine plugins and checkpoints work past the guard",
        "compose projects and built-in drivers",
    )


def build_image(call: Call) -> None:
    """The classic builder runs its steps in the network that the query names."""
    mode = call.query.get("networkmode", "")
    if call.context.profile == "strict" and (mode == "host" or mode.startswith("container:")):
        raise Refusal(f"host reach (strict): a build with network mode {mode[:60]!r}", "docker build without --network")
