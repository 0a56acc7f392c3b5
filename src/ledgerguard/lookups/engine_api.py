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


class BadAnswer(OSError):
    """The engine closed the connection, or what it said is no answer."""


def send_request(engine: str, seconds: float, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of one request to the engine's socket. Raises OSError.

    HTTP/1.0, so the answer ends with the connection; http.client would bring TLS and half the guard's memory again.
    """
    kind = "Content-Type: application/json\r\n" if body else ""
    head = f"{method} {path} HTTP/1.0\r\nHost: engine\r\n{kind}Content-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(engine)
        connection.sendall(head.encode() + body)
        answer = bytearray()
        while chunk := connection.recv(65536):
            answer += chunk
            if len(answer) > MAX_ANSWER:
                raise BadAnswer(f"more than {MAX_ANSWER} bytes")
    status_line, _, content = bytes(answer).partition(b"\r\n\r\n")
    words = status_line.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise BadAnswer("no HTTP answer")
    return int(words[1]), content


@dataclass(frozen=True)
class EngineApi:
    """`socket`: the engine's, a path; `seconds`: the longest wait for one answer."""

    socket: str
    seconds: float = 2.0

    def get(self, path: str) -> Any:
        """The answer's JSON; None for 404. Raises LookupFailed."""
        try:
            status, body = send_request(self.socket, self.seconds, "GET", path)
            if status == 404:
                return None
            if status != 200:
                raise LookupFailed(f"GET {path[:80]}: status {status}")
            return json.loads(body)
        except (OSError, ValueError) as error:
            raise LookupFailed(f"GET {path[:80]}: {error}") from error

    def image(self, reference: str) -> Image | None:
        document = self.get(f"/images/{quote(reference, safe=':@/')}/json") if reference else None
        return parse_image(document) if document else None

    def execution(self, exec_id: str) -> Exec | None:
        document = self.get(f"/exec/{quote(exec_id, safe='')}/json")
        return parse_exec(document) if document else None

    def network(self, reference: str) -> tuple[str, str] | None:
        """(id, name) of the network that the engine means by this."""
        document = self.get(f"/networks/{quote(reference, safe='')}")
        return (str(document["Id"]), str(document["Name"])) if document else None

    def runtimes(self) -> tuple[str, ...]:
        """The default runtime, then all that the engine was set up with."""
        document = self.get("/info")
        return (str(document.get("DefaultRuntime") or ""), *map(str, document.get("Runtimes") or ()))

    def version(self) -> str:
        return str(self.get("/version").get("Version", ""))


def parse_image(inspected: dict[str, Any]) -> Image:
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


def parse_exec(inspected: dict[str, Any]) -> Exec:
    process = inspected["ProcessConfig"]
    return Exec(
        container=str(inspected["ContainerID"]),
        argv=(str(process["entrypoint"]), *(process.get("arguments") or ())),
        user=process.get("user") or "",
        privileged=bool(process.get("privileged")),
        tty=bool(process.get("tty")),
        input=bool(inspected.get("OpenStdin")),
    )
