"""An owner or a member made anew under its name, otherwise than declared; and names in the stack's own network."""

from __future__ import annotations

from typing import Any

from tests.guard.attempts.base import ATTEMPTS, REFUSED, Attempt, attempt, free, twin
from tools.kit.guard_world import BACKED, CACHE, NETWORK, OTHER, OWNER, World, owner, pause

OTHERWISE: dict[str, tuple[str, ...]] = {
    "another host's address": ("--add-host", "db:10.0.0.1"),
    "a published port": ("-p", "127.0.0.1::80"),
    "a tmpfs over its programs' place": ("--tmpfs", "/tmp/x"),
    "another name server": ("--dns", "10.0.0.1"),
    "another group": ("--group-add", "5"),
    "another host name": ("--hostname", "other"),
    "another stop signal": ("--stop-signal", "KILL"),
    "another stop time": ("--stop-timeout", "0"),
    "a memory limit": ("--memory", "64m"),
    "a limit of file sizes": ("--ulimit", "fsize=1"),
    "a restart policy": ("--restart", "always"),
    "a read-only root": ("--read-only",),
    "a capability less": ("--cap-drop", "CHOWN"),
    "a kernel setting": ("--sysctl", "net.ipv4.ip_forward=1"),
    "no log": ("--log-driver", "none"),
    "another network": ("--network", NETWORK),
    "no network": ("--network", "none"),
    "the value of a variable": ("-e", "PATH=/data"),
    "an init of the engine's": ("--init",),
    "less shared memory": ("--shm-size", "1m"),
}


def _anew(world: World, *flags: str, name: str = OWNER) -> None:
    free(world)
    world.cli("run", "-d", *flags, *owner(name))


for _name, _flags in OTHERWISE.items():
    ATTEMPTS.append(Attempt("owner's description", _name, lambda w, f=_flags: _anew(w, *f), loses=False))
    if _name in ("another host's address", "a tmpfs over its programs' place"):  # in the name compose gives it first
        ATTEMPTS.append(
            Attempt(
                "owner's description",
                f"{_name}, as compose would replace it",
                lambda w, f=_flags: _anew(w, *f, name=f"0123456789ab_{OWNER}"),
                loses=False,
            )
        )


@attempt("owner's description", "without one of its mounts", loses=False)
def _without(world: World) -> None:
    beside = [{"source": OTHER, "target": "/beside"}]
    grant = world.grant("/backed", container="lacks", command=["-c", "true"], mounts=beside)
    with world.granted(backed=grant):
        mounts = ("-v", f"{BACKED}:/backed", "-v", f"{OTHER}:/beside")
        world.ok("create", "--name", "lacks", "--entrypoint", "/bin/sh", *mounts, "tiny", "-c", "true")
        world.ok("rm", "lacks")
        world.said.clear()
        world.cli("create", "--name", "lacks", "--entrypoint", "/bin/sh", *mounts[:2], "tiny", "-c", "true")


@attempt("owner's description", "connected to another network afterwards", loses=False)
def _connected(world: World) -> None:
    world.cli("network", "create", "theirs")
    world.cli("network", "connect", "theirs", OWNER)
    world.cli("network", "disconnect", "-f", "theirs", OWNER)
    world.cli("network", "rm", "theirs")


@attempt("owner's description", "limits changed afterwards", loses=False)
def _updated(world: World) -> None:
    world.cli("update", "--memory", "64m", "--memory-swap", "64m", OWNER)


@attempt("owner's description", "a restart policy set afterwards", loses=False)
def _restarting(world: World) -> None:
    world.cli("update", "--restart", "always", OWNER)


@twin("owner's description", "exactly as declared, and what is the engine's own choice named")
def _as_declared(world: World) -> None:
    free(world)
    world.ok("run", "-d", "--log-driver", "json-file", "--shm-size", "64m", "--runtime", "runc", *owner())
    free(world)
    world.ok("run", "-d", *owner())


@twin("owner's description", "settings that are declared")
def _with_settings(world: World) -> None:
    world.declare({"host": {"ExtraHosts": ["own:10.0.0.2"], "Memory": 65 << 20, "RestartPolicy": {"Name": "always"}}})
    free(world)
    world.ok("run", "-d", "--add-host", "own:10.0.0.2", "--memory", "65m", "--restart", "always", *owner())
    world.ok("restart", "-t", "0", OWNER)
    world.ok("rm", "-f", OWNER)
    world.declare()
    world.said.clear()


# --- names ----------------------------------------------------------------------------------------------------------


def _joins(*flags: str) -> Any:
    return lambda world: world.cli("run", "-d", "--name", "joins", *flags, "tiny")


for _name, _run in {
    "another under the name of one of its own": _joins("--network", NETWORK, "--network-alias", "cache"),
    "another under a name of its own": _joins("--network", NETWORK),
    "another, sharing the network of one of its own": lambda w: (
        _member(w),
        _joins("--network", f"container:{CACHE}")(w),
    ),
    "another, by the network's id": lambda w: w.cli(
        "run",
        "-d",
        "--name",
        "joins",
        "--network",
        w.ok("network", "inspect", "--format", "{{.Id}}", NETWORK)[:12],
        "tiny",
    ),
}.items():
    ATTEMPTS.append(Attempt("names in a stack's network", _name, _run, loses=False))


def _member(world: World, *flags: str, command: tuple[str, ...] = ()) -> None:
    world.cli("run", "-d", "--name", CACHE, "--network", NETWORK, *flags, "tiny", *command)


@attempt("names in a stack's network", "another is connected afterwards", loses=False)
def _connected_later(world: World) -> None:
    world.ok("run", "-d", "--name", "joins", "tiny")
    world.cli("network", "connect", "--alias", "cache", NETWORK, "joins")


@attempt("names in a stack's network", "another is renamed to one of its own", loses=False)
def _renamed(world: World) -> None:
    world.ok("run", "-d", "--name", "joins", "tiny")
    world.cli("rename", "joins", CACHE)


@attempt("names in a stack's network", "one of its own, made anew with another command", loses=False)
def _other_command(world: World) -> None:
    _member(world, command=("sleep", "99"))


@attempt("names in a stack's network", "one of its own takes the name of another", loses=False)
def _other_name(world: World) -> None:
    _member(world, "--network-alias", "database")


@twin("names in a stack's network", "its own joins as declared; others have networks of their own")
def _own(world: World) -> None:
    world.ok("run", "-d", "--name", CACHE, "--network", NETWORK, "--network-alias", "cache", "tiny")
    world.ok("network", "create", "theirs")
    world.ok("run", "-d", "--name", "joins", "--network", "theirs", "--network-alias", "cache", "tiny")
    world.ok("rm", "-f", "joins")
    world.ok("network", "rm", "theirs")


@twin("names in a stack's network", "another that root let join")
def _allowed(world: World) -> None:
    thing = f"network {NETWORK}"
    assert world.engine.guard("allow", "joins", "tiny", thing).returncode == 0
    try:
        world.ok("run", "-d", "--name", "joins", "--network", NETWORK, "tiny")
        world.ok("restart", "-t", "0", "joins")
    finally:
        world.engine.guard("allow", "joins", "--remove")


# --- between two starts ---------------------------------------------------------------------------------------------

FOLLOW = "rm -f /y/sentinel; sleep 1"


def _swap(world: World) -> tuple[str, str]:
    """A directory, and what puts a link to protected data in the place of the directory inside it."""
    place = world.engine.place / "w"
    (place / "d").mkdir(parents=True, exist_ok=True)
    world.engine.run_inside("rm", "-rf", str(place / "e"))
    return str(place), f"mv /x/d /x/e; ln -s {world.backing} /x/d"


def _unlink(world: World) -> None:
    world.cli("rm", "-f", "follows", "swaps")
    world.engine.run_inside("rm", "-rf", str(world.engine.place / "w"))


def _follows(world: World, place: str, *flags: str) -> None:
    world.cli("run", "-d", "--name", "follows", *flags, "-v", f"{place}/d:/y", "tiny", "sh", "-c", FOLLOW)


@attempt("between two starts", "a second container puts a link where a restart policy mounts", loses=True)
def _second(world: World) -> None:
    place, link = _swap(world)
    _follows(world, place, "--restart=always")
    world.cli("run", "--rm", "--name", "swaps", "-v", f"{place}:/x", "tiny", "sh", "-c", link)
    pause(4)
    _unlink(world)


@attempt("between two starts", "the container with the policy comes second", loses=True)
def _first(world: World) -> None:
    place, link = _swap(world)
    world.cli("run", "-d", "--name", "swaps", "-v", f"{place}:/x", "tiny", "sh", "-c", f"sleep 1; {link}; sleep 100")
    _follows(world, place, "--restart=always")
    pause(5)
    _unlink(world)


@attempt("between two starts", "one container does both", loses=True)
def _both(world: World) -> None:
    place, link = _swap(world)
    command = f"rm -f /y/sentinel; {link}; sleep 1"
    volumes = ("-v", f"{place}:/x", "-v", f"{place}/d:/y")
    world.cli("run", "-d", "--restart=always", "--name", "follows", *volumes, "tiny", "sh", "-c", command)
    pause(4)
    _unlink(world)


@attempt("between two starts", "the policy is set afterwards", loses=True)
def _afterwards(world: World) -> None:
    place, link = _swap(world)
    _follows(world, place)
    world.cli("run", "-d", "--name", "swaps", "-v", f"{place}:/x", "tiny", "sh", "-c", f"{link}; sleep 100")
    world.cli("update", "--restart=always", "follows")
    pause(4)
    _unlink(world)


@twin("between two starts", "without a policy, apart from each other, or at its own place in the other", strict=REFUSED)
def _apart(world: World) -> None:
    place, _ = _swap(world)
    world.ok("run", "-d", "--name", "follows", "-v", f"{place}/d:/y", "tiny")
    world.ok("run", "--rm", "-v", f"{place}:/x", "tiny", "ls", "/x")
    world.ok("rm", "-f", "follows")
    nested = ("-v", f"{place}:/x", "-v", f"{place}/d:/x/d")
    world.ok("run", "-d", "--restart=always", "--name", "follows", *nested, "tiny")
    _unlink(world)
