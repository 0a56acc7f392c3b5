"""The classes of ways around the owner's side, each with what is allowed beside it, decided without an engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ledgerguard.api.request import Request
from ledgerguard.declarations.model import Allowance, Declarations, DeclaredVolume, Grant, OtherMount, Pattern
from ledgerguard.model import PROTECT, Container, Exec, Mount, Volume
from ledgerguard.refusal import Verdict
from ledgerguard.rules import exec_patterns
from ledgerguard.rules.decision import decide
from ledgerguard.rules.host_config import MASKED_PATHS
from ledgerguard.rules.policy import Policy
from tests.unit.ledgerguard.fakes import (
    CONFIG,
    DECLARED,
    DEVICE,
    GRANT,
    IMAGE,
    OTHER_IMAGE,
    OWNER,
    OWNER_ID,
    TARGET,
    VOLUME,
    FakeLookups,
    container,
    host,
    mount,
    policy,
    request,
)

BOTH, STANDARD_ONLY, NEITHER = (True, True), (True, False), (False, False)


def verdicts(asked: Request, known: FakeLookups, declarations: Declarations | None = None) -> tuple[bool, bool]:
    """Whether it is allowed in *standard* and in *strict*."""
    return tuple(  # type: ignore[return-value]
        decide(asked, replace(made, declarations=declarations) if declarations else made, known).allow
        for made in (policy("standard"), policy("strict"))
    )


def create(host_config: dict[str, Any], name: str = "x", **config: Any) -> Request:
    body = {"Image": "alpine", "HostConfig": host_config, **config}
    return request("POST", f"/containers/create?name={name}", body)


# --- commands inside ------------------------------------------------------------------------------------------------


def granting(*patterns: Pattern) -> Declarations:
    return Declarations({VOLUME: replace(DECLARED, grants=(replace(GRANT, exec=patterns),))})


@pytest.mark.parametrize(
    ("asked", "granted", "allowed"),
    [
        ({}, {}, True),
        ({"Tty": True}, {}, False),
        ({"Tty": True}, {"tty": True}, True),
        ({"ConsoleSize": [24, 80]}, {}, False),
        ({"ConsoleSize": [24, 80]}, {"tty": True}, True),
        ({"ConsoleSize": [0, 0]}, {}, True),
        ({"AttachStdin": True}, {}, False),
        ({"AttachStdin": True}, {"input": True}, True),
        ({"AttachStdin": True}, {"tty": True}, False),
        ({"Tty": True}, {"input": True}, False),
        ({"Env": ["PAGER=sh"]}, {}, False),
        ({"Env": ["PAGER=sh"]}, {"environment": ("PAGER",)}, True),
        ({"SomethingNew": True}, {}, False),
        ({"DetachKeys": "a", "AttachStdout": True, "Detach": True}, {}, True),
    ],
    ids=str,
)
def test_a_terminal_input_and_variables_are_part_of_a_commands_grant(
    asked: dict[str, Any], granted: dict[str, Any], allowed: bool
) -> None:
    exec_ = request("POST", f"/containers/{GRANT.container}/exec", {"Cmd": ["pg_isready"], **asked})
    declarations = granting(Pattern(("pg_isready",), **granted))
    assert verdicts(exec_, host(), declarations) == (allowed, allowed)


@pytest.mark.parametrize("changed", [{"tty": True}, {"input": True}, {"privileged": True}, {"argv": ("sh",)}])
def test_what_the_engine_says_it_will_run_is_judged_again_at_its_start(changed: dict[str, Any]) -> None:
    known = host()
    start = request("POST", "/exec/e9/start", {"Detach": True})
    known.execs["e9"] = Exec(OWNER_ID, ("pg_isready",))
    assert verdicts(start, known) == BOTH
    known.execs["e9"] = replace(known.execs["e9"], **changed)
    assert verdicts(start, known) == NEITHER


def test_each_command_that_starts_in_an_owner_is_told_to_the_audit_and_none_elsewhere() -> None:
    told = decide(request("POST", "/exec/e1/start", {}), policy(), host())
    assert told == Verdict(True, f"'pg_isready' as 5432:5432 in {GRANT.container}", volumes=(VOLUME,), operation="exec")
    assert decide(request("POST", "/exec/e3/start", {}), policy(), host()) == Verdict(True)


@pytest.mark.parametrize(
    ("word", "fits"),
    {"ledger": True, "a.b-c_1": True, "_x": True, "": False, "-h": False, "host=x": False, "a b": False,
     "postgresql://x": False, "a:b": False, "a/b": False, "ledger\n": False}.items(),
)  # fmt: skip
def test_a_name_is_a_name_and_no_server(word: str, fits: bool) -> None:
    assert exec_patterns.words_match(("psql", word), ("psql", "{name}")) is fits


def test_the_commands_are_those_of_the_version_that_runs() -> None:
    older = replace(GRANT, images=(OTHER_IMAGE,), exec=(Pattern(("sh",)),))
    declarations = Declarations({VOLUME: replace(DECLARED, grants=(GRANT, older))})
    shell = request("POST", f"/containers/{GRANT.container}/exec", {"Cmd": ["sh"]})
    assert verdicts(shell, host(), declarations) == NEITHER
    known = host()
    known.all_containers[0] = replace(OWNER, image=OTHER_IMAGE)
    known.images[OTHER_IMAGE] = replace(known.images[IMAGE], id=OTHER_IMAGE)
    assert verdicts(shell, known, declarations) == BOTH


# --- two containers and a restart policy ----------------------------------------------------------------------------


def bound(name: str, *binds: str, restart: str = "") -> Container:
    mounts = tuple(mount(one.split(":")[0], one.split(":")[1], read_only=one.endswith(":ro")) for one in binds)
    settings = {"restartpolicy": {"Name": restart}} if restart else {}
    return container((name * 64)[:64], name, *mounts, host=settings)


@pytest.mark.parametrize(
    ("there", "asked", "allowed"),
    [
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/y"], "RestartPolicy": {"Name": "always"}}, NEITHER),
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/y"], "RestartPolicy": {"Name": "unless-stopped"}}, NEITHER),
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/y:ro"], "RestartPolicy": {"Name": "on-failure"}}, STANDARD_ONLY),
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/x/d"], "RestartPolicy": {"Name": "always"}}, NEITHER),
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/y"]}, BOTH),
        (["/srv/w:/x"], {"Binds": ["/srv/w/d:/y"], "RestartPolicy": {"Name": "no"}}, BOTH),
        (["/srv/w:/x:ro"], {"Binds": ["/srv/w/d:/y"], "RestartPolicy": {"Name": "always"}}, BOTH),
        (["/srv/w:/x"], {"Binds": ["/srv/w:/y"], "RestartPolicy": {"Name": "always"}}, BOTH),
        (["/srv/w/d:/x"], {"Binds": ["/srv/w/d2:/y"], "RestartPolicy": {"Name": "always"}}, BOTH),
        (["/srv/w/d:/x"], {"Binds": ["/srv/w:/y"], "RestartPolicy": {"Name": "always"}}, BOTH),
        ([], {"Binds": ["/srv/w:/x", "/srv/w/d:/y"], "RestartPolicy": {"Name": "always"}}, NEITHER),
        ([], {"Binds": ["/srv/w:/x", "/srv/w/d:/x/d"], "RestartPolicy": {"Name": "always"}}, BOTH),
        ([], {"Binds": ["/srv/w:/x", "/srv/w/d:/x/e"], "RestartPolicy": {"Name": "always"}}, NEITHER),
        ([], {"Binds": ["/srv/w:/x", "/etc/localtime:/y"], "RestartPolicy": {"Name": "always"}}, BOTH),
    ],
    ids=str,
)
def test_no_link_can_be_put_where_a_restart_policy_mounts(
    there: list[str], asked: dict[str, Any], allowed: tuple[bool, bool]
) -> None:
    known = host()
    known.all_containers.append(bound("other", *there))
    assert verdicts(create(asked), known) == allowed


@pytest.mark.parametrize(("restart", "allowed"), [("always", NEITHER), ("no", BOTH), ("", BOTH)])
def test_nor_by_the_one_that_comes_second(restart: str, allowed: tuple[bool, bool]) -> None:
    known = host()
    known.all_containers.append(bound("follows", "/srv/w/d:/y", restart=restart))
    assert verdicts(create({"Binds": ["/srv/w:/x"]}), known) == allowed


def test_nor_where_the_directory_has_another_name_or_the_policy_comes_later() -> None:
    known = replace(host(), links={"/srv/link": "/srv/w/d"}, mounted_again={"/mnt/w": "/srv/w"})
    known.all_containers += [bound("swaps", "/mnt/w:/x"), bound("follows", "/srv/w/d:/y")]
    always = {"RestartPolicy": {"Name": "always"}}
    assert verdicts(create({"Binds": ["/srv/link:/y"], **always}), known) == NEITHER
    assert verdicts(request("POST", "/containers/follows/update", always), known) == NEITHER
    assert verdicts(request("POST", "/containers/follows/update", {"RestartPolicy": {"Name": ""}}), known) == BOTH
    assert verdicts(request("POST", "/containers/follows/update", {"Memory": 1}), known) == BOTH


def test_a_volume_that_is_a_directory_of_the_host_is_followed_too() -> None:
    known = host()
    known.volumes_by_name["bound"] = Volume("bound", options={"type": "none", "o": "bind", "device": "/srv/w/d"})
    known.all_containers.append(bound("swaps", "/srv/w:/x"))
    assert verdicts(create({"Binds": ["bound:/y"], "RestartPolicy": {"Name": "always"}}), known)[0] is False


# --- file systems by their type -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "read_only", "written"),
    [
        ("proc", NEITHER, NEITHER),
        ("devpts", STANDARD_ONLY, NEITHER),
        ("devtmpfs", STANDARD_ONLY, NEITHER),
        ("sysfs", BOTH, NEITHER),
        ("cgroup2", BOTH, NEITHER),
        ("debugfs", BOTH, NEITHER),
        ("tmpfs", BOTH, BOTH),
        ("ext4", BOTH, BOTH),
        ("nfs4", BOTH, BOTH),
    ],
)
def test_a_file_system_of_the_kernels_is_one_wherever_it_is_mounted(
    kind: str, read_only: tuple[bool, bool], written: tuple[bool, bool]
) -> None:
    known = replace(host(), kinds={"/srv/chroot/x": kind})
    for path in ("/srv/chroot", "/srv/chroot/x", "/srv/chroot/x/y"):
        assert verdicts(create({"Binds": [f"{path}:/x:ro"]}), known) == read_only
        assert verdicts(create({"Binds": [f"{path}:/x"]}), known) == written
    assert verdicts(create({"Binds": ["/srv/other:/x"]}), known) == BOTH


def test_what_is_not_mounted_along_is_not_reached() -> None:
    known = replace(host(), kinds={"/srv/chroot/proc": "proc"})
    bind = {"Type": "bind", "Source": "/srv/chroot", "Target": "/x", "ReadOnly": True}
    assert verdicts(create({"Mounts": [{**bind, "BindOptions": {"NonRecursive": True}}]}), known) == BOTH
    assert verdicts(create({"Mounts": [bind]}), known) == NEITHER


def test_of_the_whole_host_nothing_is_promised_in_standard_where_it_may_be_read() -> None:
    known = replace(host(), kinds={"/srv/chroot/proc": "proc"})
    assert verdicts(create({"Binds": ["/:/x:ro"]}), known) == STANDARD_ONLY


# --- what is not there ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (f"{DEVICE}/data/standby.signal", NEITHER),
        (f"{DEVICE}", NEITHER),
        (f"/var/lib/docker/volumes/{VOLUME}/_data/x", NEITHER),
        (f"{CONFIG}/initdb-token", NEITHER),
        ("/etc/nologin", NEITHER),
        ("/run/nologin", NEITHER),
        ("/srv/other/new", BOTH),
        ("/srv/ledger/dev/other", BOTH),
        ("/etc/timezone", BOTH),
        ("/run/user/1000/new", STANDARD_ONLY),
    ],
)
def test_nothing_is_made_by_the_engine_where_something_depends_on_its_absence(
    path: str, allowed: tuple[bool, bool]
) -> None:
    for place in ("Binds", "start"):
        known = replace(host(), missing=(path,))
        asked = create({"Binds": [f"{path}:/x:ro"]})
        if place == "start":
            known.all_containers.append(container("8" * 64, "made", mount(path, read_only=True)))
            asked = request("POST", "/containers/made/start")
        assert verdicts(asked, known) == allowed


def test_nor_through_a_link_or_a_second_place() -> None:
    known = replace(host(), missing=("/home/dev/link/new", "/mnt/again/new"), links={"/home/dev/link": DEVICE},
                    mounted_again={"/mnt/again": DEVICE})  # fmt: skip
    for path in known.missing:
        assert verdicts(create({"Binds": [f"{path}:/x:ro"]}), known) == NEITHER


def test_a_privileged_container_makes_nothing_in_protected_data_either() -> None:
    known = replace(host(), missing=(f"{DEVICE}/new", "/etc/new"))
    assert verdicts(create({"Privileged": True, "Binds": [f"{DEVICE}/new:/x:ro"]}), known)[0] is False
    assert verdicts(create({"Privileged": True, "Binds": ["/etc/new:/x:ro"]}), known)[0] is True


# --- exceptions, and the engine's runtimes --------------------------------------------------------------------------


def excepted(*things: str, image: str = OTHER_IMAGE) -> Declarations:
    return replace(policy().declarations, exceptions=(Allowance("tool", (image,), things),))


THINGS = {
    "bind / ro,propagates": {"Binds": ["/:/host:ro,rslave"]},
    "pid mode host": {"PidMode": "host"},
    "capability SYS_MODULE": {"CapAdd": ["SYS_MODULE"]},
    "bind /etc/letsencrypt rw": {"Binds": ["/etc/letsencrypt:/x"]},
    "DeviceCgroupRules [c 189:* rmw]": {"DeviceCgroupRules": ["c 189:* rmw"]},
    "device /dev/vda": {"Devices": [{"PathOnHost": "/dev/vda"}]},
    "/srv/w/d in /srv/w": {"Binds": ["/srv/w:/x", "/srv/w/d:/y"], "RestartPolicy": {"Name": "always"}},
    "bind /proc ro": {"Binds": ["/proc:/host/proc:ro"]},
}


@pytest.mark.parametrize(("thing", "setting"), THINGS.items(), ids=list(THINGS))
def test_root_lets_one_container_of_one_image_have_one_thing(thing: str, setting: dict[str, Any]) -> None:
    asked = create(setting, "tool")
    refused = decide(asked, policy(), host())
    assert refused.line.endswith(f"ledgerguard allow tool alpine '{thing}'")
    assert verdicts(asked, host(), excepted(thing)) == BOTH
    assert verdicts(create(setting, "other"), host(), excepted(thing)) == NEITHER
    assert verdicts(asked, host(), excepted(thing, image=IMAGE)) == NEITHER
    assert verdicts(asked, host(), excepted("something else")) == NEITHER


def test_an_exception_is_for_one_thing_and_not_for_the_next() -> None:
    two = create({"PidMode": "host", "CapAdd": ["SYS_MODULE"]}, "tool")
    assert verdicts(two, host(), excepted("pid mode host")) == NEITHER
    assert verdicts(two, host(), excepted("pid mode host", "capability SYS_MODULE")) == BOTH
    read_only = excepted("bind / ro,propagates")
    assert verdicts(create({"Binds": ["/:/host:rslave"]}, "tool"), host(), read_only) == NEITHER


@pytest.mark.parametrize(("name", "image", "allowed"), [
    ("tool", OTHER_IMAGE, BOTH), ("other", OTHER_IMAGE, NEITHER), ("tool", IMAGE, NEITHER),
])  # fmt: skip
def test_an_exception_is_asked_for_again_at_each_start(name: str, image: str, allowed: tuple[bool, bool]) -> None:
    known = host()
    known.all_containers.append(container("8" * 64, name, host={"pidmode": "host"}, image=image))
    assert verdicts(request("POST", f"/containers/{name}/start"), known, excepted("pid mode host")) == allowed


def test_of_several_of_one_kind_each_has_to_be_allowed() -> None:
    several: list[tuple[dict[str, Any], str, str]] = [
        ({"CapAdd": ["BPF", "SYS_MODULE"]}, "capability BPF", "capability SYS_MODULE"),
        ({"Devices": [{"PathOnHost": "/dev/a"}, {"PathOnHost": "/dev/b"}]}, "device /dev/a", "device /dev/b"),
        ({"SecurityOpt": ["a=b", "c=d"]}, "security option a=b", "security option c=d"),
        ({"Tmpfs": {"/a": "bind", "/b": "remount"}}, "tmpfs option bind", "tmpfs option remount"),
    ]
    for setting, first, second in several:
        asked = create(setting, "tool")
        assert verdicts(asked, host(), excepted(first)) == NEITHER
        assert verdicts(asked, host(), excepted(second)) == NEITHER
        assert verdicts(asked, host(), excepted(first, second)) == BOTH


def test_what_is_allowed_is_the_whole_value() -> None:
    rules = {"DeviceCgroupRules": ["c 189:* rmw", "b *:* rwm"]}
    assert verdicts(create(rules, "tool"), host(), excepted("DeviceCgroupRules [c 189:* rmw]")) == NEITHER
    paths = ["/proc/acpi", "/proc/kcore"]
    left = [one for one in sorted(MASKED_PATHS) if one != "/proc/acpi"]
    open_ = excepted("MaskedPaths leaves /proc/acpi open")
    assert verdicts(create({"MaskedPaths": left}, "tool"), host(), open_) == BOTH
    assert (
        verdicts(create({"MaskedPaths": [one for one in left if one not in paths]}, "tool"), host(), open_) == NEITHER
    )
    long = "x" * 70
    assert verdicts(create({"Cgroup": long + "evil"}, "tool"), host(), excepted(f"Cgroup {long}")) == NEITHER


def test_an_exception_does_not_make_an_owner() -> None:
    declarations = excepted(f"volume {VOLUME} rw")
    assert verdicts(create({"Binds": [f"{VOLUME}:/x"]}, "tool"), host(), declarations) == NEITHER
    for path in (DEVICE, "/srv"):
        bind = create({"Binds": [f"{path}:/x"]}, "tool")
        assert verdicts(bind, host(), excepted(f"bind {path} rw")) == NEITHER
        assert "ledgerguard allow" not in decide(bind, policy(), host()).line


@pytest.mark.parametrize(
    ("runtime", "known_runtimes", "allowed"),
    [
        ("nvidia", ("nvidia", "runc"), BOTH),
        ("nvidia", ("runc", "nvidia"), STANDARD_ONLY),
        ("nvidia", ("runc",), NEITHER),
        ("/tmp/evil", ("runc", "nvidia"), NEITHER),
        ("runc", ("nvidia",), BOTH),
    ],
)
def test_a_runtime_is_one_that_root_has_set_up(
    runtime: str, known_runtimes: tuple[str, ...], allowed: tuple[bool, bool]
) -> None:
    known = replace(host(), known_runtimes=known_runtimes)
    assert verdicts(create({"Runtime": runtime}), known) == allowed


# --- repeated parameters --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "uri", "allowed"),
    [
        ("POST", "/commit?container=x&changes=ENV+A=1&changes=ENV+B=2", True),
        ("POST", "/images/create?fromSrc=-&changes=ENV+A=1&changes=ENV+B=2", True),
        ("POST", "/build?t=a&t=b", True),
        ("POST", "/build?networkmode=host&networkmode=none", False),
        ("POST", "/images/create?fromSrc=-&fromSrc=x", False),
        ("POST", "/commit?t=a&t=b", False),
        ("POST", "/containers/create?name=a&name=b", False),
        ("DELETE", "/containers/plain?v=0&v=1", False),
    ],
)
def test_a_parameter_is_repeated_only_where_the_engine_reads_a_list(method: str, uri: str, allowed: bool) -> None:
    asked = request(method, uri, {"Image": "alpine"} if "create?name" in uri else None)
    assert verdicts(asked, host()) == (allowed, allowed)


# --- links, devices and modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/etc", "/run/docker", "/root", "/srv/ledger/dev/db_data", "/usr/bin"])
@pytest.mark.parametrize("link", ["/run/user/1000/x", "/var/run/user/1000/x"])
def test_a_link_in_a_persons_own_directory_leads_no_further(link: str, target: str) -> None:
    known = replace(host(), links={link: target})
    assert verdicts(create({"Binds": [f"{link}:/x"]}), known) == NEITHER


def test_a_link_into_a_persons_own_directory_is_not_known_to_be_theirs() -> None:
    known = replace(host(), links={"/home/dev/sock": "/run/user/1000/sock"})
    assert verdicts(create({"Binds": ["/home/dev/sock:/x"]}), known) == NEITHER
    assert verdicts(create({"Binds": ["/run/user/1000/sock:/x"]}), known) == STANDARD_ONLY
    assert verdicts(create({"Binds": ["/run/user/1000:/x"]}), known) == NEITHER
    assert verdicts(create({"Binds": ["/run/user/x/sock:/x"]}), known) == NEITHER


@pytest.mark.parametrize(
    ("path", "allowed"),
    {"/dev/dri/card0": STANDARD_ONLY, "/dev/bus/usb/001/002": STANDARD_ONLY, "/dev/snd": STANDARD_ONLY,
     "/dev/dri/../vda": NEITHER, "/dev//vda": NEITHER, "/dev/dri/./card0": NEITHER, "/dev/fuse/../vda": NEITHER,
     "/dev/nvidia0": STANDARD_ONLY, "/dev/nvidia0/../vda": NEITHER, "/dev/video0": STANDARD_ONLY, "/dev/video": NEITHER,
     "/dev/snd\n": NEITHER, "dev/fuse": NEITHER, "/dev": NEITHER, "/dev/bus": NEITHER, "/dev/mapper/x": NEITHER,
     "/dev/disk/by-id/x": NEITHER, "/dev/mem": NEITHER, "/dev/net/tun": STANDARD_ONLY}.items(),
)  # fmt: skip
def test_devices_are_those_that_are_no_disk_by_their_own_path(path: str, allowed: tuple[bool, bool]) -> None:
    known = host()
    assert verdicts(create({"Devices": [{"PathOnHost": path, "PathInContainer": "/dev/x"}]}), known) == allowed


@pytest.mark.parametrize(
    ("mode", "allowed"),
    {"ro,z": NEITHER, "ro,Z": NEITHER, "ro,shared": NEITHER, "ro,rslave": NEITHER, "ro,private": BOTH,
     "ro,rprivate": BOTH,
     "ro,cached": BOTH, "ro,nocopy": BOTH, "ro,delegated": BOTH, "rw": NEITHER, "": NEITHER, "RO": NEITHER}.items(),
)  # fmt: skip
def test_a_reader_of_protected_data_is_one_by_every_word_of_its_mode(mode: str, allowed: tuple[bool, bool]) -> None:
    assert verdicts(create({"Binds": [f"{DEVICE}:/x:{mode}"]}), host()) == allowed


def test_processes_are_shared_with_others_in_standard_alone() -> None:
    assert verdicts(create({"PidMode": "container:plain"}), host()) == STANDARD_ONLY
    assert verdicts(create({"PidMode": "container:reader"}), host()) == NEITHER


@pytest.mark.parametrize("key", ["PidMode", "IpcMode"])
def test_and_with_an_owner_never(key: str) -> None:
    assert verdicts(create({key: f"container:{GRANT.container}"}), host()) == NEITHER


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"target": "/elsewhere"}, "target"),
        ({"read_only": True}, "granted read-only"),
        ({"working_dir": "/x"}, "working directory"),
        ({"healthcheck": ("CMD", "x")}, "health check"),
        ({"command": ("x",)}, "command"),
        ({"environment": ()}, "environment PGDATA is not granted"),
        ({"mounts": ()}, f"mount {CONFIG} at /config is not granted"),
    ],
)
def test_an_owner_differs_in_nothing_from_its_grant(change: dict[str, Any], fault: str) -> None:
    start = request("POST", f"/containers/{GRANT.container}/start")
    grant: Grant = replace(GRANT, **change)
    declared = Declarations({VOLUME: replace(DECLARED, grants=(grant,))})
    assert fault in decide(start, Policy(declared), host()).reason
    assert decide(start, policy(), host()).allow


def test_declared_volumes_of_nobody_have_no_owner() -> None:
    declared = Declarations({VOLUME: DeclaredVolume(VOLUME, "dev")})
    start = request("POST", f"/containers/{GRANT.container}/start")
    assert "no grant names this container" in decide(start, Policy(declared), host()).reason


@pytest.mark.parametrize(
    ("mounts", "fault"),
    [
        ((mount(VOLUME, TARGET, propagates=True), mount(CONFIG, "/config", True)), "shared propagation"),
        ((mount(VOLUME, TARGET, unsupported="mode 'z'"), mount(CONFIG, "/config", True)), "mode 'z'"),
        (
            (mount(VOLUME, TARGET), mount(CONFIG, "/config")),
            "mount /etc/ledgerflow/ledger-dev/postgres/config at /config",
        ),
        ((mount(VOLUME, TARGET), mount(CONFIG, "/config", True, options={"o": "x"})), "has options of its own"),
    ],
)
def test_nor_in_how_it_mounts(mounts: tuple[Mount, ...], fault: str) -> None:
    known = host()
    known.all_containers[0] = replace(OWNER, mounts=mounts)
    start = request("POST", f"/containers/{GRANT.container}/start")
    assert fault in decide(start, policy(), known).reason


# --- what is disposable -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "kept"), [("ci", False), ("dev", True), ("prod", True), ("CI", True), ("", True)]
)
def test_volumes_of_continuous_integration_are_disposable_unless_they_are_declared(
    environment: str, kept: bool
) -> None:
    known = host()
    labels = {PROTECT: "true", "com.ledgerflow.environment": environment}
    known.volumes_by_name["made"] = Volume("made", labels=labels)
    for asked in (request("DELETE", "/volumes/made"), create({"Binds": ["made:/x"]})):
        assert verdicts(asked, known) == (not kept, not kept)
    declared = replace(policy().declarations, volumes={"made": DeclaredVolume("made", "ci")})
    assert verdicts(request("DELETE", "/volumes/made"), known, declared) == NEITHER


def test_an_owners_configuration_is_nobodys_to_write_wherever_it_lies() -> None:
    grant = replace(GRANT, mounts=(OtherMount("/srv/conf/app", "/config", True),))
    declared = Declarations({VOLUME: replace(DECLARED, grants=(grant,))})
    for path in ("/srv/conf", "/srv/conf/app", "/srv/conf/app/start"):
        assert verdicts(create({"Binds": [f"{path}:/x"]}), host(), declared) == NEITHER
    assert verdicts(create({"Binds": ["/srv/other:/x"]}), host(), declared) == BOTH


def test_a_link_from_a_place_of_data_leads_to_no_other_place_in_strict() -> None:
    known = replace(host(), links={"/srv/link": "/opt/x"})
    assert verdicts(create({"Binds": ["/srv/link:/x"]}), known) == STANDARD_ONLY
    assert verdicts(create({"Binds": ["/opt/x:/x"]}), known) == STANDARD_ONLY


@pytest.mark.parametrize(
    ("setting", "allowed"),
    [
        ({"SecurityOpt": ["seccomp=unconfined"]}, STANDARD_ONLY),
        ({"SecurityOpt": ["apparmor=unconfined"]}, STANDARD_ONLY),
        ({"SecurityOpt": ["label=disable"]}, STANDARD_ONLY),
        ({"SecurityOpt": ["no-new-privileges"]}, BOTH),
        ({"SecurityOpt": ["apparmor=docker-default"]}, BOTH),
        ({"NetworkMode": "ns:/proc/1/ns/net"}, NEITHER),
        ({"NetworkMode": "/proc/1/ns/net"}, NEITHER),
    ],
    ids=str,
)
def test_what_opens_the_kernel_is_for_developers_alone(setting: dict[str, Any], allowed: tuple[bool, bool]) -> None:
    assert verdicts(create(setting), host()) == allowed


def test_a_reader_by_name_to_whom_later_mounts_appear_is_none() -> None:
    known = host()
    known.all_containers.append(container("8" * 64, "reads", mount(VOLUME, read_only=True, propagates=True)))
    assert verdicts(request("POST", "/containers/reads/start"), known) == NEITHER
