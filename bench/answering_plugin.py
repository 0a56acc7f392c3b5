"""A plugin that says yes at once: what any plugin in Python costs, whatever it decides. `bench.guard` compares with it.

A program of its own because it is started as the guard is: `serve --socket=…`; every other command does nothing, well.
"""

from __future__ import annotations

import socket
import sys
import threading

YES = b'{"Allow": true}'
ACTIVATED = b'{"Implements": ["authz"]}'
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.plugins.v1+json\r\nContent-Length: %d\r\n\r\n"


def answer(plain: socket.socket) -> None:
    """One connection until it is closed."""
    buffer = b""
    with plain:
        while True:
            while b"\r\n\r\n" not in buffer:
                if not (chunk := plain.recv(65536)):
                    return
                buffer += chunk
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            while len(buffer) < length:
                buffer += plain.recv(65536)
            buffer = buffer[length:]
            body = ACTIVATED if b"/Plugin.Activate" in head else YES
            plain.sendall(HEAD % len(body) + body)


def serve(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.bind(path)
        plain.listen(128)
        while True:
            accepted, _ = plain.accept()
            threading.Thread(target=answer, args=(accepted,), daemon=True).start()


if __name__ == "__main__" and sys.argv[1] == "serve":
    serve(next(word.partition("=")[2] for word in sys.argv if word.startswith("--socket=")))
