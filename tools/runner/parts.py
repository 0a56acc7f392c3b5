"""The parts of the tests, as data.

A module of its own because no single test runner sees them all: linters, pytest here, pytest in images, molecule and
playbooks. What is not here runs nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = str(ROOT / ".venv/bin/python")
MOLECULE = (PYTHON, "-m", "molecule", "test", "--scenario-name")
# Tests on a deployed stack. Each line is one part, in a world of its own: tests of a line share a stack and its order.
STACKS: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "deploy": (150, ("deploy",)),
    "volumes": (90, ("volumes", "ledger_docker", "backups_stopped")),
    "secrets": (60, ("secrets", "reachability", "doors")),
    "refusals": (200, ("refusals",)),
    "preflight": (60, ("preflight", "address_pools", "restore_smoke")),
    "kills": (240, ("kills",)),
    "deploy lock": (120, ("deploy_lock",)),
    "restore": (70, ("restore",)),
}
# Files of tests/vault; two parts, as the tests of a file share a server and wait for it most of the time.
VAULT: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "vault": (200, ("catalogue", "commands", "faults", "restore")),
    "vault truth": (300, ("truth", "kinds", "loss", "endurance")),
}
TWO_STACKS = ("two_stacks",)
# Its engine is stopped, killed and cut off: the world starts without one.
NO_ENGINE = {"incident": (150, ("incident",))}
# Too long for every push: an ordinary user's own deploy, whose decisions are tested there by facts given as data; and
# those over ssh, with all images in an engine of its own: on a push the workflow's steps run up to Ansible's door, and
# the guard is tried with containers of its own.
SOAKED: Mapping[str, tuple[str, ...]] = {
    "reduced": ("reduced",),
    "remote": ("remote",),
    "guarded": ("guarded", "guarded_runbooks", "guarded_removal"),  # in this order, on one host
    "nuke": ("nuke",),
    "flask app": ("flask_app",),
}
MARKED = ("deploy", "refusals", "restore")  # files with a test that is marked `soak`
FUZZ = {"LEDGERGUARD_EXAMPLES": "20000", "LEDGERGUARD_MUTATIONS": "1000000"}
GROUND = ("packages", "engine", "bed images")


@dataclass(frozen=True)
class Part:
    """One part: its argument list, its limit in minutes, and the JUnit file it writes (none: it counts as one test).

    `seconds` is what it took on two quiet cores; the longest ready part goes first. A part with a `template` runs in a
    world of its own that is a copy of that template, with a `network` if it downloads packages.
    """

    name: str
    argv: tuple[str, ...]
    minutes: float
    seconds: int = 30
    report: str = ""
    fast: bool = False
    needs: tuple[str, ...] = ()
    template: str = ""
    engine: bool = True
    network: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def prerequisites(self) -> tuple[str, ...]:
        """The parts that must have passed before this one: those named, and the making of its template."""
        return (*self.needs, f"bed {self.template}") if self.template else self.needs


def pytest_part(name: str, selection: str, minutes: float, **more: Any) -> Part:
    """A part that pytest runs, with its coverage measured; `selection` is files and options."""
    label = name.replace(" ", "-")
    cover = ("-m", "coverage", "run", f"--data-file=build/results/.coverage.{label}")
    argv = (PYTHON, *cover, "-m", "pytest", *selection.split(), f"--junitxml=build/results/{label}.xml")
    return Part(name, argv, minutes, report=f"{label}.xml", **more)


def vault_part(name: str, seconds: int, files: tuple[str, ...]) -> Part:
    """Tests of the vault in its test image, beside a real PostgreSQL 17."""
    label = name.replace(" ", "-")
    paths = [f"/tests/vault/test_{file}.py" for file in files]
    argv = ("bash", "-euc", 'exec tests/vault/run "$VAULT_TEST_IMAGE" "$OUT" "$@"', "vault", *paths)
    environment = {"LABEL": label}
    return Part(
        name, argv, 25, seconds=seconds, report=f"junit-{label}.xml", template="images", environment=environment
    )


def deploy_files(names: tuple[str, ...]) -> str:
    """The files of tests on deployed stacks, as pytest is given them."""
    return " ".join(f"tests/deploy/test_{name}.py" for name in names)


def ground() -> tuple[Part, ...]:
    """What makes the worlds: programs, the engine's among them, and templates."""
    player = str(ROOT / "scripts/play")
    ci = {"ENV": "ci", "YES": "1"}
    bed = (PYTHON, "-m", "tools.bed", "make")
    return (
        Part("packages", ("tests/packages",), 10, seconds=25),
        Part("engine", (player, "engine"), 5, seconds=40, environment=ci, needs=("packages",)),
        Part("bed images", (*bed, "images"), 20, seconds=240, needs=("engine",)),
        Part("bed stack", (*bed, "stack"), 15, seconds=110, needs=("bed images",)),
        Part("bed hosts", (*bed, "hosts"), 20, seconds=100, needs=("bed images",)),
    )


def fast_parts() -> tuple[Part, ...]:
    """What needs no engine."""
    return (
        Part("lint", (PYTHON, "-m", "tools.lint"), 10, seconds=70, report="lint.xml", fast=True),
        pytest_part("unit guard", "tests/unit/ledgerguard", 10, seconds=50, fast=True),
        pytest_part("unit", "tests/unit --ignore=tests/unit/ledgerguard", 10, seconds=50, fast=True),
        pytest_part("workflows", "tests/workflows/test_workflows.py", 5, seconds=10, fast=True),
    )


def parts() -> tuple[Part, ...]:
    """All that guards a push."""
    stacks = (
        pytest_part(name, deploy_files(files), 30, seconds=seconds, template="stack")
        for name, (seconds, files) in STACKS.items()
    )
    engineless = (
        pytest_part(name, deploy_files(files), 30, seconds=seconds, template="stack", engine=False)
        for name, (seconds, files) in NO_ENGINE.items()
    )
    return (
        *fast_parts(),
        *ground(),
        pytest_part("bed", "tests/bed", 15, seconds=70, needs=("engine",)),
        Part("app", ("tests/app/run",), 15, seconds=80, report="junit-app.xml", template="images"),
        *(vault_part(name, seconds, files) for name, (seconds, files) in VAULT.items()),
        Part("molecule docker_engine", (*MOLECULE, "docker_engine"), 25, 200, template="hosts", network=True),
        Part("molecule protected_volume", (*MOLECULE, "protected_volume"), 25, 120, template="hosts"),
        Part("molecule volume_guard", (*MOLECULE, "volume_guard"), 25, 240, template="hosts", network=True),
        pytest_part("integration", "tests/integration", 25, seconds=300, template="images", network=True),
        pytest_part("steps", "tests/workflows/test_steps.py", 15, seconds=60, template="images", network=True),
        pytest_part("guard", "tests/guard", 25, seconds=190, template="images", network=True),
        pytest_part("browser", "tests/browser", 20, seconds=90, template="stack"),
        # Its second stack comes from a registry, whose base image makes some images anew.
        pytest_part("two stacks", deploy_files(TWO_STACKS), 30, seconds=240, template="stack", network=True),
        *stacks,
        *engineless,
    )


def soak_parts() -> tuple[Part, ...]:
    """What is too long for every push, on the same ground."""
    soak = {"LEDGERFLOW_SOAK": "1"}
    kills, outage = {"LEDGERFLOW_KILLS": "10"}, {"LEDGERFLOW_OUTAGE_SECONDS": "60"}
    return (
        *ground(),
        *(
            pytest_part(name, deploy_files(files), 90, seconds=1800, template="hosts", network=True)
            for name, files in SOAKED.items()
        ),
        pytest_part("kills", deploy_files(("kills",)), 90, seconds=1800, template="stack", environment=kills),
        pytest_part(
            "marked", f"-m soak {deploy_files(MARKED)}", 30, seconds=300, template="stack", environment=soak
        ),
        pytest_part(
            "outages", "tests/browser/test_outages.py", 30, template="stack", environment=outage
        ),
        Part("guard down", (*MOLECULE, "volume_guard"), 30, 900, template="hosts", network=True, environment=soak),
        pytest_part("guard fuzz", "tests/unit/ledgerguard/rules/test_fuzz.py", 60, seconds=200, environment=FUZZ),
        Part(
            "vault kills",
            ("bash", "-euc", 'tests/vault/run "$VAULT_TEST_IMAGE" "$OUT" /tests/vault -k kill'),
            90,
            seconds=700,
            report="junit-vault.xml",
            template="images",
            environment={"LEDGERVAULT_KILLS": "50"},
        ),
    )  # fmt: skip
