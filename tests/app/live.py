"""The app as people meet it: gunicorn, worker and beat as processes of their own, on a database with the real roles,
behind small TCP proxies that can be cut to take PostgreSQL or Redis away."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple, Self

import psycopg
from psycopg import sql

APP = Path("/app")
KEY = "k7Qz-tL9_wXr2VbN4mHs8PdYf3GjCa6TuEeRiOoS1KxWvBnMhZqA5yD0"


class Proxy:
    """Forwards a port of ours to a server. `cut` refuses new connections and breaks the open ones; `mend` ends that."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._cut = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        self._cut = True
        for peer in list(self._open):
            with contextlib.suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._cut = False

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._forward, args=(near,), daemon=True).start()

    def _forward(self, near: socket.socket) -> None:
        with near:
            if self._cut:
                return
            with contextlib.suppress(OSError), socket.create_connection(self._target, 5) as far:
                pair = {near, far}
                self._open |= pair
                try:
                    while True:
                        for ready in select.select(list(pair), [], [])[0]:
                            data = ready.recv(65536)
                            if not data:
                                return
                            (far if ready is near else near).sendall(data)
                finally:
                    self._open -= pair


class Answer(NamedTuple):
    status: int
    text: str
    headers: Mapping[str, str]


class Browser:
    """Follows redirects and keeps cookies; fills in the token of the form it has just seen."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._token = ""

    def get(self, path: str) -> Answer:
        return self._send(urllib.request.Request(self.base + path))

    def post(self, path: str, values: Mapping[str, str]) -> Answer:
        body = urllib.parse.urlencode({"csrfmiddlewaretoken": self._token, **values}).encode()
        return self._send(urllib.request.Request(self.base + path, data=body))

    def sign_in(self, username: str, password: str) -> Answer:
        self.get("/sign-in/")
        return self.post("/sign-in/", {"username": username, "password": password})

    def _send(self, request: urllib.request.Request) -> Answer:
        try:
            with self._opener.open(request, timeout=30) as response:
                answer = Answer(response.status, response.read().decode(), dict(response.headers))
        except urllib.error.HTTPError as error:
            with error:
                answer = Answer(error.code, error.read().decode(), dict(error.headers))
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', answer.text)
        self._token = found[1] if found else self._token
        return answer


class Database(NamedTuple):
    name: str
    app_password: str
    migrate_password: str
    host: str
    port: int

    def url(self, role: str, port: int | None = None) -> str:
        """The roles of DESIGN.md: the app has DML only, the migrations act as the owner."""
        where = f"127.0.0.1:{port}" if port else f"{self.host}:{self.port}"
        if role == "app":
            return f"postgresql://ledger_app:{self.app_password}@{where}/{self.name}"
        options = "?options=-c%20role%3Dledger_admin"
        return f"postgresql://ledger_migrate:{self.migrate_password}@{where}/{self.name}{options}"


@contextlib.contextmanager
def database_with_roles() -> Iterator[Database]:
    parts = urllib.parse.urlsplit(os.environ["DATABASE_URL"])
    made = Database(
        f"live_{secrets.token_hex(4)}",
        secrets.token_hex(16),
        secrets.token_hex(16),
        parts.hostname or "",
        parts.port or 5432,
    )
    admin = parts._replace(path="/postgres").geturl()
    with psycopg.connect(admin, autocommit=True) as server:
        server.execute("CREATE ROLE ledger_admin NOLOGIN")
        for role, password in (("ledger_app", made.app_password), ("ledger_migrate", made.migrate_password)):
            server.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), password))
        server.execute("GRANT ledger_admin TO ledger_migrate WITH INHERIT FALSE, SET TRUE")
        server.execute(sql.SQL("CREATE DATABASE {} OWNER ledger_admin").format(sql.Identifier(made.name)))
    try:
        with psycopg.connect(parts._replace(path=f"/{made.name}").geturl(), autocommit=True) as server:
            server.execute("ALTER SCHEMA public OWNER TO ledger_admin; GRANT USAGE ON SCHEMA public TO ledger_app")
            for what, kind in (("SELECT, INSERT, UPDATE, DELETE", "TABLES"), ("USAGE, SELECT", "SEQUENCES")):
                server.execute(f"ALTER DEFAULT PRIVILEGES FOR ROLE ledger_admin GRANT {what} ON {kind} TO ledger_app")
        yield made
    finally:
        with psycopg.connect(admin, autocommit=True) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(made.name)))
            server.execute("DROP ROLE ledger_migrate, ledger_app, ledger_admin")


def environment(**changes: str) -> dict[str, str]:
    """What a prod container gets; everything of the test's own environment that is not named here is left out."""
    kept = {name: os.environ[name] for name in ("PATH", "REDIS_URL", "REDIS_CACHE_URL", "DATABASE_URL", "STATIC_ROOT")}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    fixed = {
        "PYTHONPATH": "/app",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LEDGER_ENV": "prod",
        "SECRET_KEY": KEY,
        "ALLOWED_HOSTS": "127.0.0.1",
        "MEDIA_ROOT": "/tmp",
        "HOME": "/tmp",
    }
    return {**kept, **coverage, **fixed, **changes}


def manage(*arguments: str, stdin: bytes = b"", **changes: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False,
        cwd=APP,
        env=environment(**changes),
        input=stdin,
        capture_output=True,
        timeout=120,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@contextlib.contextmanager
def running(command: list[str], log: Path, **changes: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process; ended politely, and killed if that takes more than 30 s (which fails the test)."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=APP, env=environment(**changes), stdout=output, stderr=output)
        try:
            yield process
        except BaseException:
            print(log.read_text())
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                print(log.read_text())
                raise


def eventually(claim: Callable[[], object], seconds: float = 30) -> None:
    """Wait until the claim holds; an assertion error says what did not."""
    end = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.2)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
