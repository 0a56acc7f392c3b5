"""Commands, files and keystrokes into a protected volume's owner."""

from __future__ import annotations

import base64
import io
import re
import tarfile
import time
from contextlib import suppress

from tests.guard.attempts.base import ATTEMPTS, Attempt, attempt, twin
from tests.guard.attempts.projects import project
from tools.kit.guard_world import OWNER, TEXT, World, remove_sentinel

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


@attempt("inside the owner", "attach, its stdin a word that only Go takes for true")
def _attach_odd(world: World) -> None:
    uri = f"/containers/{OWNER}/attach?stdin=%1c&stdout=1&stream=1"
    _typed(world, uri, "Upgrade: tcp", "Connection: Upgrade", "Content-Length: 0")


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


def _asked(world: World, **body: object) -> str:
    """An exec of the one command that is granted, made by a request and started."""
    answer = world.post(f"/containers/{OWNER}/exec", {"Cmd": ["cat", "/data/sentinel"], "AttachStdout": True, **body})
    made = re.search(r'"Id":"([0-9a-f]+)"', answer)
    if made:
        world.post(f"/exec/{made[1]}/start", {"Detach": True})
    return answer


for _name, _body in {
    "a granted command with a terminal": {"Tty": True},
    "a granted command with somebody typing": {"AttachStdin": True},
    "a granted command with a size of a terminal": {"ConsoleSize": [40, 40]},
    "a granted command with a variable": {"Env": ["PAGER=sh"]},
}.items():
    ATTEMPTS.append(Attempt("inside the owner", _name, lambda w, b=_body: _asked(w, **b), loses=False))


@twin("inside the owner", "with a terminal where its grant says so, and each is written down")
def _typed_in(world: World) -> None:
    world.declare({"exec": [{"argv": ["cat", "*"], "tty": True, "input": True}]})
    try:
        assert " 201 " in _asked(world, Tty=True, AttachStdin=True, ConsoleSize=[40, 40]), world.said[-1]
    finally:
        world.declare()
    if world.engine.profile:
        told = world.engine.guard("audit", "--verdict", "exec", "--json").stdout
        assert "'cat /data/sentinel' as root in owner with a terminal with input" in told, told
