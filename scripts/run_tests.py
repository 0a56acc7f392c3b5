"""Runs every part of the tests and ends with one line: how many passed, how many failed.

A module of its own because no single test runner sees them all: linters, pytest here, pytest in images, molecule and
playbooks. A part that fails does not keep the next ones from running; a part that could not run has failed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from scripts import junit, play, soak
from scripts.junit import Counts
from scripts.request import Refusal, Request, agreed

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PYTHON = str(ROOT / ".venv/bin/python")
MOLECULE = (PYTHON, "-m", "molecule", "test", "--scenario-name")
TAIL_LINES = 60
COULD_NOT, USAGE = 2, 64
GUARD = "/run/docker/plugins/ledgerguard.sock"
# Tests on deployed stacks, in two parts of about equal length: each deploys a stack that its tests share, and some make
# others of their own.
DEPLOY = ("restore_smoke", "incident", "two_stacks", "kills")
STACK = (
    "doors", "deploy", "volumes", "reachability", "secrets", "refusals", "address_pools", "preflight", "ledger_docker",
)  # fmt: skip
BROWSER = "tests/browser"  # on the stack that the tests behind it share
# Too long for every push: an ordinary user's own deploy, whose decisions are tested there by facts given as data; and
# those over ssh, with all images in an engine of its own: on a push the workflow's steps run up to Ansible's door, and
# the guard is tried with containers of its own. The rest keeps a push within its 45 minutes on a slow day of a small
# machine: of what is tried on push once it has the many, or the long, of it.
SOAKED = {
    "reduced": ("reduced",),
    "remote": ("remote",),
    "guarded": ("guarded", "guarded_runbooks", "guarded_removal"),  # in this order, on one host
    "nuke": ("nuke",),
    "flask app": ("flask_app",),
}
MARKED = ("deploy", "refusals")  # files with a test that is marked `soak`
FUZZ = {"LEDGERGUARD_EXAMPLES": "20000", "LEDGERGUARD_MUTATIONS": "1000000"}
RUNNING: set[subprocess.Popen[bytes]] = set()
STOPPED = threading.Event()
# make's own variables must not reach what the tests start.
MAKE_VARIABLES = {
    "COLD", "CONFIRM", "ENV", "FILE", "LEVEL", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "ONLY", "SERVICE", "SETTINGS",
    "OP", "SINCE", "STACK", "STRATEGY", "V", "YES",
}  # fmt: skip
IMAGES = (
    "postgres",
    "redis",
    "searxng",
    "caddy",
    "adminer",
    "app",
    "vault",
    "app-test",
    "vault-test",
    "registry",
    "runner",
)
THRESHOLDS = {"src and filter_plugins": ("src/*,filter_plugins/*", 95), "app": ("app/*", 80)}


class Stage(Enum):
    """When a part may begin."""

    FIRST = "at once: needs no engine"
    GROUND = "at once, and others wait for it"
    BUILT = "when the ground is there"


@dataclass(frozen=True)
class Part:
    """One part: its argument list, its time limit, and the JUnit file it writes (none: it counts as one test).

    The lanes run side by side, each in order: much of the time is waiting for services, and there are two cores. What
    stands on the ground (an engine, images) waits for the parts that make it.
    """

    name: str
    argv: tuple[str, ...]
    minutes: float
    report: str = ""
    fast: bool = False
    stage: Stage = Stage.FIRST
    lane: int = 1
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a part ended."""

    part: Part
    counts: Counts
    seconds: float
    code: int


def pytest_part(name: str, what: str, minutes: float, **more: Any) -> Part:
    """A part that pytest runs here, on the controller, with its coverage measured; `what` is files and options."""
    cover = ("-m", "coverage", "run", f"--data-file=build/results/.coverage.{name}")
    argv = (PYTHON, *cover, "-m", "pytest", *what.split(), f"--junitxml=build/results/{name}.xml")
    return Part(name, argv, minutes, report=f"{name}.xml", **more)


def parts() -> tuple[Part, ...]:
    """All parts: what needs no engine beside the making of the ground, then what stands on it; two lanes as long."""
    player = str(ROOT / "scripts/play")
    ci = {"ENV": "ci", "YES": "1"}
    return (
        Part("lint", (PYTHON, "-m", "scripts.lint"), 10, report="lint.xml", fast=True),
        pytest_part("unit", "tests/unit", 5, fast=True),
        pytest_part("workflows", "tests/workflows/test_workflows.py", 5, fast=True),
        Part("packages", ("tests/packages",), 10, stage=Stage.GROUND, lane=2),
        Part("engine", (player, "engine"), 5, environment=ci, stage=Stage.GROUND, lane=2),
        Part("leftovers", (PYTHON, "-m", "scripts.leftovers"), 5, stage=Stage.GROUND, lane=2),
        Part(
            "images",
            (player, "test_images", "-e", "test_images_wanted=" + ",".join(IMAGES)),
            15,
            environment=ci,
            stage=Stage.GROUND,
            lane=2,
        ),
        Part("app", ("tests/app/run",), 8, report="junit-app.xml", stage=Stage.BUILT, lane=2),
        Part(
            "vault",
            ("bash", "-euc", 'tests/vault/run "$VAULT_TEST_IMAGE" "$OUT"'),
            15,
            report="junit-vault.xml",
            stage=Stage.BUILT,
            lane=2,
        ),
        Part("molecule docker_engine", (*MOLECULE, "docker_engine"), 15, stage=Stage.BUILT),
        Part("molecule protected_volume", (*MOLECULE, "protected_volume"), 15, stage=Stage.BUILT),
        Part("molecule volume_guard", (*MOLECULE, "volume_guard"), 15, stage=Stage.BUILT),
        pytest_part("integration", "tests/integration", 15, stage=Stage.BUILT),
        pytest_part("steps", "tests/workflows/test_steps.py", 10, stage=Stage.BUILT, lane=2),
        pytest_part("stack", deploy_files(STACK), 30, stage=Stage.BUILT),
        pytest_part("deploy", f"{BROWSER} {deploy_files(DEPLOY)}", 40, stage=Stage.BUILT, lane=2),
        pytest_part("guard", "tests/guard", 15, stage=Stage.BUILT, lane=2),
    )


def deploy_files(names: tuple[str, ...]) -> str:
    """The files of tests on deployed stacks, as pytest is given them."""
    return " ".join(f"tests/deploy/test_{name}.py" for name in names)


def soak_parts() -> tuple[Part, ...]:
    """What is too long for every push, on the same ground."""
    ground = tuple(part for part in parts() if part.stage is Stage.GROUND)
    kills, outage = {"LEDGERFLOW_KILLS": "10"}, {"LEDGERFLOW_OUTAGE_SECONDS": "60"}
    soak = {"LEDGERFLOW_SOAK": "1"}
    return (
        *ground,
        *(pytest_part(name, deploy_files(files), 90, stage=Stage.BUILT) for name, files in SOAKED.items()),
        pytest_part("kills", deploy_files(("kills",)), 90, stage=Stage.BUILT, environment=kills),
        pytest_part("marked", f"-m soak {deploy_files(MARKED)}", 30, stage=Stage.BUILT, environment=soak),
        pytest_part("outages", f"{BROWSER}/test_outages.py", 30, stage=Stage.BUILT, environment=outage),
        Part("guard down", (*MOLECULE, "volume_guard"), 30, stage=Stage.BUILT, environment=soak),
        pytest_part(
            "guard fuzz", "tests/unit/ledgerguard/test_fuzz.py", 60, stage=Stage.BUILT, lane=2, environment=FUZZ
        ),
        Part(
            "vault kills",
            ("bash", "-euc", 'tests/vault/run "$VAULT_TEST_IMAGE" "$OUT" /tests/vault -k kill'),
            90,
            report="junit-vault.xml",
            stage=Stage.BUILT,
            lane=2,
            environment={"LEDGERVAULT_KILLS": "50"},
        ),
    )


# --- one part -------------------------------------------------------------------------------------------------------


def image_variables() -> dict[str, str]:
    """References of the images the part `images` made, as <NAME>_IMAGE; empty before it ran."""
    try:
        references = json.loads((BUILD / "results/images.json").read_text())
    except (OSError, ValueError):
        return {}
    return {name.upper().replace("-", "_") + "_IMAGE": str(reference) for name, reference in references.items()}


def part_environment(part: Part) -> dict[str, str]:
    """What a part sees: the person's environment without make's variables, and where it leaves its results."""
    left_out = MAKE_VARIABLES | {"PYTHONDONTWRITEBYTECODE"}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    site = next(iter(sorted(ROOT.glob(".venv/lib/python3*/site-packages"))), ROOT)
    ours = {
        "PATH": f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(site),  # molecule looks elsewhere
        "OUT": str(BUILD / "results"),
        # Hundreds of Ansible processes: compiling each anew is a third of their start. Outside of the tree, whose
        # files are looked at for changes.
        "PYTHONPYCACHEPREFIX": str(BUILD / "cache/pycache"),
    }
    return {**kept, **ours, **image_variables(), **part.environment}


def stop(child: subprocess.Popen[bytes]) -> None:
    """Ends a part and all it started: asked first, so that it can clean up, then made to."""
    for number, wait in ((signal.SIGTERM, 30), (signal.SIGKILL, 10)):
        try:
            os.killpg(child.pid, number)
            child.wait(wait)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def execute(part: Part, log: Path) -> int:
    """Runs the part into its log; 124 when its time ran out, 127 when it could not be started."""
    with log.open("wb") as output:
        try:
            child = subprocess.Popen(
                part.argv, cwd=ROOT, env=part_environment(part), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            output.write(f"{part.name}: could not be started: {error}\n".encode())
            return 127
        RUNNING.add(child)
        try:
            return child.wait(part.minutes * 60)
        except subprocess.TimeoutExpired:
            output.write(f"\n{part.name}: stopped after its limit of {part.minutes} minutes\n".encode())
            return 124
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
    """Runs one part, tells how it ended and shows the end of its log if it failed."""
    log, report = BUILD / "logs" / f"test-{part.name.replace(' ', '-')}.log", BUILD / "results" / part.report
    if part.report:
        report.unlink(missing_ok=True)
    print(f"{part.name}: …", flush=True)
    started = time.monotonic()
    code = execute(part, log)
    outcome = Outcome(part, count(part, code, report), time.monotonic() - started, code)
    if outcome.counts.failed:
        tail = log.read_text(errors="replace").splitlines()[-TAIL_LINES:]
        print(f"--- {part.name}: exit {code}, the end of {log.relative_to(ROOT)}:\n" + "\n".join(tail), flush=True)
    print(line(outcome), flush=True)
    return outcome


# --- all of them ----------------------------------------------------------------------------------------------------


def coverage_outcome() -> Outcome:
    """Puts together what every part covered, and holds it against the thresholds."""
    started, folder = time.monotonic(), BUILD / "results"
    coverage = [PYTHON, "-m", "coverage"]
    data = f"--data-file={folder / '.coverage'}"
    files = sorted(str(path) for path in folder.glob(".coverage.*"))
    told = subprocess.run([*coverage, "combine", "--keep", data, *files], cwd=ROOT, capture_output=True, text=True)
    failed, text = int(told.returncode != 0), told.stdout + told.stderr
    for name, (include, least) in THRESHOLDS.items():
        argv = [*coverage, "report", data, f"--include={include}", f"--fail-under={least}"]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
        text += f"--- {name}, at least {least} %\n{done.stdout}{done.stderr}"
        total = next((row.split()[-1] for row in done.stdout.splitlines() if row.startswith("TOTAL")), "not measured")
        print(f"coverage of {name}: {total} (at least {least} %)", flush=True)
        failed += done.returncode != 0
    (BUILD / "logs/test-coverage.log").write_text(text)
    if failed:
        print("\n".join(text.splitlines()[-TAIL_LINES:]), flush=True)
    counts = Counts(passed=len(THRESHOLDS) + 1 - failed, failed=failed)
    return Outcome(Part("coverage", (), 5), counts, time.monotonic() - started, int(failed > 0))


def line(outcome: Outcome) -> str:
    """One row of the closing table."""
    counts, skipped = outcome.counts, len(outcome.counts.skipped)
    told = f"{outcome.part.name:26}{outcome.seconds:8.1f} s {counts.passed:6} passed {counts.failed:4} failed"
    return told + (f" {skipped:4} skipped" if skipped else "")


def failures(outcomes: list[Outcome]) -> list[str]:
    """`part: test: what it said first` of each failure, for whoever sees only the end of the output."""
    return [
        f"{outcome.part.name}: {told}"
        for outcome in outcomes
        if outcome.counts.failed
        for told in outcome.counts.failures or (f"exit {outcome.code}",)
    ]


def prepare() -> None:
    """Makes build/ and removes what an earlier run measured: old figures must not count."""
    for name in ("logs", "results"):
        (BUILD / name).mkdir(parents=True, exist_ok=True)
    for measured in (BUILD / "results").glob(".coverage*"):
        measured.unlink()


def become_root(argv: list[str]) -> None:
    """Starts again by sudo: the tests deploy, and read what only root may read. Told and asked as a deploy is."""
    decision = play.settle_rights(Request("test", yes=agreed(os.environ)))
    if decision.become:
        kept = [f"PATH={os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE=1"]
        sudo = ["sudo", *([] if decision.password else ["-n"]), "--preserve-env", "env", *kept]
        os.execvp("sudo", [*sudo, PYTHON, "-m", "scripts.run_tests", *argv])  # noqa: S606 that is the point


def guarded(socket: Path) -> str:
    """Why the tests cannot use this machine's engine: its guard would refuse what they do with stacks of their own. ""
    where none enforces."""
    sys.path.insert(0, str(ROOT / "src"))  # nothing of ours is installed on the controller
    from ledgerguard.server import ask_status

    try:
        mode = ask_status(socket)["mode"]
    except (OSError, ValueError, KeyError, StopIteration):
        return ""
    if mode != "enforce":
        return ""
    return (
        "make test: this machine's engine is guarded (enforce): tests could not hold and remove volumes of their own\n"
        "HINT: scripts/play deploy -e volume_guard_mode=observe while they run, then the same with enforce; or "
        "another machine"
    )


def give_back() -> None:
    """After sudo, what was written belongs to the person again."""
    uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if os.geteuid() != 0 or not uid or not gid:
        return
    for folder in (BUILD, ROOT / ".ansible", ROOT / ".hypothesis"):
        for path in (folder, *folder.rglob("*")) if folder.exists() else ():
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def run_all(chosen: list[Part]) -> list[Outcome]:
    """The lanes side by side, each in order; the outcomes in the order of the parts."""
    outcomes: dict[str, Outcome] = {}
    to_make = {part.name for part in chosen if part.stage is Stage.GROUND}
    ground = threading.Event()
    if not to_make:
        ground.set()

    def run_lane(lane: list[Part]) -> None:
        try:
            for part in lane:
                if part.stage is Stage.BUILT:
                    ground.wait()
                if not STOPPED.is_set():
                    outcomes[part.name] = run(part)
                if to_make <= outcomes.keys():
                    ground.set()
        finally:
            if to_make & {part.name for part in lane}:  # stopped or broken: nobody is to wait for it
                ground.set()

    lanes = [[part for part in chosen if part.lane == lane] for lane in sorted({part.lane for part in chosen})]
    with ThreadPoolExecutor(max(1, len(lanes))) as pool:
        for done in [pool.submit(run_lane, lane) for lane in lanes]:
            done.result()
    return [outcomes[part.name] for part in chosen if part.name in outcomes]


def run_soak(chosen: list[Part]) -> list[Outcome]:
    """What has not passed at this commit yet; what comes of it is remembered and written down."""
    now = soak.commit()
    passed = soak.passed_before(now)
    for part in chosen:
        if part.name in passed:
            print(f"{part.name}: passed at this commit before, not run again (rm {soak.RECORD.relative_to(ROOT)})")
    outcomes = run_all([part for part in chosen if part.name not in passed])
    ours = [each for each in outcomes if each.part.name in soak.WHAT]
    soak.record(now, {each.part.name: soak.outcome(each.counts, each.seconds) for each in ours})
    return outcomes


def stop_all(number: int, _frame: object) -> None:
    """Ends the parts at work, so that each can clean up, and begins no other."""
    STOPPED.set()
    for child in list(RUNNING):
        stop(child)
    raise SystemExit(128 + number)


def choose(only: str, fast: bool, soak: bool = False) -> list[Part]:
    """The parts wanted: all, the quick ones, or those named (a name also takes the parts that begin with it). Before
    its ground was made in this checkout, a part that stands on it brings it along."""
    names = [name for name in only.split(",") if name]
    wanted = [part for part in (soak_parts() if soak else parts()) if part.fast or not fast]
    if not names:
        return wanted
    named = [part for part in wanted if any(part.name.startswith(name) for name in names)]
    bare = not image_variables() and any(part.stage is Stage.BUILT for part in named)
    return [part for part in wanted if part in named or (bare and part.stage is Stage.GROUND)]


def main(argv: list[str]) -> int:
    """Returns 0 when everything passed."""
    parser = argparse.ArgumentParser(prog="python -m scripts.run_tests", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="only what needs no engine")
    parser.add_argument("--soak", action="store_true", help="what takes an hour")
    parser.add_argument("--only", default=os.environ.get("ONLY", ""), help="parts by name, with commas between")
    given = parser.parse_args(argv)
    chosen = choose(given.only, given.fast, given.soak)
    if not chosen:
        known = ", ".join(part.name for part in choose("", given.fast, given.soak))
        print(f"ONLY={given.only}: no such part\nHINT: one of: {known}")
        return USAGE
    prepare()
    if not all(part.fast for part in chosen):
        try:
            become_root(argv)
        except Refusal as refusal:
            print(f"{refusal.what}\nHINT: {refusal.hint}", file=sys.stderr)
            return refusal.code
        if refused := guarded(Path(GUARD)):
            print(refused, file=sys.stderr)
            return COULD_NOT
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop_all)
    started = time.monotonic()
    outcomes = run_soak(chosen) if given.soak else run_all(chosen)
    if not given.fast and not given.soak and not given.only:
        outcomes.append(coverage_outcome())
    total = sum((outcome.counts for outcome in outcomes), Counts())
    print("\n" + "\n".join(line(outcome) for outcome in outcomes))
    for skip in total.skipped:
        print(f"skipped: {skip}")
    print(f"{'all':26}{time.monotonic() - started:8.1f} s\n")
    told = [*(f"failed: {each}" for each in failures(outcomes)), f"{total.passed} passed, {total.failed} failed"]
    (BUILD / "results/summary.txt").write_text("\n".join(told) + "\n")
    print("\n".join(told), flush=True)
    give_back()
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
