"""A registry on loopback, filled with copies of what we build, as a stand-in for the one on the internet.

A module of its own because several tests deploy from it, and because it alone knows what must be taken out of the
engine again: every reference it or a pull from it made, and no other.
"""

from __future__ import annotations

import http.client
import secrets
import subprocess
import time
from dataclasses import dataclass, field

START_SECONDS = 20


class RegistryError(RuntimeError):
    """The registry did not start, or docker refused."""


def docker(*arguments: str) -> str:
    """stdout of the docker command line; RegistryError with what it said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=180, check=False)
    if done.returncode:
        raise RegistryError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


@dataclass
class Registry:
    """Use as a context; `image` is the reference of the image `registry` that role images made."""

    image: str
    name: str = field(default_factory=lambda: f"t{secrets.token_hex(3)}-registry")
    address: str = ""

    def __enter__(self) -> Registry:
        hardened = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "5000:5000"]
        storage = ["--tmpfs", "/var/lib/registry:uid=5000,gid=5000,mode=0700", "--tmpfs", "/tmp"]
        docker("run", "--detach", "--name", self.name, "--publish", "127.0.0.1::5000", *hardened, *storage, self.image)
        try:
            self.address = docker("port", self.name, "5000/tcp").splitlines()[0]
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.address:
            self.forget()
        docker("rm", "--force", "--volumes", self.name)

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until:
                raise RegistryError(f"{self.name}: no answer on {self.address}\n{docker('logs', self.name)}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection(self.address, timeout=1)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def push(self, image: str, place: str) -> None:
        """Pushes a local image as `place` (repository:tag) and leaves no tag of it in the engine."""
        reference = f"{self.address}/{place}"
        docker("tag", image, reference)
        try:
            docker("push", "--quiet", reference)
        finally:
            docker("rmi", reference)

    def references(self) -> list[str]:
        """All references of this registry that the engine holds, by tag and by digest."""
        lines = docker("image", "ls", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}").splitlines()
        ours = [line.split() for line in lines if line.startswith(f"{self.address}/")]
        tags = {f"{repository}:{tag}" for repository, tag, _ in ours if tag != "<none>"}
        return sorted(tags | {f"{repository}@{digest}" for repository, _, digest in ours if digest != "<none>"})

    def forget(self) -> None:
        """Takes every reference of this registry out of the engine; images with other names stay."""
        for reference in self.references():
            docker("rmi", reference)
