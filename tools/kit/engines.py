"""An engine of a test's own, for what may never be done to the machine's: prune, restart, kill, cut the power.

A module of its own because it alone makes and removes one. The engine lives in network, mount and process namespaces of
its own: it cannot touch the machine's engine, and all that belongs to it (containers, shims, mounts) ends with the
first process of those namespaces, which dies with the test, whatever the test did.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import requests

from tools.kit.image_host import Host
from tools.kit.stacks import Stack

T = TypeVar("T")
START_SECONDS = 60
NEW_NETWORK = 0x40000000  # CLONE_NEWNET
SERVICE_IMAGES = ["postgres", "redis", "searxng", "app", "caddy", "adminer", "vault"]

# The first process: brings loopback up (no iproute2 needed), takes in orphans, and waits to be killed.
FIRST_PROCESS = """
import fcntl, signal, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", 0x41))
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("up", flush=True)
while True:
    signal.pause()
"""


class EngineError(RuntimeError):
    """The engine of the test did not start or stop."""


@dataclass
class Engine:
    """One dockerd with roots of its own; `start` it, and `remove` it whatever happened."""

    place: Path
    options: tuple[str, ...] = ()
    data: Path | None = None  # another engine's data root, stopped in order; none: an empty one
    archive: Path = field(init=False)
    _namespaces: subprocess.Popen[str] | None = None
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.archive = self.place / "images.tar"

    @property
    def socket(self) -> str:
        return str(self.place / "docker.sock")  # short: a socket's path ends at 107 characters

    @property
    def log(self) -> str:
        return (self.place / "dockerd.log").read_text(errors="replace")[-4000:]

    # --- life and death ---------------------------------------------------------------------------------------------

    def start(self, *options: str) -> None:
        """Starts dockerd, in new namespaces after a power cut; waits until it answers."""
        if self._namespaces is None:
            self._namespaces = self._new_namespaces()
        with (self.place / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._inside(), "dockerd", *self._arguments(), *self.options, *options], stdout=log, stderr=log
            )
        self._wait_for(self._answers, f"no answer within {START_SECONDS} s")

    def terminate(self) -> None:
        """SIGTERM, as a system that goes down or a package upgrade sends it."""
        self._signal("TERM")

    def kill(self) -> None:
        """SIGKILL to dockerd alone: containers and their shims run on."""
        self._signal("KILL")

    def cut_the_power(self) -> None:
        """Everything of the engine ends at once, containers included; only what is on the disk stays."""
        if self._namespaces is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self._first_process(), 9)
        self._namespaces.wait(60)
        if self._process is not None:
            self._process.wait(60)
        self._namespaces = self._process = None
        for leftover in (Path(self.socket), self.place / "dockerd.pid"):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(self.place / "exec", ignore_errors=True)  # /run is empty after a boot

    def remove(self) -> None:
        """Ends everything and removes every trace: files, and the empty control groups of killed containers."""
        self.cut_the_power()
        self._wait_for(self._removed, "its files cannot be removed")
        for group in Path("/sys/fs/cgroup").glob(f"**/{Path(self._group).name}"):
            for below in sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True):
                below.rmdir()
            group.rmdir()

    # --- images and the way in --------------------------------------------------------------------------------------

    def save_images(self) -> None:
        """Keeps all images that this engine has, for `load_images` after they were removed."""
        names = self.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
        self.docker("save", "-o", str(self.archive), *(name for name in names if "<none>" not in name))

    def load_images(self, references: list[str]) -> None:
        """Brings images of the world's engine, or those kept; the archive is kept for the next time."""
        if not self.archive.exists():
            subprocess.run(["docker", "save", "-o", str(self.archive), *references], check=True, timeout=180)
        self.docker("load", "--quiet", "--input", str(self.archive))

    def docker(self, *arguments: str) -> str:
        """The docker command line on this engine; its stdout."""
        environment = {**os.environ, "DOCKER_HOST": f"unix://{self.socket}"}
        process = subprocess.run(
            ["docker", *arguments], env=environment, capture_output=True, text=True, timeout=180, check=False
        )
        assert process.returncode == 0, f"docker {arguments}: {process.stderr}\n{process.stdout}"
        return process.stdout.strip()

    def inside(self, work: Callable[[], T]) -> T:
        """What `work` gives in the engine's network namespace, where its published ports are."""
        outcome: list[T] = []
        failure: list[BaseException] = []

        def run() -> None:  # a thread of its own: the namespace is a property of the thread, and dies with it
            try:
                self._enter_network()
                outcome.append(work())
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    # --- private ----------------------------------------------------------------------------------------------------

    @property
    def _group(self) -> str:
        return f"{os.environ.get('LEDGERFLOW_BED_CGROUP', '')}/ledgerflow-test-{self.place.name}".lstrip("/")

    def _arguments(self) -> list[str]:
        place = self.place
        return [
            f"--data-root={self.data or place / 'data'}",
            f"--exec-root={place / 'exec'}",
            f"--pidfile={place / 'dockerd.pid'}",
            f"--host=unix://{self.socket}",
            f"--config-file={place / 'daemon.json'}",
            "--exec-opt=native.cgroupdriver=cgroupfs",  # systemd's driver refuses such a parent
            f"--cgroup-parent=/{self._group}",
        ]

    def _new_namespaces(self) -> subprocess.Popen[str]:
        (self.place / "daemon.json").write_text("{}\n")  # never the machine's
        # The host's later mounts and unmounts are followed, ours stay ours.
        unshare = ["unshare", "--net", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child"]
        argv = ["setpriv", "--pdeathsig", "KILL", *unshare, "--mount-proc", sys.executable, "-c", FIRST_PROCESS]
        with (self.place / "dockerd.log").open("ab") as log:
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True)
        assert process.stdout is not None
        with process.stdout as output:
            if output.readline() != "up\n":
                raise EngineError(f"no namespaces for an engine: exit {process.wait()}")
        return process

    def _first_process(self) -> int:
        assert self._namespaces is not None
        pid = self._namespaces.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if not children:
            raise ProcessLookupError(pid)
        return int(children[0])

    def _inside(self) -> list[str]:
        return ["nsenter", f"--target={self._first_process()}", "--net", "--mount", "--pid", "--"]

    def _enter_network(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{self._first_process()}/ns/net").open() as namespace:
            if libc.setns(namespace.fileno(), NEW_NETWORK) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise EngineError(f"the engine ended:\n{self.log}")
        with socket.socket(socket.AF_UNIX) as plain, suppress(OSError):  # the SDK leaks its socket when refused
            plain.settimeout(5)
            plain.connect(self.socket)
            plain.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b" 200 " in plain.recv(100)
        return False

    def _signal(self, name: str) -> None:
        assert self._process is not None
        pid = (self.place / "dockerd.pid").read_text()
        subprocess.run([*self._inside(), "kill", f"-{name}", pid], check=True)
        self._process.wait(60)

    def _removed(self) -> bool:
        shutil.rmtree(self.place, ignore_errors=True)
        return not self.place.exists()

    def _wait_for(self, condition: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > end:
                raise EngineError(f"engine {self.place}: {otherwise}\n{self.log if self.place.exists() else ''}")
            time.sleep(0.2)


@contextmanager
def engine(*options: str, data: Path | None = None) -> Iterator[Engine]:
    """A running engine, without images unless it has another's data root; removed whatever happened."""
    place = tempfile.mkdtemp(prefix="lf-engine-")  # not below pytest's: a socket's path must be short
    started = Engine(Path(place), options, data)
    try:
        started.start()
        yield started
    finally:
        started.remove()


@dataclass
class EngineStack(Stack):
    """A stack on an engine of the test's own. The role that manages the machine's engine is told to keep off."""

    engine: Engine = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.socket = self.engine.socket
        self.variables = {"docker_engine_manage": "never"}

    def images(self) -> list[str]:
        """References of the services' images, made by the machine's engine where it has not got them."""
        source = {"images_source": self.settings["IMAGES_SOURCE"], "images_state_dir": "/etc/ledgerflow/images"}
        build = Host(self.directory / "images").run(SERVICE_IMAGES, **source)
        assert build.status == 0, build.text[-4000:]
        return [build.refs[name] for name in SERVICE_IMAGES]

    def remove(self) -> None:
        """The engine is removed with all it ran; this is what lay outside of it."""
        shutil.rmtree(self.config, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass
class Browser:
    """A signed-in session through the door, in the engine's network."""

    stack: EngineStack
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str) -> requests.Response:
        return self.stack.engine.inside(lambda: self.session.get(self.stack.url(path=path), timeout=20))

    def sign_in(self) -> None:
        """Types the name and the generated password into the form."""
        page = self.get("/sign-in/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text[:2000]
        form = {
            "username": self.stack.settings.get("ADMIN_USERNAME", "admin"),
            "password": self.stack.secret("app_admin_password"),
            "csrfmiddlewaretoken": token[1],
        }
        url = self.stack.url(path="/sign-in/")
        answer = self.stack.engine.inside(lambda: self.session.post(url, data=form, timeout=20))
        assert answer.status_code == 200, answer.text[:2000]
        assert self.signed_in()

    def signed_in(self) -> bool:
        """Whether the ledger's page is shown and not the form."""
        answer = self.get("/")
        return answer.status_code == 200 and not answer.url.split("?")[0].endswith("/sign-in/")
