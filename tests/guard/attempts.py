"""Every line of part G of the catalogue as an attempt, with what has to come of it in each profile, fixed beforehand.

A module of its own because the list is the claim. `loses`: without a guard this attempt destroys data (the matrix shows
it); the others are ways in, whose refusal is all that can be seen.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import docker.errors

from tests.guard.world import ANONYMOUS, BACKED, OTHER, OWNER, TEXT, VICTIM, World, pause, remove_sentinel

REFUSED, ALLOWED = "refused", "allowed"
SPARE = "label!=com.ledgerflow.protect"


@dataclass(frozen=True)
class Attempt:
    """`run` does it. Expected per profile: refused (and nothing lost) or allowed."""

    group: str
    name: str
    run: Callable[[World], Any]
    standard: str = REFUSED
    strict: str = REFUSED
    loses: bool | str = True  # or the version that alone loses
    only: str = ""

    def loses_on(self, version: str) -> bool:
        return self.loses if isinstance(self.loses, bool) else self.loses == version

    def expected(self, profile: str) -> str:
        return self.standard if profile == "standard" else self.strict


ATTEMPTS: list[Attempt] = []
TWINS: list[Attempt] = []


def attempt(group: str, name: str, **more: Any) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    def keep(run: Callable[[World], Any]) -> Callable[[World], Any]:
        ATTEMPTS.append(Attempt(group, name, run, **more))
        return run

    return keep


def twin(group: str, name: str, **more: Any) -> Callable[[Callable[[World], Any]], Callable[[World], Any]]:
    def keep(run: Callable[[World], Any]) -> Callable[[World], Any]:
        TWINS.append(Attempt(group, name, run, **{"standard": ALLOWED, "strict": ALLOWED, "loses": False, **more}))
        return run

    return keep


def free(world: World) -> None:
    """The owner goes away first, as `compose down` does it: then nothing of the engine's own holds the volume back."""
    world.cli("rm", "-f", OWNER)
    world.said.clear()


def freed(run: Callable[[World], Any]) -> Callable[[World], Any]:
    def both(world: World) -> Any:
        free(world)
        return run(world)

    return both


def sdk(run: Callable[[Any], Any]) -> Callable[[World], Any]:
    """The Python SDK; what it raises counts as said."""

    def called(world: World) -> None:
        with closing(world.sdk()) as client:
            try:
                run(client)
            except docker.errors.DockerException as error:
                world.said.append(str(error))

    return called


# --- delete -----------------------------------------------------------------------------------------------------------
for _name, _uri in {
    "DELETE without a version": f"/volumes/{VICTIM}",
    "DELETE versioned": f"/v1.41/volumes/{VICTIM}",
    "DELETE with an odd version": f"/v1.41./volumes/{VICTIM}",
    "DELETE with force": f"/v1.41/volumes/{VICTIM}?force=1",
    "DELETE, name percent-encoded": "/volumes/" + "".join(f"%{ord(c):02x}" for c in VICTIM),
    "DELETE, route percent-encoded": f"/v%6Flumes/{VICTIM}",
    "DELETE, slash percent-encoded": f"/volumes%2F{VICTIM}",
    "DELETE with an absolute URI": f"http://localhost/v1.41/volumes/{VICTIM}",
    "DELETE with another scheme": f"x:///volumes/{VICTIM}",
    "DELETE with a query like another route": f"/volumes/{VICTIM}?x=/v1.41/containers/json",
}.items():
    ATTEMPTS.append(Attempt("delete", _name, freed(lambda w, uri=_uri: w.http("DELETE", uri))))
ATTEMPTS.append(Attempt("delete", "volume rm", freed(lambda w: w.cli("volume", "rm", VICTIM))))
ATTEMPTS.append(Attempt("delete", "volume rm -f", freed(lambda w: w.cli("volume", "rm", "-f", VICTIM))))
ATTEMPTS.append(
    Attempt("delete", "SDK: volume.remove(force=True)", freed(sdk(lambda c: c.volumes.get(VICTIM).remove(force=True))))
)
ATTEMPTS.append(
    Attempt("delete", "rm -f -v of its container, the volume anonymous", lambda w: w.cli("rm", "-f", "-v", ANONYMOUS))
)


@attempt("delete", "run --rm takes the anonymous volume it borrows along at its end")
def _borrowed(world: World) -> None:
    world.cli("run", "-d", "--rm", "--name", "borrows", "--volumes-from", f"{ANONYMOUS}:ro", "tiny")
    world.cli("rm", "-f", ANONYMOUS)
    world.cli("kill", "borrows")
    pause(1)


@attempt("delete", "pipelined after a harmless GET")
def _pipelined(world: World) -> None:
    free(world)
    world.raw(
        "GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
        f"DELETE /volumes/{VICTIM} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"
    )


@twin("delete", "volume rm of an unprotected volume")
def _remove_other(world: World) -> None:
    world.ok("volume", "rm", OTHER)


@twin("delete", "rm -f of the owner; its volumes stay")
def _remove_owner(world: World) -> None:
    world.ok("rm", "-f", "-v", OWNER)


# --- prune ------------------------------------------------------------------------------------------------------------
for _name, _arguments in {
    "volume prune -af": ("volume", "prune", "-af"),
    "system prune --volumes -af": ("system", "prune", "--volumes", "-af"),
    "filter by a value it has not": ("volume", "prune", "-af", "--filter", "label!=com.ledgerflow.protect=false"),
    "two exclusions exclude only what has both": ("volume", "prune", "-af", "--filter", SPARE, "--filter", "label!=x"),
    "filter by the label itself": ("volume", "prune", "-af", "--filter", "label=com.ledgerflow.protect"),
}.items():
    if _name.startswith("system"):  # it would take the image the other attempts need
        _run = freed(lambda w, a=_arguments: (w.cli("run", "-d", "--name", "keeps", "tiny"), w.cli(*a)))
    else:
        _run = freed(
            lambda w, a=_arguments: w.cli(*(a if w.engine.version != "20.10" else ("volume", "prune", "-f", *a[3:])))
        )
    ATTEMPTS.append(Attempt("prune", _name, _run, loses="20.10" if _name.startswith("system") else True))


def _prune(world: World, uri: str, body: bytes | None = b"", *headers: str) -> None:
    free(world)
    world.http("POST", uri, body, *headers)


_SPARE_FILTER = quote('{"label!":{"com.ledgerflow.protect":true}}')
_ALL = quote('{"all":{"true":true}}')
_FORM = b"filters=" + quote("{}").encode()
_OLD = "/v1.41/volumes/prune"  # below 1.42 named volumes are taken
_FORM_TYPE = "Content-Type: application/x-www-form-urlencoded"
for _name, _call in {
    "POST by an old client": (_OLD, b""),
    "doubled filters, the harmless one last": (f"{_OLD}?filters=%7B%7D&filters={_SPARE_FILTER}", b""),
    "filters in a form body override the query": (f"{_OLD}?filters={_SPARE_FILTER}", _FORM, _FORM_TYPE),
    "form body behind a second content type": (
        f"{_OLD}?filters={_SPARE_FILTER}",
        _FORM,
        _FORM_TYPE,
        "Content-Type: application/json",
    ),
    "form body of a type with a broken parameter": (f"{_OLD}?filters={_SPARE_FILTER}", _FORM, _FORM_TYPE + "; ="),
    "form body, chunked": (
        f"{_OLD}?filters={_SPARE_FILTER}",
        b"%x\r\n%s\r\n0\r\n\r\n" % (len(_FORM), _FORM),
        _FORM_TYPE,
        "Transfer-Encoding: chunked",
    ),
}.items():
    ATTEMPTS.append(Attempt("prune", _name, lambda w, c=_call: _prune(w, *c)))


@attempt("prune", "SDK: volumes.prune(all)")
def _sdk_prune(world: World) -> None:
    free(world)
    sdk(lambda c: c.volumes.prune(filters={} if world.engine.version == "20.10" else {"all": ["true"]}))(world)


@twin("prune", "volume prune with the label excluded removes the others, keeps ours")
def _spare(world: World) -> None:
    free(world)
    every = () if world.engine.version == "20.10" else ("-a",)
    world.ok("volume", "prune", "-f", *every, "--filter", SPARE)
    assert OTHER not in world.volumes()


# --- compose ----------------------------------------------------------------------------------------------------------
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
    world.http("POST", _OLD, b"")


@twin("compose", "down, up -d, restart, logs, ps")
def _compose_twin(world: World) -> None:
    for arguments in (("up", "-d"), ("restart", "-t", "0"), ("logs",), ("ps",), ("down",)):
        done = world.compose(project(managed=False), *arguments)
        assert done.returncode == 0, done.stderr


# --- mount elsewhere --------------------------------------------------------------------------------------------------
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


@twin("mount elsewhere", "run -v VOL:/x:ro")
def _read(world: World) -> None:
    assert world.ok("run", "--rm", "-v", f"{VICTIM}:/x:ro", "tiny", "cat", "/x/sentinel") == TEXT.strip()


@twin("mount elsewhere", "the owner's own container, made anew and restarted")
def _owner(world: World) -> None:
    free(world)
    world.ok(
        "run",
        "-dit",
        "--name",
        OWNER,
        "-v",
        f"{VICTIM}:/data",
        "-v",
        f"{BACKED}:/backed",
        "--entrypoint",
        "/bin/sh",
        "tiny",
    )
    world.ok("restart", "-t", "0", OWNER)


@twin("mount elsewhere", "a source-code bind in dev", strict=REFUSED)
def _source(world: World) -> None:
    code = world.engine.place / "src"
    code.mkdir(exist_ok=True)
    world.ok("run", "--rm", "-v", f"{code}:/x", "tiny", "touch", "/x/built")
    assert (code / "built").exists()


# --- volume options ---------------------------------------------------------------------------------------------------
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


# --- inside the owner -------------------------------------------------------------------------------------------------
for _name, _arguments in {
    "exec rm -rf": ("exec", OWNER, *remove_sentinel("/data")),
    "exec with environment": ("exec", "-e", "A=1", OWNER, *remove_sentinel("/data")),
    "exec with a working directory": ("exec", "-w", "/data", OWNER, "rm", "-f", "sentinel"),
    "exec privileged": ("exec", "--privileged", OWNER, *remove_sentinel("/data")),
    "exec as another user": ("exec", "-u", "0", OWNER, *remove_sentinel("/data")),
    "exec of an allowed program through a shell": ("exec", OWNER, "sh", "-c", "cat /data/sentinel; rm /data/sentinel"),
}.items():
    # On 20.10 a privileged exec wants a capability that test hosts have not.
    _loses: bool | str = "26.1" if "privileged" in _name else True
    ATTEMPTS.append(Attempt("inside the owner", _name, lambda w, a=_arguments: w.cli(*a), loses=_loses))


@attempt("inside the owner", "exec by id prefix")
def _prefix(world: World) -> None:
    world.cli("exec", world.ok("inspect", "--format", "{{.Id}}", OWNER)[:6], *remove_sentinel("/data"))


@attempt("inside the owner", "exec after a rename")
def _renamed(world: World) -> None:
    identity = world.ok("inspect", "--format", "{{.Id}}", OWNER)
    world.cli("rename", OWNER, "other-name")
    world.cli("exec", "other-name", *remove_sentinel("/data"))
    world.cli("exec", OWNER, *remove_sentinel("/data"))
    world.cli("rename", identity, OWNER)


@attempt("inside the owner", "compose exec")
def _compose_exec(world: World) -> None:
    text = project(managed=False, read_only=False)
    world.compose(text, "up", "-d")
    world.compose(text, "exec", "-T", "s", *remove_sentinel("/x"))


@attempt("inside the owner", "docker cp into it")
def _copy(world: World) -> None:
    file = world.engine.place / "sentinel"
    file.write_text("overwritten\n")
    world.cli("cp", str(file), f"{OWNER}:/data/sentinel")


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo("sentinel")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"bad\n"))
    return made.getvalue()


@attempt("inside the owner", "PUT archive")
def _archive(world: World) -> None:
    world.http("PUT", f"/containers/{OWNER}/archive?path=/data", _tar(), "Content-Type: application/x-tar")


@attempt("inside the owner", "PUT archive into the stopped owner")
def _archive_stopped(world: World) -> None:
    world.cli("kill", OWNER)
    world.http("PUT", f"/containers/{OWNER}/archive?path=/data", _tar(), "Content-Type: application/x-tar")


def _typed(world: World, uri: str, *headers: str, method: str = "POST", frame: bool = False) -> None:
    """Attaches and types a command into the owner's shell."""
    import socket

    command = b"rm -f /data/sentinel\n"
    if frame:  # one masked web socket frame; a mask of zeros changes nothing
        command = bytes([0x82, 0x80 | len(command), 0, 0, 0, 0]) + command
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(3)
        plain.connect(world.engine.socket)
        plain.sendall(
            "\r\n".join([f"{method} {uri} HTTP/1.1", "Host: d", "Origin: http://d", *headers, "", ""]).encode()
        )
        found = b""
        with suppress(OSError):
            found = plain.recv(4096)
            plain.sendall(command)
            time.sleep(0.7)
        world.said.append(found.decode(errors="replace"))


@attempt("inside the owner", "attach to its shell")
def _attach(world: World) -> None:
    _typed(
        world,
        f"/containers/{OWNER}/attach?stdin=1&stdout=1&stream=1",
        "Upgrade: tcp",
        "Connection: Upgrade",
        "Content-Length: 0",
    )


@attempt("inside the owner", "attach by web socket")
def _web_socket(world: World) -> None:
    key = base64.b64encode(b"0" * 16).decode()
    headers = ("Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13")
    _typed(world, f"/v1.41/containers/{OWNER}/attach/ws?stdin=1&stream=1", *headers, method="GET", frame=True)


@twin("inside the owner", "the commands its grant names")
def _granted(world: World) -> None:
    assert world.ok("exec", OWNER, "cat", "/data/sentinel") == TEXT.strip()


@twin("inside the owner", "docker cp out, logs, exec elsewhere")
def _out(world: World) -> None:
    world.ok("cp", f"{OWNER}:/data/sentinel", str(world.engine.place / "copied"))
    assert (world.engine.place / "copied").read_text() == TEXT
    world.ok("logs", OWNER)
    world.ok("run", "-d", "--name", "elsewhere", "tiny")
    world.ok("exec", "-e", "A=1", "-w", "/bin", "elsewhere", "rm", "-rf", "/nothing")
    world.ok("cp", str(world.engine.place / "copied"), "elsewhere:/copied")


# --- host reach -------------------------------------------------------------------------------------------------------
def _victim_by_process(world: World, *arguments: str) -> None:
    """Through another process's root directory, which is the host's, or the owner's with its volumes."""
    search = f"for p in /proc/[0-9]*; do rm -f $p/root/data/sentinel $p/root{world.backing}/sentinel; done 2>/dev/null"
    world.cli("run", "--rm", *arguments, "tiny", "sh", "-c", search)


ATTEMPTS += [
    Attempt(
        "host reach",
        "--pid=host",
        lambda w: _victim_by_process(w, "--pid=host", "--cap-add=SYS_PTRACE", "--security-opt=apparmor=unconfined"),
    ),
    Attempt(
        "host reach",
        "--pid=container: of the owner",
        lambda w: _victim_by_process(w, f"--pid=container:{OWNER}", "--security-opt=apparmor=unconfined"),
    ),
]
for _name, _host in {
    "added capabilities": {"CapAdd": ["SYS_ADMIN"]},
    "all capabilities": {"CapAdd": ["ALL"]},
    "a disk as device": {
        "Devices": [{"PathOnHost": "/dev/vda", "PathInContainer": "/dev/vda", "CgroupPermissions": "rwm"}]
    },
    "device rules": {"DeviceCgroupRules": ["b *:* rwm"]},
    "unmasked system paths": {"MaskedPaths": [], "ReadonlyPaths": []},
    "containerd's socket": {"Binds": ["/run/containerd/containerd.sock:/c.sock"]},
    "containerd's socket, read-only": {"Binds": ["/run/containerd/:/c:ro"]},
    "the plugins' directory": {"Binds": ["/run/docker/plugins:/p"]},
}.items():
    ATTEMPTS.append(
        Attempt(
            "host reach",
            _name,
            lambda w, h=_host: w.post("/containers/create?name=reach", {"Image": "tiny", "HostConfig": h}),
            loses=False,
        )
    )
for _name, _host in {
    "privileged": {"Privileged": True},
    "the engine's socket": {"Binds": ["/run/docker.sock:/d.sock"]},
    "network of the host": {"NetworkMode": "host"},
}.items():
    ATTEMPTS.append(
        Attempt(
            "host reach",
            _name,
            lambda w, h=_host: w.post("/containers/create?name=reach", {"Image": "tiny", "HostConfig": h}),
            standard=ALLOWED,
            loses=False,
        )
    )
for _name, _call in {
    "swarm": ("POST", "/swarm/init", b'{"ListenAddr":"127.0.0.1:2377","AdvertiseAddr":"127.0.0.1"}'),
    "a swarm service": ("POST", "/services/create", b"{}"),
    "plugin disable": ("POST", "/plugins/ledgerguard/disable?force=1", b""),
    "checkpoint deletion": ("DELETE", f"/containers/{OWNER}/checkpoints/x?dir=/srv", b""),
}.items():
    ATTEMPTS.append(
        Attempt(
            "host reach",
            _name,
            lambda w, c=_call: w.http(c[0], c[1], c[2], "Content-Type: application/json"),
            loses=False,
        )
    )

TOOLS: dict[str, dict[str, Any]] = {
    "Dev Containers": {"HostConfig": {"Init": True, "CapAdd": ["SYS_PTRACE"], "SecurityOpt": ["seccomp=unconfined"]}},
    "Testcontainers": {
        "HostConfig": {
            "AutoRemove": True,
            "Privileged": True,
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock:rw"],
        }
    },
    "kind": {
        "HostConfig": {
            "Privileged": True,
            "SecurityOpt": ["seccomp=unconfined", "apparmor=unconfined"],
            "CgroupnsMode": "private",
            "Tmpfs": {"/tmp": "", "/run": ""},
            "Binds": ["/lib/modules:/lib/modules:ro"],
            "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
        },
        "Volumes": {"/var": {}},
    },
    "buildx": {
        "HostConfig": {
            "Privileged": True,
            "Init": True,
            "Mounts": [{"Type": "volume", "Source": "buildx_state", "Target": "/var/lib/buildkit"}],
        }
    },
    "Portainer": {
        "HostConfig": {
            "Binds": ["/var/run/docker.sock:/var/run/docker.sock", "portainer_data:/data"],
            "RestartPolicy": {"Name": "always"},
        }
    },
}
for _name, _config in TOOLS.items():

    def _tool(world: World, config: dict[str, Any] = _config) -> None:
        assert " 201 " in world.post("/containers/create?name=tool", {"Image": "tiny", **config}), world.said[-1]

    TWINS.append(
        Attempt(
            "host reach",
            f"created as by {_name}",
            _tool,
            standard=ALLOWED,
            strict=ALLOWED if _name == "-" else REFUSED,
            loses=False,
        )
    )


@twin("host reach", "created as by cAdvisor (/:/rootfs:ro)", strict=REFUSED, only="26.1")
def _cadvisor(world: World) -> None:
    binds = [
        "/:/rootfs:ro",
        "/var/run:/var/run:ro",
        "/sys:/sys:ro",
        f"{world.engine.data_root}/:/var/lib/docker:ro",
        "/dev/disk/:/dev/disk:ro",
    ]
    devices = [{"PathOnHost": "/dev/kmsg", "PathInContainer": "/dev/kmsg", "CgroupPermissions": "r"}]
    body = {"Image": "tiny", "HostConfig": {"Privileged": True, "Binds": binds, "Devices": devices}}
    assert " 201 " in world.post("/containers/create?name=cadvisor", body), world.said[-1]


@attempt("mount elsewhere", "what is mounted below a read-only /", only="20.10")
def _below_read_only(world: World) -> None:
    place = f"/x{world.engine.data_root}/volumes/{BACKED}/_data"
    world.cli("run", "--rm", "-v", "/:/x:ro", "tiny", *remove_sentinel(place))


# --- request tricks ---------------------------------------------------------------------------------------------------
def _create_trick(name: str, host: str, **more: Any) -> None:
    """A create request of these very bytes, then a start: {body} is the host configuration as written."""
    command = json.dumps(remove_sentinel("/x"))
    body = f'{{"Image":"tiny","Cmd":{command},{host}}}'.encode("utf-8", "surrogateescape")

    def run(world: World) -> None:
        _sent_and_started(world, body)

    ATTEMPTS.append(Attempt("request tricks", name, run, **more))


def _sent_and_started(world: World, body: bytes, *headers: str, uri: str = "/containers/create?name=trick") -> None:
    world.post(uri, body, *headers)
    world.http("POST", "/containers/trick/start", b"")
    pause(0.8)


_BIND = f'["{VICTIM}:/x"]'
_create_trick("keys in another case", f'"hostconfig":{{"bINDS":{_BIND}}}')
_create_trick("keys in Unicode's other case", f'"Ho\u017ftConfig":{{"Bind\u017f":{_BIND}}}')
_create_trick("duplicate objects", f'"HostConfig":{{"Binds":{_BIND}}},"HostConfig":{{"Memory":0}}')
_create_trick("duplicate objects in two cases", f'"HostConfig":{{"Binds":{_BIND}}},"hostconfig":{{}}')
_create_trick("escaped keys", f'"\\u0048ostConfig":{{"\\u0042inds":{_BIND}}}')
_create_trick("host configuration at the top level", f'"Binds":{_BIND}', only="20.10")
_create_trick(
    "deep nesting", f'"HostConfig":{{"Binds":{_BIND}}},"Labels":{{"a":' + "[" * 3000 + "]" * 3000 + "}", loses=False
)
_create_trick("invalid UTF-8", f'"HostConfig":{{"Binds":{_BIND}}},"Labels":{{"a":"\udcff"}}')
_PLAIN = json.dumps({"Image": "tiny", "Cmd": remove_sentinel("/x"), "HostConfig": {"Binds": [f"{VICTIM}:/x"]}}).encode()
_JSON = "Content-Type: application/json"
for _name, _call in {
    "chunked": (b"%x\r\n%s\r\n0\r\n\r\n" % (len(_PLAIN), _PLAIN), _JSON, "Transfer-Encoding: chunked"),
    "body above 1 MiB": (_PLAIN[:-1] + b',"Labels":{"a":"' + b"x" * (1 << 20) + b'"}}', _JSON),
    "body above 4 MiB": (_PLAIN[:-1] + b',"Labels":{"a":"' + b"x" * (4 << 20) + b'"}}', _JSON),
    "length 0 given first": (_PLAIN, _JSON, "Content-Length: 0"),
    "content type with a parameter": (_PLAIN, _JSON + "; charset=utf-8"),
    "content type in capitals": (_PLAIN, "Content-Type: APPLICATION/JSON"),
    "two content types": (_PLAIN, "Content-Type: application/json", "Content-Type: text/plain"),
    "trailing junk": (_PLAIN + b"{}", _JSON),
}.items():
    ATTEMPTS.append(
        Attempt(
            "request tricks",
            _name,
            lambda w, c=_call: _sent_and_started(w, *c),
            loses="20.10" if _name == "trailing junk" else _name != "length 0 given first",
        )
    )
ATTEMPTS.append(
    Attempt(
        "request tricks",
        "a query that ends in /auth hides the body",
        lambda w: _sent_and_started(w, _PLAIN, _JSON, uri="/containers/create?name=trick&x=/auth"),
    )
)


@twin("request tricks", "a normal create")
def _normal(world: World) -> None:
    with closing(world.sdk()) as client:
        made = client.containers.run(
            "tiny", ["ls", "/"], remove=True, environment={"A": "1"}, labels={"a": "1", "A": "2"}
        )
    assert b"bin" in made


# --- our own steps ----------------------------------------------------------------------------------------------------
@twin("our own steps", "a volume created exactly as declared, again")
def _declared(world: World) -> None:
    options = {"type": "none", "o": "bind", "device": str(world.backing)}
    body = {"Name": BACKED, "Driver": "local", "DriverOpts": options, "Labels": {"com.ledgerflow.protect": "true"}}
    assert " 201 " in world.post("/volumes/create", body), world.said[-1]


@twin("our own steps", "the owner's container replaced as compose replaces it")
def _replaced(world: World) -> None:
    identity = world.ok("inspect", "--format", "{{.Id}}", OWNER)
    made = f"{identity[:12]}_{OWNER}"
    world.ok(
        "create",
        "-it",
        "--name",
        made,
        "-v",
        f"{VICTIM}:/data",
        "-v",
        f"{BACKED}:/backed",
        "--entrypoint",
        "/bin/sh",
        "tiny",
    )
    world.ok("rm", "-f", identity)
    world.ok("rename", made, OWNER)
    world.ok("start", OWNER)
