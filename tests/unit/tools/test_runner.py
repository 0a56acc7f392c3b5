"""The runner: a part that could not run has failed, one failure stops nothing, time-outs end all that was started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import junit
from tools.junit import Counts
from tools.runner import cli, execution, parts, schedule, selection
from tools.runner.parts import Part

REPOSITORY = Path(__file__).resolve().parents[3]
OURS = {"PYTHONPATH": str(REPOSITORY)}  # a part of a test runs in another folder


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The runner's own build/ is in use by the run that runs this test."""
    monkeypatch.setattr(execution, "BUILD", tmp_path / "build")
    monkeypatch.setattr(execution, "ROOT", tmp_path)
    monkeypatch.setattr(cli, "ROOT", tmp_path)
    cli.prepare()
    return tmp_path / "build"


def python(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


def test_a_part_without_a_report_counts_as_one_test() -> None:
    assert execution.run(Part("good", python("pass"), 1)).counts == Counts(passed=1)
    assert execution.run(Part("bad", python("raise SystemExit(3)"), 1)).counts == Counts(failed=1)


def test_a_part_that_cannot_be_started_has_failed() -> None:
    outcome = execution.run(Part("none", ("/no/such/program",), 1))
    assert (outcome.code, outcome.counts) == (127, Counts(failed=1))


def test_a_report_of_an_earlier_run_does_not_count(build: Path) -> None:
    junit.write(build / "results/old.xml", "old", [("a", 0.0, "")])
    assert execution.run(Part("old", python("pass"), 1, report="old.xml")).counts == Counts(failed=1)


def test_a_bad_exit_after_a_good_report_is_a_failure(build: Path) -> None:
    write = f"junit.write(pathlib.Path({str(build / 'results/a.xml')!r}), 'a', [('t', 0, '')])"
    text = f"import pathlib; from tools import junit; {write}"
    good = Part("a", python(text), 1, report="a.xml", environment=OURS)
    bad = Part("a", python(text + "; 1/0"), 1, report="a.xml", environment=OURS)
    assert execution.run(good).counts == Counts(passed=1)
    assert execution.run(bad).counts == Counts(passed=1, failed=1)


def test_a_part_that_hangs_is_stopped_at_its_limit() -> None:
    outcome = execution.run(Part("hang", python("import time; time.sleep(60)"), 0.5 / 60))
    assert (outcome.code, outcome.counts) == (124, Counts(failed=1))
    assert outcome.seconds < 60


def test_a_part_is_stopped_with_all_it_started(build: Path) -> None:
    place = build / "grandchild"
    grandchild = f"import os, time; open({str(place)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    text = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {grandchild!r}]); time.sleep(60)"
    child = subprocess.Popen(python(text), start_new_session=True)
    wait_for(lambda: place.exists() and place.read_text() != "")
    process = Path("/proc", place.read_text())
    execution.stop(child)
    assert child.returncode is not None
    wait_for(lambda: not process.exists() or "Z" in (process / "stat").read_text().split()[2:3])


def test_a_run_that_was_killed_leaves_no_part_running(build: Path) -> None:
    place = build / "part"
    part = f"import os, time; open({str(place)!r}, 'w').write(str(os.getpid())); time.sleep(300)"
    text = (
        "import pathlib\n"
        "from tools.runner import execution, parts\n"
        f"execution.BUILD = execution.ROOT = pathlib.Path({str(build)!r})\n"
        f"execution.run(parts.Part('long', {python(part)!r}, 9))"
    )
    run = subprocess.Popen(python(text), env={**os.environ, **OURS}, stdout=subprocess.DEVNULL)
    wait_for(lambda: place.exists() and place.read_text() != "")
    run.kill()
    run.wait()
    wait_for(lambda: not Path("/proc", place.read_text()).exists())


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Polls, however slow the machine is at the moment."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not hold"
        time.sleep(0.02)


def test_makes_variables_do_not_reach_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENV", "prod")
    monkeypatch.setenv("STACK", "other")
    assert not execution.part_environment(Part("any", (), 1)).keys() & {"ENV", "STACK"}
    assert execution.part_environment(Part("any", (), 1, environment={"ENV": "ci"}))["ENV"] == "ci"


def test_parts_keep_their_byte_code_outside_of_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    given = execution.part_environment(Part("any", (), 1))
    assert "PYTHONDONTWRITEBYTECODE" not in given
    assert Path(given["PYTHONPYCACHEPREFIX"]).is_relative_to(execution.BUILD)


def test_references_of_images_reach_the_parts(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APP_TEST_IMAGE", raising=False)  # of the run that runs this test
    assert "APP_TEST_IMAGE" not in execution.part_environment(Part("any", (), 1))
    (build / "results/images.json").write_text('{"app-test": "ledgerflow/app-test:123"}')
    assert execution.part_environment(Part("any", (), 1))["APP_TEST_IMAGE"] == "ledgerflow/app-test:123"


GROUND = ["packages", "engine", "bed images"]


def names(chosen: list[Part]) -> list[str]:
    return [part.name for part in chosen]


def test_a_soak_makes_its_own_ground_and_kills_more() -> None:
    chosen = cli.choose("", fast=False, soaked=True)
    assert names(chosen) == [
        *GROUND, "bed stack", "bed hosts",
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
    ]  # fmt: skip
    assert [part.environment for part in chosen if part.name.endswith("kills")] == [
        {"LEDGERFLOW_KILLS": "10"},
        {"LEDGERVAULT_KILLS": "50"},
    ]


def test_the_fast_parts_need_no_engine() -> None:
    assert names(cli.choose("", fast=True)) == ["lint", "unit guard", "unit", "workflows"]
    assert not any(part.prerequisites for part in cli.choose("", fast=True))


def test_a_part_brings_along_what_it_stands_on() -> None:
    assert names(cli.choose("guarded", fast=False, soaked=True)) == [*GROUND, "bed hosts", "guarded"]
    assert names(cli.choose("vault", fast=False)) == [*GROUND, "vault", "vault truth"]
    assert names(cli.choose("incident", fast=False)) == [*GROUND, "bed stack", "incident"]
    assert names(cli.choose("workflows", fast=False)) == ["workflows"]


def test_every_part_stands_on_parts_that_are_there() -> None:
    for offered in (parts.parts(), parts.soak_parts()):
        by_name = names(list(offered))
        assert len(by_name) == len(set(by_name))
        assert {need for part in offered for need in part.prerequisites} <= set(by_name)


def test_parts_are_chosen_by_name_and_an_unknown_name_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = [name for name in names(cli.choose("unit,molecule", fast=False)) if name not in {*GROUND, "bed hosts"}]
    assert chosen == [
        "unit guard", "unit", "molecule docker_engine", "molecule protected_volume", "molecule volume_guard",
    ]  # fmt: skip
    assert cli.main(["--only", "nonsense"]) == 64
    assert "HINT: one of: lint, unit" in capsys.readouterr().out
    assert cli.main(["--soak", "--only", "nonsense"]) == 64
    assert "guard down, guard fuzz" in capsys.readouterr().out


def test_a_part_with_a_template_runs_in_a_world_and_another_here() -> None:
    assert execution.command(Part("here", ("x",), 1)) == ("x",)
    argv = execution.command(Part("there", ("x", "-y"), 1, template="stack", network=True, engine=False))
    assert argv[-8:] == ("tools.bed", "run", "--template=stack", "--no-engine", "--network", "--", "x", "-y")
    argv = execution.command(Part("there", ("x",), 1, template="images"))
    assert argv[-5:] == ("tools.bed", "run", "--template=images", "--", "x")


def test_it_ends_with_the_plain_sum(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    both = (Part("good", python("pass"), 1, fast=True), Part("bad", python("1/0"), 1, fast=True))
    monkeypatch.setattr(cli, "parts", lambda: both)
    assert cli.main(["--fast"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "1 passed, 1 failed"
    monkeypatch.setattr(cli, "parts", lambda: both[:1])
    assert cli.main(["--fast"]) == 0


def test_a_part_s_row_counts_the_processor_time_of_what_its_process_started(build: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.5: pass"
    outcome = execution.run(
        Part(
            "busy",
            (sys.executable, "-c", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {busy!r}])"),
            1,
        )
    )
    assert 0.5 <= outcome.processor_seconds < 20
    assert f"{outcome.processor_seconds:.1f} s of a core" in execution.row(outcome)


@pytest.mark.parametrize(
    ("options", "measured"),
    [([], True), (["--fast"], False), (["--only", "good"], False), (["--changed", "HEAD"], False)],
)
def test_only_a_whole_run_is_held_against_the_coverage_thresholds(
    options: list[str], measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = execution.Outcome(Part("coverage", (), 1), Counts(failed=1), 0.0, 1)
    monkeypatch.setattr(cli, "parts", lambda: (Part("good", python("pass"), 1, fast=True),))
    monkeypatch.setattr(cli, "coverage_outcome", lambda: failed)
    monkeypatch.setattr(selection, "changed_paths", lambda _base: ["a path nobody names"])
    assert cli.main(options) == int(measured)


@pytest.mark.parametrize(
    ("thresholds", "counts"),
    [
        ({"all": ("src/*", 40)}, Counts(passed=2)),
        ({"all": ("src/*", 40), "more": ("src/*", 41)}, Counts(passed=2, failed=1)),
        ({"all": ("src/*", 41), "more": ("src/*", 41)}, Counts(passed=1, failed=2)),
        ({"nothing": ("elsewhere/*", 0)}, Counts(passed=1, failed=1)),
    ],
)
def test_too_little_coverage_fails_and_each_threshold_counts(
    thresholds: dict[str, tuple[str, int]], counts: Counts, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = build.parent / "src/half.py"
    source.parent.mkdir()
    source.write_text("import sys\nif len(sys.argv) > 9:\n    a = 1\n    b = 2\n    c = 3\n")
    data = f"--data-file={build / 'results/.coverage.part'}"
    subprocess.run([sys.executable, "-m", "coverage", "run", data, str(source)], cwd=build.parent, check=True)
    monkeypatch.setattr(cli, "PYTHON", sys.executable)
    monkeypatch.setattr(cli, "THRESHOLDS", thresholds)
    assert cli.coverage_outcome().counts == counts


def test_a_part_that_left_no_coverage_fails_the_gate(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "PYTHON", sys.executable)
    monkeypatch.setattr(cli, "THRESHOLDS", {"all": ("src/*", 0)})
    assert cli.coverage_outcome().counts == Counts(failed=2)


# --- which part when ------------------------------------------------------------------------------------------------


def run_queue(chosen: list[Part], workers: int = 2, bad: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """(names in the order they started, results in the order of the parts); every part takes a moment."""
    started: list[str] = []

    def start(part: Part) -> str:
        started.append(part.name)
        time.sleep(0.02)
        return "bad" if part.name in bad else "good"

    def block(part: Part, cause: str) -> str:
        return f"blocked by {cause}"

    results = schedule.run_all(chosen, workers, start, block, is_good=lambda result: result == "good")
    return started, results


def test_the_longest_part_goes_first_and_what_others_wait_for_counts_with_them() -> None:
    short, long = Part("short", (), 1, seconds=1), Part("long", (), 1, seconds=50)
    ground, built = Part("ground", (), 1, seconds=10), Part("built", (), 1, seconds=45, needs=("ground",))
    assert schedule.weights([short, long, ground, built]) == {"short": 1, "long": 50, "ground": 55, "built": 45}
    assert run_queue([short, long, ground, built], workers=1)[0] == ["ground", "long", "built", "short"]


def test_a_part_waits_for_what_it_needs_and_for_nothing_that_was_not_chosen() -> None:
    ground, built = Part("ground", (), 1, seconds=1), Part("built", (), 1, seconds=99, needs=("ground", "never chosen"))
    assert run_queue([built, ground]) == (["ground", "built"], ["good", "good"])


def test_parts_run_side_by_side_up_to_the_number_of_workers() -> None:
    barrier = threading.Barrier(2, timeout=10)
    chosen = [Part(str(number), (), 1) for number in range(4)]

    def start(_part: Part) -> str:
        barrier.wait()
        return "good"

    results = schedule.run_all(chosen, 2, start, lambda *_: "", is_good=bool)
    assert results == ["good"] * 4


def test_a_part_whose_ground_failed_is_not_run_and_has_failed_and_so_on() -> None:
    chosen = [
        Part("ground", (), 1), Part("built", (), 1, needs=("ground",)), Part("upper", (), 1, needs=("built",)),
        Part("other", (), 1),
    ]  # fmt: skip
    started, results = run_queue(chosen, bad=("ground",))
    assert sorted(started) == ["ground", "other"]
    assert results == ["bad", "blocked by ground", "blocked by built", "good"]
    outcome = execution.block(chosen[1], "ground")
    assert outcome.counts.failed == 1
    assert outcome.code != 0


def test_a_stopped_run_starts_no_further_part() -> None:
    started: list[str] = []

    def start(part: Part) -> str:
        started.append(part.name)
        return "good"

    chosen = [Part(str(number), (), 1) for number in range(4)]
    schedule.run_all(chosen, 1, start, lambda *_: "", is_good=bool, is_stopped=lambda: len(started) >= 2)
    assert len(started) == 2


# --- what a change can reach ----------------------------------------------------------------------------------------


def test_every_file_of_the_repository_reaches_parts_that_are_there() -> None:
    offered = set(names(list(parts.parts())))
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for path in tracked.splitlines():
        reached = selection.reached(path)
        assert reached == selection.EVERYTHING or set(reached) <= offered, path


def test_every_pattern_of_the_table_matches_a_file() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    unused = [
        pattern for pattern, _ in selection.TABLE
        if not any(selection.matches(path, pattern) for path in tracked.splitlines())
    ]  # fmt: skip
    assert unused == []


def test_every_part_is_reached_by_a_change_of_its_own_tests() -> None:
    for part in parts.parts():
        files = [argument for argument in part.argv if argument.startswith(("tests/", "molecule/"))]
        for file in files:
            chosen = selection.select([f"{file}/test_x.py" if (REPOSITORY / file).is_dir() else file], parts.parts())
            assert part.name in names(chosen), file


def test_an_unknown_path_runs_everything_and_a_document_only_what_reads_it() -> None:
    everything = list(parts.parts())
    assert selection.select(["docs/README.md", "a/new/folder/x.py"], everything) == everything
    assert selection.select(["Makefile"], everything) == everything
    assert names(selection.select(["docs/README.md"], everything)) == ["lint", "unit guard", "unit", "workflows"]
    chosen = names(selection.select(["src/ledgervault/commands/prove.py"], everything))
    assert {"vault", "lint", "unit", *GROUND} <= set(chosen)
    assert not {"guard", "browser", "molecule docker_engine"} & set(chosen)


def test_changed_paths_are_committed_changed_and_new_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "ROOT", tmp_path)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q", "."], cwd=tmp_path, check=True)
    for name in ("same", "changed", "gone"):
        (tmp_path / name).write_text(name)
    subprocess.run([*git, "add", "."], cwd=tmp_path, check=True)
    subprocess.run([*git, "commit", "-qm", "x"], cwd=tmp_path, check=True)
    (tmp_path / "changed").write_text("other")
    (tmp_path / "gone").unlink()
    (tmp_path / "new one").write_text("new")
    assert sorted(selection.changed_paths("HEAD")) == ["changed", "gone", "new one"]
    with pytest.raises(ValueError, match="CHANGED=no-such-commit"):
        selection.changed_paths("no-such-commit")


def test_every_test_on_a_deployed_stack_runs_on_push_or_in_the_soak() -> None:
    files = {path.stem.removeprefix("test_") for path in (REPOSITORY / "tests/deploy").glob("test_*.py")}
    soaked = [name for group in parts.SOAKED.values() for name in group]
    pushed = [name for table in (parts.STACKS, parts.NO_ENGINE) for _seconds, group in table.values() for name in group]
    assert sorted(files) == sorted([*pushed, *parts.TWO_STACKS, *soaked]), "each file runs in exactly one part"
    texts = {name: (REPOSITORY / f"tests/deploy/test_{name}.py").read_text() for name in files}
    assert {name for name, text in texts.items() if "@pytest.mark.soak" in text} == {*parts.MARKED}


def test_every_test_of_the_vault_runs_in_exactly_one_part() -> None:
    files = sorted(path.stem.removeprefix("test_") for path in (REPOSITORY / "tests/vault").glob("test_*.py"))
    assert sorted(name for _seconds, group in parts.VAULT.values() for name in group) == files


def test_a_failure_is_named_for_who_sees_only_the_end(build: Path) -> None:
    write = f"junit.write(pathlib.Path({str(build / 'results/a.xml')!r}), 'a', [('t', 0, 'wrong: 3')])"
    text = f"import pathlib; from tools import junit; {write}"
    outcomes = [
        execution.run(Part("named", python(text), 1, report="a.xml", environment=OURS)),
        execution.run(Part("unnamed", python("raise SystemExit(3)"), 1)),
        execution.run(Part("good", python("pass"), 1)),
    ]
    assert cli.failures(outcomes) == ["named: a.t: wrong: 3", "unnamed: exit 3"]
