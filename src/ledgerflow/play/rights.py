"""Who may do what on this machine: root, sudo, or an engine that needs neither.

A module of its own because the decision is pure: the facts come as data, so every kind of machine can be tried
without having one. `ledgerflow.play.run` collects the facts and acts on the decision.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from ledgerflow.host.engine import engine_mode

CHANGE_STEPS = (
    ("install the engine, compose and buildx from the distribution", "only where they are missing"),
    ("write /etc/docker/daemon.json", "only to add what is asked for"),
    ("install ledgerguard, the engine's guard of protected volumes", "it runs as root, below /usr/local/sbin"),
    ("write /etc/ledgerflow", "the services' files and secrets, readable by root and the service alone"),
    ("make /srv/<stack>/<env>", "the protected data, so that no ordinary user can delete it"),
    ("talk to the engine", "its socket is root's"),
)
READ_STEPS = (("read /etc/ledgerflow and talk to the engine", "both are root's"),)


@dataclass(frozen=True)
class Facts:
    """What is known of the person and the machine before anything is done."""

    uid: int
    remote: bool = False  # the inventory's hosts are reached over ssh: rights are settled there
    system: str = "Linux"
    desktop: bool = False  # Docker Desktop answers this user
    rootless: bool = False  # a rootless engine answers this user
    reduced: bool = False  # asked for on the command line
    endpoint: str = ""  # of the engine that answers this user, as DOCKER_HOST is written
    sudo: bool = False  # the program is there
    sudo_free: bool = False  # it asks no password
    terminal: bool = False  # somebody can be asked
    agreed: bool = False  # YES=1, CI, or said yes before


@dataclass(frozen=True)
class Decision:
    """What to do: `refusal` ends it; else tell, ask where `ask` is set, and run with or without sudo."""

    become: bool = False
    password: bool = False
    reduced: bool = False
    docker_host: str = ""
    ask: bool = False
    tell: tuple[str, ...] = ()
    refusal: str = ""
    hint: str = ""


def decide(facts: Facts, steps: tuple[tuple[str, str], ...], again: str) -> Decision:
    """Chooses the way for these facts; `again` is the command that the hints name."""
    if facts.remote or facts.uid == 0:
        return Decision()
    mode = engine_mode(asdict(facts))
    if mode["mode"] == "reduced":
        line = f"rights: nothing needs sudo, the stack runs reduced ({mode['reason']}); see docs/architecture.md"
        return Decision(reduced=True, docker_host=facts.endpoint, tell=(line,))
    if not facts.sudo:
        return Decision(
            refusal=f"rights: user id {facts.uid} is not root, sudo is missing, and no rootless engine answers",
            hint=f"run `{again}` as root, install sudo, or start a rootless engine",
        )
    if not facts.terminal and not facts.sudo_free:
        return Decision(
            refusal=f"rights: sudo asks user id {facts.uid} for a password, and there is no terminal to ask at",
            hint=f"run `{again}` at a terminal or as root",
        )
    if not facts.terminal and not facts.agreed:
        return Decision(
            refusal="rights: sudo is needed, and there is no terminal to ask at",
            hint=f"run `{again} YES=1`, which agrees to: {'; '.join(step for step, _why in steps)}",
        )
    lines = tuple(f"  {step} ({why})" for step, why in steps)
    tell = () if facts.agreed else ("rights: these steps use sudo:", *lines)
    return Decision(become=True, password=not facts.sudo_free, ask=not facts.agreed, tell=tell)


def consent_name(steps: tuple[tuple[str, str], ...]) -> str:
    """Names the file that remembers a yes to exactly these steps: other steps are asked for again."""
    return "rights-agreed-" + hashlib.sha256(repr(steps).encode()).hexdigest()[:12]
