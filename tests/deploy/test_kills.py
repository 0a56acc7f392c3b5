"""A deploy killed at any moment is healed by the next one, which leaves nothing for a further one to do.

The moments are seeded: one in `make test`, ten with LEDGERFLOW_KILLS=10 (`make soak`), others with
LEDGERFLOW_SEED.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tools.kit.stacks import LOGS, REPOSITORY, Stack

KILLS = int(os.environ.get("LEDGERFLOW_KILLS", "1"))
SEED = int(os.environ.get("LEDGERFLOW_SEED", "20261120"))
ROW = "the row that must survive"
GUESSED_SECONDS = 90  # where no deploy was measured before; one that ends too early is killed earlier the next time
SERVICES = {
    "postgres", "redis-queue", "redis-cache", "searxng", "app-worker", "app-beat", "caddy", "adminer", "vault",
}  # fmt: skip
pytestmark = pytest.mark.timeout(1500)  # each makes several deploys; the default is for one


@dataclass(frozen=True)
class Moment:
    """When a deploy is killed, as a part of its time; `orphans`: what it started is not killed with it."""

    fresh: bool
    fraction: float
    orphans: bool

    def __str__(self) -> str:
        what = "a first deploy" if self.fresh else "a deploy that changes all"
        return f"{what} at {self.fraction:.0%}{', orphans left' if self.orphans else ''}"


def moments(count: int, seed: int) -> list[Moment]:
    """As many fresh ones as others (one less where odd), each kind spread over the whole run."""
    chance = random.Random(seed)  # noqa: S311 no secret: the same moments again
    fresh, orphans = count // 2, [bool(number % 2) for number in range(count)]
    chance.shuffle(orphans)
    spread = [(number + chance.random()) / fresh for number in range(fresh)]
    spread += [(number + chance.random()) / (count - fresh) for number in range(count - fresh)]
    return [Moment(number < fresh, spread[number] * 0.97, orphans[number]) for number in range(count)]


@dataclass
class Patient:
    """The stack that is killed: a fresh one where a moment wants it, else one that has data and is changed."""

    place: Path
    known_seconds: float
    stack: Stack | None = None
    changes: int = 0
    healed: bool = True
    rows: list[str] = field(default_factory=list)

    def prepare(self, fresh: bool) -> Stack:
        if fresh or not self.healed:  # one that did not heal would fail the moments after it as well
            self.discard()
        if self.stack is None:
            self.changes, self.rows, self.healed = 0, [], True
            self.stack = Stack(self.place / f"stack{len(list(self.place.iterdir()))}")
            self.stack.directory.mkdir()
        if not fresh:
            self.change_everything(self.stack)
        return self.stack

    def change_everything(self, stack: Stack) -> None:
        """Other settings, so that every container is another one in the next deploy."""
        if not self.rows:
            self.known_seconds = stack.deploy().seconds
            self.add_row()
        self.changes += 1
        more = 16 * (self.changes % 2)
        stack.settings |= {
            "POSTGRES_MEMORY_MB": str(1024 + more),
            "APP_MEMORY_MB": str(512 + more),
            "TIME_ZONE": "Europe/Berlin" if more else "UTC",
        }
        redis = [{"name": "redis-queue", "policy": "noeviction", "volume": "redis_data", "memory_mb": 128 + more}]
        redis += [{"name": "redis-cache", "policy": "allkeys-lru", "memory_mb": 128 + more}]
        stack.variables |= {"redis_instances": redis, "vault_memory_mb": 512 + more, "searxng_memory_mb": 256 + more}
        stack.variables |= {"caddy_memory_mb": 128 + more, "adminer_memory_mb": 128 + more}

    def add_row(self) -> None:
        assert self.stack is not None
        self.stack.add_row(f"{ROW} {len(self.rows)}")
        self.rows.append(f"{ROW} {len(self.rows)}")

    def discard(self) -> None:
        if self.stack is not None:
            self.stack.destroy()
            self.stack = None


@pytest.fixture(scope="module")
def patient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Patient]:
    """On a push the template's deployed stack, which is gone with its world; in the soak stacks of its own."""
    place = tmp_path_factory.mktemp("kills")
    if KILLS <= 3 and "LEDGERFLOW_TEST_STACK" not in os.environ:  # a warm stack is a developer's own
        shared: Stack = request.getfixturevalue("stack")
        yield Patient(place, shared.first_deploy_seconds, stack=shared, rows=shared.rows())
        return
    made = Patient(place, GUESSED_SECONDS)
    try:
        made.prepare(fresh=True)
        made.known_seconds = made.stack.deploy().seconds if made.stack else 0.0
        yield made
    finally:
        made.discard()


def below(parent: int) -> list[int]:
    """Process ids of everything that descends from a process, whatever session it moved to."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            children.setdefault(int(path.read_text().rpartition(")")[2].split()[1]), []).append(int(path.parent.name))
    found, left = [], [parent]
    while left:
        mine = children.get(left.pop(), [])
        found += mine
        left += mine
    return found


def deploy_killed(stack: Stack, seconds: float, orphans: bool) -> str | None:
    """Starts a deploy and kills it after `seconds`: its last task, or None where it had ended before."""
    stack.write_settings()
    log = LOGS / f"deploy-test-{stack.id}-killed.log"
    LOGS.mkdir(parents=True, exist_ok=True)
    argv = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", f"inventory/{stack.environment}"]
    argv += ["playbooks/deploy.yml", "-e", json.dumps(stack.extra_variables())]
    with log.open("w") as output:
        process = subprocess.Popen(
            argv, cwd=REPOSITORY, env={**os.environ, **stack.environment_variables()}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            assert process.wait(seconds) == 0, log.read_text()[-4000:]
            return None
        except subprocess.TimeoutExpired:
            pass
        victims = [] if orphans else below(process.pid)  # Ansible's workers have sessions of their own
        os.killpg(process.pid, signal.SIGKILL)
        for victim in victims:
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        process.wait()
    return next((line for line in reversed(log.read_text().splitlines()) if line.startswith(("TASK", "PLAY"))), "start")


@pytest.mark.parametrize("moment", moments(KILLS, SEED), ids=str)
def test_a_deploy_killed_is_healed_by_the_next(patient: Patient, moment: Moment) -> None:
    part = moment.fraction
    while True:
        stack = patient.prepare(moment.fresh)
        last = deploy_killed(stack, part * patient.known_seconds, moment.orphans)
        if last is not None:
            break
        part /= 2  # it had ended: the machine was quicker than when it was measured
    patient.healed = False
    print(f"killed {moment} ({part * patient.known_seconds:.1f} s) in or after {last}")

    healed = stack.deploy()
    if not moment.fresh:
        assert stack.rows() == patient.rows
    patient.add_row()
    verdict = stack.play("health_check")
    assert verdict.status == 0, verdict.text[-3000:]
    colours = {name for name in stack.containers() if name.startswith("app-web-")}
    assert len(colours) == 1, "both colours run"
    assert set(stack.containers()) == SERVICES | colours
    assert [path.name for path in (stack.config / "state/gates").iterdir()] == list(colours)
    print(f"healed in {healed.seconds:.1f} s, {healed.changed} changed")

    again = stack.deploy()
    assert again.changed == 0, again.tasks_changed
    assert stack.rows() == patient.rows
    patient.healed = True
