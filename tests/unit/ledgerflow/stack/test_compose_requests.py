"""What compose really sent to engines 26.1 and 20.10 for services of ours is what the deploy declares of them.

`compose_requests.json` holds, for each service below, its create request, the engine's own files of the container, and
what connected it to further networks; `com.docker.compose` 2.26.1 made them of the projects that filter compose_project
makes of these descriptions. Each is judged by the guard itself, in both profiles.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledgerflow.stack.declarations import network_declarations, service_declarations, volume_declarations
from ledgerflow.stack.service import compose_project
from ledgerguard.api import containers
from ledgerguard.declarations.merging import join_documents, merge_into
from ledgerguard.declarations.model import Declarations
from ledgerguard.declarations.reader import parse_declarations
from ledgerguard.model import Container, Image, Volume
from ledgerguard.refusal import Refusal, Verdict
from ledgerguard.rules import ownership
from ledgerguard.rules.decision import decide
from ledgerguard.rules.policy import Context, Policy
from tests.unit.ledgerguard.fakes import FakeLookups, request

RECORDED: dict[str, Any] = json.loads(Path(__file__).with_name("compose_requests.json").read_text())
STACK = {
    "id": "ledger-dev",
    "name": "ledger",
    "environment": "dev",
    "config_root": "/etc/ledgerflow/ledger-dev",
    "volume_prefix": "ledger_dev",
}
STATE = "/etc/ledgerflow/ledger-dev/state"
HEALTH = {"test": ["CMD", "true"]}
SERVICES: dict[str, dict[str, Any]] = {
    "postgres": {
        "name": "postgres", "uid": 5432, "networks": ["data"], "memory_mb": 256, "shm_mb": 64, "stop_signal": "SIGINT",
        "grace_seconds": 120, "tmpfs": ["/run/postgresql:uid=5432,gid=5432,mode=0755"], "protected": {"db_data": "/v"},
        "entrypoint": ["/bin/sleep"], "command": ["1000"], "environment": {"PGDATA": "/v/x", "A": "$$B"},
    },
    "app": {
        "name": "app-web-blue", "uid": 9001, "networks": ["app", "data", "search"], "memory_mb": 256, "gates": True,
        "protected": {"media": "/media"}, "command": ["sleep", "1000"], "environment": {"X": 1},
    },
    "caddy": {
        "name": "caddy", "uid": 901, "networks": ["edge", "app"], "memory_mb": 128, "ports": ["127.0.0.1:9001:9001"],
        "protected": {"caddy_data": "/data"}, "entrypoint": ["sleep", "1000"], "cap_add": ["NET_BIND_SERVICE"],
    },
    "vault": {
        "name": "vault", "uid": 5432, "networks": ["data"], "memory_mb": 128, "protected": {"backups": "/backups"},
        "mounts": {"scratch": "/scratch"}, "entrypoint": ["sleep"], "command": ["1000"], "grace_seconds": 60,
        "volumes": [f"{STATE}/vault:/state", f"{STATE}:/stack-state:ro"],
        "shm_mb": 128,
    },
    "redis-cache": {
        "name": "redis-cache", "uid": 999, "networks": ["data"], "memory_mb": 64, "tmpfs": ["/data:size=1m"],
        "entrypoint": ["sleep", "1000"], "healthcheck": {"test": ["CMD-SHELL", 'test "$$(echo PONG)" = PONG']},
    },
    "step": {  # run by `compose run --rm`, with one variable more
        "name": "app-migrate", "uid": 9001, "networks": ["app", "data"], "memory_mb": 256, "oneoff": True,
        "protected": {"media": "/media"}, "command": ["true"], "environment": {"X": 1, "PGOPTIONS": "-c a=b"},
    },
}  # fmt: skip
VERSIONS, PROFILES = sorted(RECORDED), ("standard", "strict")
SETTINGS = [  # keys of a host configuration, as somebody else would set them
    {"ExtraHosts": ["ledger-dev-postgres:10.0.0.1"]},
    {"PortBindings": {"5432/tcp": [{"HostIp": "10.0.0.1", "HostPort": "5432"}]}},
    {"PublishAllPorts": True},
    {"Tmpfs": {"/tmp": "mode=1777,size=64m", "/config": ""}},
    {"Tmpfs": {}},
    {"Dns": ["10.0.0.1"]},
    {"DnsSearch": ["evil.example"]},
    {"DnsOptions": ["ndots:9"]},
    {"GroupAdd": ["0"]},
    {"Links": ["other:ledger-dev-redis-cache"]},
    {"ReadonlyRootfs": False},
    {"CapDrop": []},
    {"CapAdd": ["CHOWN"]},
    {"SecurityOpt": []},
    {"RestartPolicy": {"Name": "unless-stopped"}},
    {"Memory": 6 << 20},
    {"MemorySwap": -1},
    {"PidsLimit": 1},
    {"ShmSize": 1 << 20},
    {"Init": False},
    {"Sysctls": {"net.ipv4.ip_unprivileged_port_start": "0"}},
    {"Ulimits": [{"Name": "fsize", "Soft": 1, "Hard": 1}]},
    {"OomScoreAdj": 1000},
    {"StorageOpt": {"size": "1m"}},
    {"LogConfig": {"Type": "none"}},
    {"UTSMode": "host"},
    {"NetworkMode": "bridge"},
    {"NetworkMode": "none"},
    {"NetworkMode": "host"},
    {"NetworkMode": "container:other"},
    {"CpusetCpus": "0"},
    {"SomethingNew": "x"},
]
REST = [
    {"Hostname": "other"},
    {"Domainname": "evil.example"},
    {"Tty": True},
    {"OpenStdin": True},
    {"StopSignal": "SIGKILL"},
    {"StopTimeout": 0},
    {"MacAddress": "02:42:00:00:00:01"},
    {"NetworkDisabled": True},
    {"Env": ["PGDATA=/other", "A=$B"]},
    {"Env": ["PGDATA=/v/x"]},
    {"Env": ["PGDATA=/v/x", "A=$B", "A=C"]},
    {"Env": ["PGDATA=/v/x", "A=$B", "LD_PRELOAD=/v/x"]},
    {"Env": ["PGDATA=/v/x", "A=$B", "PATH=/v"]},
]


def described(name: str) -> dict[str, Any]:
    return {"image": "tiny", "healthcheck": HEALTH, **SERVICES[name]}


def documents(version: str, *names: str) -> list[dict[str, Any]]:
    stack = {**STACK, "engine_version": version}
    image = {"Id": RECORDED[version]["image"], "Config": {}}
    return [
        service_declarations(
            compose_project(made, stack), image, "dev", list(made.get("protected", {})), made.get("exec", ())
        )
        for name in names or SERVICES
        for made in [described(name)]
    ]


def declared(version: str, *names: str) -> Declarations:
    networks = network_declarations([{"name": name} for name in ("data", "app", "search", "edge")], "ledger-dev")
    return join_documents([parse_declarations(json.dumps(one)) for one in (*documents(version, *names), networks)])


def host(version: str) -> FakeLookups:
    protected = ("db_data", "media", "caddy_data", "backups")
    volumes = {
        f"ledger_dev_{name}": Volume(f"ledger_dev_{name}", labels={"com.ledgerflow.protect": "true"})
        for name in protected
    }
    volumes["ledger_dev_scratch"] = Volume("ledger_dev_scratch")
    image = Image(RECORDED[version]["image"], (), ("sleep", "100000"))
    all_containers = [on_disk(version, name) for name in SERVICES if RECORDED[version]["services"][name]["recorded"]]
    return FakeLookups(
        volumes, all_containers, {image.id: image, "tiny": image}, networks=RECORDED[version]["networks"]
    )


def on_disk(version: str, name: str) -> Container:
    files = RECORDED[version]["services"][name]["recorded"]
    return containers.parse_engine_files(files["config.v2.json"], files["hostconfig.json"], None)


def container_name(name: str) -> str:
    return f"ledger-dev-{SERVICES[name]['name']}"


def created(
    version: str, name: str, change: Callable[[dict[str, Any]], None] = lambda _body: None, *,
    profile: str = "strict", known: FakeLookups | None = None, declarations: Declarations | None = None,
    named: str = "",
) -> Verdict:  # fmt: skip
    body = json.loads(json.dumps(RECORDED[version]["services"][name]["request"]))
    change(body)
    policy = Policy(declarations or declared(version), profile)
    asked = request("POST", f"/v1.41/containers/create?name={named or container_name(name)}", body)
    return decide(asked, policy, known or host(version))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_service_is_created_as_compose_asks_for_it(version: str, name: str, profile: str) -> None:
    assert created(version, name, profile=profile) == Verdict(True)


@pytest.mark.parametrize("name", SERVICES)
def test_compose_may_make_it_beside_the_one_that_it_replaces(name: str) -> None:
    assert created("26.1", name, named=f"0123456789ab_{container_name(name)}") == Verdict(True)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", [name for name in SERVICES if name != "step"])
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_started_as_the_engine_recorded_it(version: str, name: str, profile: str) -> None:
    context = Context(Policy(declared(version), profile), host(version))
    ownership.check_container(on_disk(version, name), context, to_be_created=False)


def test_older_engines_connect_it_to_one_network_after_the_other() -> None:
    asked = [one for service in RECORDED["20.10"]["services"].values() for one in service["connects"]]
    assert len(asked) == 3
    for one in asked:
        found = decide(request("POST", one["uri"], one["body"]), Policy(declared("20.10"), "strict"), host("20.10"))
        assert found == Verdict(True)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_an_owner_made_anew_with_another_host_setting_is_refused(setting: dict[str, Any]) -> None:
    found = created("26.1", "postgres", lambda body: body["HostConfig"].update(setting), profile="standard")
    assert not found.allow
    assert found.reason.startswith(
        ("protected volume ledger_dev_db_data:", "host reach (standard):", "no such container", "network ")
    )


@pytest.mark.parametrize("setting", REST, ids=str)
def test_an_owner_made_anew_with_another_configuration_is_refused(setting: dict[str, Any]) -> None:
    found = created("26.1", "postgres", lambda body: body.update(setting), profile="standard")
    assert not found.allow
    assert found.reason.startswith(("protected volume ledger_dev_db_data:", "network "))


@pytest.mark.parametrize(
    "setting", [{"ShmSize": 0}, {"LogConfig": {"Type": ""}}, {"IpcMode": "private"}, {"CgroupnsMode": "host"},
                {"Runtime": "runc"}, {"OomKillDisable": None}, {"MemorySwappiness": -1}, {"Isolation": "default"}],
    ids=str,
)  # fmt: skip
def test_what_is_the_engines_own_choice_may_be_left_to_it_or_named(setting: dict[str, Any]) -> None:
    assert created("26.1", "postgres", lambda body: body["HostConfig"].update(setting)) == Verdict(True)


def test_what_the_kernel_cannot_limit_is_missing_from_the_record_and_no_fault() -> None:
    made = on_disk("26.1", "postgres")
    context = Context(Policy(declared("26.1"), "strict"), host("26.1"))
    weaker = {**made.host, "memoryswap": -1, "pidslimit": None}
    ownership.check_container(replace(made, host=weaker), context, to_be_created=False)
    for key in ("capdrop", "readonlyrootfs", "restartpolicy", "tmpfs", "securityopt"):
        with pytest.raises(Refusal, match=key):
            ownership.check_container(replace(made, host={**made.host, key: None}), context, to_be_created=False)
    found = created("26.1", "postgres", lambda body: body["HostConfig"].update({"PidsLimit": None}))
    assert "pidslimit" in found.reason


@pytest.mark.parametrize("target", ["/config", "/run/secrets", "/v"])
def test_an_owner_without_one_of_its_mounts_is_refused(target: str) -> None:
    def leave_out(body: dict[str, Any]) -> None:
        binds = [one for one in body["HostConfig"]["Binds"] if f":{target}:" not in one]
        mounts = [one for one in body["HostConfig"]["Mounts"] if one["Target"] != target]
        body["HostConfig"] |= {"Binds": binds, "Mounts": mounts}

    found = created("26.1", "postgres", leave_out)
    assert f"nothing is mounted at {target}" in found.reason


@pytest.mark.parametrize("running", [False, True])
def test_they_connect_the_one_that_replaces_another_before_it_has_its_name(running: bool) -> None:
    known = host("20.10")
    for place, made in enumerate(known.all_containers):
        known.all_containers[place] = replace(made, name=f"0123456789ab_{made.name}", running=running)
    for service in RECORDED["20.10"]["services"].values():
        for one in service["connects"]:
            asked = request("POST", one["uri"], one["body"])
            assert decide(asked, Policy(declared("20.10"), "strict"), known).allow is not running


def test_no_time_to_stop_is_another_than_none_given() -> None:
    """The service that declares none: killed at once, it is another."""
    declarations = declared("26.1")
    grants = {
        name: replace(one, grants=tuple(replace(g, config={}) for g in one.grants))
        for name, one in declarations.volumes.items()
    }
    bare = replace(declarations, volumes=grants)

    def made(seconds: int | None) -> bool:
        change = lambda body: body.update({"StopTimeout": seconds, "Hostname": "", "StopSignal": ""})  # noqa: E731
        return created("26.1", "postgres", change, declarations=bare).allow

    assert (made(None), made(0), made(1)) == (True, False, False)


# --- names in our networks --------------------------------------------------------------------------------------------


def aliased(*names: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        for one in body["NetworkingConfig"]["EndpointsConfig"].values():
            one["Aliases"] = [*one["Aliases"], *names]

    return change


@pytest.mark.parametrize("name", ["postgres", "redis-cache"])
def test_a_service_of_the_stack_takes_no_name_that_is_not_its_own(name: str) -> None:
    assert created("26.1", name, aliased("ledger-dev-caddy")).allow is False
    assert created("26.1", name, aliased(SERVICES[name]["name"])).allow


@pytest.mark.parametrize("change", [
    {"Cmd": ["sh"]}, {"User": "0:0"}, {"Image": "other"}, {"Env": ["A=1"]}, {"Entrypoint": ["sh"]}, {"Hostname": "x"},
])  # fmt: skip
def test_a_member_made_anew_as_another_is_refused_its_network(change: dict[str, Any]) -> None:
    found = created("26.1", "redis-cache", lambda body: body.update(change), profile="standard")
    assert found.reason.startswith("network ledger-dev-data: container ledger-dev-redis-cache is not as declared")


def foreign(network: str, *aliases: str) -> dict[str, Any]:
    return {
        "Image": "tiny",
        "HostConfig": {"NetworkMode": network},
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": list(aliases)}}},
    }


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("by_id", [False, True])
def test_a_foreign_container_does_not_join_a_stacks_network(by_id: bool, profile: str) -> None:
    known = host("26.1")
    network = (
        next(key for key, name in known.networks.items() if name == "ledger-dev-data")[:12]
        if by_id
        else "ledger-dev-data"
    )
    body = foreign(network, "redis-cache")
    found = decide(request("POST", "/containers/create?name=evil", body), Policy(declared("26.1"), profile), known)
    assert found.reason == "network ledger-dev-data: it is a protected stack's, and this container is none of its own"
    assert found.safe.endswith("ledgerguard allow evil tiny 'network ledger-dev-data'")
    elsewhere = request("POST", "/containers/create?name=evil", foreign("theirs", "redis-cache"))
    assert decide(elsewhere, Policy(declared("26.1"), profile), known).allow


@pytest.mark.parametrize("way", ["connect", "shared", "renamed", "only the second network"])
def test_nor_does_it_by_another_way(way: str) -> None:
    known, policy = host("26.1"), Policy(declared("26.1"), "standard")
    known.all_containers.append(Container("evil", "i", (), (), "", (), "", (), (), {}, id="e" * 64))
    both = {"NetworkingConfig": {"EndpointsConfig": {"theirs": {}, "ledger-dev-edge": {}}}}
    asked = {
        "connect": request("POST", "/networks/ledger-dev-edge/connect", {"Container": "evil"}),
        "shared": request(
            "POST",
            "/containers/create?name=x",
            {"Image": "tiny", "HostConfig": {"NetworkMode": "container:ledger-dev-postgres"}},
        ),
        "renamed": request("POST", "/containers/evil/rename?name=ledger-dev-redis-cache"),
        "only the second network": request("POST", "/containers/create?name=x", {"Image": "tiny", **both}),
    }[way]
    assert not decide(asked, policy, known).allow


def test_a_reverse_proxy_that_root_let_join_joins_under_names_of_its_own_and_by_its_image_alone() -> None:
    allowed = {"container": "traefik", "images": [RECORDED["26.1"]["image"]], "things": ["network ledger-dev-edge"]}
    known, document = host("26.1"), {"schema": 2, "volumes": {}, "exceptions": [allowed]}
    policy = Policy(join_documents([declared("26.1"), parse_declarations(json.dumps(document))]), "strict")

    def may(name: str, network: str, *aliases: str, image: str = "tiny") -> bool:
        body = {**foreign(network, *aliases), "Image": image}
        return decide(request("POST", f"/containers/create?name={name}", body), policy, known).allow

    assert may("traefik", "ledger-dev-edge", "proxy")
    assert not may("traefik", "ledger-dev-edge", "caddy")
    assert not may("traefik", "ledger-dev-data")
    assert not may("other", "ledger-dev-edge")
    assert not may("traefik", "ledger-dev-edge", image="other")


def test_an_owner_is_connected_to_no_network_that_is_not_its_own() -> None:
    def may(network: str, **endpoint: Any) -> bool:
        body = {"Container": "ledger-dev-postgres", "EndpointConfig": endpoint}
        asked = request("POST", f"/networks/{network}/connect", body)
        return decide(asked, Policy(declared("26.1"), "standard"), host("26.1")).allow

    assert may("ledger-dev-data", Aliases=["postgres"])
    assert not may("ledger-dev-data", Aliases=["ledger-dev-redis-cache"])
    assert not may("ledger-dev-data", IPAMConfig={"IPv4Address": "172.18.0.9"})
    assert not may("theirs")


# --- over time --------------------------------------------------------------------------------------------------------


def schema_1(version: str) -> Declarations:
    """What a deploy of before wrote of the same services."""
    return join_documents([parse_declarations(json.dumps(as_schema_1(one))) for one in documents(version)])


def as_schema_1(document: dict[str, Any]) -> dict[str, Any]:
    volumes = {
        name: {**volume, "grants": [_undescribed(grant) for grant in volume["grants"]]}
        for name, volume in document["volumes"].items()
    }
    return {"schema": 1, "volumes": volumes}


def _undescribed(grant: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in grant.items() if key not in ("host", "config", "values", "networks")}


@pytest.mark.parametrize("name", SERVICES)
def test_what_was_declared_before_goes_on_as_it_did_until_its_deploy(name: str) -> None:
    old = schema_1("26.1")
    half = merge_into(old, join_documents([parse_declarations(json.dumps(one)) for one in documents("26.1", "caddy")]))
    for declarations in (old, half):
        assert created("26.1", name, declarations=declarations) == Verdict(True)
        if name != "step":
            ownership.check_container(
                on_disk("26.1", name), Context(Policy(declarations, "strict"), host("26.1")), to_be_created=False
            )


def test_after_the_deploy_the_version_before_may_come_back_as_it_was_and_not_otherwise() -> None:
    known = host("26.1")
    before, after = "sha256:" + "0" * 64, RECORDED["26.1"]["image"]
    known.images[before] = known.images["before"] = replace(known.images["tiny"], id=before)
    text = json.dumps([json.loads(json.dumps(one).replace(after, before)) for one in documents("26.1")])
    old = [as_schema_1(one) for one in json.loads(text)]
    declarations = merge_into(join_documents([parse_declarations(json.dumps(one)) for one in old]), declared("26.1"))
    assert created("26.1", "postgres", declarations=declarations, known=known).allow
    assert created("26.1", "postgres", lambda b: b.update(Image="before"), declarations=declarations, known=known).allow

    def planted(body: dict[str, Any]) -> None:
        body["Image"] = "before"
        body["HostConfig"]["ExtraHosts"] = ["a:10.0.0.1"]

    found = created("26.1", "postgres", planted, declarations=declarations, known=known)
    assert "extrahosts" in found.reason


def test_a_rollback_to_another_description_is_allowed_five_versions_long() -> None:
    declarations = Declarations()
    for memory in range(300, 307):
        one = {**described("postgres"), "memory_mb": memory}
        image = {"Id": RECORDED["26.1"]["image"], "Config": {}}
        made = service_declarations(compose_project(one, STACK), image, "dev", ["db_data"])
        declarations = merge_into(declarations, parse_declarations(json.dumps(made)))

    def may(memory: int) -> bool:
        limits = {"Memory": memory << 20, "MemorySwap": memory << 20}
        change = lambda body: body["HostConfig"].update(limits)  # noqa: E731
        return created("26.1", "postgres", change, declarations=declarations).allow

    assert [memory for memory in range(299, 308) if may(memory)] == [302, 303, 304, 305, 306]


def test_no_value_of_an_environment_stands_in_a_declaration() -> None:
    made = {**described("app"), "environment": {"DATABASE_URL": "postgresql://app:hunter2@db/ledger"}}
    text = json.dumps(service_declarations(compose_project(made, STACK), {"Id": "x", "Config": {}}, "dev", ["media"]))
    assert "hunter2" not in text
    assert "DATABASE_URL" in text


def test_volumes_and_networks_are_written_by_the_same_schema() -> None:
    assert volume_declarations([], "dev", "strict")["schema"] == network_declarations([], "x")["schema"] == 2


def test_a_refusal_of_a_member_names_no_volume() -> None:
    with pytest.raises(Refusal) as raised:
        made = replace(on_disk("26.1", "redis-cache"), user="0:0")
        ownership.check_container(made, Context(Policy(declared("26.1")), host("26.1")), to_be_created=False)
    assert raised.value.verdict.volumes == ()
