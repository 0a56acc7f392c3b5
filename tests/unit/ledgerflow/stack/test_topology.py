"""The pictures and the table say what the inventory and the roles say."""

from __future__ import annotations

import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from ledgerflow.repository import ROOT
from ledgerflow.stack.topology import Service, Topology, TopologyError, Variables, read_topology
from tools import diagrams, svg

SMALL = Topology(
    stack="t1",
    environment="ci",
    networks=(("data", True), ("edge", False)),
    services=(
        Service("door", ("edge",), ports=("127.0.0.1:9001",)),
        Service("web", ("edge", "data"), protected=(("media", "/media"),)),
        Service("postgres", ("data",)),
    ),
    volumes=("media",),
    scratch_volumes=("scratch",),
    data_root="/srv/t1/ci",
)


def drawn(text: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(text).iter() if node.tag.endswith("text")]  # noqa: S314 our own


def test_a_service_reaches_exactly_those_on_a_network_of_its_own() -> None:
    door, web, base = SMALL.services
    assert door.reaches(web)
    assert web.reaches(base)
    assert not door.reaches(base)


def test_the_table_tells_who_reaches_whom_and_what_is_published() -> None:
    rows = diagrams.reachability_table(SMALL).splitlines()
    assert rows[0] == "| from \\ to | door:9001 | postgres:5432 | the host | outside |"
    assert rows[2] == "| **door** | · | - | yes | yes |"
    assert rows[3] == "| **web** | yes | yes | yes | yes |"
    assert rows[4] == "| **postgres** | - | · | yes | - |"
    assert rows[5] == "| **the host** | yes | yes | · | yes |"
    assert rows[-1] == "Published on the host: `127.0.0.1:9001` (door)."


def test_the_pictures_name_every_service_network_port_and_volume() -> None:
    networks, volumes = drawn(svg.networks_picture(SMALL)), drawn(svg.volumes_picture(SMALL))
    assert {"door", "web", "postgres", "data", "edge", "9001", "from this host only"} <= set(networks)
    assert {"t1_ci_media", "/media", "/srv/t1/ci/media/", "t1_ci_scratch", "not mounted"} <= set(volumes)


def test_values_are_evaluated_as_ansible_would() -> None:
    variables = Variables({
        "port": 9001, "both": "{{ [port] | map('regex_replace', '^(.*)$', '\\1:\\1') | list }}",
        "chosen": "{{ ['a'] + (['b'] if on else []) }}", "on": False, "nested": {"x": "{{ chosen }}"},
    })  # fmt: skip
    assert variables["both"] == ["9001:9001"]
    assert variables["nested"] == {"x": ["a"]}


@pytest.mark.parametrize("environment", ["dev", "ci", "staging", "prod"])
def test_every_inventory_can_be_read_and_every_volume_and_network_of_a_service_is_declared(environment: str) -> None:
    topology = read_topology(environment)
    assert topology.environment == environment
    declared = set(topology.volumes) | set(topology.scratch_volumes)
    for service in topology.services:
        assert set(service.networks) <= {name for name, _internal in topology.networks}, service.name
        assert {name for name, _target in (*service.protected, *service.scratch)} <= declared, service.name


def test_only_the_door_publishes_and_in_dev_only_on_loopback() -> None:
    publishing = {service.name: service.ports for service in read_topology("dev").services if service.ports}
    assert list(publishing) == ["caddy"]
    assert all(port.startswith("127.0.0.1:") for port in publishing["caddy"])


def test_data_is_never_on_a_network_that_reaches_outside() -> None:
    for environment in ("dev", "prod"):
        topology = read_topology(environment)
        keepers = [service for service in topology.services if service.name in {"postgres", "redis-queue", "vault"}]
        assert len(keepers) == 3
        assert [one.name for one in keepers if set(one.networks) & topology.outside] == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the pictures are made from."""
    for folder in ("inventory", "roles", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, symlinks=True)
    return tmp_path


def test_a_changed_inventory_makes_the_pictures_stale_until_they_are_made_anew(copy: Path) -> None:
    diagrams.main([], copy)
    assert diagrams.main(["--check"], copy) == 0
    networks = copy / "inventory/common/networks.yml"
    networks.write_text(networks.read_text() + "  - {name: spare, internal: true}\n")
    assert diagrams.main(["--check"], copy) == 1
    assert diagrams.main([], copy) == 0
    assert diagrams.main(["--check"], copy) == 0
    assert "spare" in drawn((copy / "docs/pictures/networks-dev.svg").read_text())


def test_a_page_without_markers_and_a_role_that_describes_nothing_are_told(copy: Path) -> None:
    with pytest.raises(TopologyError, match="markers"):
        diagrams.with_table("# a page", "a table")
    (copy / "roles/caddy/vars/main.yml").write_text("{}\n")
    with pytest.raises(TopologyError, match="no __caddy_description"):
        read_topology("dev", copy)
