"""The incident, replayed on an engine of the test's own, and that engine's deaths: no row is lost, all returns.

Nothing guards this engine: every command here is carried out. What keeps the data is that the engine never owned it.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.deploy import template
from tools.kit.engines import Browser, Engine, EngineStack, engine

ROW = "the row that must survive"
HEALTHY_SECONDS = 150
pytestmark = pytest.mark.timeout(1500)  # a whole deploy and more in one test; the default is for less


@dataclass
class Kept:
    """What must be there afterwards, read from the running stack."""

    rows: list[str]
    media: str
    backups: list[str]
    proofs: str
    live: str


def live_colours(stack: EngineStack) -> list[str]:
    return [name for name in stack.containers() if name.startswith("app-web-")]


def in_live(stack: EngineStack, *command: str) -> str:
    return stack.docker("exec", f"{stack.id}-{live_colours(stack)[0]}", *command)


def seen(stack: EngineStack) -> Kept:
    backups = stack.docker("exec", f"{stack.id}-vault", "find", "/backups/data", "-type", "f", "-size", "+0")
    (live,) = live_colours(stack)
    return Kept(
        rows=stack.rows(),
        media=in_live(stack, "sha256sum", "/media/data/photo.bin").split()[0],
        backups=sorted(backups.splitlines()),
        proofs=stack.docker("exec", f"{stack.id}-vault", "ledgervault", "list"),
        live=live,
    )


def well(stack: EngineStack) -> None:
    """Every container is healthy, and the stack's own judgement is the same."""
    stack.wait_until_healthy(seconds=HEALTHY_SECONDS)
    verdict = stack.play("health_check")
    assert verdict.status == 0, verdict.text[-3000:]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineStack]:
    """A whole stack with a row, a media file and a proven backup, on an engine of its own."""
    record = template.record()
    with engine(data=Path("/var/lib/docker")) as own:  # the world's, which starts no engine itself
        own.save_images()
        place = tmp_path_factory.mktemp("alone")
        stack = EngineStack(place, name=record.name, settings=record.settings, engine=own)
        try:
            stack.wait_until_healthy(seconds=HEALTHY_SECONDS)
            content = "import pathlib; pathlib.Path('/media/data/photo.bin').write_bytes(bytes(range(256)) * 64)"
            in_live(stack, "python", "-c", content)
            taken = stack.play("backup")
            assert taken.status == 0, taken.text[-3000:]
            yield stack
        finally:
            stack.remove()


@pytest.fixture(scope="module")
def browser(alone: EngineStack) -> Browser:
    """Somebody who signed in before anything happened."""
    made = Browser(alone)
    made.sign_in()
    return made


DEATHS = {"terminated": Engine.terminate, "killed": Engine.kill, "without power": Engine.cut_the_power}


@pytest.mark.parametrize("death", DEATHS)
def test_after_the_engine_was_restarted_all_returns_by_itself(alone: EngineStack, browser: Browser, death: str) -> None:
    before, containers = seen(alone), alone.containers()
    DEATHS[death](alone.engine)
    alone.engine.start()
    well(alone)
    assert seen(alone) == before
    assert before.rows == [ROW]
    after = alone.containers()
    assert {name: item[0] for name, item in after.items()} == {name: item[0] for name, item in containers.items()}
    assert all(after[name][1] != started for name, (_, started) in containers.items()), "nothing was restarted"
    assert browser.signed_in()


def test_an_engine_with_live_restore_is_killed_and_no_container_notices(alone: EngineStack, browser: Browser) -> None:
    alone.engine.terminate()
    alone.engine.start("--live-restore")
    well(alone)
    before, containers = seen(alone), alone.containers()
    alone.engine.kill()
    alone.engine.start("--live-restore")
    assert alone.containers() == containers
    assert seen(alone) == before
    assert browser.signed_in()


def down_with_volumes(stack: EngineStack, file: Path) -> None:
    """The command of the incident, for one compose project."""
    stack.docker("compose", "-f", str(file), "-p", f"{stack.id}-{file.parent.name}", "down", "-v")


def test_the_incident_loses_no_row(alone: EngineStack, browser: Browser) -> None:
    before = seen(alone)
    sentinel = (alone.data / "db_data/.ledgerflow.json").read_bytes()

    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda file: down_with_volumes(alone, file), alone.config.glob("*/compose.yml")))
    volumes = alone.docker("volume", "ls", "-q").splitlines()
    assert f"{alone.name}_ci_db_data" in volumes
    alone.docker("volume", "rm", "-f", *volumes)
    alone.docker("volume", "prune", "-af")
    alone.docker("system", "prune", "--volumes", "-af")
    for kind in (["ps", "-aq"], ["volume", "ls", "-q"], ["image", "ls", "-q"]):
        assert alone.docker(*kind) == "", f"{kind}: the incident left something"

    alone.engine.load_images([])
    run = alone.deploy()
    assert run.changed > 0
    well(alone)
    after = seen(alone)
    assert (after.rows, after.media, after.backups, after.proofs) == (
        [ROW], before.media, before.backups, before.proofs
    )  # fmt: skip
    assert (alone.data / "db_data/.ledgerflow.json").read_bytes() == sentinel
    assert browser.signed_in(), "the session of before is gone"
    Browser(alone).sign_in()
