"""How a server falls silent: a network that is cut, processes that are stopped. Real sockets, real signals."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PORT = 5432


@contextmanager
def line_to(sockets: Path, cut_after: int) -> Iterator[str]:
    """A host whose packets vanish in both directions once the server has sent `cut_after` bytes."""
    line = _Line(sockets / f".s.PGSQL.{PORT}", cut_after)
    thread = threading.Thread(target=line.run, daemon=True)
    thread.start()
    try:
        yield "127.0.0.1"
    finally:
        line.ended = True
        thread.join()


class _Line:
    def __init__(self, server: Path, cut_after: int) -> None:
        self.ended = False
        self._server, self._left = server, cut_after
        self._listener = socket.create_server(("127.0.0.1", PORT))
        self._ends: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()

    def run(self) -> None:
        with self._listener:
            while not self.ended:
                watched = [self._listener, *(self._ends if self._left > 0 else ())]
                for ready in select.select(watched, [], [], 0.05)[0]:
                    if ready is self._listener:
                        self._accept()
                    elif ready in self._ends:
                        self._pass_on(ready)
        for end in self._ends:
            end.close()

    def _accept(self) -> None:
        client, server = self._listener.accept()[0], socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        self._ends |= {client: server, server: client}
        self._servers.add(server)

    def _pass_on(self, source: socket.socket) -> None:
        data = b""
        with suppress(OSError):
            data = source.recv(4096)
        if source in self._servers:
            self._left -= len(data)
        with suppress(OSError):
            self._ends[source].sendall(data)
            if data:
                return
        target = self._ends.pop(source)
        self._ends.pop(target, None)
        source.close()
        target.close()


def processes(text: str) -> list[int]:
    """Those whose command line contains `text`, with their descendants; not this one."""
    parents: dict[int, int] = {}
    chosen: set[int] = set()
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            pid = int(entry.name)
            parents[pid] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            if text.encode() in (entry / "cmdline").read_bytes() and pid != os.getpid():
                chosen.add(pid)
    while more := {pid for pid, parent in parents.items() if parent in chosen} - chosen:
        chosen |= more
    return sorted(chosen)


@contextmanager
def stopped(text: str, when: Callable[[], bool], afterwards: int = signal.SIGCONT) -> Iterator[threading.Event]:
    """From the first moment that `when` holds, the processes of `text` are stopped, until the block ends."""
    ended, done = threading.Event(), threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if when():
                for pid in processes(text):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGSTOP)
                done.set()
                return
            ended.wait(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    stopped_pids: list[int] = []
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()
        stopped_pids += processes("postgres")
        for pid in stopped_pids:
            if _state(pid) == "T":
                with suppress(ProcessLookupError):
                    os.kill(pid, afterwards)


def _state(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""
