"""An engine's socket that answers what a test wrote down: the very edge, as these tests run where no engine is."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Answer = Callable[[str, str], tuple[int, Any]]


def _read_body(accepted: socket.socket, asked: bytes) -> None:
    """What is left unread would reset the connection."""
    head, _, body = asked.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    left = int(lengths[0]) - len(body) if lengths else 0
    while left > 0:
        left -= len(accepted.recv(left)) or left


def _serve(listening: socket.socket, answer: Answer) -> None:
    while True:
        try:
            accepted, _ = listening.accept()
        except OSError:
            return
        with accepted:
            asked = b""
            while b"\r\n\r\n" not in asked:
                asked += accepted.recv(65536) or b"\r\n\r\n"
            _read_body(accepted, asked)
            method, path = asked.split(b" ")[:2] if asked.count(b" ") > 1 else (b"", b"")
            status, value = answer(method.decode(), path.decode())
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            accepted.sendall(head.encode() + body)


@contextmanager
def stub_engine(place: Path, answer: Answer) -> Iterator[Path]:
    """The socket's path; `answer(method, path)` gives status and JSON."""
    path = place / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(16)
        thread = threading.Thread(target=_serve, args=(listening, answer), daemon=True)
        thread.start()
        try:
            yield path
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)
