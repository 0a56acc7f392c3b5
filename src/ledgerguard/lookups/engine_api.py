"""The engine's API for what its files do not tell: an image's configuration, what an exec id runs, its version.

A module of its own because it is the only part that calls the engine. Only GETs, which the guard answers without any
look-up of its own: so a decision that waits here cannot wait for itself. Each call has a deadline.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ledgerguard.model import Exec, Image
from ledgerguard.refusal import LookupFailed

MAX_ANSWER = 8 << 20


class NoAnswer(OSError):
    """The engine closed the connection, or what it said is no answer."""


def call(engine: str, seconds: float, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of one request to the engine's socket. Raises OSError.

    HTTP/1.0, so the answer ends with the connection; http.client would bring TLS and half the guard's memory again.
    """
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"{method} {path} HTTP/1.0\r\nHost: engine\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(seconds)
        plain.connect(engine)
        plain.sendall(head.encode() + body)
        found = bytearray()
        while chunk := plain.recv(65536):
            found += chunk
            if len(found) > MAX_ANSWER:
                raise NoAnswer(f"more than {MAX_ANSWER} bytes")
    first, _, rest = bytes(found).partition(b"\r\n\r\n")
    words = first.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise NoAnswer("no HTTP answer")
    return int(words[1]), rest


@dataclass(frozen=True)
class EngineApi:
    """`socket`: the engine's, a path; `seconds`: the longest wait for one answer."""

    socket: str
    seconds: float = 2.0

    def get(self, path: str) -> Any:
        """The answer's JSON; None for 404. Raises LookupFailed."""
        try:
            status, body = call(self.socket, self.seconds, "GET", path)
            if status == 404:
                return None
            if status != 200:
                raise LookupFailed(f"GET {path[:80]}: status {status}")
            return json.loads(body)
        except (OSError, ValueError) as error:
            raise LookupFailed(f"GET {path[:80]}: {error}") from error

    def image(self, reference: str) -> Image | None:
        found = self.get(f"/images/{quote(reference, safe=':@/')}/json") if reference else None
        return image_of(found) if found else None

    def execution(self, exec_id: str) -> Exec | None:
        found = self.get(f"/exec/{quote(exec_id, safe='')}/json")
        return exec_of(found) if found else None

    def network(self, reference: str) -> tuple[str, str] | None:
        """(id, name) of the network that the engine means by this."""
        shown = self.get(f"/networks/{quote(reference, safe='')}")
        return (str(shown["Id"]), str(shown["Name"])) if shown else None

    def runtimes(self) -> tuple[str, ...]:
        """The default runtime, then all that the engine was set up with."""
        shown = self.get("/info")
        return (str(shown.get("DefaultRuntime") or ""), *map(str, shown.get("Runtimes") or ()))

    def version(self) -> str:
        return str(self.get("/version").get("Version", ""))


def image_of(inspected: dict[str, Any]) -> Image:
    config = inspected.get("Config") or {}
    return Image(
        id=str(inspected["Id"]),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        user=config.get("User") or "",
        environment=tuple(config.get("Env") or ()),
        working_dir=config.get("WorkingDir") or "",
        healthcheck=tuple((config.get("Healthcheck") or {}).get("Test") or ()),
        stop_signal=config.get("StopSignal") or "",
    )


def exec_of(inspected: dict[str, Any]) -> Exec:
    process = inspected["ProcessConfig"]
    return Exec(
        container=str(inspected["ContainerID"]),
        argv=(str(process["entrypoint"]), *(process.get("arguments") or ())),
        user=process.get("user") or "",
        privileged=bool(process.get("privileged")),
        tty=bool(process.get("tty")),
        input=bool(inspected.get("OpenStdin")),
    )
