"""What every attempt is made on: protected volumes with sentinels, their owner, foreigners, and the ways in.

A module of its own because the attempts only say what is done; here is how to do it (docker's command line, compose,
the SDK, bytes typed into the socket), how the data is judged (files on the disk), and how it is healed afterwards.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker

from tools.kit.guarded_engine import GuardedEngine

PROTECT = "com.ledgerflow.protect"
VICTIM, BACKED, ANONYMOUS, OTHER = "victim", "backed", "holder-of-anonymous", "other"
TEXT = "the row that must survive\n"
DENIED = "authorization denied by plugin ledgerguard"
OWNER = "owner"
NETWORK, CACHE = "stack-data", "stack-cache"  # the stack's own network, and its container there without a volume
MEMBER: dict[str, Any] = {"container": CACHE, "entrypoint": None, "networks": {NETWORK: ["cache"]}, "exec": []}


@dataclass
class World:
    """One engine with everything an attempt needs. `lost` looks at the disk, never at what was answered."""

    engine: GuardedEngine
    image: str = ""
    anonymous: str = ""
    said: list[str] = field(default_factory=list)

    # --- ways in ----------------------------------------------------------------------------------------------------

    def cli(self, *arguments: str, stdin: str | None = None, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """The docker command line; what it said is kept."""
        environment = {**os.environ, "DOCKER_HOST": f"unix://{self.engine.socket}"}
        if self.engine.version == "20.10":
            environment["DOCKER_API_VERSION"] = "1.41"
        process = subprocess.run(
            ["docker", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            input=stdin,
        )
        self.said.append(process.stdout + process.stderr)
        return process

    def ok(self, *arguments: str, **more: Any) -> str:
        """The same, which has to succeed."""
        process = self.cli(*arguments, **more)
        assert process.returncode == 0, f"docker {arguments}: {process.stderr}{process.stdout}"
        return process.stdout.strip()

    def raw(self, text: str | bytes, seconds: float = 10) -> str:
        """Bytes typed into the engine's socket; all it answers until it closes."""
        data = text.encode() if isinstance(text, str) else text
        answer = b""
        with socket.socket(socket.AF_UNIX) as plain:
            plain.settimeout(seconds)
            plain.connect(self.engine.socket)
            with suppress(OSError):
                plain.sendall(data)
            with suppress(OSError):
                while chunk := plain.recv(65536):
                    answer += chunk
        self.said.append(answer.decode(errors="replace"))
        return self.said[-1]

    def http(self, method: str, uri: str, body: bytes | None = None, *headers: str) -> str:
        """One request as written here, nothing added but a host and the length."""
        lines = [f"{method} {uri} HTTP/1.1", "Host: d", "Connection: close", *headers]
        if body is not None and not any(
            line.lower().startswith(("content-length", "transfer-encoding")) for line in headers
        ):
            lines.append(f"Content-Length: {len(body)}")
        return self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + (body or b""))

    def post(self, uri: str, value: Any, *headers: str) -> str:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.http("POST", uri, body, *(headers or ("Content-Type: application/json",)))

    def sdk(self) -> docker.DockerClient:
        version = "1.41" if self.engine.version == "20.10" else "auto"
        return docker.DockerClient(base_url=f"unix://{self.engine.socket}", version=version, timeout=30)

    def compose(self, text: str, *arguments: str, project: str = "p") -> subprocess.CompletedProcess[str]:
        file = self.engine.place / f"{project}.yml"
        file.write_text(text)
        return self.cli("compose", "-p", project, "-f", str(file), *arguments, seconds=90)

    def create_and_start(self, name: str, host: dict[str, Any], argv: list[str], **config: Any) -> str:
        """A container made by bytes, started, waited for."""
        body = {"Image": "tiny", "Cmd": argv, "HostConfig": host, **config}
        answer = self.post(f"/containers/create?name={name}", body)
        answer += self.http("POST", f"/containers/{name}/start", b"")
        answer += self.raw(
            f"POST /containers/{name}/wait HTTP/1.1\r\nHost: d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", 5
        )
        return answer

    @contextmanager
    def second_procfs(self) -> Iterator[Path]:
        """A directory with a /proc of its own in it, as a chroot has."""
        place = self.engine.place / "chroot"
        (place / "proc").mkdir(parents=True, exist_ok=True)
        self.engine.run_inside("mount", "-t", "proc", "proc", str(place / "proc"))
        try:
            yield place
        finally:
            self.engine.run_inside("umount", str(place / "proc"))

    @contextmanager
    def mounted_again(self, directory: Path) -> Iterator[Path]:
        """The directory mounted in a second place, as the host's /etc/fstab would; below it stands alone."""
        second = self.engine.place / "again" / directory.name
        second.mkdir(parents=True, exist_ok=True)
        self.engine.run_inside("mount", "--bind", str(directory), str(second))
        try:
            yield second
        finally:
            self.engine.run_inside("umount", str(second))

    # --- judging ----------------------------------------------------------------------------------------------------

    def file(self, volume: str) -> Path:
        return self.engine.data_root / "volumes" / volume / "_data" / "sentinel"

    @property
    def backing(self) -> Path:
        return self.engine.place / "srv/backed"

    def sentinels(self) -> dict[str, Path]:
        return {VICTIM: self.file(VICTIM), BACKED: self.backing / "sentinel", "anonymous": self.file(self.anonymous)}

    def lost(self) -> list[str]:
        """Volumes whose sentinel is not what it was, or whose record has gone."""
        damaged = [name for name, file in self.sentinels().items() if not file.exists() or file.read_text() != TEXT]
        records = {VICTIM, BACKED, self.anonymous} - set(self.volumes())
        return sorted({*damaged, *("anonymous" if name == self.anonymous else name for name in records)})

    def volumes(self) -> list[str]:
        listed = self.http("GET", "/volumes")
        return re.findall(r'"Name":"([^"]+)"', listed)

    def denied(self) -> bool:
        return any(DENIED in text for text in self.said)

    # --- making and healing -----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Declares the volumes (where there is a guard), makes them and their owner."""
        self.image = self.ok("image", "inspect", "tiny", "--format", "{{.Id}}")
        self.ok("network", "create", NETWORK)
        self.declare()
        self.heal()

    def grant(self, target: str, **changed: Any) -> dict[str, Any]:
        """The owner's, or with changes another's."""
        common = {"container": OWNER, "images": [self.image], "entrypoint": ["/bin/sh"],
                  "config": {"Tty": True, "OpenStdin": True}, "exec": [{"argv": ["cat", "*"]}]}  # fmt: skip
        return {**common, "target": target, **changed}

    def declaration(self, owner: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """The volumes with the owner's grants, as changed; `more`: a grant beside it, by volume."""
        backed = {"type": "none", "o": "bind", "device": str(self.backing)}
        grants = {name: [grant] for name, grant in more.items()}
        common = {"environment": "dev", "labels": {PROTECT: "true"}, "profile": self.engine.profile or "standard"}
        return {
            "schema": 2,
            "networks": [NETWORK],
            "members": [{**self.grant("/", **MEMBER), "target": ""}],
            "volumes": {
                VICTIM: {**common, "grants": [self.grant("/data", **owner), *grants.get(VICTIM, [])]},
                BACKED: {
                    **common,
                    "options": backed,
                    "grants": [self.grant("/backed", **owner), *grants.get(BACKED, [])],
                },
            },
        }

    def declare(self, owner: Mapping[str, Any] | None = None, **more: Any) -> None:
        """`owner`: what is another in its grants; `more`: grants beside them, by volume."""
        if not self.engine.profile:
            return
        file = self.engine.place / "declare.json"
        file.write_text(json.dumps(self.declaration(owner or {}, **more)))
        process = self.engine.guard("declare", str(file))
        assert process.returncode == 0, process.stderr

    @contextmanager
    def granted(self, **more: Any) -> Iterator[None]:
        """The volume is declared with a grant more, by volume, for as long as it lasts."""
        self.declare(**more)
        try:
            yield
        finally:
            self.declare()

    def version(self, tag: str) -> str:
        """The id of another version of the image."""
        archive = str(self.engine.place / "rootfs.tar")
        return self.ok("import", "--change", 'CMD ["sleep", "100000"]', archive, f"tiny:{tag}")

    def there(self, name: str, also: str = "") -> bool:
        answer = self.http("GET", f"/containers/{name}/json")
        return " 200 " in answer.partition("\r\n")[0] and also in answer

    def heal(self) -> None:
        """Removes what an attempt left and brings back what it lost."""
        self.remove_foreigners()
        if not self.there(ANONYMOUS):
            self._make_anonymous()
            self.file(self.anonymous).write_text(TEXT)
        if self.lost():
            self.cli("rm", "-f", OWNER)
            self._make_volumes()
        if not self.there(OWNER, '"Running":true'):
            self.cli("rm", "-f", OWNER)
            self.ok("run", "-d", *owner())
        if OTHER not in self.volumes():
            self.ok("volume", "create", OTHER)
        if NETWORK not in self.engine.docker("network", "ls", "--format", "{{.Name}}").split():
            self.ok("network", "create", NETWORK)  # a prune of the system takes unused ones
        assert self.lost() == []
        self.said.clear()

    def _make_volumes(self) -> None:
        shutil.rmtree(self.backing, ignore_errors=True)
        self.backing.mkdir(parents=True)
        options = ["--opt", "type=none", "--opt", "o=bind", "--opt", f"device={self.backing}"]
        self.ok("volume", "create", "--label", f"{PROTECT}=true", VICTIM)
        self.ok("volume", "create", "--label", f"{PROTECT}=true", *options, BACKED)
        if self.anonymous not in self.volumes():
            self._make_anonymous()
        for file in self.sentinels().values():
            file.write_text(TEXT)

    def _make_anonymous(self) -> None:
        """An anonymous volume that is protected: only a label given at its creation can do that."""
        self.ok("create", "--name", ANONYMOUS, "--mount", f"type=volume,dst=/x,volume-label={PROTECT}=true", "tiny")
        volume = self.ok("inspect", "--format", "{{range .Mounts}}{{.Name}}{{end}}", ANONYMOUS)
        self.anonymous = volume.strip()

    def remove_foreigners(self) -> None:
        names = re.findall(r'"Names":\["/([^"]+)"', self.http("GET", "/containers/json?all=1"))
        foreign = [name for name in names if name not in (OWNER, ANONYMOUS)]
        if foreign:
            self.cli("rm", "-f", *foreign)

    def before_the_guard(self, *arguments: str) -> None:
        """Does what only an engine without the guard's consent allows: the guard in mode off for a moment."""
        if not self.engine.profile:
            self.ok(*arguments)
            return
        self.engine.kill_guard(15)
        self.engine.mode = "off"
        self.engine.start_guard()
        try:
            self.ok(*arguments)
        finally:
            self.engine.kill_guard(15)
            self.engine.mode = "enforce"
            self.engine.start_guard()
        self.said.clear()


def owner(name: str = OWNER) -> list[str]:
    """What docker is given to make the owner as it is granted: with a shell that somebody could type into."""
    volumes = ["-v", f"{VICTIM}:/data", "-v", f"{BACKED}:/backed"]
    return ["-it", "--name", name, *volumes, "--entrypoint", "/bin/sh", "tiny"]


def remove_sentinel(place: str) -> list[str]:
    return ["rm", "-f", f"{place}/sentinel"]


def pause(seconds: float = 0.3) -> None:
    time.sleep(seconds)
