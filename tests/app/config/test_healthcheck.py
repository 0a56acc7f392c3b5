"""The containers' health checks, without Django."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from config import healthcheck


@pytest.fixture
def server() -> Iterator[tuple[tuple[str, int], list[bytes]]]:
    """Answers each connection with what stands in the list."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while answers:
                peer, _ = listener.accept()
                with peer:
                    peer.recv(1024)
                    peer.sendall(answers.pop(0))

        answers.append(b"")
        thread = threading.Thread(target=serve, daemon=True)
        answers.clear()
        address = listener.getsockname()
        answers.append(b"HTTP/1.0 200 OK\r\n\r\nok")
        thread.start()
        yield (str(address[0]), int(address[1])), answers
        thread.join(2)


def test_web_is_well_when_it_answers_200(server: tuple[tuple[str, int], list[bytes]]) -> None:
    assert healthcheck.web_problem("/readyz", server[0]) == ""


def test_web_is_not_well_when_it_answers_something_else_and_says_what(
    server: tuple[tuple[str, int], list[bytes]],
) -> None:
    server[1][:] = [b"HTTP/1.1 503 Service Unavailable\r\n\r\n" + b'{"database": "unavailable"}']
    problem = healthcheck.web_problem("/readyz", server[0])
    assert "503" in problem and "unavailable" in problem


def test_web_is_not_well_when_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "refused" in healthcheck.web_problem("/readyz", ("127.0.0.1", port))


def test_a_fresh_file_is_a_sign_of_life_and_an_old_or_missing_one_is_not(tmp_path: Path) -> None:
    file = tmp_path / "alive"
    assert "no sign of life" in healthcheck.file_problem(file, 10)
    file.touch()
    assert healthcheck.file_problem(file, 10) == ""
    os.utime(file, (time.time() - 60, time.time() - 60))
    assert "60 s ago" in healthcheck.file_problem(file, 10)


@pytest.mark.parametrize("arguments", [[], ["db"], ["web", "no-slash"], ["worker", "x"]])
def test_wrong_usage_is_64(arguments: list[str]) -> None:
    assert healthcheck.main(arguments) == 64


def test_it_answers_fast_and_loads_no_django() -> None:
    code = "import sys, config.healthcheck; sys.exit('django' in sys.modules or 'celery' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    done = subprocess.run(
        [sys.executable, "-m", "config.healthcheck", "beat"], check=False, capture_output=True, text=True, cwd="/app"
    )
    assert (done.returncode, done.stdout) == (1, f"{healthcheck.BEAT_FILE}: no sign of life yet\n")
