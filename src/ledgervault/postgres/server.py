"""A throw-away PostgreSQL server for one proof, on a private unix socket in a directory of its own.

It trusts every client of its socket, so the socket is in this container's temporary directory: the scratch space is a
volume that another container may mount, and a read-only mount does not prevent connections.

After kill -9 the kernel stops the server (parent-death signal SIGQUIT: immediate shutdown). The next `sweep` removes
its directory, because nobody holds its lock.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledgervault.host import compression, process
from ledgervault.model.config import Limits
from ledgervault.model.errors import CouldNot
from ledgervault.postgres import argv
from ledgervault.postgres.login import Login
from ledgervault.storage import files

PREFIX = "prove-"
TEMPLATE = Path("/opt/ledgervault/template.tar.gz")
TEMPLATE_SUPERUSER = "postgres"
_SOCKET_NAME = "/.s.PGSQL.5432"
_SOCKET_LIMIT = 107  # bytes in sun_path
_START_SECONDS = 60
_STOP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Server:
    directory: Path
    superuser: str

    @property
    def sockets(self) -> Path:
        return _sockets(self.directory)

    def login(self, database: str = "postgres") -> Login:
        return Login(str(self.sockets), 5432, self.superuser, database)


@contextmanager
def throw_away(scratch: Path, superuser: str, limits: Limits) -> Iterator[Server]:
    with _workplace(scratch) as directory:
        server = Server(directory, superuser)
        if len(str(server.sockets) + _SOCKET_NAME) > _SOCKET_LIMIT:
            raise CouldNot(f"{server.sockets}", "the path is too long for a unix socket", "use a shorter TMPDIR")
        server.sockets.mkdir(mode=0o700)
        _make_cluster(directory / "data", superuser)
        start = argv.throw_away_server(
            directory / "data", server.sockets, limits.shared_buffers_mb, limits.maintenance_work_mem_mb
        )
        with process.Program(start, signal="QUIT") as program:
            try:
                _wait_until_ready(server, program)
                yield server
            finally:
                _stop(program)


def sweep(scratch: Path) -> list[str]:
    """Removes the directories of killed proofs and returns their names."""
    if not scratch.is_dir():
        return []
    swept = []
    with files.locked(scratch / ".sweep.lock", "sweep", 60):
        for directory in sorted(scratch.glob(f"{PREFIX}*")):
            descriptor = files.try_lock(directory / "lock") if directory.is_dir() else None
            if descriptor is not None:
                _stop_left_over(directory)
                _remove(directory)
                os.close(descriptor)
                swept.append(directory.name)
    return swept


@contextmanager
def _workplace(scratch: Path) -> Iterator[Path]:
    sweep(scratch)
    try:
        with files.locked(scratch / ".sweep.lock", "prove", 60):
            directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=scratch))
            descriptor = files.try_lock(directory / "lock")
    except OSError as error:
        raise CouldNot(f"scratch {scratch}", f"cannot be used: {error}", "mount it writable, with room") from error
    try:
        yield directory
    finally:
        _remove(directory)
        if descriptor is not None:
            os.close(descriptor)


def _sockets(directory: Path) -> Path:
    """The socket directory has the workplace's name, so that `sweep` finds both."""
    return Path(tempfile.gettempdir()) / directory.name


def _remove(directory: Path) -> None:
    for place in (_sockets(directory), directory):
        shutil.rmtree(place, ignore_errors=True)  # the ending server removes files at the same time


def _make_cluster(directory: Path, superuser: str) -> None:
    """The image holds a cluster as one archive. Reading it as many small files takes seconds on a busy disk."""
    if superuser == TEMPLATE_SUPERUSER and TEMPLATE.is_file():
        directory.mkdir(mode=0o700)
        process.run(argv.unpack_cluster(TEMPLATE, directory, compression.compressor()), timeout=_START_SECONDS)
    else:
        process.run(argv.initdb(directory, superuser), timeout=_START_SECONDS)


def _wait_until_ready(server: Server, program: process.Program) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while program.process.poll() is None and time.monotonic() < deadline:
        try:
            psycopg.connect(host=str(server.sockets), port=5432, user=server.superuser, dbname="postgres").close()
            return
        except psycopg.OperationalError:
            time.sleep(0.02)
    raise CouldNot(
        "throw-away server", f"did not start: {program.errors().strip()[-600:]}", "is there room in scratch?"
    )


def _stop(program: process.Program) -> None:
    if program.process.poll() is None:
        program.process.send_signal(signal.SIGQUIT)  # immediate shutdown: its data needs no checkpoint
        try:
            program.finish(_STOP_SECONDS)
        except CouldNot:
            program.kill()


def _stop_left_over(directory: Path) -> None:
    """Stops a server whose parent died between the fork and the parent-death signal."""
    try:
        pid = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return
    if str(directory).encode() in command:
        os.kill(pid, signal.SIGQUIT)
