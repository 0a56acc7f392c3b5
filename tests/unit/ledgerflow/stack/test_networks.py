"""Which networks are missing and which are refused, on networks given as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack import networks

ITEMS = [{"name": "data", "internal": True}, {"name": "edge", "internal": False}]
DATA: dict[str, Any] = {"driver": "bridge", "internal": True, "labels": {networks.LABEL: "x-ci-data"}}


def test_only_networks_that_are_not_there_are_made() -> None:
    assert networks.networks_missing(ITEMS, "x-ci", {"x-ci-data": DATA}) == [
        {"name": "x-ci-edge", "internal": False, "labels": {networks.LABEL: "x-ci-edge"}}
    ]
    assert networks.networks_missing(ITEMS[:1], "x-ci", {"x-ci-data": DATA}) == []


def test_a_network_as_declared_is_accepted_and_so_is_one_that_is_not_there_yet() -> None:
    assert networks.networks_findings(ITEMS, "x-ci", {"x-ci-data": DATA, "bridge": {}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"internal": False}, "internal is false, true is declared"),
        ({"driver": "macvlan"}, "driver is macvlan, bridge is declared"),
        ({"labels": {}}, "label com.ledgerflow.network is missing, x-ci-data is declared"),
        ({"labels": {networks.LABEL: "other"}}, "label com.ledgerflow.network is other, x-ci-data is declared"),
    ],
)
def test_a_network_of_our_name_with_other_options_is_refused_with_the_value_seen(
    change: dict[str, Any], said: str
) -> None:
    findings = networks.networks_findings(ITEMS, "x-ci", {"x-ci-data": {**DATA, **change}})
    assert [(finding["where"], finding["what"]) for finding in findings] == [("network x-ci-data", said)]
    assert "docker network rm x-ci-data" in findings[0]["hint"]


def test_networks_are_read_from_what_the_client_lists() -> None:
    label = f"{networks.LABEL}=x-ci-data"
    line = {"Name": "x-ci-data", "Driver": "bridge", "Internal": "true", "Labels": f"{label},odd"}
    listed = networks.networks_listed([json.dumps(line)])
    assert listed == {"x-ci-data": DATA}
    none = networks.networks_listed([json.dumps({**line, "Labels": "", "Internal": "false"})])
    assert none["x-ci-data"] == {"driver": "bridge", "internal": False, "labels": {}}


def test_ansible_finds_every_filter_by_its_name() -> None:
    filters = FilterModule().filters().items()
    ours = {name: function for name, function in filters if function.__module__ == networks.__name__}
    assert ours
    assert all(name == function.__name__ for name, function in ours.items())
