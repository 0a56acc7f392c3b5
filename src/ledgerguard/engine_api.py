"""The engine's API for what its files do not tell: an image's configuration, what an exec id runs, its version.

A module of its own because it is the only part that calls the engine. Only GETs, which the guard answers without any
look-up of its own: so a decision that waits here cannot wait for itself. Each call has a deadline.
"""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ledgerguard.model import Exec, Image
from ledgerguard.refusal import LookupFailed

MAX_ANSWER = 8 << 20


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, seconds: float) -> None:
        super().__init__("engine", timeout=seconds)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection_to(path: str, seconds: float) -> http.client.HTTPConnection:
    """A connection to the engine's socket; the caller closes it."""
    return _Connection(path, seconds)


@dataclass(frozen=True)
class EngineApi:
    """`socket`: the engine's, a path; `seconds`: the longest wait for one answer."""

    socket: str
    seconds: float = 2.0

    def get(self, path: str) -> Any:
        """The answer's JSON; None for 404. Raises LookupFailed."""
        connection = connection_to(self.socket, self.seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read(MAX_ANSWER)
            if answer.status == 404:
                return None
            if answer.status != 200:
                raise LookupFailed(f"GET {path[:80]}: status {answer.status}")
            return json.loads(body)
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise LookupFailed(f"GET {path[:80]}: {error}") from error
        finally:
            connection.close()

    def image(self, reference: str) -> Image | None:
        found = self.get(f"/images/{quote(reference, safe=':@/')}/json") if reference else None
        return image_of(found) if found else None

    def execution(self, exec_id: str) -> Exec | None:
        found = self.get(f"/exec/{quote(exec_id, safe='')}/json")
        return exec_of(found) if found else None

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
    )


def exec_of(inspected: dict[str, Any]) -> Exec:
    process = inspected["ProcessConfig"]
    return Exec(
        container=str(inspected["ContainerID"]),
        argv=(str(process["entrypoint"]), *(process.get("arguments") or ())),
        user=process.get("user") or "",
        privileged=bool(process.get("privileged")),
    )
