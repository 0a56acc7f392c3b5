"""What a deploy, a rollback, the vault and a restore do under the guard, and the same one step too far."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.guard.attempts.base import attempt, free, twin
from tools.kit.guard_world import BACKED, OWNER, TEXT, VICTIM, World, owner


@twin("our own steps", "a volume created exactly as declared, again")
def _declared(world: World) -> None:
    options = {"type": "none", "o": "bind", "device": str(world.backing)}
    body = {"Name": BACKED, "Driver": "local", "DriverOpts": options, "Labels": {"com.ledgerflow.protect": "true"}}
    assert " 201 " in world.post("/volumes/create", body), world.said[-1]


@twin("our own steps", "the owner's container replaced as compose replaces it")
def _replaced(world: World) -> None:
    identity = world.ok("inspect", "--format", "{{.Id}}", OWNER)
    made = f"{identity[:12]}_{OWNER}"
    world.ok("create", *owner(made))
    world.ok("rm", "-f", identity)
    world.ok("rename", made, OWNER)
    world.ok("start", OWNER)


# What a granted container does here, without any request that could be refused: its command is part of the grant.
WRITE, REMOVE = f"echo '{TEXT.strip()}' > /backed/written", "rm -f /backed/sentinel"


def _once(world: World, name: str, command: str, *mounts: str, image: str = "tiny") -> None:
    """A one-off container of ours: run to its end, and removed."""
    volumes = [word for mount in mounts for word in ("-v", mount)]
    world.cli("run", "--rm", "--name", name, "--entrypoint", "/bin/sh", *volumes, image, "-c", command)


def _written(world: World) -> None:
    file = world.backing / "written"
    assert file.read_text() == TEXT
    file.unlink()


@twin("our own steps", "a second colour with a new image id, beside the first")
def _colour(world: World) -> None:
    green = world.grant("/backed", container="green", images=[world.version("green")], command=["-c", WRITE])
    with world.granted(backed=green):
        _once(world, "green", WRITE, f"{BACKED}:/backed", image="tiny:green")
    _written(world)


@attempt("our own steps", "a second colour with an image id that is not declared")
def _other_colour(world: World) -> None:
    world.version("blue")
    with world.granted(backed=world.grant("/backed", container="green", command=["-c", REMOVE])):
        _once(world, "green", REMOVE, f"{BACKED}:/backed", image="tiny:blue")


def _rolled_back(world: World, versions: int) -> str:
    """The image the owner had so many versions ago, each of them declared by its deploy; it is gone by then."""
    deployed = {"tiny": world.image, **{f"tiny:{number}": world.version(str(number)) for number in range(1, 7)}}
    for image in deployed.values():
        world.declare({"images": [image]})
    free(world)
    return list(deployed)[-versions]


@twin("our own steps", "rollback to the oldest of the last five versions")
def _rollback(world: World) -> None:
    image = _rolled_back(world, 5)
    world.ok("run", "-dit", "--name", OWNER, "-v", f"{VICTIM}:/data", "--entrypoint", "/bin/sh", image)
    world.declare()
    free(world)


@attempt("our own steps", "rollback to a version before the last five", loses=False)
def _too_far_back(world: World) -> None:
    image = _rolled_back(world, 6)
    world.cli("run", "-dit", "--name", OWNER, "-v", f"{VICTIM}:/data", "--entrypoint", "/bin/sh", image)
    world.declare()


def _vault(world: World, command: str, source: str) -> None:
    """A container that reads one protected volume and writes another, as a vault reads data and writes its archive."""
    grant = {"container": "keeper", "command": ["-c", command]}
    reads = world.grant("/source", **grant, read_only=True)
    with world.granted(victim=reads, backed=world.grant("/backed", **grant)):
        _once(world, "keeper", command, source, f"{BACKED}:/backed")


@twin("our own steps", "the vault writes its own volume and reads the data's")
def _keeps(world: World) -> None:
    _vault(world, "cat /source/sentinel > /backed/written", f"{VICTIM}:/source:ro")
    _written(world)


@attempt("our own steps", "the vault writes what it may only read")
def _keeper_writes(world: World) -> None:
    _vault(world, "rm -f /source/sentinel", f"{VICTIM}:/source")


@twin("our own steps", "a restore writes media, by a container that is granted for it")
def _restores(world: World) -> None:
    with world.granted(backed=world.grant("/backed", container="restore", command=["-c", WRITE])):
        _once(world, "restore", WRITE, f"{BACKED}:/backed")
    _written(world)


@attempt("our own steps", "the same container once its grant is taken back")
def _restores_again(world: World) -> None:
    with world.granted(backed=world.grant("/backed", container="restore", command=["-c", REMOVE])):
        world.said.clear()
    _once(world, "restore", REMOVE, f"{BACKED}:/backed")


SCRATCH = "scratch"


@contextmanager
def _scratch(world: World) -> Iterator[None]:
    """An unprotected volume that an owner works with: what stands there decides what it does."""
    beside = [{"source": SCRATCH, "target": "/scratch"}]
    with world.granted(backed=world.grant("/backed", container="keeper", command=["-c", WRITE], mounts=beside)):
        world.cli("volume", "create", SCRATCH)
        yield


@twin("our own steps", "an owner writes its scratch volume, and another reads it")
def _scratch_twin(world: World) -> None:
    with _scratch(world):
        _once(world, "keeper", WRITE, f"{BACKED}:/backed", f"{SCRATCH}:/scratch")
        world.ok("run", "--rm", "-v", f"{SCRATCH}:/x:ro", "tiny", "ls", "/x")
    _written(world)


@attempt("our own steps", "another writes an owner's scratch volume", loses=False)
def _scratch_written(world: World) -> None:
    with _scratch(world):
        world.cli("run", "--rm", "-v", f"{SCRATCH}:/x", "tiny", "touch", "/x/planted")


@attempt("our own steps", "an owner's scratch volume made of a directory of somebody's", loses=False)
def _scratch_made(world: World) -> None:
    with _scratch(world):
        world.ok("volume", "rm", SCRATCH)
        device = f"device={world.engine.place}"
        world.cli("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", device, SCRATCH)
