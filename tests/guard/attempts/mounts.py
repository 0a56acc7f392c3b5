"""Mounting protected data elsewhere: by name, by path, by what stands for the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.guard.attempts.base import ATTEMPTS, REFUSED, Attempt, attempt, free, sdk, twin
from tools.kit.guard_world import BACKED, OWNER, PROTECT, TEXT, VICTIM, World, owner, pause, remove_sentinel


def _mounted(*arguments: str, place: str = "/x") -> Callable[[World], Any]:
    def run(world: World) -> None:
        filled = [
            one.format(srv=world.backing, parent=world.backing.parent, root=world.engine.data_root) for one in arguments
        ]
        world.cli("run", "--rm", *filled, "tiny", *remove_sentinel(place))

    return run


for _name, _run in {
    "run -v VOL:/x": _mounted("-v", f"{VICTIM}:/x"),
    "run -v VOL:/x:nocopy": _mounted("-v", f"{VICTIM}:/x:nocopy"),
    "run --mount": _mounted("--mount", f"type=volume,src={VICTIM},dst=/x"),
    "run --volumes-from": _mounted("--volumes-from", OWNER, place="/data"),
    "bind of the mountpoint": _mounted("-v", "{root}/volumes/victim/_data:/x"),
    "bind of the mountpoint's parent": _mounted("-v", "{root}/volumes/victim:/x", place="/x/_data"),
    "bind of the data root": _mounted("-v", "{root}:/x", place=f"/x/volumes/{VICTIM}/_data"),
    "bind of the bind-backed directory": _mounted("-v", "{srv}:/x"),
    "bind of its parent": _mounted("--mount", "type=bind,src={parent},dst=/x", place="/x/backed"),
    "bind with dots": _mounted("-v", "{parent}/../srv/backed:/x"),
    "mount read-only, then privileged exec": lambda w: w.cli(
        "run",
        "-d",
        "--name",
        "reads",
        "-v",
        f"{VICTIM}:/x:ro",
        "--cap-add",
        "SYS_ADMIN",
        "--security-opt",
        "apparmor=unconfined",
        "tiny",
    ),
}.items():
    ATTEMPTS.append(Attempt("mount elsewhere", _name, _run, loses="read-only" not in _name))


@attempt("mount elsewhere", "bind of /")
def _root(world: World) -> None:
    world.cli("run", "--rm", "-v", "/:/x", "tiny", *remove_sentinel(f"/x{world.backing}"))


@attempt("mount elsewhere", "bind through a symlink")
def _link(world: World) -> None:
    link = world.engine.place / "link"
    link.unlink(missing_ok=True)
    link.symlink_to(world.backing)
    world.cli("run", "--rm", "-v", f"{link}:/x", "tiny", *remove_sentinel("/x"))


@attempt("mount elsewhere", "bind of a second place where its directory is mounted")
def _second(world: World) -> None:
    with world.mounted_again(world.backing) as second:
        world.cli("run", "--rm", "-v", f"{second}:/x", "tiny", *remove_sentinel("/x"))


@attempt("mount elsewhere", "bind of the parent of that place")
def _above_second(world: World) -> None:
    with world.mounted_again(world.backing) as second:
        world.cli("run", "--rm", "-v", f"{second.parent}:/x", "tiny", *remove_sentinel(f"/x/{second.name}"))


@attempt("mount elsewhere", "a volume made of a second place where its directory's parent is mounted")
def _volume_of_second(world: World) -> None:
    with world.mounted_again(world.backing.parent) as second:
        device = f"device={second / world.backing.name}"
        world.cli("volume", "create", "--opt", "type=none", "--opt", "o=bind", "--opt", device, "again")
        world.cli("run", "--rm", "-v", "again:/x", "tiny", *remove_sentinel("/x"))
        world.cli("volume", "rm", "-f", "again")


@attempt("mount elsewhere", "a second place of the data root's volumes")
def _volumes_again(world: World) -> None:
    with world.mounted_again(world.engine.data_root / "volumes") as second:
        world.cli("run", "--rm", "-v", f"{second}:/x", "tiny", *remove_sentinel(f"/x/{VICTIM}/_data"))


@attempt("mount elsewhere", "bind through a link that is another for each process")
def _process_link(world: World) -> None:
    link = world.engine.place / "process"
    link.unlink(missing_ok=True)
    link.symlink_to(f"/proc/self/root{world.backing}")
    world.cli("run", "--rm", "-v", f"{link}:/x", "tiny", *remove_sentinel("/x"))


@twin("mount elsewhere", "bind of a directory that is mounted twice and holds nothing protected", strict=REFUSED)
def _second_of_code(world: World) -> None:
    code = world.engine.place / "twice"
    code.mkdir(exist_ok=True)
    with world.mounted_again(code) as second:
        world.ok("run", "--rm", "-v", f"{second}:/x", "tiny", "touch", "/x/built")
    assert (code / "built").exists()


@attempt("mount elsewhere", "a tmpfs whose option makes a read-only mount writable", loses="20.10")
def _remounted(world: World) -> None:
    """On newer engines where the file system below takes the options that come along: this one's does not."""
    world.cli("run", "--rm", "-v", f"{VICTIM}:/x:ro", "--tmpfs", "/x/:remount", "tiny", *remove_sentinel("/x"))


@twin("mount elsewhere", "run --tmpfs with the options of a tmpfs")
def _tmpfs(world: World) -> None:
    world.ok("run", "--rm", "--tmpfs", "/y:rw,size=1m,mode=1777,uid=5,noexec,nosuid", "tiny", "touch", "/y/file")
    world.ok("run", "--rm", "--mount", "type=tmpfs,dst=/y,tmpfs-size=1m", "tiny", "touch", "/y/file")


@attempt("mount elsewhere", "what is mounted below a read-only directory, asked by an old API")
def _old_api(world: World) -> None:
    with world.mounted_again(world.backing) as second:
        command = remove_sentinel(f"/x/{second.name}")
        body = {"Image": "tiny", "Cmd": command, "HostConfig": {"Binds": [f"{second.parent}:/x:ro"]}}
        world.post("/v1.41/containers/create?name=old", body)
        world.http("POST", "/containers/old/start", b"")
        pause(0.8)
        world.cli("rm", "-f", "old")


@attempt("mount elsewhere", "an anonymous volume of a driver that is looked for by a path", loses=False)
def _driver_by_path(world: World) -> None:
    host = {"VolumeDriver": f"../../..{world.engine.place}/evil"}
    world.post("/containers/create?name=driver", {"Image": "tiny", "Volumes": {"/x": {}}, "HostConfig": host})


@attempt("mount elsewhere", "a directory swapped for a symlink between create and start")
def _swap(world: World) -> None:
    place = world.engine.place / "code"
    if place.is_symlink():
        place.unlink()
    place.mkdir(exist_ok=True)
    world.cli("create", "--name", "swapped", "-v", f"{place}:/x", "tiny", *remove_sentinel("/x"))
    place.rmdir()
    place.symlink_to(world.backing)
    world.cli("start", "-a", "swapped")


@attempt("mount elsewhere", "a foreign container from before the guard is started")
def _before(world: World) -> None:
    world.before_the_guard("create", "--name", "foreign", "-v", f"{VICTIM}:/x", "tiny", *remove_sentinel("/x"))
    world.cli("start", "-a", "foreign")


@attempt("mount elsewhere", "the same, restarted")
def _before_restart(world: World) -> None:
    world.before_the_guard("create", "--name", "foreign", "-v", f"{BACKED}:/x", "tiny", *remove_sentinel("/x"))
    world.cli("restart", "foreign")
    pause(1)


@attempt("mount elsewhere", "SDK: containers.run(volumes=…)")
def _sdk_run(world: World) -> None:
    sdk(
        lambda c: c.containers.run(
            "tiny", remove_sentinel("/x"), remove=True, volumes={VICTIM: {"bind": "/x", "mode": "rw"}}
        )
    )(world)


def _read_empty(world: World, volume: str, mode: str) -> None:
    world.ok("volume", "create", "--label", f"{PROTECT}=true", volume)
    world.cli("create", "-v", f"{volume}:/bin:{mode}", "tiny", "true")


@attempt("mount elsewhere", "a reader whose image the engine copies into an empty volume", loses=False)
def _copied(world: World) -> None:
    _read_empty(world, "empty", "ro")


@twin("mount elsewhere", "a reader of an empty volume that asks for no copy")
def _not_copied(world: World) -> None:
    _read_empty(world, "empty-too", "ro,nocopy")
    assert not [*world.file("empty-too").parent.iterdir()]


@twin("mount elsewhere", "run -v VOL:/x:ro")
def _read(world: World) -> None:
    assert world.ok("run", "--rm", "-v", f"{VICTIM}:/x:ro", "tiny", "cat", "/x/sentinel") == TEXT.strip()


@twin("mount elsewhere", "the owner's own container, made anew and restarted")
def _owner(world: World) -> None:
    free(world)
    world.ok("run", "-d", *owner())
    world.ok("restart", "-t", "0", OWNER)


@twin("mount elsewhere", "a source-code bind in dev", strict=REFUSED)
def _source(world: World) -> None:
    code = world.engine.place / "src"
    code.mkdir(exist_ok=True)
    world.ok("run", "--rm", "-v", f"{code}:/x", "tiny", "touch", "/x/built")
    assert (code / "built").exists()


@attempt("mount elsewhere", "what is mounted below a read-only /", only="20.10")
def _below_read_only(world: World) -> None:
    place = f"/x{world.engine.data_root}/volumes/{BACKED}/_data"
    world.cli("run", "--rm", "-v", "/:/x:ro", "tiny", *remove_sentinel(place))


@attempt("mount elsewhere", "read-only, of a file that is missing in its directory", loses=False)
def _missing(world: World) -> None:
    """The engine makes what is missing: to a database a `standby.signal` is one, directory or not."""
    world.cli("run", "--rm", "-v", f"{world.backing}/standby.signal:/x:ro", "tiny", "true")
    made = world.backing / "standby.signal"
    if made.exists():
        made.rmdir()


@attempt("mount elsewhere", "read-only, of a missing file in the system's places", loses=False)
def _missing_in_system(world: World) -> None:
    world.cli("create", "--name", "missing", "-v", "/etc/nologin.lf-test:/x:ro", "tiny")


@twin("mount elsewhere", "of a missing directory in a place of one's own", strict=REFUSED)
def _missing_elsewhere(world: World) -> None:
    world.ok("run", "--rm", "-v", f"{world.engine.place}/new:/x", "tiny", "touch", "/x/file")
    world.ok("run", "--rm", "-v", f"{world.engine.place}/newer:/x:ro", "tiny", "ls", "/x")
