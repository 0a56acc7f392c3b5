"""The guard around a decision: modes, unlocks of one use, deadlines, declarations that change, the audit, its hook."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.declarations.merging import to_json
from ledgerguard.declarations.model import Declarations
from ledgerguard.lookups.declarations_file import DeclarationsFile
from ledgerguard.refusal import LookupFailed, Verdict
from ledgerguard.service import audit
from ledgerguard.service.audit import Audit
from ledgerguard.service.guard import Guard
from ledgerguard.service.unlocks import Unlock, UnlockError, Unlocks, parse_span
from tests.unit.ledgerguard.fakes import DECLARED, LABELLED, PLAIN, VOLUME, host, request

REMOVE, HARMLESS = request("DELETE", f"/volumes/{VOLUME}"), request("DELETE", f"/volumes/{PLAIN}")


def made(tmp_path: Path, **more: Any) -> Guard:
    file = tmp_path / "volumes.json"
    file.write_text(to_json(Declarations({VOLUME: DECLARED})))
    file.chmod(0o644)
    log = Audit(tmp_path / "audit.jsonl", syslog=str(tmp_path / "none"))
    return Guard(host(), DeclarationsFile(file), Unlocks(tmp_path / "unlocks"), log, **more)


def told(tmp_path: Path) -> list[dict[str, Any]]:
    return list(audit.read_lines(tmp_path / "audit.jsonl"))


def unlock(tmp_path: Path, volume: str = VOLUME, operation: str = "remove", seconds: float = 60) -> None:
    Unlocks(tmp_path / "unlocks").add(Unlock(volume, operation, "test", time.time() + seconds))


@pytest.mark.parametrize(
    ("mode", "allowed", "line"), [("enforce", False, "refused"), ("observe", True, "would-refuse"), ("off", True, "")]
)
def test_modes(tmp_path: Path, mode: str, allowed: bool, line: str) -> None:
    one = made(tmp_path, mode=mode)
    assert one.judge(REMOVE).allow is allowed
    assert one.judge(HARMLESS).allow
    assert [each["verdict"] for each in told(tmp_path)] == ([line] if line else [])


def test_a_refusal_is_told_with_its_volume_and_attackers_text_is_escaped(tmp_path: Path) -> None:
    one = made(tmp_path)
    one.judge(request("POST", "/\x1b[31mx\n?y"))
    one.judge(REMOVE)
    first, second = told(tmp_path)
    assert first["uri"] == "/\\u001b[31mx\\u000a?y"
    assert (second["volumes"], second["operation"], second["method"]) == ([VOLUME], "remove", "DELETE")
    state = one.status()
    assert state["decisions"] == {"refused": 2}
    assert state["last_refusal"]["volumes"] == [VOLUME]
    assert state["declared"] == [VOLUME]


def test_an_unlock_lets_one_operation_through_once(tmp_path: Path) -> None:
    one = made(tmp_path)
    unlock(tmp_path)
    assert not one.judge(request("DELETE", f"/volumes/{LABELLED}")).allow
    assert one.judge(REMOVE).allow
    assert not one.judge(REMOVE).allow
    assert [each["verdict"] for each in told(tmp_path)] == ["refused", "unlocked", "refused"]


def test_an_unlock_for_a_mount_serves_creation_and_start(tmp_path: Path) -> None:
    one = made(tmp_path)
    unlock(tmp_path, operation="mount")
    create = request(
        "POST", "/containers/create?name=x", {"Image": "alpine", "HostConfig": {"Binds": [f"{VOLUME}:/x"]}}
    )
    start = request("POST", "/containers/foreign/start")
    assert one.judge(create).allow
    assert one.judge(start).allow
    assert not one.judge(start).allow


def test_an_unlock_of_one_volume_opens_nothing_else(tmp_path: Path) -> None:
    one = made(tmp_path)
    unlock(tmp_path, operation="mount")
    for more in (f"{LABELLED}:/y", "/etc:/y", "/srv/../proc:/y"):
        host_config = {"Binds": [f"{VOLUME}:/x", more]}
        create = request("POST", "/containers/create?name=x", {"Image": "alpine", "HostConfig": host_config})
        assert not one.judge(create).allow
    assert one.unlocks.find(VOLUME, "mount")


@pytest.mark.parametrize("seconds", [-1, 2 * 3600])
def test_an_unlock_that_expired_or_lies_too_far_ahead_is_none(tmp_path: Path, seconds: float) -> None:
    unlock(tmp_path, seconds=seconds)
    assert not made(tmp_path).judge(REMOVE).allow


def test_an_unlock_of_another_operation_is_none(tmp_path: Path) -> None:
    unlock(tmp_path, operation="exec")
    assert not made(tmp_path).judge(REMOVE).allow


def test_of_many_at_once_one_uses_the_unlock(tmp_path: Path) -> None:
    one = made(tmp_path)
    unlock(tmp_path)
    with ThreadPoolExecutor(16) as several:
        verdicts = list(several.map(lambda _: one.judge(REMOVE).allow, range(64)))
    assert sum(verdicts) == 1


def test_an_unlock_that_cannot_be_written_down_is_not_used(tmp_path: Path) -> None:
    one = made(tmp_path)
    unlock(tmp_path)
    one.audit.file = tmp_path / "no such directory/audit.jsonl"
    assert not one.judge(REMOVE).allow
    assert one.audit.lost > 0


def test_a_decider_that_raises_is_a_refusal(tmp_path: Path) -> None:
    def wrong(*_: Any) -> Verdict:
        raise MemoryError("all used")

    assert "MemoryError" in made(tmp_path, decide=wrong).judge(HARMLESS).line


# --- declarations -----------------------------------------------------------------------------------------------------


def test_declarations_are_read_again_when_they_change(tmp_path: Path) -> None:
    one = made(tmp_path)
    assert one.judge(request("DELETE", "/volumes/later")).allow
    later = {**Declarations({VOLUME: DECLARED}).volumes, "later": DECLARED}
    aside = tmp_path / "aside"
    aside.write_text(to_json(Declarations({name: DECLARED for name in later})))
    aside.replace(one.watched.file)
    assert not one.judge(request("DELETE", "/volumes/later")).allow


def test_declarations_that_broke_or_went_or_belong_to_others_refuse_everything_but_reads(tmp_path: Path) -> None:
    one = made(tmp_path)
    file = one.watched.file
    good = file.read_text()
    assert one.judge(HARMLESS).allow
    for spoil in (
        lambda: file.write_text("{"),
        lambda: file.unlink(),
        lambda: (file.write_text(good), file.chmod(0o666)),
    ):
        spoil()
        found = one.judge(HARMLESS)
        assert not found.allow
        assert "declarations cannot be read" in found.line
        assert one.status()["fault"]
        assert one.judge(request("GET", "/info")).allow
    file.chmod(0o644)
    assert one.judge(HARMLESS).allow


def test_declarations_in_a_place_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LookupFailed):
        DeclarationsFile(tmp_path / "file" / "volumes.json").read()
    assert DeclarationsFile(tmp_path / "none.json").read() == Declarations()


# --- audit ------------------------------------------------------------------------------------------------------------


def test_the_audit_is_rotated_and_read_in_order(tmp_path: Path) -> None:
    log = Audit(tmp_path / "a", max_bytes=300, generations=2, syslog=str(tmp_path / "none"))
    for number in range(12):
        assert log.write("refused", reason=f"number {number}", volumes=["v"])
    kept = [line["reason"] for line in audit.read_lines(tmp_path / "a", 2)]
    assert kept == [f"number {number}" for number in range(12 - len(kept), 12)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "a.1", "a.2"]
    assert all(path.stat().st_size <= 300 for path in tmp_path.iterdir())


def test_lines_are_chosen_by_time_volume_and_verdict() -> None:
    line = {"time": audit.timestamp(), "volumes": ["v"], "verdict": "refused"}
    assert audit.is_selected(line, 60, "v", "refused")
    assert audit.is_selected(line, None, "", "")
    assert not audit.is_selected({**line, "time": "2020-01-01T00:00:00.000Z"}, 60, "", "")
    assert not audit.is_selected(line, None, "w", "")
    assert not audit.is_selected(line, None, "", "unlock")


def test_the_hook_gets_each_line_and_a_missing_one_does_no_harm(tmp_path: Path) -> None:
    target = tmp_path / "hooked"
    code = f"import sys, pathlib; pathlib.Path({str(target)!r}).write_text(sys.stdin.read())"
    log = Audit(tmp_path / "a", hook=(sys.executable, "-c", code), syslog=str(tmp_path / "none"))
    assert log.write("refused", reason="x")
    end = time.monotonic() + 10
    while not (target.exists() and target.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    assert json.loads(target.read_text())["reason"] == "x"
    assert Audit(tmp_path / "b", hook=("/no/such/program",), syslog=str(tmp_path / "none")).write("refused")


def test_syslog_gets_the_line(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(str(tmp_path / "log"))
        Audit(tmp_path / "a", syslog=str(tmp_path / "log")).write("refused", reason="x")
        assert b"ledgerguard: {" in log.recv(4096)


# --- unlocks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("span", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600)])
def test_spans(span: str, seconds: int) -> None:
    assert parse_span(span) == seconds


@pytest.mark.parametrize("span", ["", "5", "0m", "2h", "-5m", "5d", "m"])
def test_other_spans_are_refused(span: str) -> None:
    with pytest.raises(UnlockError):
        parse_span(span)


def test_unlocks_are_listed_taken_back_and_of_known_operations(tmp_path: Path) -> None:
    unlocks = Unlocks(tmp_path / "unlocks")
    assert unlocks.all() == []
    unlock(tmp_path)
    unlock(tmp_path, LABELLED, "exec")
    (tmp_path / "unlocks/broken.json").write_text("{")
    assert {(one.volume, one.operation) for one in unlocks.all()} == {(VOLUME, "remove"), (LABELLED, "exec")}
    assert unlocks.clear(VOLUME) == 1
    assert unlocks.clear() == 1
    assert oct((tmp_path / "unlocks").stat().st_mode & 0o777) == "0o700"
    with pytest.raises(UnlockError):
        unlock(tmp_path, operation="everything")
