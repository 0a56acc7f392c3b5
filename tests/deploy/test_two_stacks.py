"""Two stacks side by side on one engine: the second deployed from a registry, then destroyed; the first never moves.

The registry is on loopback and holds copies of what we build ourselves, under the official images' names.
"""

from __future__ import annotations

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.registry import Registry
from tools.kit.image_host import Host
from tools.kit.stacks import REPOSITORY, Stack, new_stack

PULLED = ["base", "redis", "caddy", "searxng", "adminer"]
WANTED = [*PULLED, "postgres", "vault", "app"]
pytestmark = pytest.mark.timeout(1500)  # the first test deploys two stacks; the default is for less


@dataclass(frozen=True)
class Neighbour:
    """The second stack, where its images came from, and where the host notes their digests."""

    stack: Stack
    registry: str
    places: dict[str, str]
    state: Path
    refs: dict[str, str]
    debian: dict[str, str]


def official_places() -> dict[str, str]:
    """Name → repository:tag of the official images."""
    images = yaml.safe_load((REPOSITORY / "images/versions.yml").read_text())["images"]
    pulls = {name: images[name]["registry"]["pull"] for name in PULLED}
    return {name: f"{pull['repository']}:{pull['tag']}" for name, pull in pulls.items()}


@pytest.fixture(scope="module")
def neighbour(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neighbour]:
    """Deployed from the registry beside `stack`; gone at the end, with its images."""
    place = tmp_path_factory.mktemp("registry")
    host = Host(place / "host")
    debian = host.run([*WANTED, "registry"], images_source="debian")
    assert debian.status == 0, debian.text[-4000:]
    with Registry(debian.refs["registry"]) as registry:
        places = official_places()
        for name, where in places.items():
            registry.push(debian.refs[name], where)
        chosen = {"images_digests": "recorded", "images_state_dir": str(place / "state")}
        settings = {"IMAGES_SOURCE": "registry", "IMAGES_REGISTRY": registry.address}
        asked = host.run(WANTED, "resolve", images_source="registry", images_registry=registry.address, **chosen)
        try:
            for second in new_stack(tmp_path_factory.mktemp("neighbour"), **settings):
                second.variables |= chosen
                second.deploy()
                second.add_row("the neighbour's row")
                yield Neighbour(second, registry.address, places, place / "state", asked.refs, debian.refs)
        finally:
            for reference in {asked.refs[name] for name in WANTED} - set(debian.refs.values()):
                subprocess.run(["docker", "rmi", reference], capture_output=True, check=False)


def standing(stack: Stack) -> tuple[dict[str, tuple[str, str]], list[str]]:
    return stack.containers(), stack.rows()


def test_a_whole_stack_runs_from_a_registrys_images(neighbour: Neighbour) -> None:
    used = {
        neighbour.stack.docker("inspect", "-f", "{{.Config.Image}}", f"{neighbour.stack.id}-{service}")
        for service in neighbour.stack.containers()
    }
    assert used == {neighbour.refs[name] for name in WANTED if name != "base"}
    assert not used & set(neighbour.debian.values()), "an image of Debian's packages was used"
    digests = json.loads((neighbour.state / "digests.json").read_text())
    assert sorted(digests) == sorted(f"{neighbour.registry}/{place}" for place in neighbour.places.values())
    assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in digests.values())
    assert neighbour.stack.play("health_check").status == 0


def test_both_stacks_deployed_again_change_nothing(stack: Stack, neighbour: Neighbour) -> None:
    before = standing(stack), standing(neighbour.stack)
    for each in (neighbour.stack, stack):
        run = each.deploy()
        assert run.changed == 0, run.tasks_changed
    assert (standing(stack), standing(neighbour.stack)) == before


@pytest.mark.parametrize(
    "confirm",
    [{}, {"confirm": "yes"}, {"confirm": "{name}"}],
    ids=["none", "yes", "without environment"],
)
def test_destroy_refuses_without_the_exact_name(neighbour: Neighbour, confirm: dict[str, str]) -> None:
    second = neighbour.stack
    before = standing(second)
    given = {key: value.format(name=second.name, id=second.id) for key, value in confirm.items()}
    run = second.play("destroy", **given)
    assert run.status != 0
    assert run.changed == 0
    assert f"wanted {second.id}" in run.text
    assert f"HINT: make destroy ENV=ci CONFIRM={second.id}" in run.text
    assert standing(second) == before


def test_destroy_refuses_the_other_stacks_name(stack: Stack, neighbour: Neighbour) -> None:
    before = standing(stack), standing(neighbour.stack)
    run = neighbour.stack.play("destroy", confirm=stack.id)
    assert run.status != 0
    assert f"confirm is {stack.id}, wanted {neighbour.stack.id}" in run.text
    assert (standing(stack), standing(neighbour.stack)) == before


def test_destroy_refuses_to_be_part_of_anything_else(neighbour: Neighbour) -> None:
    before = standing(neighbour.stack)
    run = neighbour.stack.play("destroy", cmdline="--skip-tags never-used", confirm=neighbour.stack.id)
    assert run.status != 0
    assert "destroy.yml: run with --skip-tags never-used" in run.text
    assert "HINT: run the whole playbook" in run.text
    assert standing(neighbour.stack) == before


def test_destroy_refuses_a_dev_stack_even_by_its_exact_name(neighbour: Neighbour, tmp_path: Path) -> None:
    before = standing(neighbour.stack)
    dev = Stack(tmp_path, name=neighbour.stack.name, environment="dev")
    run = dev.play("destroy", confirm=dev.id)
    assert run.status != 0
    assert "only ci stacks can be destroyed by a playbook" in run.text
    assert "HINT: make down ENV=dev" in run.text
    assert standing(neighbour.stack) == before


def test_destroy_refuses_a_directory_with_another_stacks_sentinel(neighbour: Neighbour) -> None:
    second = neighbour.stack
    stranger = second.data / f"other_{secrets.token_hex(3)}"
    stranger.mkdir()
    (stranger / ".ledgerflow.json").write_text(json.dumps({"stack": "other", "environment": "prod", "volume": "x"}))
    try:
        before = standing(second)
        run = second.play("destroy", confirm=second.id)
        assert run.status != 0
        assert str(stranger.name) in run.text
        assert standing(second) == before
    finally:
        (stranger / ".ledgerflow.json").unlink()
        stranger.rmdir()


def test_one_stack_is_destroyed_and_the_other_does_not_move(stack: Stack, neighbour: Neighbour) -> None:
    second, before = neighbour.stack, standing(stack)
    run = second.play("destroy", confirm=second.id)
    assert run.status == 0, run.text[-3000:]
    assert second.containers() == {}
    assert not second.config.exists()
    assert not second.data.exists()
    for kind in ("volume", "network"):
        names = second.docker(kind, "ls", "--format", "{{.Name}}").splitlines()
        assert [name for name in names if name.startswith((f"{second.id}-", f"{second.name}_"))] == []
        assert [name for name in names if name.startswith((f"{stack.id}-", f"{stack.name}_"))] != []
    assert standing(stack) == before
    assert stack.play("health_check").status == 0
