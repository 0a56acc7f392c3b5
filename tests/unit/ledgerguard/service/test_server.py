"""The engine's protocol on a real socket: kept connections, junk, large messages, status, an end on request."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.refusal import Verdict
from ledgerguard.rules.decision import decide
from ledgerguard.service import daemon, server
from ledgerguard.service.daemon import Settings, build_guard, write_state
from ledgerguard.service.deadlines import Deadlines
from ledgerguard.service.server import Server, ask_status, listen
from tests.unit.ledgerguard.fakes import PLAIN, VOLUME
from tests.unit.ledgerguard.service.test_guard import made

RUNNING: dict[Path, Server] = {}


@contextmanager
def running(tmp_path: Path, seconds: float = 5.0, **more: Any) -> Iterator[Path]:
    path = tmp_path / "run/ledgerguard.sock"
    one = RUNNING[path] = Server(listen(path), made(tmp_path, **more), Deadlines(seconds))
    thread = threading.Thread(target=one.run)
    thread.start()
    try:
        yield path
    finally:
        one.stop.set()
        thread.join(10)
        one.plain.close()
    assert not thread.is_alive()


@contextmanager
def client(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as plain:
        plain.settimeout(10)
        plain.connect(str(path))
        yield plain


def post(plain: socket.socket, path: str, body: bytes) -> dict[str, Any]:
    plain.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    return answer(plain)


def answer(plain: socket.socket) -> dict[str, Any]:
    found = b""
    while b"\r\n\r\n" not in found:
        found += plain.recv(1)
    length = int(found.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += plain.recv(length - len(body))
    return dict(json.loads(body))


def message(method: str, uri: str, body: bytes = b"", **headers: str) -> bytes:
    data: dict[str, Any] = {
        "RequestMethod": method,
        "RequestUri": uri,
        "RequestHeaders": {"Content-Length": "0", **headers},
    }
    if body:
        data["RequestBody"] = base64.b64encode(body).decode()
    return json.dumps(data).encode()


def test_one_kept_connection_is_activated_asked_and_asked_again(tmp_path: Path) -> None:
    with running(tmp_path) as path, client(path) as plain:
        assert post(plain, "/Plugin.Activate", b"") == {"Implements": ["authz"]}
        assert post(plain, "/AuthZPlugin.AuthZReq", message("DELETE", f"/volumes/{PLAIN}")) == {"Allow": True}
        refused = post(plain, "/AuthZPlugin.AuthZReq", message("DELETE", f"/volumes/{VOLUME}"))
        assert refused["Allow"] is False
        assert VOLUME in refused["Msg"]
        assert post(plain, "/AuthZPlugin.AuthZRes", b"x" * 300_000) == {"Allow": True}
        assert post(plain, "/AuthZPlugin.AuthZReq", message("GET", "/info")) == {"Allow": True}
        assert post(plain, "/Other", b"{}") == {"Err": "not known here"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"RequestMethod":"POST"}',
        b'{"RequestMethod":1,"RequestUri":2}',
        b'{"RequestMethod":"POST","RequestUri":"/x","RequestBody":"%%%"}',
        b'{"RequestMethod":"POST","RequestUri":"/x","RequestHeaders":[1]}',
        b'{"RequestMethod":"POST","RequestUri":"/volumes/prune","RequestBody":"\xc3"}',
    ],
)
def test_a_message_that_cannot_be_read_is_a_refusal_with_a_reason(tmp_path: Path, body: bytes) -> None:
    with running(tmp_path) as path, client(path) as plain:
        found = post(plain, "/AuthZPlugin.AuthZReq", body)
        assert found["Allow"] is False
        assert found["Msg"].isprintable()
        assert post(plain, "/Plugin.Activate", b"") == {"Implements": ["authz"]}


def test_a_message_that_is_too_long_is_refused_unread(tmp_path: Path) -> None:
    with running(tmp_path) as path, client(path) as plain:
        found = post(plain, "/AuthZPlugin.AuthZReq", b"x" * (server.MAX_BODY + 1))
        assert "is not read" in found["Msg"]


@pytest.mark.parametrize(
    "junk",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"x" * (server.MAX_HEAD + 2),
        b"POST /AuthZPlugin.AuthZReq HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_what_is_no_request_closes_the_connection(tmp_path: Path, junk: bytes) -> None:
    with running(tmp_path) as path, client(path) as plain:
        plain.sendall(junk)
        plain.shutdown(socket.SHUT_WR)
        assert plain.recv(10) == b""


def test_more_connections_than_allowed_are_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 1)
    with running(tmp_path) as path, client(path) as first:
        post(first, "/Plugin.Activate", b"")
        with client(path) as second:
            assert second.recv(10) == b""
        assert post(first, "/Plugin.Activate", b"") == {"Implements": ["authz"]}


def test_when_no_thread_can_be_had_the_connection_is_closed_and_the_next_one_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain_start = threading.Thread.start

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with running(tmp_path) as path:
        monkeypatch.setattr(threading.Thread, "start", start)
        with client(path) as first:
            assert first.recv(10) == b""
        monkeypatch.setattr(threading.Thread, "start", plain_start)
        with client(path) as second:
            assert post(second, "/Plugin.Activate", b"") == {"Implements": ["authz"]}


@pytest.mark.parametrize(("mode", "allowed"), [("enforce", False), ("observe", True)])
def test_a_decision_that_takes_too_long_is_answered_for_and_others_go_on(
    tmp_path: Path, mode: str, allowed: bool
) -> None:
    release, ended = threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Verdict:
        if arguments[0].uri.endswith(PLAIN):
            release.wait(30)
            ended.set()
        return decide(*arguments)

    with running(tmp_path, seconds=0.2, mode=mode, decide=slow) as path, client(path) as first, client(path) as second:
        told = post(first, "/AuthZPlugin.AuthZReq", message("DELETE", f"/volumes/{PLAIN}"))
        assert told["Allow"] is allowed
        assert allowed or "no decision within 0.2 s" in told["Msg"]
        assert first.recv(10) == b"", "a connection that is still at work must not be asked again"
        assert post(second, "/AuthZPlugin.AuthZReq", message("GET", "/_ping"))["Allow"]
        assert post(second, "/AuthZPlugin.AuthZReq", message("DELETE", "/volumes/nothing"))["Allow"]
        status = post(second, server.STATUS, b"")
        assert status["decisions"]["refused" if mode == "enforce" else "would-refuse"] == 1
        assert "no decision" in status["last_refusal"]["reason"]
        release.set()
        assert ended.wait(10)


def test_a_verdict_that_comes_late_is_not_answered_a_second_time(tmp_path: Path) -> None:
    def late(*_: Any) -> Verdict:
        time.sleep(0.5)
        return Verdict(True)

    with running(tmp_path, seconds=0.1, decide=late) as path, client(path) as plain:
        assert not post(plain, "/AuthZPlugin.AuthZReq", message("DELETE", f"/volumes/{PLAIN}"))["Allow"]
        time.sleep(0.6)
        assert plain.recv(10) == b""


def test_an_error_of_ours_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(_body: bytes) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(server, "parse_message", wrong)
    with running(tmp_path) as path, client(path) as plain:
        assert "ZeroDivisionError" in post(plain, "/AuthZPlugin.AuthZReq", b"{}")["Msg"]


def raw_post(plain: socket.socket, path: str, body: bytes) -> bytes:
    """Everything that is answered until the connection is closed."""
    plain.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    found = b""
    while chunk := plain.recv(1000):
        found += chunk
    return found


def test_told_to_stop_it_gives_the_answer_that_is_due_and_says_that_it_was_the_last(tmp_path: Path) -> None:
    """The engine asks again when a connection breaks, but without the body it has sent already."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: Any) -> Verdict:
        asked.set()
        go_on.wait(10)
        return Verdict(False, "considered")

    path, body = tmp_path / "run/ledgerguard.sock", message("DELETE", f"/volumes/{VOLUME}")
    one = Server(listen(path), made(tmp_path, decide=slow))
    thread = threading.Thread(target=one.run)
    thread.start()
    with client(path) as plain, ThreadPoolExecutor() as pool:
        answered = pool.submit(raw_post, plain, "/AuthZPlugin.AuthZReq", body)
        assert asked.wait(10)
        one.stop.set()
        thread.join(1)
        assert thread.is_alive(), "it went while an answer was due"
        go_on.set()
        found = answered.result(10)
    assert b"Connection: close" in found
    assert b"considered" in found
    thread.join(10)
    assert not thread.is_alive()
    one.plain.close()


def test_told_to_stop_it_waits_a_moment_for_kept_connections_and_closes_the_quiet_ones(tmp_path: Path) -> None:
    with running(tmp_path) as path, client(path) as used, client(path) as quiet:
        for plain in (used, quiet):
            assert post(plain, "/Plugin.Activate", b"") == {"Implements": ["authz"]}
        RUNNING[path].stop.set()
        assert b"Connection: close" in raw_post(used, "/Plugin.Activate", b"")
        assert quiet.recv(1) == b""


def test_the_socket_is_its_owners_alone_and_a_second_guard_does_not_take_it(tmp_path: Path) -> None:
    with running(tmp_path) as path:
        assert path.stat().st_mode & 0o777 == 0o600
        with pytest.raises(OSError, match="another guard answers"):
            listen(path)
        assert ask_status(path)["mode"] == "enforce"
    left = listen(path)  # a socket file that nobody answers on is made anew
    left.close()


def test_systemds_socket_is_taken_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as handed, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        handed.bind(str(tmp_path / "s"))
        handed.listen()
        monkeypatch.setattr(server, "ACTIVATED_FD", os.dup(handed.fileno()))
        monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
        monkeypatch.setenv("LISTEN_FDS", "1")
        with listen(tmp_path / "unused") as taken:
            assert taken.getsockname() == str(tmp_path / "s")
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        server.notify_systemd("READY=1")
        assert manager.recv(100) == b"READY=1"


def settings(tmp_path: Path, **more: Any) -> Settings:
    places = {name: tmp_path / name for name in ("socket", "engine", "data_root", "config", "state_dir", "audit_file")}
    return Settings(**{**places, "audit_file": tmp_path / "log/audit.jsonl", **more})


def test_serving_writes_its_state_and_ends_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(daemon.signal, "signal", lambda number, handler: handlers.update({number: handler}))
    for stack in ("a", "b"):
        (tmp_path / "stacks" / stack).mkdir(parents=True)
    files = (tmp_path / "guard.json", tmp_path / "no/such/place.json", tmp_path / "stacks/*/guard.json")
    chosen = settings(tmp_path, state_files=files)
    thread = threading.Thread(target=daemon.serve, args=(chosen,))
    thread.start()
    end = time.monotonic() + 10
    while not (tmp_path / "guard.json").exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert json.loads((tmp_path / "guard.json").read_text())["mode"] == "enforce"
    state = json.loads((tmp_path / "state_dir/guard.json").read_text())
    assert (state["pid"], state["arguments"]) == (os.getpid(), sys.argv[1:])
    assert all((tmp_path / "stacks" / stack / "guard.json").exists() for stack in ("a", "b"))
    for handler in handlers.values():
        handler(15, None)
    thread.join(10)
    assert not thread.is_alive()


def test_the_watchdog_is_fed_only_while_the_guard_refuses_what_it_must(tmp_path: Path) -> None:
    one = build_guard(settings(tmp_path))
    assert daemon._is_alive(one)
    write_state(one, settings(tmp_path))  # no directory: nothing is raised


def test_which_program_runs_is_told_by_its_digest(tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"x")
    assert daemon.program_digest(file) == hashlib.sha256(b"x").hexdigest()
    assert daemon.program_digest(tmp_path) == ""
