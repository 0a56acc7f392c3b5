"""The runner: a part that could not run has failed, one failure stops nothing, time-outs end all that was started."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from scripts import junit, run_tests
from scripts.junit import Counts
from scripts.run_tests import Part, Stage
from tests.unit.ledgerguard.stub_engine import stub_engine

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runner's own build/ is in use by the run that runs this test."""
    monkeypatch.setattr(run_tests, "BUILD", tmp_path / "build")
    monkeypatch.setattr(run_tests, "ROOT", tmp_path)
    run_tests.prepare()
    return tmp_path / "build"


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_a_part_without_a_report_counts_as_one_test() -> None:
    assert run_tests.run(Part("good", python("pass"), 1)).counts == Counts(passed=1)
    assert run_tests.run(Part("bad", python("raise SystemExit(3)"), 1)).counts == Counts(failed=1)


def test_a_part_that_cannot_be_started_has_failed() -> None:
    outcome = run_tests.run(Part("none", ("/no/such/program",), 1))
    assert (outcome.code, outcome.counts) == (127, Counts(failed=1))


def test_a_report_of_an_earlier_run_does_not_count(build: Path) -> None:
    junit.write(build / "results/old.xml", "old", [("a", 0.0, "")])
    assert run_tests.run(Part("old", python("pass"), 1, report="old.xml")).counts == Counts(failed=1)


def test_a_bad_exit_after_a_good_report_is_a_failure(build: Path) -> None:
    write = f"junit.write(pathlib.Path({str(build / 'results/a.xml')!r}), 'a', [('t', 0, '')])"
    text = f"import pathlib, sys; sys.path.insert(0, {str(REPOSITORY)!r}); from scripts import junit; {write}"
    good, bad = Part("a", python(text), 1, report="a.xml"), Part("a", python(text + "; 1/0"), 1, report="a.xml")
    assert run_tests.run(good).counts == Counts(passed=1)
    assert run_tests.run(bad).counts == Counts(passed=1, failed=1)


def test_a_part_that_hangs_is_stopped_with_all_it_started(build: Path) -> None:
    child = "import time; open('child', 'w').close(); time.sleep(1); open('alive', 'w').close()"
    text = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(60)"
    outcome = run_tests.run(Part("hang", python(text), 0.5 / 60))
    assert (outcome.code, outcome.counts) == (124, Counts(failed=1))
    time.sleep(1.2)
    assert (build.parent / "child").exists()
    assert not (build.parent / "alive").exists()


def test_makes_variables_do_not_reach_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV", "prod")
    monkeypatch.setenv("STACK", "other")
    assert not run_tests.part_environment(Part("any", (), 1)).keys() & {"ENV", "STACK"}
    assert run_tests.part_environment(Part("any", (), 1, environment={"ENV": "ci"}))["ENV"] == "ci"


def test_parts_keep_their_byte_code_outside_of_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    given = run_tests.part_environment(Part("any", (), 1))
    assert "PYTHONDONTWRITEBYTECODE" not in given
    assert Path(given["PYTHONPYCACHEPREFIX"]).is_relative_to(run_tests.BUILD)


def test_references_of_images_reach_the_parts(build: Path) -> None:
    assert run_tests.image_variables() == {}
    (build / "results/images.json").write_text('{"app-test": "ledgerflow/app-test:123"}')
    assert run_tests.part_environment(Part("any", (), 1))["APP_TEST_IMAGE"] == "ledgerflow/app-test:123"


def test_a_soak_makes_its_own_ground_and_kills_more() -> None:
    chosen = run_tests.choose("", fast=False, soak=True)
    ground = ["packages", "engine", "leftovers", "images"]
    assert [part.name for part in chosen] == [
        *ground,
        "reduced",
        "remote",
        "guarded",
        "nuke",
        "flask app",
        "kills",
        "marked",
        "outages",
        "guard down",
        "guard fuzz",
        "vault kills",
    ]
    assert [part.environment for part in chosen if part.name.endswith("kills")] == [
        {"LEDGERFLOW_KILLS": "10"},
        {"LEDGERVAULT_KILLS": "50"},
    ]


def test_the_fast_parts_need_no_engine() -> None:
    assert [part.name for part in run_tests.choose("", fast=True)] == ["lint", "unit", "workflows"]


@pytest.mark.parametrize("made", [True, False])
def test_a_part_brings_its_ground_along_where_none_was_made(made: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_tests, "image_variables", lambda: {"APP_IMAGE": "x"} if made else {})
    ground = [] if made else ["packages", "engine", "leftovers", "images"]
    assert [part.name for part in run_tests.choose("guarded", fast=False, soak=True)] == [*ground, "guarded"]
    assert [part.name for part in run_tests.choose("vault", fast=False)] == [*ground, "vault"]
    assert [part.name for part in run_tests.choose("unit", fast=False)] == ["unit"]


def test_parts_are_chosen_by_name_and_an_unknown_name_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_tests, "image_variables", lambda: {"APP_IMAGE": "x"})
    assert [part.name for part in run_tests.choose("unit,molecule", fast=False)] == [
        "unit", "molecule docker_engine", "molecule protected_volume", "molecule volume_guard",
    ]  # fmt: skip
    assert run_tests.main(["--only", "nonsense"]) == 64
    assert "HINT: one of: lint, unit" in capsys.readouterr().out
    assert run_tests.main(["--soak", "--only", "nonsense"]) == 64
    assert "guard down, guard fuzz" in capsys.readouterr().out


def test_it_ends_with_the_plain_sum(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    both = (Part("good", python("pass"), 1, fast=True), Part("bad", python("1/0"), 1, fast=True))
    monkeypatch.setattr(run_tests, "parts", lambda: both)
    assert run_tests.main(["--fast"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"
    monkeypatch.setattr(run_tests, "parts", lambda: both[:1])
    assert run_tests.main(["--fast"]) == 0


def test_the_lanes_run_side_by_side_and_what_stands_on_the_ground_waits_for_it(build: Path) -> None:
    meet = "touch {mine}; for i in $(seq 100); do [ -e {other} ] && exit 0; sleep 0.1; done; exit 1"
    first, second, ground = build / "first", build / "second", build / "ground"
    chosen = [
        Part("one", ("bash", "-c", meet.format(mine=first, other=second)), 1),
        Part("two", ("bash", "-c", meet.format(mine=second, other=first)), 1, stage=Stage.GROUND, lane=2),
        Part("slow", ("bash", "-c", f"sleep 0.5; touch {ground}; exit 3"), 1, stage=Stage.GROUND, lane=2),
        Part("built", ("bash", "-c", f"[ -e {ground} ]"), 1, stage=Stage.BUILT),
    ]
    outcomes = run_tests.run_all(chosen)
    codes = [(outcome.part.name, outcome.code) for outcome in outcomes]
    assert codes == [("one", 0), ("two", 0), ("slow", 3), ("built", 0)]


def test_a_lane_that_breaks_keeps_none_waiting(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run_tests.run

    def breaking(part: Part) -> run_tests.Outcome:
        if part.name == "engine":
            raise OSError("no log can be written")
        return whole(part)

    monkeypatch.setattr(run_tests, "run", breaking)
    chosen = [
        Part("built", python("pass"), 1, stage=Stage.BUILT),
        Part("engine", python("pass"), 1, stage=Stage.GROUND, lane=2),
    ]
    with pytest.raises(OSError, match="no log"):
        run_tests.run_all(chosen)


def test_every_test_on_a_deployed_stack_runs_on_push_or_in_the_soak() -> None:
    files = {path.stem.removeprefix("test_") for path in (REPOSITORY / "tests/deploy").glob("test_*.py")}
    soaked = {name for files in run_tests.SOAKED.values() for name in files}
    assert files == {*run_tests.DEPLOY, *run_tests.STACK, *soaked}
    texts = {name: (REPOSITORY / f"tests/deploy/test_{name}.py").read_text() for name in files}
    assert {name for name, text in texts.items() if "@pytest.mark.soak" in text} == {*run_tests.MARKED}


def test_a_failure_is_named_for_who_sees_only_the_end(build: Path) -> None:
    write = f"junit.write(pathlib.Path({str(build / 'results/a.xml')!r}), 'a', [('t', 0, 'wrong: 3')])"
    text = f"import pathlib, sys; sys.path.insert(0, {str(REPOSITORY)!r}); from scripts import junit; {write}"
    outcomes = [
        run_tests.run(Part("named", python(text), 1, report="a.xml")),
        run_tests.run(Part("unnamed", python("raise SystemExit(3)"), 1)),
        run_tests.run(Part("good", python("pass"), 1)),
    ]
    assert run_tests.failures(outcomes) == ["named: a.t: wrong: 3", "unnamed: exit 3"]


@pytest.mark.parametrize(("mode", "refused"), [("enforce", True), ("observe", False), ("off", False)])
def test_a_machine_whose_engine_is_guarded_is_not_tested_on(tmp_path: Path, mode: str, refused: bool) -> None:
    with stub_engine(tmp_path, lambda _method, _path: (200, {"mode": mode})) as socket:
        told = run_tests.guarded(socket)
    assert ("HINT: scripts/play deploy -e volume_guard_mode=observe" in told) is refused


def test_a_machine_without_a_guard_is(tmp_path: Path) -> None:
    assert run_tests.guarded(tmp_path / "no.sock") == ""
