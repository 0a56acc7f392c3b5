"""Volumes whose options reach protected data: the local driver's are mount(8) in disguise."""

from __future__ import annotations

from collections.abc import Callable

from tests.guard.attempts.base import ATTEMPTS, Attempt, attempt, twin
from tools.kit.guard_world import VICTIM, World, remove_sentinel


def _options(name: str, options: Callable[[World], dict[str, str]], place: str = "/x", loses: bool = True) -> None:
    def run(world: World) -> None:
        words = [word for key, value in options(world).items() for word in ("--opt", f"{key}={value}")]
        world.cli("volume", "create", *words, "trick")
        world.cli("run", "--rm", "-v", "trick:/x", "tiny", *remove_sentinel(place))
        world.cli("volume", "rm", "-f", "trick")

    ATTEMPTS.append(Attempt("volume options", name, run, loses=loses))


_options("o=bind", lambda w: {"type": "none", "o": "bind", "device": str(w.backing)})
_options(
    "o=rbind of the parent", lambda w: {"type": "none", "o": "rbind", "device": str(w.backing.parent)}, "/x/backed"
)
_options("tmpfs with bind", lambda w: {"type": "tmpfs", "o": "bind", "device": str(w.backing)})


def _layers(world: World) -> dict[str, str]:
    layers = f"lowerdir={world.engine.place},upperdir={world.backing},workdir={world.backing.parent}"
    return {"type": "overlay", "device": "overlay", "o": layers}


_options("overlay", _layers, loses=False)


@attempt("volume options", "in a container's mount")
def _mount_options(world: World) -> None:
    options = {"type": "none", "o": "bind", "device": str(world.backing)}
    mount = {
        "Type": "volume",
        "Source": "trick",
        "Target": "/x",
        "VolumeOptions": {"DriverConfig": {"Name": "local", "Options": options}},
    }
    world.create_and_start("trick", {"Mounts": [mount]}, remove_sentinel("/x"))
    world.cli("rm", "-f", "trick")
    world.cli("volume", "rm", "-f", "trick")


@attempt("volume options", "re-creating the name with other labels or options", loses=False)
def _recreate(world: World) -> None:
    world.post("/volumes/create", {"Name": VICTIM, "DriverOpts": {"type": "tmpfs", "device": "tmpfs"}})


@twin("volume options", "creating an ordinary volume")
def _ordinary(world: World) -> None:
    world.ok("volume", "create", "--label", "a=b", "ordinary")
    world.ok("volume", "rm", "ordinary")
