"""What a deploy declares lets its own containers, and no other, hold its volumes: judged by the guard's own rules."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack.declarations import (
    _bytes,
    _config,
    _digest,
    _host,
    _ports,
    service_declarations,
    volume_declarations,
    with_commands,
)
from ledgerflow.stack.postgres import postgres_query_pattern
from ledgerflow.stack.service import compose_project
from ledgerflow.stack.volumes import declared_volumes
from ledgerguard.api import containers
from ledgerguard.declarations.merging import join_documents
from ledgerguard.declarations.model import Declarations
from ledgerguard.declarations.reader import parse_declarations
from ledgerguard.lookups.engine_api import parse_image
from ledgerguard.model import Container, Exec, Volume
from ledgerguard.refusal import Refusal
from ledgerguard.rules import container_description, exec_patterns, ownership
from ledgerguard.rules.policy import Context, Policy
from tests.unit.ledgerflow.stack.test_service import STACK, description
from tests.unit.ledgerguard.fakes import FakeLookups

IMAGE = "sha256:" + "c" * 64
INSPECT: dict[str, Any] = {
    "Id": IMAGE,
    "Config": {
        "Entrypoint": ["docker-entrypoint"],
        "Cmd": ["redis-server"],
        "User": "redis",
        "Env": ["PATH=/bin"],
        "WorkingDir": "/data",
        "Volumes": {"/data": {}, "/left": {}, "/tmp": {}},
    },
}
ITEMS = [{"name": "redis_data", "service": "cache"}, {"name": "media"}]
LABELS = {"protected": {"com.ledgerflow.protect": "true"}, "scratch": {"com.ledgerflow.scratch": "true"}}
PLACE = {"name": "ledger", "environment": "dev", "root": "/srv", "bind_backed": True}
DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "the least": {"entrypoint": ["redis-server", "/config/redis.conf"]},
    "a command of its own": {"command": ["redis-server", "--save"]},
    "all there is": {
        "entrypoint": ["redis-server"],
        "command": ["--port", "$$PORT"],
        "environment": {"A": 1, "B": "two"},
        "working_dir": "/tmp",
        "gates": True,
        "mounts": {"scratch": "/scratch"},
        "volumes": ["/etc/ledgerflow/ledger-dev/state:/state:ro"],
        "healthcheck": {"test": ["CMD-SHELL", 'test "$$(redis-cli ping)" = PONG']},
        "exec": [{"argv": ["redis-cli", "ping"]}],
    },
    "a step": {"oneoff": True, "command": ["sh"]},
    "a restore": {
        "oneoff": True,
        "entrypoint": ["ledgervault"],
        "command": ["restore-switch", "b.sql.gz", "--copy", "ledger_restored_20260102_030405", "--json"],
        "mounts": {"scratch": "/scratch"},
        "volumes": ["/etc/ledgerflow/ledger-dev/state/vault:/state"],
    },
}


def described(name: str) -> dict[str, Any]:
    return description(protected={"redis_data": "/data"}, **DESCRIPTIONS[name])


def head(profile: str = "strict") -> dict[str, Any]:
    return volume_declarations(declared_volumes(ITEMS, [{"name": "scratch"}], PLACE, LABELS), "dev", profile)


def declared(name: str) -> dict[str, Any]:
    made = described(name)
    return service_declarations(compose_project(made, STACK), INSPECT, "dev", ["redis_data"], made.get("exec", ()))


def known(*documents: dict[str, Any]) -> Declarations:
    return join_documents([parse_declarations(json.dumps(one)) for one in documents])


def asked_for(name: str) -> Container:
    """The container as compose asks the engine for it."""
    project = compose_project(described(name), STACK)
    (service,) = project["services"].values()
    volumes = {short: one["name"] for short, one in project["volumes"].items()}
    specs = [spec.split(":") for spec in service["volumes"]]
    binds = [":".join(spec) if len(spec) > 2 else ":".join([*spec, "rw"]) for spec in specs if spec[0] not in volumes]
    mounts = [
        {"Type": "volume", "Source": volumes[spec[0]], "Target": spec[1], "VolumeOptions": {}}
        for spec in specs
        if spec[0] in volumes
    ]
    plain = json.loads(json.dumps(service).replace("$$", "$"))
    body = {
        "Image": service["image"],
        "User": service["user"],
        "Entrypoint": plain.get("entrypoint"),
        "Cmd": plain.get("command"),
        "WorkingDir": service.get("working_dir", ""),
        "Env": [f"{key}={value}" for key, value in service.get("environment", {}).items()],
        "Healthcheck": {"Test": ["NONE"] if "test" not in service["healthcheck"] else plain["healthcheck"]["test"]},
        # As declared: what compose really asks for is in test_compose_requests.
        "HostConfig": {"Binds": binds, "Mounts": mounts, **_host(service), "NetworkMode": "ledger-dev-data"},
        **_config(service),
    }
    image = parse_image(INSPECT)
    return containers.parse_create_request(service["container_name"], json.dumps(body).encode(), lambda *_: image)


def context(*documents: dict[str, Any]) -> Context:
    found = known(*documents)
    volumes = {
        name: Volume(name, one.driver, dict(one.labels), dict(one.options)) for name, one in found.volumes.items()
    }
    volumes["ledger_dev_scratch"] = Volume("ledger_dev_scratch")
    return Context(Policy(found), FakeLookups(volumes, images={IMAGE: parse_image(INSPECT)}))


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_described_service_may_be_made_and_hold_its_volume(name: str) -> None:
    ownership.check_container(asked_for(name), context(head(), declared(name)), to_be_created=True)


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_it_may_be_started_with_the_volumes_its_image_declares(name: str) -> None:
    made = asked_for(name)
    anonymous = tuple(
        replace(made.mounts[0], kind="volume", source="f" * 64, target=target, is_named=False) for target in ("/left",)
    )
    ownership.check_container(
        replace(made, mounts=made.mounts + anonymous), context(head(), declared(name)), to_be_created=False
    )


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_before_it_is_declared_it_may_not(name: str) -> None:
    with pytest.raises(Refusal, match="no grant names this container"):
        ownership.check_container(asked_for(name), context(head()), to_be_created=True)


@pytest.mark.parametrize(
    "change", [{"user": "0:0"}, {"image": "sha256:" + "0" * 64}, {"command": ("sh",)}, {"environment": ("C=3",)}]
)
def test_another_than_the_described_one_may_not(change: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="may not write to it"):
        wanted = replace(asked_for("all there is"), **change)
        ownership.check_container(wanted, context(head(), declared("all there is")), to_be_created=True)


@pytest.mark.parametrize("words", [("restore-drop", "ledger_before_20260102_030405"), ("restore-switch", "c.sql.gz")])
def test_a_restore_is_declared_with_its_own_words_only(words: tuple[str, ...]) -> None:
    made = asked_for("a restore")
    assert made.command is not None
    with pytest.raises(Refusal, match="may not write to it"):
        another = replace(made, command=(*words, *made.command[len(words) :]))
        ownership.check_container(another, context(head(), declared("a restore")), to_be_created=True)


def test_volumes_are_declared_exactly_and_scratch_ones_not_at_all() -> None:
    volumes = known(head()).volumes
    assert set(volumes) == {"ledger_dev_redis_data", "ledger_dev_media"}
    one = volumes["ledger_dev_redis_data"]
    assert (one.environment, one.profile, one.grants) == ("dev", "strict", ())
    assert one.options == {"type": "none", "o": "bind", "device": "/srv/ledger/dev/redis_data"}
    assert one.labels["com.ledgerflow.service"] == "cache"


def test_the_commands_of_a_service_are_declared_and_more_can_be_added() -> None:
    (grant,) = known(declared("all there is")).volumes["ledger_dev_redis_data"].grants
    assert [one.argv for one in grant.exec] == [("redis-cli", "ping")]
    more = with_commands(declared("all there is"), [{"argv": ["redis-cli", "save"]}])
    (grant,) = known(declared("all there is"), more).volumes["ledger_dev_redis_data"].grants
    assert [one.argv for one in grant.exec] == [("redis-cli", "ping"), ("redis-cli", "save")]


def test_a_service_without_a_protected_volume_is_declared_as_a_member_of_the_stack() -> None:
    found = parse_declarations(
        json.dumps(service_declarations(compose_project(description(), STACK), INSPECT, "dev", []))
    )
    (member,) = found.members
    assert (found.volumes, member.container, member.images, member.target) == ({}, "ledger-dev-cache", (IMAGE,), "")


@pytest.mark.parametrize(
    ("size", "read_as"), [("512m", 512 << 20), ("1g", 1 << 30), ("7", 7), ("8KB", 8 << 10), (None, 0)]
)
def test_sizes_are_read_as_compose_reads_them(size: str | None, read_as: int) -> None:
    assert _bytes(size) == read_as


def test_a_size_that_compose_reads_otherwise_is_no_silent_zero() -> None:
    with pytest.raises(ValueError, match=r"a size of '1\.5g' is not known"):
        _bytes("1.5g")


@pytest.mark.parametrize(
    ("ports", "bound"),
    [
        (["127.0.0.1:9001:80"], {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "9001"}]}),
        (["[::1]:9001:80"], {"80/tcp": [{"HostIp": "::1", "HostPort": "9001"}]}),
        (["1:80", "2:80"], {"80/tcp": [{"HostIp": "", "HostPort": "1"}, {"HostIp": "", "HostPort": "2"}]}),
    ],
)
def test_ports_are_bound_as_compose_binds_them(ports: list[str], bound: dict[str, Any]) -> None:
    assert _ports(ports) == bound


def test_a_value_has_the_digest_that_the_guard_reckons() -> None:
    assert _digest("c", "NAME", "a $$ value") == container_description.digest_value("c", "NAME", "a $ value")
    assert _digest("c", "NAME", 1) == container_description.digest_value("c", "NAME", "1")
    assert _digest("d", "NAME", 1) != _digest("c", "NAME", 1) != _digest("c", "OTHER", 1)


def test_a_question_to_the_database_fits_its_pattern_in_any_database_and_nothing_else_does() -> None:
    (grant,) = (
        known(with_commands(declared("the least"), [postgres_query_pattern("SELECT 1")]))
        .volumes["ledger_dev_redis_data"]
        .grants
    )
    owner = asked_for("the least")

    def may(argv: list[str]) -> bool:
        return exec_patterns.is_allowed(Exec(owner.name, tuple(argv)), owner, grant.exec)

    assert may(postgres_query_pattern("SELECT 1", "ledger")["argv"])
    assert not may(postgres_query_pattern("DROP TABLE x", "ledger")["argv"])
    assert not may([*postgres_query_pattern("SELECT 1", "ledger")["argv"], "-c", "DROP TABLE x"])
    for server in ("host=evil.example", "postgresql://evil.example/x", "-hevil", "a b", "", "service=x"):
        assert not may(postgres_query_pattern("SELECT 1", server)["argv"])
    typed = Exec(owner.name, tuple(postgres_query_pattern("SELECT 1", "ledger")["argv"]), tty=True)
    assert not exec_patterns.is_allowed(typed, owner, grant.exec)


def test_the_filters_have_the_names_that_roles_use() -> None:
    assert set(FilterModule().filters()) >= {
        "network_declarations",
        "service_declarations",
        "volume_declarations",
        "with_commands",
    }


def test_a_key_that_is_not_declared_fails_here_and_not_in_the_engine() -> None:
    project = compose_project(described("all there is"), STACK)
    (service,) = project["services"].values()
    service["privileged"] = True
    with pytest.raises(ValueError, match="the guard would not know privileged of its compose project"):
        service_declarations(project, INSPECT, "dev", ["redis_data"])
