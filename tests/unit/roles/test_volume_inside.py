"""The module for volumes that the engine keeps: what it makes, what it refuses, and that a killed run heals.

The scripts that run in throw-away containers run here as they are, on directories; only `docker` is a stand-in.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from roles.protected_volume.library import volume_inside as inside
from roles.protected_volume.library.volume_inside import Decision, EngineError, Inside, Seen, Volume, decide

OWNER = os.geteuid()
IMAGE = "ledgerflow/postgres:0123456789ab"
GIVEN = {
    "stack": "t0a1b2c",
    "environment": "ci",
    "volumes": [{"name": "db_data", "service": "postgres", "uid": OWNER, "gid": os.getegid(), "mode": "0700"}],
}


class Engine:
    """Volumes as directories; `docker volume ls` and `docker run` as the module calls them."""

    def __init__(self, base: Path) -> None:
        self.volumes, self.state = base / "volumes", base / "state"
        self.volumes.mkdir()
        self.ran: list[list[str]] = []
        self.dies_before_writing = False

    @property
    def place(self) -> Path:
        """The volume of the tests."""
        return self.volumes / "t0a1b2c_ci_db_data"

    @property
    def record(self) -> Path:
        return self.state / "volumes/db_data.json"

    @property
    def sentinel(self) -> Path:
        return self.place / ".ledgerflow.json"

    def run(self, argv: Sequence[str]) -> str:
        self.ran.append(list(argv))
        if argv[1] == "volume":
            return "\n".join(path.name for path in self.volumes.iterdir())
        mounts = [dict(part.split("=") for part in word.split(",")[:3]) for word in argv if word.startswith("type=")]
        view = Path(tempfile.mkdtemp(prefix="view", dir=self.volumes.parent))
        for mount in mounts:
            assert (self.volumes / mount["source"]).is_dir(), "the engine would make a volume without labels"
            (view / Path(mount["target"]).name).symlink_to(self.volumes / mount["source"])
        script = argv[argv.index("-c") + 1].replace("cd /volumes", f"cd {view}")
        if OWNER != 0:
            script = script.replace("chown 0:0", f"chown {OWNER}:{os.getegid()}")
        if self.dies_before_writing and "shift 5" in script:
            raise EngineError("killed")
        done = subprocess.run(["sh", "-c", script, *argv[argv.index("-c") + 2 :]], capture_output=True, check=True)
        return done.stdout.decode()

    def converge(self, check: bool = False, **changes: Any) -> dict[str, Any]:
        """The module's answer."""
        given = {**GIVEN, "state_dir": str(self.state), "image": IMAGE, **changes, "_ansible_check_mode": check}
        said = io.StringIO()
        with patch_module_args(given), contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            inside.main()
        answer = json.loads(said.getvalue())
        assert isinstance(answer, dict)
        return answer

    def action(self, **given: Any) -> str:
        answer = self.converge(**given)
        assert not answer.get("failed"), answer["msg"]
        return str(answer["volumes"][0]["action"])

    def refused(self, **given: Any) -> str:
        before = sorted(str(path) for path in self.volumes.parent.rglob("*") if "view" not in str(path))
        answer = self.converge(**given)
        assert answer["failed"]
        assert sorted(str(path) for path in self.volumes.parent.rglob("*") if "view" not in str(path)) == before
        assert "\nHINT: " in answer["msg"]
        return str(answer["msg"])


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(tmp_path)
    monkeypatch.setattr(inside, "run", made.run)
    return made


@pytest.fixture
def made(engine: Engine) -> Engine:
    """With a volume that was made and whose service has started on it."""
    engine.place.mkdir()
    assert engine.action() == "create"
    (engine.record.parent / "db_data.initialised").touch()
    (engine.place / "data/17").mkdir()
    return engine


# --- what it makes ---


def test_a_new_volume_gets_its_sentinel_its_data_and_a_record_of_the_same_bytes(engine: Engine) -> None:
    engine.place.mkdir()
    answer = engine.converge()
    assert (answer["changed"], answer["volumes"][0]["action"]) == (True, "create")
    assert engine.sentinel.read_bytes() == engine.record.read_bytes()
    assert answer["volumes"][0]["sentinel"] == engine.record.read_text()
    content = json.loads(engine.record.read_text())
    assert (content["stack"], content["environment"], content["volume"]) == ("t0a1b2c", "ci", "db_data")
    assert (engine.place / "data").stat().st_mode & 0o7777 == 0o700
    assert engine.sentinel.stat().st_mode & 0o7777 == 0o444


def test_the_second_time_nothing_is_written(made: Engine) -> None:
    made.ran.clear()
    assert made.converge()["changed"] is False
    assert [argv[1] for argv in made.ran] == ["volume", "run"]


def test_the_containers_have_no_network_and_only_the_one_that_writes_can(engine: Engine) -> None:
    engine.place.mkdir()
    engine.converge()
    look, write = [argv for argv in engine.ran if argv[1] == "run"][:2]
    for argv in (look, write):
        assert argv[argv.index("--network") + 1] == "none"
        assert {"--rm", "--read-only", "no-new-privileges"} <= set(argv)
        assert argv[argv.index("--pull") + 1] == "never"
    assert any(word.endswith(",readonly") for word in look)
    assert not any(word.endswith(",readonly") for word in write)


def test_a_killed_run_is_made_good_by_the_next(engine: Engine) -> None:
    engine.place.mkdir()
    engine.dies_before_writing = True
    assert engine.converge()["failed"]
    assert not engine.record.exists()
    engine.dies_before_writing = False
    (engine.place / "data").mkdir()
    (engine.place / inside.shared.TEMPORARY).write_text('{"half')
    assert engine.action() == "create"
    engine.record.unlink()  # killed before the record
    text = engine.sentinel.read_text()
    assert engine.action() == "adopt"
    assert engine.record.read_text() == text


def test_a_volume_of_ours_without_a_record_is_taken_over_with_its_data(made: Engine) -> None:
    for path in made.record.parent.iterdir():
        path.unlink()
    assert made.action() == "adopt"
    assert (made.record.parent / "db_data.initialised").exists()


def test_a_mode_that_was_changed_is_put_right(made: Engine) -> None:
    (made.place / "data").chmod(0o755)
    assert made.action() == "mend"
    assert (made.place / "data").stat().st_mode & 0o7777 == 0o700
    assert made.action() == "none"


# --- check mode ---


def test_a_volume_that_is_yet_to_be_made_is_fine_to_look_at_and_not_to_write_into(engine: Engine) -> None:
    assert engine.action(check=True) == "create"
    assert not engine.state.exists()
    engine.record.parent.mkdir(parents=True)  # else only the directory would differ
    assert "the engine does not have it" in engine.refused()


def test_without_an_image_what_is_there_is_not_looked_into_and_what_is_gone_is_refused(made: Engine) -> None:
    assert made.action(check=True, image="") == "unknown"
    made.place.rename(made.volumes.parent / "elsewhere")
    assert "the engine does not have it" in made.refused(check=True, image="")


def test_without_an_image_nothing_is_written(made: Engine) -> None:
    assert "protected_volume_image: empty" in made.refused(image="")


# --- what it refuses ---


def emptied(engine: Engine) -> None:
    engine.place.rename(engine.volumes.parent / "elsewhere")
    engine.place.mkdir()


def removed(engine: Engine) -> None:
    engine.place.rename(engine.volumes.parent / "elsewhere")


def without_sentinel(engine: Engine) -> None:
    engine.sentinel.unlink()


def with_anothers_sentinel(engine: Engine) -> None:
    content = {**json.loads(engine.record.read_text()), "uuid": "another"}
    engine.sentinel.unlink()
    engine.sentinel.write_text(json.dumps(content, indent=2) + "\n")


def without_data(engine: Engine) -> None:
    (engine.place / "data/17").rmdir()
    (engine.place / "data").rmdir()


def without_record(engine: Engine) -> None:
    engine.record.unlink()
    engine.sentinel.unlink()


def with_anothers_record(engine: Engine) -> None:
    content = {**json.loads(engine.record.read_text()), "stack": "other"}
    engine.record.unlink()
    engine.record.write_text(json.dumps(content))


@pytest.mark.parametrize(("change", "saying"), [
    (removed, "the engine does not have it, but its record says"),
    (emptied, "it is empty, but its record says"),
    (without_sentinel, "no sentinel is in it, but its record says"),
    (with_anothers_sentinel, "its sentinel is of another volume: stack t0a1b2c"),
    (without_data, "data/ is not in it, but its service has already started on it"),
    (without_record, "record and sentinel are gone"),
    (with_anothers_record, "is of another volume: stack other"),
])  # fmt: skip
@pytest.mark.parametrize("check", [True, False])
def test_a_volume_that_is_not_what_its_record_says_is_refused_and_nothing_is_written(
    made: Engine, change: Callable[[Engine], None], saying: str, check: bool
) -> None:
    change(made)
    assert saying in made.refused(check=check)


def test_foreign_data_is_refused(engine: Engine) -> None:
    (engine.place / "data").mkdir(parents=True)
    (engine.place / "data/17").touch()
    engine.record.parent.mkdir(parents=True)
    assert "foreign data" in engine.refused()
    (engine.place / "data/17").unlink()
    (engine.place / "a file").touch()
    assert "foreign data" in engine.refused()


def test_another_stacks_volume_is_refused(engine: Engine) -> None:
    engine.place.mkdir()
    engine.sentinel.write_text('{"uuid": "1", "stack": "other"}\n')
    engine.record.parent.mkdir(parents=True)
    assert "its sentinel is of another volume: stack other" in engine.refused()


# --- the decision alone ---


VOLUME = Volume("t", "ci", "db_data", "postgres", 5432, 5432, 0o700, Path("/state/volumes"))
TEXT = inside.shared.sentinel_text(VOLUME, "u", "2026")
WHOLE = Inside((".ledgerflow.json", "data"), (5432, 5432, 0o700), filled=True, sentinel=TEXT)
GOOD = Seen(exists=True, inside=WHOLE, record=TEXT, initialised=True)


def test_what_is_right_is_left_alone() -> None:
    assert decide(VOLUME, GOOD) == Decision("none")


def test_files_of_another_uid_are_refused() -> None:
    stranger = replace(GOOD, inside=replace(WHOLE, data=(1000, 1000, 0o700)))
    assert "belongs to uid 1000, the service runs as 5432" in decide(VOLUME, stranger).reason


def test_an_empty_data_of_another_uid_is_given_to_the_service() -> None:
    assert decide(VOLUME, replace(GOOD, inside=replace(WHOLE, data=(0, 0, 0o700), filled=False))).action == "mend"


# --- what the look tells ---


def test_a_look_that_was_cut_off_is_no_look() -> None:
    whole = f"volume db_data\nentry \n{inside.END}\n"
    assert inside.read_look(whole) == {"db_data": Inside()}
    with pytest.raises(EngineError, match="cut off"):
        inside.read_look("volume db_data\nentry \n")


def test_names_in_a_volume_cannot_pass_for_what_the_look_tells(tmp_path: Path) -> None:
    for name in ("end of the look", "volume media", "sentinel {}", "lost+found"):
        (tmp_path / "db_data" / name).mkdir(parents=True)
    script = inside.LOOK.replace("cd /volumes", f"cd {tmp_path}")
    told = subprocess.run(["sh", "-c", script], capture_output=True, check=True, text=True).stdout
    assert inside.read_look(told) == {"db_data": Inside(("end of the look", "sentinel {}", "volume media"))}


def test_the_engines_words_are_told() -> None:
    with pytest.raises(EngineError, match=r"sh -c: status 3: the words"):
        inside.run(["sh", "-c", "echo the words >&2; exit 3"])
    with pytest.raises(EngineError, match="No such file"):
        inside.run(["/nowhere/docker", "volume"])
