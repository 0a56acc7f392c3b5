"""The command line: what it declares, unlocks, tells and checks, and its exit codes."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledgerguard import __version__, cli
from ledgerguard.declarations.merging import to_json
from ledgerguard.declarations.model import Declarations
from ledgerguard.lookups.declarations_file import load_declarations
from ledgerguard.model import PROTECT
from ledgerguard.service import self_check
from ledgerguard.service.audit import Audit
from tests.unit.ledgerguard.fakes import DECLARED, VOLUME
from tests.unit.ledgerguard.lookups.test_bolt_file import database
from tests.unit.ledgerguard.lookups.test_engine_files import CONFIG, ID, record
from tests.unit.ledgerguard.service.test_server import running
from tests.unit.ledgerguard.stub_engine import stub_engine


def run(place: Path, command: str, *arguments: str) -> int:
    common = [
        f"--config={place / 'volumes.json'}",
        f"--state-dir={place / 'state'}",
        f"--audit-file={place / 'log/audit.jsonl'}",
        f"--socket={place / 'run/ledgerguard.sock'}",
        f"--engine=unix://{place / 'engine.sock'}",
        f"--data-root={place / 'data'}",
    ]
    return cli.main([command, *common, *arguments])


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    (tmp_path / "volumes.json").write_text(to_json(Declarations({VOLUME: DECLARED})))
    (tmp_path / "volumes.json").chmod(0o644)
    return tmp_path


# --- usage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv", [[], ["nothing"], ["unlock"], ["serve", "--sokcet=x"], ["unlock", "v", "--operation", "all"]]
)
def test_a_wrong_command_is_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(argv)
    assert stop.value.code == 64
    assert "HINT: ledgerguard --help" in capsys.readouterr().err


def test_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert (stop.value.code, capsys.readouterr().out) == (0, f"ledgerguard {__version__}\n")


# --- declare ----------------------------------------------------------------------------------------------------------


def test_what_is_declared_is_merged_and_noted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = place / "new.json"
    file.write_text(json.dumps({"schema": 1, "volumes": {"new": {"environment": "dev"}}}))
    assert run(place, "declare", str(file)) == 0
    assert set(load_declarations(place / "volumes.json").volumes) == {VOLUME, "new"}
    assert (place / "volumes.json").stat().st_mode & 0o777 == 0o644
    assert run(place, "audit", "--verdict", "declared", "--json") == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["volumes"] == ["new"]


def test_several_files_are_declared_as_one_and_a_second_time_nothing_changes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = place / "volumes-of-mine.json", place / "web.json"
    one.write_text(json.dumps({"schema": 1, "volumes": {"new": {"environment": "dev", "labels": {"a": "b"}}}}))
    granted = {"container": "web", "images": ["sha256:" + "1" * 64], "target": "/x"}
    two.write_text(json.dumps({"schema": 1, "volumes": {"new": {"environment": "dev", "grants": [granted]}}}))
    assert run(place, "declare", str(one), str(two)) == 0
    new = load_declarations(place / "volumes.json").volumes["new"]
    assert (new.labels, [grant.container for grant in new.grants]) == ({"a": "b"}, ["web"])
    before = (place / "volumes.json").stat()
    folder = place / "declarations"
    folder.mkdir()
    for file in (one, two):
        file.rename(folder / file.name)
    assert run(place, "declare", str(folder)) == 0
    assert capsys.readouterr().out == "declared: new\nas declared before: new\n"
    assert (place / "volumes.json").stat() == before


def test_what_is_declared_no_longer_is_said_and_noted(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = place / "new.json"
    file.write_text(json.dumps({"schema": 1, "volumes": {"new": {"environment": "dev"}}}))
    assert run(place, "declare", str(file), "--only") == 0
    assert f"no longer declared: {VOLUME}" in capsys.readouterr().out
    assert set(load_declarations(place / "volumes.json").volumes) == {"new"}
    assert run(place, "audit", "--json") == 0
    assert json.loads(capsys.readouterr().out)["no_longer"] == [VOLUME]


@pytest.mark.parametrize(("text", "code"), [("{", 1), ('{"schema": 1, "volumes": {"v": {}}}', 1), (None, 2)])
def test_a_faulty_declaration_changes_nothing(
    place: Path, text: str | None, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (place / "volumes.json").read_text()
    file = place / "new.json"
    if text is not None:
        file.write_text(text)
    assert run(place, "declare", str(file)) == code
    assert (place / "volumes.json").read_text() == before
    told = capsys.readouterr().err
    assert "new.json" in told
    assert "HINT: " in told


def test_declarations_that_are_broken_are_not_written_over(place: Path) -> None:
    (place / "volumes.json").write_text("{")
    file = place / "new.json"
    file.write_text(to_json(Declarations({VOLUME: DECLARED})))
    assert run(place, "declare", str(file)) == 2
    assert (place / "volumes.json").read_text() == "{"


@pytest.mark.parametrize(
    "command", [["declare", "x"], ["lock"], ["unlock", "v", "--operation=exec", "--reason=x", "--for=5m"]]
)
def test_only_root_declares_and_unlocks(place: Path, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert run(place, *command) == 2


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        yield


# --- unlock -----------------------------------------------------------------------------------------------------------


def vault(place: Path, **changed: Any) -> list[str]:
    """A vault's state that names a proven backup, and that backup."""
    content = b"a backup"
    (place / "backups/hourly").mkdir(parents=True)
    (place / "backups/hourly/a.sql.gz").write_bytes(content)
    taken = datetime.now(UTC) - timedelta(hours=1)
    newest = {
        "path": "hourly/a.sql.gz",
        "sha256": hashlib.sha256(content).hexdigest(),
        "taken": taken.isoformat(),
        "verdict": "proven",
    }
    state = {"schema": 1, "newest_proven": {**newest, **changed} if changed.pop("some", True) else None}
    (place / "vault.json").write_text(json.dumps(state))
    return [f"--vault-state={place / 'vault.json'}", f"--backups={place / 'backups'}"]


def unlock(place: Path, *arguments: str, volume: str = VOLUME, span: str = "5m", reason: str = "a test") -> int:
    return run(place, "unlock", volume, "--operation=remove", f"--reason={reason}", f"--for={span}", *arguments)


def test_an_unlock_stands_on_a_proven_backup_whose_bytes_are_checked(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert unlock(place, *vault(place)) == 0
    assert "proven backup hourly/a.sql.gz, 1.0 h old" in capsys.readouterr().out
    (file,) = (place / "state/unlocks").glob("*.json")
    assert json.loads(file.read_text())["expires"] <= time.time() + 300
    assert run(place, "lock") == 0
    assert "1 unlock taken back" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"sha256": "0" * 64}, "sha256 is"),
        ({"taken": "2020-01-01T00:00:00Z"}, "the limit is 24.0 h"),
        ({"taken": "2999-01-01T00:00:00"}, "the limit is"),
        ({"verdict": "failed"}, "is 'failed'"),
        ({"path": "hourly/none"}, "No such file"),
        ({"path": "../../etc/passwd"}, "is not below"),
        ({"some": False}, "no backup is proven"),
        ({"taken": "yesterday"}, "ValueError"),
    ],
)
def test_without_one_and_without_a_terminal_it_is_refused(
    place: Path, changed: dict[str, Any], told: str, capsys: pytest.CaptureFixture[str], no_terminal: None
) -> None:
    assert unlock(place, *vault(place, **changed)) == 1
    assert told in capsys.readouterr().err
    assert not (place / "state/unlocks").exists()


def test_another_schema_of_the_vault_is_not_believed(place: Path, no_terminal: None) -> None:
    places = vault(place)
    (place / "vault.json").write_text('{"schema": 2}')
    assert unlock(place, *places) == 1
    assert unlock(place) == 1


@pytest.mark.parametrize(("typed", "code"), [(f"lose {VOLUME}", 0), ("yes", 1)])
def test_at_a_terminal_a_phrase_may_stand_for_it(
    place: Path, typed: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        os.write(ours, f"{typed}\n".encode())
        assert unlock(place) == code
    os.close(ours)


@pytest.mark.parametrize("wrong", [{"span": "5d"}, {"reason": " "}, {"volume": "a/b"}])
def test_a_wrong_unlock_is_a_usage_error(place: Path, wrong: dict[str, str]) -> None:
    assert unlock(place, **wrong) == 64


def test_an_unlock_that_cannot_be_noted_or_kept_is_none(place: Path) -> None:
    places = vault(place)
    (place / "state").write_text("in the way")
    assert unlock(place, *places) == 2
    (place / "log").rmdir() if not any((place / "log").iterdir()) else (place / "log/audit.jsonl").unlink()
    (place / "log/audit.jsonl").mkdir()
    assert unlock(place, *places) == 2
    (place / "volumes.json").write_text("{")
    assert unlock(place, *places) == 2


def test_the_vaults_places_follow_from_the_volumes_stack(place: Path) -> None:
    volumes = {VOLUME: {"environment": "dev", "labels": {"com.ledgerflow.stack": "s"}},
               "s_dev_backups": {"environment": "dev", "options": {"device": "/srv/b"}}}  # fmt: skip
    (place / "volumes.json").write_text(json.dumps({"schema": 1, "volumes": volumes}))
    given = cli._parser().parse_args(
        ["unlock", VOLUME, "--operation=exec", "--reason=x", "--for=1m", f"--config={place}/volumes.json"]
    )
    declared = load_declarations(place / "volumes.json").volumes[VOLUME]
    assert cli._vault_paths(given, declared) == ("/etc/ledgerflow/s-dev/state/vault.json", "/srv/b/data")


# --- audit and status -------------------------------------------------------------------------------------------------


def test_the_audit_is_filtered(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        {"time": "2020-01-01T00:00:00Z", "verdict": "refused", "volumes": ["v"]},
        {"time": "2999-01-01T00:00:00Z", "verdict": "lock"},
    ]
    (place / "log/audit.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"cut')
    assert run(place, "audit", "--since", "1h") == 0
    assert capsys.readouterr().out.split()[1] == "lock"
    assert run(place, "audit", "--volume", "v", "--json") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "refused"
    assert run(place, "audit", "--since", "soon") == 64


def test_status_tells_or_says_not_active(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(place, "status") == 2
    assert "NOT ACTIVE" in capsys.readouterr().err
    with running(place):
        assert run(place, "status") == 0
        assert f"declared: {VOLUME}" in capsys.readouterr().out
        assert run(place, "status", "--json") == 0
        assert json.loads(capsys.readouterr().out)["mode"] == "enforce"
        unlock(place, *vault(place))
        (place / "volumes.json").write_text("{")
        assert run(place, "status") == 1
        assert "fault: " in capsys.readouterr().out


def test_serve_refuses_a_place_where_another_guard_answers(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(place):
        assert run(place, "serve") == 2
    assert "another guard answers" in capsys.readouterr().err
    assert run(place, "serve", "--deadline=0") == 64


# --- check ------------------------------------------------------------------------------------------------------------


def engine_of(
    place: Path, deletes: tuple[int, bytes], canary: bool = True, on_delete: Callable[[], None] = lambda: None
) -> Any:
    """An engine that answers a deletion like this; `canary`: whether its file is still there afterwards."""

    def answer(method: str, path: str) -> tuple[int, Any]:
        file = place / "data/volumes" / self_check.CANARY / "_data"
        if method == "POST":
            file.mkdir(parents=True, exist_ok=True)
            return 201, {}
        if method == "DELETE":
            on_delete()
            if not canary:
                (file / "canary").unlink()
            return deletes
        return 200, {"Version": "26.1"}

    return stub_engine(place, answer)


def host_of(place: Path, labels: dict[str, str], options: dict[str, str]) -> None:
    (place / "data/volumes").mkdir(parents=True)
    content = database({VOLUME.encode(): record(Name=VOLUME, Labels=labels, Options=options)})
    (place / "data/volumes/metadata.db").write_bytes(content)


REFUSAL = (403, b"authorization denied by plugin ledgerguard: protected")


def findings(place: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, dict[str, list[str]]]:
    (place / "daemon.json").write_text('{"authorization-plugins": ["ledgerguard"]}')
    code = run(place, "check", "--json", f"--daemon-json={place / 'daemon.json'}", *more)
    found: dict[str, list[str]] = {}
    for one in json.loads(capsys.readouterr().out)["findings"]:
        found.setdefault(one["id"], []).append(one["verdict"])
    return code, found


@pytest.fixture
def backed(place: Path) -> Path:
    """A declared volume as it should be."""
    device = place / "device"
    device.mkdir()
    options, labels = {"type": "none", "o": "bind", "device": str(device)}, {PROTECT: "true"}
    text = {"schema": 1, "volumes": {VOLUME: {"environment": "dev", "options": options, "labels": labels}}}
    (place / "volumes.json").write_text(json.dumps(text))
    host_of(place, labels, options)
    (place / "state").mkdir(mode=0o755)
    place.chmod(0o755)
    return place


def test_an_active_guard_on_a_good_host(backed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engine_of(backed, REFUSAL), running_beside(backed):
        code, found = findings(backed, capsys, "--existing")
    assert found == {name: ["ok"] for name in found}
    assert set(found) >= {
        "guard-answers",
        "mode",
        "canary",
        "daemon.json",
        "owner",
        "volume",
        "existing",
    }
    assert code == 0


def running_beside(place: Path, **more: Any) -> Any:
    """`running` declares its own volume; here the place's declarations stay."""
    text = (place / "volumes.json").read_text()
    made = running(place, **more)

    class Kept:
        def __enter__(self) -> None:
            made.__enter__()
            (place / "volumes.json").write_text(text)

        def __exit__(self, *error: Any) -> None:
            made.__exit__(*error)

    return Kept()


def test_a_guard_that_the_engine_dropped_is_found_by_its_canary(
    backed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with engine_of(backed, (204, b""), canary=False), running_beside(backed):
        code, found = findings(backed, capsys)
    assert (code, found["canary"]) == (1, ["bad"])


@pytest.mark.parametrize(("active", "verdict"), [(True, "ok"), (False, "bad")])
def test_a_canary_whose_label_the_engine_lost_is_made_anew_before_it_is_attacked(
    backed: Path, capsys: pytest.CaptureFixture[str], active: bool, verdict: str
) -> None:
    labels: list[dict[str, str] | None] = [None]
    file = backed / "data/volumes" / self_check.CANARY / "_data/canary"

    def answer(method: str, path: str) -> tuple[int, Any]:
        if method == "POST":
            file.parent.mkdir(parents=True, exist_ok=True)
            return 201, {"Name": self_check.CANARY, "Labels": labels[-1]}
        if method == "DELETE" and active and labels[-1] is not None:
            return REFUSAL
        if method == "DELETE":
            labels.append({PROTECT: "true"})
            file.unlink(missing_ok=True)
            return 204, b""
        return 200, {"Version": "26.1"}

    with stub_engine(backed, answer), running_beside(backed):
        assert findings(backed, capsys)[1]["canary"] == [verdict]


@pytest.mark.parametrize(("noted", "verdict"), [(True, "ok"), (False, "bad")])
def test_a_guard_that_is_meant_to_observe_has_to_have_seen_the_attack(
    backed: Path, capsys: pytest.CaptureFixture[str], noted: bool, verdict: str
) -> None:
    def note() -> None:
        if noted:
            Audit(backed / "log/audit.jsonl").write("would-refuse", volumes=[self_check.CANARY])

    with engine_of(backed, (204, b""), canary=False, on_delete=note), running_beside(backed):
        found = findings(backed, capsys, "--mode=observe")[1]
    assert (found["canary"], found["mode"]) == ([verdict], ["bad"])  # it enforces here, which is told as well


def test_a_guard_that_is_meant_to_be_off_is_not_attacked(backed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with engine_of(backed, (204, b""), canary=False), running_beside(backed):
        found = findings(backed, capsys, "--mode=off")[1]
    assert (found["canary"], found["mode"]) == (["ok"], ["bad"])


@pytest.mark.parametrize("answer", [(204, b""), (409, b"in use"), (403, b"authorization denied by plugin other")])
def test_an_answer_that_is_no_refusal_of_ours_proves_nothing(
    backed: Path, answer: tuple[int, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    with engine_of(backed, answer), running_beside(backed):
        code, found = findings(backed, capsys)
    assert (code, found["canary"]) == (2, ["could not check"])


def test_everything_that_is_wrong_is_named(backed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (backed / "device").rmdir()
    (backed / "state").chmod(0o777)
    hold_wrongly(backed)
    with engine_of(backed, REFUSAL):
        code, found = findings(backed, capsys, "--existing")
        assert run(backed, "check", "--daemon-json=/nothing", "--existing") == 1
    assert "HINT: " in capsys.readouterr().out
    assert code == 1
    bad = {name for name, verdicts in found.items() if "bad" in verdicts}
    assert bad == {"guard-answers", "owner", "volume", "existing"}


def hold_wrongly(place: Path) -> None:
    """A container that mounts the volume and that no grant names."""
    foreign = place / "data/containers" / ID
    foreign.mkdir(parents=True)
    mounts = {"/x": {"Type": "volume", "Name": VOLUME, "Destination": "/x", "RW": True, "Spec": {"Source": VOLUME}}}
    (foreign / "config.v2.json").write_text(json.dumps({**CONFIG, "MountPoints": mounts}))
    (foreign / "hostconfig.json").write_text("{}")


def test_the_verdict_on_all_containers_is_kept_for_status_audit_and_hook(
    backed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = backed / "heard"
    hook = ("--hook=/bin/sh", "--hook=-c", f"--hook=cat > {heard}")
    with running_beside(backed, state_dir=backed / "state"), engine_of(backed, REFUSAL):
        assert run(backed, "status") == 0
        assert "check: none yet\nHINT: ledgerguard check --existing" in capsys.readouterr().out
        hold_wrongly(backed)
        assert findings(backed, capsys, "--existing", *hook)[0] == 1
        assert json.loads(heard.read_text())["findings"][0]["id"] == "existing"
        assert run(backed, "status") == 1
        shown = capsys.readouterr().out
        assert f"bad: existing: {CONFIG['Name'].lstrip('/')} " in shown
        assert shown.endswith("HINT: ledgerguard check --existing\n")
        assert findings(backed, capsys)[0] == 0  # less was looked at, so it says nothing of what was kept
        assert run(backed, "status", "--json") == 1
        assert json.loads(capsys.readouterr().out)["check"]["not_well"] == 1
        shutil.rmtree(backed / "data/containers")
        assert findings(backed, capsys, "--existing")[0] == 0
        assert run(backed, "status") == 0
    assert run(backed, "audit", "--verdict=checked", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [line["outcome"] for line in lines] == ["bad", "ok"]


def test_a_verdict_that_is_not_kept_or_cannot_be_read_is_no_good_one(
    backed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (backed / "state/check.json").mkdir()
    with running_beside(backed, state_dir=backed / "state"), engine_of(backed, REFUSAL):
        code, found = findings(backed, capsys, "--existing")
        assert (code, found["kept"]) == (2, ["could not check"])
        (backed / "state/check.json").rmdir()
        (backed / "state/check.json").write_text("[]")
        assert run(backed, "status") == 1
        assert "could not check: kept: " in capsys.readouterr().out


def test_beside_a_guard_that_observes_a_wrong_holder_is_told_and_no_fault(
    backed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hold_wrongly(backed)
    with running_beside(backed), engine_of(backed, REFUSAL):
        run(backed, "check", "--mode=observe", "--existing", "--daemon-json=/nothing")
        assert "ok: existing: would be refused: " in capsys.readouterr().out
        assert findings(backed, capsys, "--existing")[1]["existing"] == ["bad"]


def test_a_verdict_on_a_mode_that_nobody_named_is_not_kept(backed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running_beside(backed, state_dir=backed / "state", mode="observe"), engine_of(backed, REFUSAL):
        assert findings(backed, capsys, "--existing")[1]["mode"] == ["bad"]
        run(backed, "status", "--json")
        assert json.loads(capsys.readouterr().out)["check"] is None
        findings(backed, capsys, "--existing", "--mode=enforce")
        run(backed, "status", "--json")
        assert json.loads(capsys.readouterr().out)["check"]["verdict"] == "bad"


def test_it_waits_for_an_engine_that_starts_and_not_for_ever(backed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    started = time.monotonic()
    assert findings(backed, capsys, "--wait=0.5")[1]["canary"] == ["could not check"]
    assert time.monotonic() - started >= 0.5
    with ThreadPoolExecutor(1) as pool, running_beside(backed):
        waiting = pool.submit(self_check.wait_for_engine, backed / "engine.sock", 20)
        with engine_of(backed, REFUSAL):
            waiting.result(10)


def test_a_volume_that_lost_its_label_or_record_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host_of(place, {}, {})
    assert findings(place, capsys)[1]["volume"] == ["bad"]
    (place / "data/volumes/metadata.db").write_bytes(database({b"other": record()}))
    code, found = findings(place, capsys)
    assert found["volume"] == ["bad"]
    assert found["canary"] == ["could not check"]
    assert code == 1


def test_what_cannot_be_looked_at_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = findings(place, capsys, "--existing")
    assert found["volumes"] == ["could not check"]
    (place / "volumes.json").write_text("{")
    assert findings(place, capsys, "--existing")[1]["existing"] == ["could not check"]
    assert code == 1
    assert self_check.exit_code([]) == 2


# --- grant ------------------------------------------------------------------------------------------------------------


@contextmanager
def recorded_engine(place: Path) -> Iterator[None]:
    """An engine that knows the recorded containers and nothing else."""
    recorded = json.loads(Path(__file__).with_name("containers.json").read_text())
    known = {
        **{f"/containers/{name}/json": one["inspect"] for name, one in recorded["containers"].items()},
        **{f"/images/{name}/json": one for name, one in recorded["images"].items()},
    }
    with stub_engine(place, lambda _method, path: (200, known[path]) if path in known else (404, {})):
        yield


def test_a_grant_is_shown_for_each_volume(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with recorded_engine(place):
        assert run(place, "grant", "owner") == 0
        assert set(json.loads(capsys.readouterr().out)) == {"backups", "scratch"}
        assert run(place, "grant", "owner", "--volume", "backups") == 0
    found = json.loads(capsys.readouterr().out)
    assert (set(found), found["backups"]["command"]) == ({"backups"}, ["schedule"])


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [("twice", 1, "container twice: no grant"), ("nobody", 2, "nobody: no such container"), ("owner", 1, "media is")],
)
def test_what_cannot_be_granted_is_said(
    place: Path, name: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with recorded_engine(place):
        assert run(place, "grant", name, *(["--volume", "media"] if name == "owner" else [])) == code
    out, err = capsys.readouterr()
    assert (out, told in err, "HINT: " in err) == ("", True, True)


def test_an_engine_that_is_not_there_is_no_grant(place: Path) -> None:
    assert run(place, "grant", "owner") == 2
