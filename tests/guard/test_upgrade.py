"""A stack that was declared by schema 1, in *strict*: upgraded, a new version, rolled back; nothing of it is refused.

The services are those whose requests are recorded (`compose_requests.json`), brought up by compose; what a deploy of
before declared is the same without what schema 1 did not know.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledgerflow.stack.declarations import network_declarations, service_declarations
from ledgerflow.stack.service import compose_project
from tests.unit.ledgerflow.stack.test_compose_requests import SERVICES, STACK, as_schema_1, described
from tools.kit.guard_world import PROTECT, World
from tools.kit.guarded_engine import guarded_engine, has_old_engine

VOLUMES, NETWORKS = ("db_data", "media", "caddy_data", "backups"), ("data", "app", "search", "edge")


class Stack:
    """The services on an engine, each as a compose project, with what is declared of them."""

    def __init__(self, world: World) -> None:
        # Not beside the engine: *strict* lets nobody read below /tmp.
        self.world, self.place = world, Path("/srv/upgrade", world.engine.version)
        self.written = self.place / "declarations"
        self.written.mkdir(parents=True)
        for name in NETWORKS:
            world.ok("network", "create", *(["--internal"] if name != "edge" else []), f"ledger-dev-{name}")

    def image(self, tag: str) -> dict[str, Any]:
        return dict(json.loads(self.world.ok("image", "inspect", tag))[0])

    def project(self, key: str, **changed: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        text = json.dumps({**described(key), **changed}).replace(STACK["config_root"], str(self.place))
        description = json.loads(text)
        made = {**STACK, "config_root": str(self.place), "engine_version": self.world.engine.version}
        return description, compose_project(description, made)

    def write(self, key: str, *, old: bool = False, **changed: Any) -> None:
        description, project = self.project(key, **changed)
        protected = list(description.get("protected", {}))
        made = service_declarations(project, self.image(description["image"]), "dev", protected)
        self.save(description["name"], as_schema_1(made) if old else made)

    def save(self, name: str, document: dict[str, Any]) -> None:
        (self.written / f"{name}.json").write_text(json.dumps(document))
        done = self.world.engine.guard("declare", str(self.written))
        assert done.returncode == 0, done.stderr

    def up(self, key: str, *arguments: str, **changed: Any) -> None:
        description, project = self.project(key, **changed)
        for folder in ("config", "secrets"):
            (self.place / description["name"] / folder).mkdir(parents=True, exist_ok=True)
        for folder in ("state/gates", "state/vault"):
            (self.place / folder).mkdir(parents=True, exist_ok=True)
        (self.place / description["name"] / "config/start").write_text('#!/bin/sh\nexec "$@"\n')
        name, text = project["name"], json.dumps(project)
        step = ("run", "--rm", "--no-deps", "--no-TTY", "--interactive=false", "--name", name, description["name"])
        chosen = step if description.get("oneoff") else ("up", "-d", *arguments)
        done = self.world.compose(text, *chosen, project=name)
        assert done.returncode == 0, f"{key}: {done.stderr}"

    def containers(self) -> list[str]:
        return sorted(self.world.ok("ps", "--no-trunc", "--format", "{{.Names}} {{.ID}}").splitlines())

    def restart(self) -> None:
        for line in self.containers():
            self.world.ok("restart", "-t", "0", line.split()[0])


@pytest.fixture(scope="module", params=["26.1", *(["20.10"] if has_old_engine() else [])])
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """20.10 is asked to connect to one network after the other, where 26.1 is told all at once."""
    with guarded_engine(request.param, "strict") as engine:
        made = Stack(World(engine))
        yield made
        shutil.rmtree(made.place)


def volumes(schema: int) -> dict[str, Any]:
    known = {"environment": "dev", "profile": "strict", "labels": {PROTECT: "true"}}
    return {"schema": schema, "volumes": {f"ledger_dev_{name}": known for name in VOLUMES}}


def test_a_stack_of_schema_1_is_upgraded_renewed_and_rolled_back_without_a_refusal(stack: Stack) -> None:
    world = stack.world
    stack.save("volumes", volumes(1))
    for name in VOLUMES:
        world.ok("volume", "create", "--label", f"{PROTECT}=true", f"ledger_dev_{name}")
    world.ok("volume", "create", "ledger_dev_scratch")
    for key in SERVICES:
        stack.write(key, old=True)
        stack.up(key)
    before = stack.containers()
    stack.save("volumes", volumes(2))
    stack.restart()  # by schema 1, under the guard that knows schema 2
    for key in SERVICES:
        stack.write(key)
        stack.up(key)
    stack.save("networks", network_declarations([{"name": name} for name in NETWORKS], "ledger-dev"))
    assert stack.containers() == before
    stack.restart()
    archive = str(Path(world.engine.place, "rootfs.tar"))
    world.ok("import", "--change", 'CMD ["sleep", "100000"]', "--change", "ENV V=2", archive, "tiny:new")
    for key in SERVICES:
        stack.write(key, image="tiny:new", memory_mb=300)
        stack.up(key, image="tiny:new", memory_mb=300)
    for key in SERVICES:  # back to the version before: its containers alone, nothing is declared
        stack.up(key)
        stack.up(key, "--force-recreate")
    assert not world.denied()
    world.cli("run", "--rm", "--network", "ledger-dev-data", "--network-alias", "redis-cache", "tiny", "true")
    assert world.denied()
