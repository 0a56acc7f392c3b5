"""`python -m config.healthcheck web|worker|beat`: the containers' health checks.

Standard library only and no Django: it runs every few seconds. Exit status 0 it is well, 1 it is not, 64 wrong usage.
"""

import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

WORKER_FILE = "/tmp/worker.alive"  # noqa: S108  /tmp is the container's own
BEAT_FILE = "/tmp/beat.alive"  # noqa: S108
WORKER_MAX_AGE_SECONDS = 30
BEAT_MAX_AGE_SECONDS = 150  # beat sends something each minute
WEB_ADDRESS = ("127.0.0.1", 8000)
WEB_TIMEOUT_SECONDS = 5.0
USAGE = "usage: python -m config.healthcheck web [PATH] | worker | beat"


def main(arguments: Sequence[str]) -> int:
    match list(arguments):
        case ["web"]:
            problem = web_problem("/readyz")
        case ["web", path] if path.startswith("/"):
            problem = web_problem(path)
        case ["worker"]:
            problem = file_problem(Path(WORKER_FILE), WORKER_MAX_AGE_SECONDS)
        case ["beat"]:
            problem = file_problem(Path(BEAT_FILE), BEAT_MAX_AGE_SECONDS)
        case _:
            print(USAGE, file=sys.stderr)
            return 64
    print(problem or f"{arguments[0]}: ok")
    return 1 if problem else 0


def file_problem(path: Path, max_age_seconds: int) -> str:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return f"{path}: no sign of life yet"
    return f"{path}: last sign of life {age:.0f} s ago, allowed {max_age_seconds}" if age > max_age_seconds else ""


def web_problem(path: str, address: tuple[str, int] = WEB_ADDRESS) -> str:
    try:
        with socket.create_connection(address, timeout=WEB_TIMEOUT_SECONDS) as peer:
            peer.sendall(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            answer = b"".join(iter(lambda: peer.recv(65536), b""))
    except OSError as error:
        return f"{path}: {error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n")[0].decode("latin-1")
    return "" if " 200 " in f"{status} " else f"{path}: {status}: {body.decode('utf-8', 'replace').strip()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
