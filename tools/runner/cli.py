"""`make test`, `test-fast` and `soak`: runs the chosen parts and ends with one line, how many passed and failed.

A module of its own because it is the door: options, rights, the closing table. A part that fails does not keep the next
ones from running; a part that could not run has failed.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time

from ledgerflow.play import run as play
from ledgerflow.play.request import Refusal, Request, has_agreed
from tools import soak
from tools.bed import worlds
from tools.junit import Counts
from tools.runner import execution, schedule, selection
from tools.runner.execution import Outcome, row
from tools.runner.parts import GROUND, PYTHON, ROOT, Part, parts, soak_parts

COULD_NOT, USAGE = 2, 64
WORKERS = max(2, os.cpu_count() or 2)
THRESHOLDS = {"src and filter_plugins": ("src/*,filter_plugins/*", 95), "app": ("app/*", 80)}


def coverage_outcome() -> Outcome:
    """Puts together what every part covered, and holds it against the thresholds."""
    started, folder = time.monotonic(), execution.BUILD / "results"
    coverage = [PYTHON, "-m", "coverage"]
    data_file = f"--data-file={folder / '.coverage'}"
    files = sorted(str(path) for path in folder.glob(".coverage.*"))
    combine = [*coverage, "combine", "--keep", data_file, *files]
    combined = subprocess.run(combine, cwd=ROOT, capture_output=True, text=True)
    failed, text = int(combined.returncode != 0), combined.stdout + combined.stderr
    for name, (include, least) in THRESHOLDS.items():
        argv = [*coverage, "report", data_file, f"--include={include}", f"--fail-under={least}"]
        process = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        text += f"--- {name}, at least {least} %\n{process.stdout}{process.stderr}"
        total = next(
            (row.split()[-1] for row in process.stdout.splitlines() if row.startswith("TOTAL")), "not measured"
        )
        print(f"coverage of {name}: {total} (at least {least} %)", flush=True)
        failed += process.returncode != 0
    (execution.BUILD / "logs/test-coverage.log").write_text(text)
    if failed:
        print("\n".join(text.splitlines()[-execution.TAIL_LINES :]), flush=True)
    counts = Counts(passed=len(THRESHOLDS) + 1 - failed, failed=failed)
    return Outcome(Part("coverage", (), 5), counts, time.monotonic() - started, int(failed > 0))


def failures(outcomes: list[Outcome]) -> list[str]:
    """`part: test: what it said first` of each failure, for whoever sees only the end of the output."""
    return [
        f"{outcome.part.name}: {message}"
        for outcome in outcomes
        if outcome.counts.failed
        for message in outcome.counts.failures or (f"exit {outcome.code}",)
    ]


def prepare() -> None:
    """Makes build/ and removes what an earlier run measured: old figures must not count."""
    for name in ("logs", "results"):
        (execution.BUILD / name).mkdir(parents=True, exist_ok=True)
    for measured in (execution.BUILD / "results").glob(".coverage*"):
        measured.unlink()


def become_root(argv: list[str]) -> None:
    """Starts again by sudo: the tests deploy, and read what only root may read. Told and asked as a deploy is."""
    decision = play.settle_rights(Request("test", yes=has_agreed(os.environ)))
    if decision.become:
        variables = [f"PATH={os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE=1"]
        sudo = ["sudo", *([] if decision.password else ["-n"]), "--preserve-env", "env", *variables]
        os.execvp("sudo", [*sudo, PYTHON, "-m", "tools.runner", *argv])  # noqa: S606 that is the point


def give_back() -> None:
    """After sudo, what was written belongs to the person again."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() != 0 or not uid or not gid:
        return
    for folder in (execution.BUILD, ROOT / ".ansible", ROOT / ".hypothesis"):
        for path in (folder, *folder.rglob("*")) if folder.exists() else ():
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def run_parts(selected: list[Part]) -> list[Outcome]:
    """Runs the parts in one queue."""
    return schedule.run_all(
        selected,
        WORKERS,
        execution.run,
        execution.block,
        is_good=lambda outcome: not outcome.counts.failed,
        is_stopped=execution.STOPPED.is_set,
    )


def run_soak(selected: list[Part]) -> list[Outcome]:
    """What has not passed at this commit yet; what comes of it is remembered and written down."""
    now = soak.commit()
    passed = soak.passed_before(now)
    for part in selected:
        if part.name in passed:
            print(f"{part.name}: passed at this commit before, not run again (rm {soak.RECORD.relative_to(ROOT)})")
    outcomes = run_parts([part for part in selected if part.name not in passed])
    soaked = [outcome for outcome in outcomes if outcome.part.name in soak.WHAT]
    soak.record(now, {outcome.part.name: soak.outcome(outcome.counts, outcome.seconds) for outcome in soaked})
    return outcomes


def is_whole(only: str, changed: str, fast: bool, soaked: bool) -> bool:
    """Whether this run is all that guards a push, so that what it covered says something."""
    return not (only or changed or fast or soaked)


def choose(only: str, fast: bool, soaked: bool = False) -> list[Part]:
    """The parts asked for, with what they stand on: all, the quick ones, or those whose names begin so."""
    names = [name for name in only.split(",") if name]
    offered = [part for part in (soak_parts() if soaked else parts()) if part.fast or not fast]
    if not names:
        return offered
    return selection.close([part.name for part in offered if part.name.startswith(tuple(names))], offered)


def read_options(argv: list[str]) -> argparse.Namespace:
    """The command line; make hands ONLY and CHANGED over in the environment."""
    parser = argparse.ArgumentParser(prog="python -m tools.runner", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only what needs no engine")
    parser.add_argument("--soak", action="store_true", help="what takes hours")
    parser.add_argument("--only", default=os.environ.get("ONLY", ""), help="parts by name, with commas between")
    changed = os.environ.get("CHANGED", "")
    parser.add_argument("--changed", default=changed, help="only parts that the change since this commit can reach")
    return parser.parse_args(argv)


def chosen_parts(options: argparse.Namespace) -> list[Part]:
    """The parts of this run; ValueError says which option names none."""
    selected = choose(options.only, options.fast, options.soak)
    if not selected:
        names = ", ".join(part.name for part in choose("", options.fast, options.soak))
        raise ValueError(f"ONLY={options.only}: no such part\nHINT: one of: {names}")
    if options.changed:
        selected = selection.select(selection.changed_paths(options.changed), selected)
        print(
            f"CHANGED={options.changed}: {len(selected)} parts: {', '.join(part.name for part in selected)}", flush=True
        )
    return selected


def report(outcomes: list[Outcome], seconds: float) -> int:
    """Prints the closing table; 1 where something failed or nothing ran."""
    total = sum((outcome.counts for outcome in outcomes), Counts())
    print("\n" + "\n".join(row(outcome) for outcome in outcomes))
    for skip in total.skipped:
        print(f"skipped: {skip}")
    used = sum(outcome.processor_seconds for outcome in outcomes)
    print(f"{'all':26}{seconds:8.1f} s {used:8.1f} s of a core\n")
    print(f"left to the nightly soak: {', '.join(soak.WHAT)}")
    closing = [
        *(f"failed: {failure}" for failure in failures(outcomes)),
        f"{total.passed} passed, {total.failed} failed",
    ]
    (execution.BUILD / "results/summary.txt").write_text("\n".join(closing) + "\n")
    print("\n".join(closing), flush=True)
    return 1 if total.failed or not total.passed else 0


def main(argv: list[str]) -> int:
    """Returns 0 when everything passed."""
    options = read_options(argv)
    try:
        selected = chosen_parts(options)
    except ValueError as error:
        print(error)
        return USAGE
    prepare()
    if any(part.prerequisites or part.name in GROUND for part in selected):
        try:
            become_root(argv)
            print(f"test bed: removed {', '.join(worlds.sweep()) or 'nothing'} of killed runs", flush=True)
        except Refusal as refusal:
            print(f"{refusal.what}\nHINT: {refusal.hint}", file=sys.stderr)
            return refusal.code
        except worlds.BedError as error:
            print(error, file=sys.stderr)
            return COULD_NOT
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, execution.stop_all)
    started = time.monotonic()
    outcomes = run_soak(selected) if options.soak else run_parts(selected)
    if is_whole(options.only, options.changed, options.fast, options.soak):
        outcomes.append(coverage_outcome())
    status = report(outcomes, time.monotonic() - started)
    give_back()
    return status
