"""Whether a volume is the declared one, on data."""

from __future__ import annotations

from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack import volumes as v

STACK = {"name": "ledger", "environment": "dev", "root": "/srv", "bind_backed": True}
LABELS = {"protected": {"com.ledgerflow.protect": "true"}, "scratch": {"com.ledgerflow.scratch": "true"}}
ITEM = {"name": "db_data", "service": "postgres", "uid": 5432, "gid": 5432}
DEVICE = "/srv/ledger/dev/db_data"
NAME = "ledger_dev_db_data"


def declared(**stack: Any) -> list[dict[str, Any]]:
    return v.declared_volumes([ITEM], [{"name": "scratch"}], {**STACK, **stack}, LABELS)


def seen(volume: dict[str, Any], **changes: Any) -> dict[str, Any]:
    as_declared = {key: volume[key] for key in ("driver", "labels", "options")}
    return {volume["name"]: {**as_declared, **changes}}


def finding(**changes: Any) -> str:
    volume = declared()[0]
    found = v.volume_findings([volume], seen(volume, **changes))
    assert len(found) == 1
    return found[0]


def test_a_protected_volume_is_bound_to_its_directory_and_labelled() -> None:
    volume = declared()[0]
    assert volume["name"] == NAME
    assert volume["options"] == {"type": "none", "o": "bind", "device": DEVICE}
    assert volume["labels"] == {
        "com.ledgerflow.protect": "true",
        "com.ledgerflow.stack": "ledger",
        "com.ledgerflow.environment": "dev",
        "com.ledgerflow.service": "postgres",
    }


def test_a_scratch_volume_is_the_engines_own_and_not_protected() -> None:
    volume = declared()[1]
    assert (volume["options"], volume["path"], volume["protected"]) == ({}, "", False)
    assert "com.ledgerflow.protect" not in volume["labels"]


def test_in_reduced_mode_a_protected_volume_keeps_its_label_without_a_directory() -> None:
    volume = declared(bind_backed=False)[0]
    assert (volume["options"], volume["labels"]["com.ledgerflow.protect"]) == ({}, "true")


def test_volumes_exactly_as_declared_have_no_findings() -> None:
    volumes = declared()
    assert v.volume_findings(volumes, {**seen(volumes[0]), **seen(volumes[1])}, complete=True) == []


def test_a_missing_volume_is_a_finding_only_once_it_should_be_there() -> None:
    volumes = declared()
    assert v.volume_findings(volumes, {}) == []
    assert [text.split(":")[0] for text in v.volume_findings(volumes, {}, complete=True)] == [
        f"volume {NAME}", "volume ledger_dev_scratch",
    ]  # fmt: skip
    assert [volume["name"] for volume in v.missing_volumes(volumes, seen(volumes[0]))] == ["ledger_dev_scratch"]


def test_a_missing_label_is_named() -> None:
    labels = {key: value for key, value in declared()[0]["labels"].items() if not key.endswith("protect")}
    text = finding(labels=labels)
    assert text.startswith(f"volume {NAME}: label com.ledgerflow.protect is missing (declared 'true')\nHINT: ")
    assert f"docker volume rm {NAME} removes only the engine's record" in text


def test_another_value_of_a_label_shows_both() -> None:
    labels = {**declared()[0]["labels"], "com.ledgerflow.protect": "false"}
    assert "label com.ledgerflow.protect is 'false', declared 'true'" in finding(labels=labels)


def test_a_label_nobody_declared_is_named() -> None:
    labels = {**declared()[0]["labels"], "com.docker.compose.project": "other"}
    assert "label com.docker.compose.project='other' is not declared" in finding(labels=labels)


def test_another_driver_is_named() -> None:
    assert "driver is 'nfs', declared 'local'" in finding(driver="nfs")


def test_another_device_says_where_the_data_is() -> None:
    text = finding(options={"type": "none", "o": "bind", "device": "/mnt/old"})
    assert "option device is '/mnt/old'" in text
    assert "its data is in /mnt/old, not in /srv/ledger/dev/db_data: move it first" in text


def test_data_inside_the_engine_is_never_advised_to_be_removed() -> None:
    for text in (finding(options=None), finding(options=None, labels=None)):
        assert f"make adopt FROM=volume:{NAME}" in text
        assert "docker volume rm" not in text


def test_a_record_that_the_engine_lost_and_made_again_is_told_from_data_inside_the_engine() -> None:
    told = "if /srv/ledger/dev/db_data/.ledgerflow.json is there, the engine only lost what it knew of it"
    assert told in finding(options=None, labels=None)
    assert told not in finding(options=None)


def test_a_scratch_volume_may_be_removed() -> None:
    volume = declared()[1]
    text = v.volume_findings([volume], seen(volume, labels={}))[0]
    assert text.endswith("docker volume rm ledger_dev_scratch")


def test_a_protected_volume_under_a_scratch_name_is_not_advised_to_be_removed() -> None:
    volume = declared()[1]
    text = v.volume_findings([volume], seen(volume, labels={"com.ledgerflow.protect": "true"}))[0]
    assert "do not remove it" in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": [{**ITEM, "name": "db-data"}]}, "'db-data' is no volume name"),
        ({"items": [{**ITEM, "name": "../etc"}]}, "'../etc' is no volume name"),
        ({"items": [ITEM, ITEM]}, "'db_data' is declared twice"),
        ({"scratch": [{"name": "db_data"}]}, "'db_data' is declared twice"),
        ({"items": [{**ITEM, "mode": "0777"}]}, "mode '0777' is not octal or opens data/ to others"),
        ({"items": [{**ITEM, "mode": "rwx"}]}, "mode 'rwx'"),
        ({"stack": {**STACK, "name": "Ledger/x"}}, "'Ledger/x' is no stack name"),
        ({"stack": {**STACK, "root": "srv"}}, "'srv' is no absolute path"),
    ],
)
def test_names_that_cannot_be_used_are_refused(changes: dict[str, Any], message: str) -> None:
    given = {"items": [ITEM], "scratch": [], "stack": STACK, **changes}
    faults = v.declaration_faults(given["items"], given["scratch"], given["stack"])
    assert len(faults) == 1
    assert message in faults[0] and "\nHINT: " in faults[0]


def test_good_names_are_accepted() -> None:
    assert v.declaration_faults([ITEM, {**ITEM, "name": "media", "mode": "0750"}], [{"name": "scratch"}], STACK) == []


def test_the_engines_inspect_is_read_with_or_without_labels() -> None:
    full = {"Name": NAME, "Driver": "local", "Labels": {"a": "b"}, "Options": {"o": "bind"}, "Mountpoint": "/x"}
    assert v.inspected_volumes([full, {"Name": "other", "Labels": None, "Options": None}, {}]) == {
        NAME: {"driver": "local", "labels": {"a": "b"}, "options": {"o": "bind"}},
        "other": {"driver": "", "labels": {}, "options": {}},
    }


@pytest.mark.parametrize(
    ("probe", "recorded"),
    [
        ({"records": {"db_data": "{1}"}, "sentinels": {"db_data": "{1}"}}, True),
        ({"records": {"db_data": "{1}"}, "sentinels": {"db_data": "{2}"}}, False),
        ({"records": {"db_data": "{1}"}, "sentinels": {"db_data": None}}, False),
        ({"records": {}, "sentinels": {"db_data": "{1}"}}, False),
        ({"records": {"db_data": None}, "sentinels": {"db_data": None}}, False),
        ({}, False),
    ],
)
def test_only_a_sentinel_equal_to_its_record_needs_no_closer_look(probe: dict[str, Any], recorded: bool) -> None:
    assert v.volumes_recorded([ITEM], probe) is recorded


@pytest.mark.parametrize(
    ("there", "image"),
    [
        (["l/postgres:1", "l/postgres:2", "l/redis:2"], "l/postgres:2"),
        (["l/postgres:0", "l/redis:2"], "l/postgres:0"),
        (["l/redis:2", "postgres:2", "l/postgres-test:2"], ""),
        ([], ""),
    ],
)
def test_a_volume_is_looked_into_with_a_version_of_the_image_that_is_there(there: list[str], image: str) -> None:
    assert v.volumes_image("l/postgres:2", dict.fromkeys(there, "sha256:0")) == image


def test_where_the_engine_keeps_the_data_no_root_is_needed() -> None:
    reduced = {**STACK, "root": "", "bind_backed": False}
    assert v.declaration_faults([ITEM], [], reduced) == []
    assert "protected_volume_root" in v.declaration_faults([ITEM], [], {**STACK, "root": ""})[0]


def test_the_first_look_learns_what_was_made_and_what_was_taken_over() -> None:
    results = [
        {"name": "db_data", "sentinel": "{1}", "initialised": True},
        {"name": "media", "sentinel": "{2}", "initialised": False},
    ]
    after = v.volumes_probe(results, {"cores": 2, "records": {"old": "{0}"}, "initialised": ["old"]})
    assert after == {
        "cores": 2,
        "records": {"old": "{0}", "db_data": "{1}", "media": "{2}"},
        "sentinels": {"db_data": "{1}", "media": "{2}"},
        "initialised": ["db_data", "old"],
    }


def test_every_filter_can_be_called() -> None:
    assert all(callable(filter_) for filter_ in FilterModule().filters().values())
