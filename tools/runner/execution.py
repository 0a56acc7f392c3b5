"""Runs one part into its log and counts what came of it.

A module of its own because it owns the processes: what a part started ends with it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ledgerflow.play import run as play
from tools import junit
from tools.bed import worlds
from tools.junit import Counts
from tools.runner.parts import PYTHON, ROOT, Part

BUILD = ROOT / "build"
TAIL_LINES = 60
POLL_SECONDS = 0.2
RUNNING: set[subprocess.Popen[bytes]] = set()
STOPPED = threading.Event()
# make's own variables must not reach what the tests start.
MAKE_VARIABLES = {
    "CHANGED", "COLD", "CONFIRM", "DRY", "ENV", "FILE", "LEVEL", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ONLY", "SERVICE",
    "SETTINGS", "OP", "REASON", "SINCE", "STACK", "STRATEGY", "V", "YES",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a part ended; `processor_seconds` is what it and all that it started used, 0.0 where nothing ran."""

    part: Part
    counts: Counts
    seconds: float
    code: int
    processor_seconds: float = 0.0


@dataclass(frozen=True)
class Ended:
    """A part's process at its end: exit code, 124 when its time ran out, 127 when it could not be started."""

    code: int
    processor_seconds: float = 0.0


def part_environment(part: Part) -> dict[str, str]:
    """What a part sees: the caller's environment without make's variables, and where it leaves its results."""
    left_out = MAKE_VARIABLES | {"PYTHONDONTWRITEBYTECODE"}
    inherited = {name: content for name, content in os.environ.items() if name not in left_out}
    return {**inherited, "OUT": str(BUILD / "results"), **worlds.program_environment(BUILD), **part.environment}


def command(part: Part) -> tuple[str, ...]:
    """The part's argument list, in a world of its own where it names a template."""
    if not part.template:
        return part.argv
    options = [] if part.engine else ["--no-engine"]
    options += ["--network"] if part.network else []
    return (PYTHON, "-m", "tools.bed", "run", f"--template={part.template}", *options, "--", *part.argv)


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ends a part and all it started: asked first, so that it can clean up, then made to."""
    for number, patience in ((signal.SIGTERM, 40), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, number)
            child.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def processor_seconds(pid: int) -> float:
    """What a process and its ended children used, by `/proc/PID/stat`, fields 14 to 17 (man proc); 0.0 without it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def wait_for(child: subprocess.Popen[bytes], seconds: float) -> Ended:
    """Waits and leaves the ended process for `Popen` to collect, as what it used is gone with it."""
    deadline = time.monotonic() + seconds
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        if time.monotonic() > deadline:
            raise subprocess.TimeoutExpired(child.args, seconds)
        time.sleep(POLL_SECONDS)
    used = processor_seconds(child.pid)
    return Ended(child.wait(), used)


def execute(part: Part, log: Path) -> Ended:
    """Runs the part into its log."""
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                command(part), cwd=ROOT, env=part_environment(part), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, preexec_fn=play.die_with_parent,
            )  # fmt: skip
        except OSError as error:
            output.write(f"{part.name}: could not be started: {error}\n".encode())
            return Ended(127)
        RUNNING.add(child)
        try:
            return wait_for(child, part.minutes * 60)
        except subprocess.TimeoutExpired:
            output.write(f"\n{part.name}: stopped after its limit of {part.minutes} minutes\n".encode())
            return Ended(124)
        finally:
            RUNNING.discard(child)
            if child.poll() is None:
                stop(child)


def count(part: Part, code: int, report: Path) -> Counts:
    """The part's counts; an exit code that says more than its report is one more failure."""
    if not part.report:
        return Counts(passed=int(code == 0), failed=int(code != 0))
    counts = junit.read(report)
    return counts if code == 0 or counts.failed else counts + Counts(failed=1)


def run(part: Part) -> Outcome:
    """Runs one part, prints how it ended, and the end of its log if it failed."""
    log, report = BUILD / "logs" / f"test-{part.name.replace(' ', '-')}.log", BUILD / "results" / part.report
    if part.report:
        report.unlink(missing_ok=True)
    print(f"{part.name}: …", flush=True)
    started = time.monotonic()
    ending = execute(part, log)
    counts = count(part, ending.code, report)
    outcome = Outcome(part, counts, time.monotonic() - started, ending.code, ending.processor_seconds)
    if outcome.counts.failed:
        tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        heading = f"--- {part.name}: exit {ending.code}, the end of {log.relative_to(ROOT)}:"
        print("\n".join([heading, *tail]), flush=True)
    print(row(outcome), flush=True)
    return outcome


def block(part: Part, cause: str) -> Outcome:
    """A part that could not run has failed."""
    counts = Counts(failed=1, failures=(f"not run: it needs `{cause}`, which failed",))
    outcome = Outcome(part, counts, 0.0, 2)
    print(row(outcome), flush=True)
    return outcome


def row(outcome: Outcome) -> str:
    """One row of the closing table."""
    counts, skipped = outcome.counts, len(outcome.counts.skipped)
    times = f"{outcome.seconds:8.1f} s {outcome.processor_seconds:8.1f} s of a core"
    text = f"{outcome.part.name:26}{times} {counts.passed:6} passed {counts.failed:4} failed"
    return text + (f" {skipped:4} skipped" if skipped else "")


def stop_all(number: int, _frame: object) -> None:
    """Ends the running parts, so that each can clean up, and starts no other."""
    STOPPED.set()
    for child in list(RUNNING):
        stop(child)
    raise SystemExit(128 + number)
