"""One run at a time changes a stack: the lock's files and processes are real."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from roles.deploy_lock.action_plugins import deploy_lock as action
from roles.deploy_lock.library import deploy_lock as lock

Claim = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path) -> lock.Place:
    return lock.Place(tmp_path, "ledger-dev")


@contextmanager
def process() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def claim(pid: int, local: bool = True, **more: Any) -> Claim:
    return {**action.make_claim(pid, local, "0123abc"), "holder": "ada@laptop", "command": "deploy", **more}


def no_steps() -> list[str]:
    return []


def seen_by(place: lock.Place, **more: Any) -> lock.Judgement:
    """What another process is told of the lock."""
    with place.exclusive():
        return lock.judge(place, "another", more.get("lapse", 60), more.get("steps", no_steps))


def refused(place: lock.Place, wait: float = 0, steps: Any = no_steps, lapse: float = 60) -> str:
    with process() as other, pytest.raises(lock.Refusal) as refusal:
        lock.take(place, claim(other.pid), steps, wait, lapse)
    return lock.refusal_text("ledger-dev", place, refusal.value.judgement)


def test_a_lock_that_nobody_holds_is_taken(place: lock.Place) -> None:
    lock.take(place, claim(os.getpid()), no_steps, 0)
    assert seen_by(place).kind == lock.PROCESS


def test_the_lock_of_a_living_process_is_refused_at_once_with_holder_host_commit_and_time(place: lock.Place) -> None:
    lock.take(place, claim(os.getpid()), no_steps, 0)
    began = time.monotonic()
    text = refused(place, wait=60)
    assert time.monotonic() - began < 5
    record = json.loads(place.record.read_text())
    for part in ("ledger-dev on ", "ada@laptop", f"process {os.getpid()}", "0123abc", record["since"], "HINT: "):
        assert part in text


def test_the_lock_of_a_killed_process_is_free(place: lock.Place) -> None:
    with process() as holder:
        lock.take(place, claim(holder.pid), no_steps, 0)
        assert seen_by(place).kind == lock.PROCESS
    assert seen_by(place).kind == lock.FREE
    lock.take(place, claim(os.getpid()), no_steps, 0)
    assert place.read()["process"]["pid"] == os.getpid()


def test_a_process_that_is_killed_but_not_yet_waited_for_holds_nothing(place: lock.Place) -> None:
    with process() as holder:
        lock.take(place, claim(holder.pid), no_steps, 0)
        holder.kill()
        end = time.monotonic() + 10
        while seen_by(place).kind != lock.FREE:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_a_later_process_of_the_same_id_is_not_the_holder(place: lock.Place) -> None:
    holder = claim(os.getpid())
    lock.take(place, {**holder, "process": {**holder["process"], "start": "1"}}, no_steps, 0)
    assert seen_by(place).kind == lock.FREE


def test_a_process_that_cannot_be_seen_from_here_is_taken_for_alive(place: lock.Place) -> None:
    holder = claim(os.getpid())
    unseen = {**holder["process"], "namespace": "pid:[1]", "pid": 2**22 + 1, "start": "1"}
    lock.take(place, {**holder, "process": unseen}, no_steps, 0)
    assert f"rm {place.record}" in refused(place)


def test_the_same_run_takes_it_again_and_keeps_its_time(place: lock.Place) -> None:
    lock.take(place, claim(os.getpid()), no_steps, 0)
    place.record.write_text(place.record.read_text().replace(place.read()["since"], "2026-01-01 00:00:00 UTC"))
    lock.take(place, claim(os.getpid()), lambda: ["ledger-dev-app-migrate"], 0)
    assert place.read()["since"] == "2026-01-01 00:00:00 UTC"


def test_a_start_of_the_host_frees_every_lock(place: lock.Place) -> None:
    lock.take(place, claim(os.getpid(), local=False), no_steps, 0)
    place.record.write_text(place.record.read_text().replace(lock.boot(), "another start"))
    assert seen_by(place).kind == lock.FREE


def renew(place: lock.Place, token: str, verb: str = "renew") -> int:
    return subprocess.run(action.lease_command(verb, token, str(place.record)), shell=True, check=False).returncode  # noqa: S602 a shell runs it on the host


def age(place: lock.Place, seconds: float) -> None:
    """As if the last renewal were `seconds` ago."""
    place.renewed.write_text(f"{lock.uptime() - seconds:.2f}\n")


def test_a_lease_holds_for_sixty_seconds_after_its_last_renewal(place: lock.Place) -> None:
    with process() as holder:
        lock.take(place, claim(holder.pid, local=False), no_steps, 0)
    age(place, 55)
    assert seen_by(place).kind == lock.LEASE
    age(place, 61)
    assert seen_by(place).kind == lock.FREE


def test_a_lease_is_waited_for_until_it_lapses(place: lock.Place) -> None:
    lock.take(place, claim(1, local=False), no_steps, 0)
    age(place, 58.5)
    lock.take(place, claim(os.getpid()), no_steps, 30)
    assert place.read()["process"]["pid"] == os.getpid()


def test_a_lease_that_is_renewed_meanwhile_is_refused_without_waiting_for_its_lapse(place: lock.Place) -> None:
    holder = claim(1, local=False)
    lock.take(place, holder, no_steps, 0)
    timer = threading.Timer(1, renew, (place, holder["token"]))
    timer.start()
    began = time.monotonic()
    assert "locked by ada@laptop" in refused(place, wait=60)
    assert time.monotonic() - began < 20
    timer.join()


def test_a_lease_does_not_lapse_while_a_step_of_it_runs(place: lock.Place) -> None:
    lock.take(place, claim(1, local=False), no_steps, 0)
    age(place, 600)
    text = refused(place, steps=lambda: ["ledger-dev-app-migrate"])
    assert "ledger-dev-app-migrate is still running" in text
    assert "ada@laptop" in text
    assert "docker logs -f ledger-dev-app-migrate" in text


def test_a_step_whose_run_left_no_lock_is_not_disturbed_either(place: lock.Place) -> None:
    assert "is still running" in refused(place, steps=lambda: ["ledger-dev-app-migrate"])


def test_the_end_of_a_killed_runs_step_is_waited_for(place: lock.Place) -> None:
    looks = iter([["ledger-dev-app-migrate"], ["ledger-dev-app-migrate"], []])
    lock.take(place, claim(os.getpid()), lambda: next(looks), 30)
    assert seen_by(place).kind == lock.PROCESS


def test_a_renewal_makes_the_lease_young_again(place: lock.Place) -> None:
    holder = claim(1, local=False)
    lock.take(place, holder, no_steps, 0)
    age(place, 59)
    assert renew(place, holder["token"]) == 0
    assert place.renewal_age() < 5


def test_a_lease_that_another_took_meanwhile_is_neither_renewed_nor_released(place: lock.Place) -> None:
    first = claim(1, local=False)
    lock.take(place, first, no_steps, 0)
    age(place, 61)
    lock.take(place, claim(os.getpid()), no_steps, 0)
    before = place.record.read_text(), place.renewed.read_text()
    assert renew(place, first["token"]) == action.LOST
    assert renew(place, first["token"], "release") == action.LOST
    lock.release(place, first["token"])
    assert (place.record.read_text(), place.renewed.read_text()) == before


def test_released_by_its_holder_nothing_is_left(place: lock.Place) -> None:
    holder = claim(os.getpid())
    lock.take(place, holder, no_steps, 0)
    lock.release(place, holder["token"])
    assert list(place.directory.iterdir()) == []
    lock.take(place, holder, no_steps, 0)
    assert renew(place, holder["token"], "release") == 0
    assert list(place.directory.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"token": "x"}'])
def test_a_damaged_record_is_no_free_lock(place: lock.Place, text: str) -> None:
    place.record.write_text(text)
    assert f"HINT: rm {place.record}" in refused(place)


def test_nobody_takes_it_while_another_decides(place: lock.Place) -> None:
    with process() as other:
        taker = threading.Thread(target=lock.take, args=(place, claim(other.pid), no_steps, 0))
        with place.exclusive():
            taker.start()
            time.sleep(0.5)
            assert not place.record.exists()
        taker.join()
    assert place.record.exists()


def test_nobody_renews_it_while_another_decides(place: lock.Place) -> None:
    holder = claim(1, local=False)
    lock.take(place, holder, no_steps, 0)
    age(place, 61)
    renewal = threading.Thread(target=renew, args=(place, holder["token"]))
    with place.exclusive():
        renewal.start()
        time.sleep(0.5)
        assert place.renewal_age() > 60
    renewal.join()
    assert place.renewal_age() < 60


def test_of_many_at_once_one_gets_it(place: lock.Place) -> None:
    program = (
        "import sys, os; from pathlib import Path\n"
        "from roles.deploy_lock.library import deploy_lock as lock\n"
        "from roles.deploy_lock.action_plugins import deploy_lock as action\n"
        "try:\n"
        "    claim = action.make_claim(os.getpid(), True, '')\n"
        "    lock.take(lock.Place(Path(sys.argv[1]), 'ledger-dev'), claim, list, 0)\n"
        "    print('taken', flush=True)\n"
        "except lock.Refusal:\n"
        "    print('refused', flush=True)\n"
        "sys.stdin.read()\n"
    )
    root = Path(__file__).resolve().parents[3]
    argv = [sys.executable, "-c", program, str(place.directory)]
    runs = [
        subprocess.Popen(argv, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    try:
        said = [run.stdout.readline().strip() for run in runs if run.stdout]
    finally:
        for run in runs:
            run.communicate()
    assert sorted(said) == ["refused"] * 5 + ["taken"]


def test_action_and_module_see_the_same_start_of_a_process() -> None:
    for pid in (os.getpid(), os.getppid(), 2**22 + 1):
        assert action.process_start(pid) == lock.process_start(pid)
    assert lock.process_start(os.getpid()) != ""


def test_another_process_has_another_token_and_the_same_one_the_same() -> None:
    assert claim(os.getpid())["token"] == claim(os.getpid())["token"]
    assert claim(os.getpid())["token"] != claim(os.getppid())["token"]


def test_in_a_workflow_the_holder_is_the_actor_and_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_RUN_ID", "GITHUB_ACTOR", "GITHUB_REPOSITORY"):
        monkeypatch.delenv(name, raising=False)
    assert "@" in action.holder()
    monkeypatch.setenv("GITHUB_RUN_ID", "42")
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    monkeypatch.setenv("GITHUB_REPOSITORY", "ada/ledger")
    assert action.holder() == "ada in run 42 of ada/ledger"


class StubEngine(BaseHTTPRequestHandler):
    """Stands in for the engine: two containers of steps; keeps the filters it was asked with."""

    asked: ClassVar[list[dict[str, Any]]] = []
    status = 200

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        StubEngine.asked.append(json.loads(query["filters"][0]))
        self.send_response(StubEngine.status)
        self.end_headers()
        self.wfile.write(json.dumps([{"Names": ["/t-ci-app-migrate"]}, {"Names": ["/t-ci-app-first-user"]}]).encode())

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "engine.sock")
    with socketserver.ThreadingUnixStreamServer(path, StubEngine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        StubEngine.asked, StubEngine.status = [], 200
        yield path
        server.shutdown()
        thread.join()


def test_steps_are_the_running_one_off_containers_of_this_stack(engine: str) -> None:
    assert lock.running_steps(engine, {"com.ledgerflow.stack": "t"}) == ["t-ci-app-first-user", "t-ci-app-migrate"]
    (asked,) = StubEngine.asked
    assert asked["label"] == ["com.ledgerflow.stack=t", "com.docker.compose.oneoff=True"]
    assert set(asked["status"]) == {"running", "paused", "restarting"}


def test_an_engine_without_its_guard_does_not_keep_the_deploy_out_that_repairs_it(engine: str) -> None:
    StubEngine.status = 500
    assert lock.running_steps(engine, {}) == []


def test_where_no_engine_runs_no_step_does(tmp_path: Path) -> None:
    assert lock.running_steps(str(tmp_path / "none.sock"), {}) == []
