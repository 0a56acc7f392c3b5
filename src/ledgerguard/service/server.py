"""The plugin's side of the engine's protocol: HTTP over a unix socket, with threads and kept connections.

A module of its own, and a small HTTP reader instead of http.server's: each call of the engine costs two requests here,
and what is read is bounded. Answers of the engine (AuthZRes) are passed unread: a refusal then would come after the
deed.

Told to stop, it answers what was asked before it goes: the engine asks once more when a connection breaks, but then
without the body it has sent already, and that could only be refused.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import socket
import stat
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from ledgerguard.api.request import Request
from ledgerguard.refusal import Verdict
from ledgerguard.service.deadlines import Deadlines
from ledgerguard.service.guard import Guard

MAX_HEAD, MAX_BODY, CHUNK = 64 << 10, 8 << 20, 64 << 10
MAX_CONNECTIONS, IDLE_SECONDS = 256, 600.0
# Of a guard that stops: how long it waits for the answers still due, and how long a connection has to be quiet.
DRAIN_SECONDS, QUIET_SECONDS = 8.0, 0.25
STATUS = "/Ledgerguard.Status"
ACTIVATED_FD = 3
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1+json\r\nContent-Length: %d\r\n"
LAST = b"Connection: close\r\n"
YES = b'{"Allow": true}'
KEPT_HEADS = 64  # the engine's differ in little but the length


class _Closed(Exception):
    """The other side has gone, or said what cannot be read."""


@lru_cache(maxsize=KEPT_HEADS)
def parse_head(head: bytes) -> tuple[str, int]:
    """The path a request's head names, and the length of its body. Raises ValueError for one that says it otherwise."""
    first, *lines = head.split(b"\r\n")
    words = first.split(b" ")
    fields = dict(line.lower().split(b":", 1) for line in lines if b":" in line)
    length = fields.get(b"content-length", b"0").strip()
    if len(words) != 3 or not length.isdigit() or b"transfer-encoding" in fields:
        raise ValueError("not a head of the engine's")
    return words[1].decode("latin-1"), int(length)


def parse_message(body: bytes) -> Request:
    """The request inside an AuthZReq message. Raises ValueError."""
    message = json.loads(body)
    raw = message.get("RequestBody") or ""
    headers = message.get("RequestHeaders") or {}
    if not (isinstance(message.get("RequestMethod"), str) and isinstance(message.get("RequestUri"), str)):
        raise ValueError("no method or URI")
    return Request(
        message["RequestMethod"],
        message["RequestUri"],
        {str(name).casefold(): str(value) for name, value in headers.items()},
        base64.b64decode(raw, validate=True) if raw else b"",
    )


@dataclass
class Connection:
    """One kept connection: requests in order until it is closed, or until the one during which `stop` was set."""

    plain: socket.socket
    guard: Guard
    deadlines: Deadlines
    stop: threading.Event = field(default_factory=threading.Event)
    _buffer: bytearray = field(default_factory=bytearray)
    _answered: float | None = None

    def quiet(self, seconds: float) -> bool:
        """Whether it has had its answers, and asked nothing for so long."""
        answered = self._answered
        return answered is not None and time.monotonic() - answered >= seconds

    def serve(self) -> None:
        with self.plain:
            self.plain.settimeout(IDLE_SECONDS)
            try:
                while not self._one():
                    pass
            except (OSError, _Closed):
                return

    def _one(self) -> bool:
        """Answers one request; whether it was the last."""
        path, length = self._head()
        if path == "/AuthZPlugin.AuthZRes":
            self._skip(length)
            answer = YES
        elif path == "/AuthZPlugin.AuthZReq":
            answer = self._judged(length)
        else:
            self._skip(length)
            answer = json.dumps(self._other(path)).encode()
        last = self.stop.is_set()
        self._send(answer, last)
        self._answered = None if self._buffer else time.monotonic()
        return last

    def _send(self, answer: bytes, last: bool) -> None:
        self.plain.sendall(ANSWER % len(answer) + (LAST if last else b"") + b"\r\n" + answer)

    def _other(self, path: str) -> dict[str, Any]:
        if path == "/Plugin.Activate":
            return {"Implements": ["authz"]}
        return self.guard.status() if path == STATUS else {"Err": "not known here"}

    def _judged(self, length: int) -> bytes:
        """The verdict in the engine's form; no exception leaves it."""
        try:
            if length > MAX_BODY:
                self._skip(length)
                verdict = Verdict(False, f"a message of {length} bytes is not read")
            else:
                verdict = self._in_time(parse_message(self._take(length)))
        except (OSError, _Closed):
            raise
        except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
            verdict = Verdict(False, f"the engine's message cannot be read: {error}")
        except Exception as error:  # a mistake of ours must not let anything through
            verdict = Verdict(False, f"the guard failed: {type(error).__name__}: {error}")
        return _encode_verdict(verdict)

    def _in_time(self, request: Request) -> Verdict:
        """The guard's verdict; _Closed where its place was taken by `_late`."""
        number = self.deadlines.begin(lambda: self._late(request))
        try:
            return self.guard.judge(request)
        finally:
            if not self.deadlines.end(number):
                raise _Closed

    def _late(self, request: Request) -> None:
        """Answers in another thread what this one still thinks about, and closes: nobody may wait here any more."""
        verdict = self.guard.late(request, self.deadlines.seconds)
        with suppress(OSError):
            self._send(_encode_verdict(verdict), last=True)
            self.plain.shutdown(socket.SHUT_RDWR)

    # --- reading ----------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        chunk = self.plain.recv(CHUNK)
        if not chunk:
            raise _Closed
        self._answered = None
        self._buffer += chunk

    def _head(self) -> tuple[str, int]:
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD:
                raise _Closed
            self._fill()
        head = bytes(self._buffer[:end])
        del self._buffer[: end + 4]
        try:
            return parse_head(head)
        except ValueError:
            raise _Closed from None  # the engine takes a closed connection for an error, and so refuses

    def _take(self, length: int) -> bytes:
        while len(self._buffer) < length:
            self._fill()
        content = bytes(self._buffer[:length])
        del self._buffer[:length]
        return content

    def _skip(self, length: int) -> None:
        while length > len(self._buffer):
            length -= len(self._buffer)
            self._buffer.clear()
            self._fill()
        del self._buffer[:length]


def _encode_verdict(verdict: Verdict) -> bytes:
    return YES if verdict.allow else json.dumps({"Allow": False, "Msg": verdict.line}).encode()


def listen(path: Path) -> socket.socket:
    """systemd's socket if it handed one over, else one made here; another's that still answers is left alone."""
    if os.environ.get("LISTEN_PID") == str(os.getpid()) and os.environ.get("LISTEN_FDS") == "1":
        return socket.socket(fileno=ACTIVATED_FD)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(path)) == 0:
                raise OSError(f"{path}: another guard answers there")
        path.unlink()
    server_socket = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o177)
    try:
        server_socket.bind(str(path))
    finally:
        os.umask(umask)
    server_socket.listen(128)
    return server_socket


@dataclass
class Server:
    """Accepts until `stop` is set, then gives the answers that are due; one thread for each connection, at most
    MAX_CONNECTIONS."""

    plain: socket.socket
    guard: Guard
    deadlines: Deadlines = field(default_factory=lambda: Deadlines(5.0))
    stop: threading.Event = field(default_factory=threading.Event)
    _places: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(MAX_CONNECTIONS))
    _open: dict[int, Connection] = field(default_factory=dict)

    def run(self) -> None:
        threading.Thread(target=self.deadlines.watch, args=(self.stop,), daemon=True).start()
        self.plain.settimeout(0.5)
        while not self.stop.is_set():
            try:
                accepted, _ = self.plain.accept()
            except TimeoutError:
                continue
            except OSError:  # no descriptor left: others will be given back
                self.stop.wait(0.1)
                continue
            if not self._places.acquire(blocking=False):
                accepted.close()  # the engine tries again, and refuses if it stays so
                continue
            try:
                threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()
            except RuntimeError:  # no thread left
                accepted.close()
                self._places.release()
        self._drain()

    def _drain(self) -> None:
        """Until nobody waits for an answer. A connection in use ends with its next answer, a quiet one at once."""
        end = time.monotonic() + DRAIN_SECONDS
        while self._open and time.monotonic() < end:
            for connection in tuple(self._open.values()):
                if connection.quiet(QUIET_SECONDS):
                    with suppress(OSError):  # closed meanwhile
                        connection.plain.shutdown(socket.SHUT_RDWR)
            time.sleep(0.01)  # bounded by DRAIN_SECONDS

    def _serve(self, accepted: socket.socket) -> None:
        connection = Connection(accepted, self.guard, self.deadlines, self.stop)
        self._open[id(connection)] = connection
        try:
            connection.serve()
        finally:
            del self._open[id(connection)]
            self._places.release()


def ask_status(path: Path, seconds: float = 5.0) -> dict[str, Any]:
    """The running guard's status. Raises OSError or ValueError."""
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(seconds)
        plain.connect(str(path))
        plain.sendall(f"POST {STATUS} HTTP/1.1\r\nContent-Length: 0\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = plain.recv(CHUNK)
            if not chunk:
                raise ValueError("closed without an answer")
            answer += chunk
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        while len(body) < length and (chunk := plain.recv(CHUNK)):
            body += chunk
    status = json.loads(body)
    if not isinstance(status, dict):
        raise ValueError("not a status")
    return status


def notify_systemd(message: str) -> None:
    """Tells systemd, where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if address:
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as plain:
            plain.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)
