"""What compose sends: its removals, and volumes it takes for its own."""

from __future__ import annotations

import json
from typing import Any

from tests.guard.attempts.base import ATTEMPTS, OLD_PRUNE, Attempt, attempt, free, twin
from tools.kit.guard_world import ANONYMOUS, TEXT, VICTIM, World


def project(managed: bool = True, name: str = VICTIM, anonymous: bool = False, read_only: bool = True) -> str:
    """A project with the volume, mounted read-only so that it comes up under a guard too."""
    volume = (
        {"name": name, "labels": {"com.ledgerflow.protect": "true"}} if managed else {"name": name, "external": True}
    )
    mounts: list[Any] = [{"type": "volume", "source": "v", "target": "/x", "read_only": read_only}]
    if anonymous:
        mounts = [{"type": "volume", "target": "/x"}]
    service = {"image": "tiny", "volumes": mounts, "stop_grace_period": "0s", "init": False, "network_mode": "none"}
    return json.dumps({"services": {"s": service}, "volumes": {} if anonymous else {"v": volume}})


for _name, _arguments in {
    "down -v": ("down", "-v"),
    "down --volumes": ("down", "--volumes"),
    "down --remove-orphans -v": ("down", "--remove-orphans", "-v"),
    "down -t 0 -v": ("down", "-t", "0", "-v"),
}.items():

    def _down(world: World, arguments: tuple[str, ...] = _arguments) -> None:
        free(world)
        world.compose(project(), "up", "-d")
        world.compose(project(), *arguments)

    ATTEMPTS.append(Attempt("compose", _name, _down))


@attempt("compose", "down -v of another project that claims the same name")
def _claim(world: World) -> None:
    free(world)
    world.compose(project(), "up", "-d", project="claims")
    world.compose(project(), "down", "-v", project="claims")


def _anonymous_project(world: World, *arguments: str) -> None:
    """A protected anonymous volume in a project's container: what `-V` and `rm -v` take without a name."""
    label = "com.docker.compose"
    labels = {
        f"{label}.project": "anon",
        f"{label}.service": "s",
        f"{label}.container-number": "1",
        f"{label}.oneoff": "False",
        f"{label}.config-hash": "x",
    }
    text = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    world.ok("rm", "-f", ANONYMOUS)
    world.said.clear()
    # the same volume, held as an anonymous one is: made with its container
    world.cli(
        "create",
        "--name",
        "anon-s-1",
        *text,
        "--mount",
        "type=volume,dst=/x,volume-label=com.ledgerflow.protect=true",
        "tiny",
    )
    world.anonymous = world.ok("inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", "anon-s-1")
    world.file(world.anonymous).write_text(TEXT)
    world.compose(project(anonymous=True), *arguments, project="anon")


@attempt("compose", "rm -fsv")
def _compose_rm(world: World) -> None:
    _anonymous_project(world, "rm", "-fsv")


@attempt("compose", "up -V --force-recreate, then a prune of what it left")
def _compose_renew(world: World) -> None:
    """By itself it only leaves the old volume without a container."""
    _anonymous_project(world, "up", "-d", "-V", "--force-recreate")
    world.http("POST", OLD_PRUNE, b"")


@twin("compose", "down, up -d, restart, logs, ps")
def _compose_twin(world: World) -> None:
    for arguments in (("up", "-d"), ("restart", "-t", "0"), ("logs",), ("ps",), ("down",)):
        done = world.compose(project(managed=False), *arguments)
        assert done.returncode == 0, done.stderr
