"""Grants made from what an engine (26.1) recorded of containers: the guard lets exactly these hold their volumes.

`containers.json` holds, for each container, the request that made it, the engine's inspect of it and the engine's own
files; and the images. Each grant is tried on both forms that the guard judges: the request, and the files at a start.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledgerguard.api import containers
from ledgerguard.declarations.model import Declarations, DeclaredVolume, Grant, OtherMount, Pattern
from ledgerguard.declarations.reader import parse_declarations
from ledgerguard.lookups.engine_api import parse_image
from ledgerguard.model import PROTECT, Container, Image, Volume
from ledgerguard.refusal import Refusal
from ledgerguard.rules import ownership
from ledgerguard.rules.grant_drafts import GrantError, draft_grants, to_document
from ledgerguard.rules.policy import Context, Policy
from tests.unit.ledgerguard.fakes import FakeLookups

RECORDED: dict[str, Any] = json.loads((Path(__file__).parents[1] / "containers.json").read_text())
GRANTED = ["owner", "as-its-image", "other-command", "entrypoint-alone", "odd", "reader", "health-check-off"]
REFUSED = {
    "privileged-capability": "capability SYS_ADMIN",
    "twice": "target",
    "hidden": "a tmpfs at /data/inside",
    "relabelled": "mode 'Z'",
}


def shown(name: str) -> Container:
    return containers.parse_inspect(RECORDED["containers"][name]["inspect"])


def image(name: str) -> Image:
    return parse_image(RECORDED["images"][RECORDED["containers"][name]["inspect"]["Image"]])


def granted(name: str) -> dict[str, Grant]:
    return draft_grants(shown(name), image(name))


def host_with(grants: dict[str, Grant], name: str) -> Context:
    declared = {volume: DeclaredVolume(volume, "dev", grants=(grant,)) for volume, grant in grants.items()}
    volumes = {volume: Volume(volume, labels={PROTECT: "true"}) for volume in ("backups", "scratch")}
    known = FakeLookups(volumes, images={image(name).id: image(name)})
    return Context(Policy(Declarations(declared)), known)


def judge(container: Container, grants: dict[str, Grant], name: str, *, created: bool) -> None:
    ownership.check_container(container, host_with(grants, name), to_be_created=created)


def asked_for(name: str) -> Container:
    body = json.dumps(RECORDED["containers"][name]["request"]).encode()
    return containers.parse_create_request(name, body, lambda _reference, _mounts: image(name))


def on_disk(name: str) -> Container:
    files = RECORDED["containers"][name]
    return containers.parse_engine_files(files["config.v2.json"], files["hostconfig.json"], None)


@pytest.mark.parametrize("name", [*GRANTED, *REFUSED, "without-a-volume"])
def test_inspect_shows_the_container_that_the_engines_files_hold(name: str) -> None:
    found, wanted = shown(name), on_disk(name)
    assert sorted(found.mounts, key=lambda one: one.target) == sorted(wanted.mounts, key=lambda one: one.target)
    assert replace(found, mounts=()) == replace(wanted, mounts=())


@pytest.mark.parametrize("name", GRANTED)
def test_the_granted_container_may_be_made_and_started(name: str) -> None:
    judge(asked_for(name), granted(name), name, created=True)
    judge(on_disk(name), granted(name), name, created=False)


@pytest.mark.parametrize("name", [one for one in GRANTED if one != "reader"])
def test_without_its_grant_it_may_not(name: str) -> None:
    for container, created in ((asked_for(name), True), (on_disk(name), False)):
        with pytest.raises(Refusal, match="no grant names this container"):
            judge(container, {}, name, created=created)


@pytest.mark.parametrize(
    "change",
    [
        {"entrypoint": ("sh",)},
        {"command": ("-c", "rm -rf /backups")},
        {"user": "0:0"},
        {"working_dir": "/backups"},
        {"healthcheck": ("CMD", "rm", "-rf", "/backups")},
        {"environment": ("LD_PRELOAD=/backups/x",)},
        {"image": "sha256:" + "0" * 64},
        {"name": "another"},
    ],
)
@pytest.mark.parametrize("name", ["owner", "as-its-image", "odd"])
def test_a_container_that_differs_in_one_thing_may_not(name: str, change: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="may not write to it"):
        judge(replace(on_disk(name), **change), granted(name), name, created=False)


def test_what_the_image_says_is_left_to_the_image() -> None:
    (grant,) = granted("as-its-image").values()
    wanted = {"container": "as-its-image", "images": (image("as-its-image").id,), "target": "/backups"}
    assert to_document(grant) == wanted


def test_an_entrypoint_of_its_own_leaves_nothing_of_the_images_command() -> None:
    grant = granted("entrypoint-alone")["backups"]
    assert (grant.entrypoint, grant.command) == (("sleep",), None)
    command = granted("other-command")["backups"]
    assert (command.entrypoint, command.command) == (None, ("sleep", "9"))


def test_names_of_the_environment_are_kept_and_no_values() -> None:
    text = json.dumps({name: to_document(one) for name, one in granted("odd").items()})
    assert granted("odd")["backups"].environment == ("CHOSEN", "PATH")
    assert "a value" not in text


def test_other_mounts_are_kept_as_they_are_and_as_they_were_asked_for() -> None:
    mounts = granted("odd")["backups"].mounts
    anonymous = next(one.source for one in shown("odd").mounts if not one.is_named and one.kind == "volume")
    assert set(mounts) == {
        OtherMount("/etc/hosts", "/h", True),
        OtherMount("/etc/hostname/../hosts", "/h", True),
        OtherMount("scratch", "/scratch", True),
        OtherMount("", "/anonymous"),
        OtherMount(anonymous, "/anonymous"),
    }
    assert granted("odd")["scratch"].read_only
    assert not granted("odd")["backups"].read_only


def test_an_anonymous_volume_is_granted_only_when_it_is_named() -> None:
    anonymous = next(one.source for one in shown("odd").mounts if not one.is_named and one.kind == "volume")
    assert set(granted("odd")) == {"backups", "scratch"}
    only = draft_grants(shown("odd"), image("odd"), [anonymous])
    assert {name: one.target for name, one in only.items()} == {anonymous: "/anonymous"}


def test_patterns_are_taken_over() -> None:
    patterns = (Pattern(("pg_isready", "**")),)
    assert {one.exec for one in draft_grants(shown("owner"), image("owner"), (), patterns).values()} == {patterns}


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_what_no_grant_could_let_in_is_said(name: str, reason: str) -> None:
    with pytest.raises(GrantError, match=f"container {name}: no grant lets it hold its volumes: .*{reason}"):
        granted(name)


def test_a_volume_that_is_not_mounted_is_said_with_those_that_are() -> None:
    with pytest.raises(GrantError, match=r"volume media is not mounted \(mounted: backups, scratch\)"):
        draft_grants(shown("owner"), image("owner"), ["media"])
    with pytest.raises(GrantError, match="it mounts no volume by its name"):
        granted("without-a-volume")


@pytest.mark.parametrize("name", GRANTED)
def test_a_grant_is_written_as_declarations_are_read(name: str) -> None:
    grants = granted(name)
    volumes = {volume: {"environment": "dev", "grants": [to_document(one)]} for volume, one in grants.items()}
    found = parse_declarations(json.dumps({"schema": 2, "volumes": volumes})).volumes
    assert {volume: one.grants for volume, one in found.items()} == {volume: (one,) for volume, one in grants.items()}
