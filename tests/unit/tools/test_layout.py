"""Which directories a world has for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.bed import layout

WORLDS = Path("/var/lib/ledgerflow-beds")


def test_a_directory_above_the_worlds_is_shown_child_by_child_and_the_worlds_themselves_never() -> None:
    overlaid, deeper = layout.split_for_mirror([Path("/var/cache"), Path("/var/lib"), Path("/var/log")], WORLDS)
    assert (overlaid, deeper) == ([Path("/var/cache"), Path("/var/log")], [Path("/var/lib")])
    overlaid, deeper = layout.split_for_mirror([Path("/var/lib/dpkg"), WORLDS], WORLDS)
    assert (overlaid, deeper) == ([Path("/var/lib/dpkg")], [])
    elsewhere = Path("/data/beds")
    assert layout.split_for_mirror([Path("/var/lib")], elsewhere) == ([], [Path("/var/lib")])


@pytest.mark.parametrize("name", layout.HIDDEN_DIRECTORIES)
def test_what_the_machines_own_deployment_left_is_hidden(name: str) -> None:
    assert layout.is_hidden(Path("/", name))
    assert layout.split_for_mirror([Path("/", name)], WORLDS) == ([], [])
    assert not layout.is_hidden(Path("/", name).with_name("other"))


@pytest.mark.parametrize(
    ("path", "private"),
    [
        ("/srv", True),
        ("/srv/checkout", True),
        ("/root/ledgerflow", True),
        ("/tmp/clone", True),
        ("/run/x", True),
        ("/etc", True),
        ("/var/lib/jenkins", True),
        ("/usr/src", True),
        ("/home/user/ledgerflow", False),
        ("/srvother", False),
        ("/work/main", False),
    ],
)
def test_a_checkout_below_a_private_directory_has_to_be_bound_into_the_world(path: str, private: bool) -> None:
    assert layout.is_private(Path(path)) is private


def test_an_overlay_writes_into_the_world_and_reads_from_the_host() -> None:
    made = layout.overlay(WORLDS / "w1", Path("/var/lib/dpkg"))
    assert made.lower == Path("/var/lib/dpkg")
    assert {made.upper, made.work, made.mount_point} == {
        WORLDS / "w1/changes/var/lib/dpkg", WORLDS / "w1/work/var-lib-dpkg", WORLDS / "w1/root/var/lib/dpkg",
    }  # fmt: skip
    assert f"lowerdir=/var/lib/dpkg,upperdir={made.upper},workdir={made.work}" in made.argv()


def test_layers_that_containers_write_to_are_copied_and_images_are_linked() -> None:
    assert layout.shared_layers(["a", "b", "c", "c-init", "l"], ["c", "c-init"]) == ["a", "b"]


def test_the_engine_of_a_world_has_a_control_group_of_its_own_and_names_the_driver_that_allows_it() -> None:
    settings = layout.daemon_json(WORLDS / "w1")
    assert settings["cgroup-parent"] == "/ledgerflow-bed-w1"
    assert settings["exec-opts"] == ["native.cgroupdriver=cgroupfs"]
