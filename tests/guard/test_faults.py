"""The guard itself: dead, hung, restarted, its plugin line gone. Nothing is lost, and after it every call works again
without the engine being restarted.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.kit.guard_world import DENIED, OTHER, OWNER, VICTIM, World
from tools.kit.guarded_engine import GuardedEngine, guarded_engine

DEADLINE = 2.0
pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with guarded_engine("26.1", "standard", guard_options=(f"--deadline={DEADLINE}",)) as engine:
        made = World(engine)
        made.prepare()
        yield made


@pytest.fixture(autouse=True)
def healed(world: World) -> Iterator[None]:
    engine_started = world.engine._process
    yield
    assert world.lost() == []
    world.heal()
    assert world.engine._process is engine_started, "the engine was restarted"


def works(world: World) -> None:
    """Normal calls work, and the volume is still refused."""
    world.ok("volume", "create", "new")
    world.ok("volume", "rm", "new")
    world.ok("run", "--rm", "tiny", "true")
    assert DENIED in world.cli("volume", "rm", "-f", VICTIM).stderr


def remove(world: World) -> str:
    """Tries to remove the volume after its container, without waiting for an answer that may never come."""
    try:
        return world.cli("volume", "rm", "-f", VICTIM, seconds=5).stderr
    except subprocess.TimeoutExpired:
        return "no answer"


@contextmanager
def normal_again(what: str, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Prints how long the block took: from the end of a fault until all is as before."""
    started = time.monotonic()
    yield
    with capsys.disabled():
        print(f"\nguard: {what}: normal again after {time.monotonic() - started:.2f} s", flush=True)


def test_a_killed_guard_refuses_everything_and_a_new_one_takes_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.engine.kill_guard()
    assert remove(world) != ""
    with normal_again("killed and started", capsys):
        world.engine.start_guard()
        works(world)


def test_a_hung_guard_lets_nothing_through_and_goes_on_when_it_wakes(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.engine.hang_guard(True)
    try:
        assert remove(world) == "no answer"
    finally:
        world.engine.hang_guard(False)
    with normal_again("hung and awake", capsys):
        works(world)


def test_a_hung_guard_that_is_replaced_needs_no_restart_of_the_engine(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.engine.hang_guard(True)
    assert remove(world) == "no answer"
    with normal_again("hung and replaced", capsys):
        world.engine.kill_guard()
        world.engine.start_guard()
        works(world)


def test_a_slow_guard_answers_late_and_right(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It runs a third of the time, in pieces, as on a host that swaps or throttles it."""
    ended = threading.Event()

    def slowed() -> None:
        while not ended.is_set():
            world.engine.hang_guard(True)
            time.sleep(0.2)
            world.engine.hang_guard(False)
            time.sleep(0.1)

    with ThreadPoolExecutor(1) as pool:
        slowing = pool.submit(slowed)
        try:
            works(world)
            works(world)
        finally:
            ended.set()
            slowing.result()
    with normal_again("slow", capsys):
        works(world)


def test_a_look_up_that_hangs_is_a_refusal_with_its_reason_within_the_deadline(world: World) -> None:
    """The declarations on a file system that does not answer: here a pipe nobody writes to."""
    config, aside = world.engine.config, world.engine.place / "volumes.aside"
    config.rename(aside)
    os.mkfifo(config)
    try:
        started = time.monotonic()
        told = remove(world)
        assert DENIED in told, told
        assert time.monotonic() - started < DEADLINE + 3
        world.ok("ps")
    finally:
        aside.rename(config)
    works(world)


def test_a_full_disk_changes_no_decision_and_no_line_is_written_by_halves(world: World) -> None:
    log = world.engine.place / "log"
    inside = world.engine._inside()
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=8k,mode=0750", "tmpfs", str(log)], check=True)
    try:
        world.engine.kill_guard(15)
        world.engine.start_guard()
        for _ in range(40):
            assert DENIED in remove(world)
        works(world)
        found = check(world.engine)
        assert (found["exit"], found["audit"]) == ("1", "bad"), found
        unlock = ["--operation=remove", "--reason=a test", "--for=1m", "--vault-state=/none", "--backups=/none"]
        assert world.engine.guard("unlock", VICTIM, *unlock).returncode != 0
        text = subprocess.run([*inside, "cat", str(log / "audit.jsonl")], capture_output=True, text=True, check=True)
        lines = [json.loads(line) for line in text.stdout.splitlines()]
        assert 0 < len(lines) < 40
        assert text.stdout.endswith("\n")
    finally:
        subprocess.run([*inside, "umount", str(log)], check=True)
        world.engine.kill_guard(15)
        world.engine.start_guard()
    assert "audit" not in check(world.engine)
    works(world)


def test_a_reload_of_the_engine_keeps_the_plugin_of_daemon_json(world: World) -> None:
    world.engine.reload()
    works(world)


def check(engine: GuardedEngine, *more: str) -> dict[str, str]:
    """Findings by id; the worst of several."""
    done = engine.guard("check", "--json", f"--daemon-json={engine.place / 'daemon.json'}", *more)
    found: dict[str, str] = {}
    for one in json.loads(done.stdout)["findings"]:
        found[one["id"]] = one["verdict"] if found.get(one["id"], "ok") == "ok" else found[one["id"]]
    return {**found, "exit": str(done.returncode)}


def test_check_attacks_a_canary_and_finds_all_well(world: World) -> None:
    found = check(world.engine)
    assert found.pop("exit") == "0", found
    assert set(found.values()) == {"ok"}, found


def test_an_emptied_daemon_json_drops_the_guard_at_a_reload_and_check_finds_it(world: World) -> None:
    world.engine.reload([])
    try:
        found = check(world.engine)
        assert (found["exit"], found["canary"], found["daemon.json"]) == ("1", "bad", "bad")
    finally:
        world.engine.reload(["ledgerguard"])
    works(world)


def test_a_plugin_given_as_a_flag_is_dropped_by_a_reload_and_check_finds_it() -> None:
    flag = ("--authorization-plugin=ledgerguard",)
    with guarded_engine("26.1", "standard", options=flag, in_daemon_json=False) as engine:
        assert check(engine)["canary"] == "ok"
        engine.reload()
        found = check(engine)
        assert (found["exit"], found["canary"], found["daemon.json"]) == ("1", "bad", "bad")


def test_an_engine_that_started_without_its_plugin_is_found_and_a_reload_mends_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with guarded_engine("26.1", "standard", in_daemon_json=False) as engine:
        found = check(engine)
        assert (found["exit"], found["canary"], found["daemon.json"]) == ("1", "bad", "bad")
        with normal_again("an engine without its plugin", capsys):
            engine.reload(["ledgerguard"])
            assert check(engine)["canary"] == "ok"


def test_unreadable_declarations_refuse_what_changes_and_let_be_read(world: World) -> None:
    text = world.engine.config.read_text()
    world.engine.config.write_text("{")
    try:
        assert "declarations cannot be read" in world.cli("volume", "create", "new").stderr
        world.ok("ps")
    finally:
        world.engine.config.write_text(text)
    works(world)


def test_a_foreign_container_brought_back_by_its_restart_policy_is_found_and_told(world: World) -> None:
    assert "foreign" not in kept(world.engine)  # the world has another wrong holder, made before its guard
    world.before_the_guard("run", "-d", "--name", "foreign", "--restart", "always", "-v", f"{VICTIM}:/x", "tiny")
    found = check(world.engine, "--existing")
    assert (found["exit"], found["existing"]) == ("1", "bad")
    assert "foreign (running): protected volume" in kept(world.engine)
    assert "foreign (running)" in world.engine.guard("audit", "--verdict=checked", "--json").stdout
    world.heal()
    assert "foreign" not in kept(world.engine)


def kept(engine: GuardedEngine) -> str:
    """What the guard says of a whole check made now, as text."""
    check(engine, "--existing")
    told = json.loads(engine.guard("status", "--json").stdout)["check"]
    assert told["verdict"] in ("ok", "bad"), told
    return "\n".join(one["what"] for one in told["findings"])


def test_an_unlock_is_used_once_by_a_real_removal(world: World) -> None:
    backup = world.engine.place / "backups/hourly"
    backup.mkdir(parents=True, exist_ok=True)
    (backup / "b.gz").write_bytes(b"b")
    newest = {
        "path": "hourly/b.gz",
        "sha256": "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d",
        "taken": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "verdict": "proven",
    }
    state = world.engine.place / "vault.json"
    state.write_text(json.dumps({"schema": 1, "newest_proven": newest}))
    common = [
        "--operation=remove",
        "--reason=a test",
        "--for=1m",
        f"--vault-state={state}",
        f"--backups={backup.parent}",
    ]
    world.ok("rm", "-f", OWNER)
    done = world.engine.guard("unlock", VICTIM, *common)
    assert done.returncode == 0, done.stderr
    world.ok("volume", "rm", VICTIM)
    assert VICTIM not in world.volumes()
    world.heal()
    assert DENIED in world.cli("volume", "rm", VICTIM).stderr
    told = world.engine.guard("audit", "--volume", VICTIM, "--verdict", "unlocked").stdout
    assert f"/volumes/{VICTIM}" in told


def test_in_observe_it_is_only_written_down(world: World) -> None:
    engine = world.engine
    engine.kill_guard(15)
    engine.mode = "observe"
    engine.start_guard()
    try:
        world.ok("run", "--rm", "-v", f"{VICTIM}:/x", "tiny", "cat", "/x/sentinel")
        assert "would-refuse" in engine.guard("audit", "--since", "1m").stdout
        assert engine.guard("status").returncode == 1
    finally:
        engine.kill_guard(15)
        engine.mode = "enforce"
        engine.start_guard()
    works(world)


def test_under_load_of_eight_clients_the_guard_is_replaced_and_no_answer_is_wrong(world: World) -> None:
    """Without systemd's socket a call may fail while nobody listens; none may be wrongly allowed or refused by rule."""
    stop, wrong = threading.Event(), []

    def client(number: int) -> int:
        calls = 0
        while not stop.is_set():
            answer = world.http("DELETE", f"/volumes/{VICTIM}")
            if " 204 " in answer:
                wrong.append(answer)
            fine = world.http(
                "POST",
                "/volumes/create",
                json.dumps({"Name": f"load{number}"}).encode(),
                "Content-Type: application/json",
            )
            if "protected volume" in fine:
                wrong.append(fine)
            calls += 2
        return calls

    with ThreadPoolExecutor(8) as several:
        running = [several.submit(client, number) for number in range(8)]
        for _ in range(2):
            time.sleep(0.7)
            world.engine.kill_guard(15)
            world.engine.start_guard()
        stop.set()
        assert sum(each.result() for each in running) > 20
    assert wrong == []
    world.said.clear()
    works(world)


def test_its_memory_stays_below_the_limit(world: World) -> None:
    for number in range(20):
        world.post("/volumes/create", {"Name": "x", "Labels": {"a": "y" * (1 << 19)}, "n": number})
    told = Path(f"/proc/{world.engine.guard_pid()}/status").read_text()
    resident = int(told.split("VmRSS:")[1].split()[0])
    assert resident < 25_000, f"{resident} kB"
    assert OTHER in world.volumes()
