"""What docker tells is read as it is meant; what cannot be read is never nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledgerguard.docker_arguments import read_command
from ledgerguard.docker_looks import container_facts, prune_filters, read_declarations, read_project, volume_of


def test_a_projects_own_volumes_are_those_that_are_not_external() -> None:
    told = {
        "name": "shop",
        "services": {"db": {"labels": {"com.ledgerflow.environment": "prod"}}, "web": {}},
        "volumes": {"a": {"name": "ledger_dev_a"}, "b": {"name": "kept", "external": True}, "c": None},
    }
    project = read_project(json.dumps(told))
    assert (project.name, project.volumes) == ("shop", ("ledger_dev_a", "shop_c"))
    assert project.environments == {"prod"}


def test_containers_and_volumes_are_read_as_the_engine_writes_them() -> None:
    mounts = [{"Type": "volume", "Name": "a"}, {"Type": "bind", "Source": "/x"}]
    assert container_facts({"Config": {"Labels": {"k": "v"}}, "Mounts": mounts}) == {
        "labels": {"k": "v"},
        "volumes": ["a"],
    }
    volume = volume_of({"Name": "a", "Labels": None, "Options": {"device": "/srv/a", "o": "bind"}})
    assert (volume.name, volume.device, volume.protected) == ("a", "/srv/a", False)


def test_filters_of_dockers_own_configuration_count(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"pruneFilters": ["label!=kept"]}')
    command = read_command(["--config", str(tmp_path), "volume", "prune", "--filter", "label!=mine"])
    assert command is not None
    assert prune_filters(command) == ("label!=mine", "label!=kept")


@pytest.mark.parametrize("volumes", [{"db": {"environment": "prod"}}, [{"name": "db", "environment": "prod"}]])
def test_declarations_are_read(volumes: object, tmp_path: Path) -> None:
    (tmp_path / "volumes.json").write_text(json.dumps({"schema": 1, "volumes": volumes}))
    assert read_declarations(tmp_path / "volumes.json") == {"db": "prod"}


def test_no_declarations_are_none_and_broken_ones_are_told(tmp_path: Path) -> None:
    file = tmp_path / "volumes.json"
    assert read_declarations(file) == {}
    for text in ("{", "[]", '{"volumes": 1}'):
        file.write_text(text)
        with pytest.raises(ValueError, match=r"volumes\.json"):
            read_declarations(file)
