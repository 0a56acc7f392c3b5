"""The first process of a world: builds its directories, brings up the network and the engine, runs one command.

A module of its own because it runs inside the namespaces, where its end is the end of everything in them. Started by
`worlds` with the world's directory, its settings as JSON and two pipes: it says when it is ready for a network, and
waits until it has one.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tools.bed import layout

ENGINE_SECONDS = 60.0
STOP_SECONDS = 120.0
SOCKET = "/var/run/docker.sock"
PID_FILE = Path("/run/docker.pid")  # where the role docker_engine has it too
DNS_OF_SLIRP = "nameserver 10.0.2.3\n"


@dataclass(frozen=True)
class Settings:
    """What a world is asked to do."""

    world: Path
    worlds: Path
    shown: tuple[Path, ...]  # directories of the host to bind where a private one would hide them
    argv: tuple[str, ...]
    engine: bool
    network: bool
    save: bool  # stop containers and engine in order at the end, so that the world can be copied


def run(*argv: str | Path) -> None:
    """A program that must succeed."""
    subprocess.run([str(word) for word in argv], check=True)


# --- directories ----------------------------------------------------------------------------------------------------


def mount_overlay(settings: Settings, lower: Path) -> None:
    """Mounts one directory's overlay at its place below `<world>/root`."""
    overlay = layout.overlay(settings.world, lower)
    shutil.rmtree(overlay.work, ignore_errors=True)
    for directory in (overlay.upper, overlay.work, overlay.mount_point):
        directory.mkdir(parents=True, exist_ok=True)
    shutil.copystat(lower, overlay.upper)
    os.chown(overlay.upper, lower.stat().st_uid, lower.stat().st_gid)
    subprocess.run(overlay.argv(), check=True)


def mirror(settings: Settings, directory: Path) -> None:
    """Shows a directory child by child: the worlds lie below it, so it cannot be overlaid as a whole."""
    place = settings.world / "root" / directory.relative_to("/")
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(stat.S_IMODE(directory.stat().st_mode))
    children = sorted(directory.iterdir())
    for child in children:
        if child.is_symlink():
            with suppress(FileExistsError):
                (place / child.name).symlink_to(child.readlink())
    folders = [child for child in children if child.is_dir() and not child.is_symlink()]
    overlaid, deeper = layout.split_for_mirror(folders, settings.worlds)
    for child in overlaid:
        mount_overlay(settings, child)
    for child in deeper:
        mirror(settings, child)


def hide(settings: Settings) -> None:
    """Removes from the world's view what the machine's own deployment and guard left, and keeps the images' record."""
    root = settings.world / "root"
    if (settings.world / "made").exists():  # a copy of a template: what lies there is its own
        return
    record = Path("/") / layout.IMAGES_RECORD
    for name in layout.HIDDEN_DIRECTORIES:
        shutil.rmtree(root / name, ignore_errors=True)
    for name in layout.HIDDEN_FILES:
        (root / name).unlink(missing_ok=True)
    if record.is_dir():
        shutil.copytree(record, root / layout.IMAGES_RECORD)
    (settings.world / "made").touch()


def build(settings: Settings) -> None:
    """Makes the world's directories and moves them over the host's; the host sees none of it."""
    root = settings.world / "root"
    handles = [(os.open(path, os.O_PATH), path) for path in settings.shown if layout.is_private(path)]
    if not (root / "etc").exists():
        root.mkdir(parents=True, exist_ok=True)
        run("cp", "-a", layout.COPIED, root / "etc")
    overlaid = [path for path in layout.OVERLAID if path.is_dir()]
    for directory in overlaid:
        mount_overlay(settings, directory)
    mirror(settings, layout.MIRRORED)
    for directory in layout.EMPTY:
        (root / directory.relative_to("/")).mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    hide(settings)
    for name in ("docker", "containerd"):
        (root / "var/lib" / name).mkdir(mode=0o711, parents=True, exist_ok=True)
    write_etc(settings)
    # /var last: the world lies below it, and is out of sight from then on.
    for directory in (layout.COPIED, *overlaid, *layout.EMPTY, layout.MIRRORED):
        directory.mkdir(exist_ok=True)
        run("mount", "--rbind", root / directory.relative_to("/"), directory)
    run("mount", "-t", "tmpfs", "-o", "mode=0755,nosuid,nodev", "tmpfs", layout.VOLATILE)
    (layout.VOLATILE / "lock").mkdir(mode=0o1777)
    for handle, path in handles:
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "--rbind", f"/proc/self/fd/{handle}", str(path)], check=True, pass_fds=[handle])
        os.close(handle)
    os.chdir(settings.shown[0])  # the host's directory of that name may be hidden now


def write_etc(settings: Settings) -> None:
    """Name service and engine of the world: the host's files may be links into its /run, or mounts."""
    etc = settings.world / "root/etc"
    for name in ("hosts", "hostname"):
        if not (etc / name).exists():
            (etc / name).write_bytes(Path("/etc", name).read_bytes())
    resolver = etc / "resolv.conf"
    text = DNS_OF_SLIRP if settings.network else ""
    resolver.unlink(missing_ok=True)
    resolver.write_text(text)
    (etc / "docker").mkdir(exist_ok=True)
    # A template's copy brings the template's: the control group is the world's own.
    before = etc / "docker/daemon.json"
    originals = json.loads(before.read_text()) if before.exists() else {}
    before.write_text(json.dumps({**originals, **layout.daemon_json(settings.world)}, indent=2) + "\n")


# --- network and engine ---------------------------------------------------------------------------------------------


def bring_up_loopback() -> None:
    """Needs no iproute2: SIOCSIFFLAGS with IFF_UP and IFF_RUNNING."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))


def engine_answers() -> bool:
    """Whether the engine says yes to a ping."""
    with socket.socket(socket.AF_UNIX) as plain, suppress(OSError):
        plain.settimeout(5)
        plain.connect(SOCKET)
        plain.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in plain.recv(100)
    return False


def start_engine() -> subprocess.Popen[bytes]:
    """The world's engine, with the options and files the role docker_engine gives one without systemd."""
    with Path("/var/log/docker.log").open("ab") as log:
        process = subprocess.Popen(["dockerd", "--pidfile", str(PID_FILE)], stdout=log, stderr=log)
    end = time.monotonic() + ENGINE_SECONDS
    while not engine_answers():
        if process.poll() is not None or time.monotonic() > end:
            tail = Path("/var/log/docker.log").read_text(errors="replace")[-4000:]
            raise SystemExit(f"bed: the world's engine did not start (exit {process.poll()}):\n{tail}")
        time.sleep(0.1)
    return process


def stop_engine() -> None:
    """Containers first, each in its own order, then the engine: what is on the disk is then whole."""
    running = subprocess.run(["docker", "ps", "-q"], check=True, capture_output=True, text=True).stdout.split()
    if running:
        run("docker", "stop", "--time", "60", *running)
    pid = int(PID_FILE.read_text())
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.1)
    if Path(f"/proc/{pid}").exists():
        raise SystemExit("bed: the world's engine did not stop")


# --- the command ----------------------------------------------------------------------------------------------------


def run_command(argv: tuple[str, ...]) -> int:
    """Runs the command as a group of its own and takes in every orphan meanwhile; its exit code."""
    child = subprocess.Popen(argv, start_new_session=False)

    def pass_on(number: int, _frame: object) -> None:
        child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    while True:
        pid, status = os.wait()
        if pid == child.pid:
            return os.waitstatus_to_exitcode(status)


def main(text: str, ready: int, go: int) -> int:
    """`text` is the settings as JSON; writes to `ready` when a network may come, reads from `go` until it has."""
    wish = json.loads(text)
    settings = Settings(
        world=Path(wish["world"]), worlds=Path(wish["worlds"]), shown=tuple(map(Path, wish["shown"])),
        argv=tuple(wish["argv"]), engine=wish["engine"], network=wish["network"], save=wish["save"],
    )  # fmt: skip
    build(settings)
    bring_up_loopback()
    os.write(ready, b"ready")
    os.close(ready)
    if os.read(go, 10) != b"go":
        return 2
    os.close(go)
    if settings.engine:
        start_engine()
    code = run_command(settings.argv)
    if settings.save and settings.engine and code == 0:
        stop_engine()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
