"""What happens to a host's guard, on hosts given as data; every refusal beside a twin that is allowed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from filter_plugins.host import FilterModule
from ledgerflow.host import guard as g
from ledgerguard.declarations.reader import parse_declarations

SHA = "a" * 64
UNIT = "/etc/systemd/system/ledgerguard.service"
SETTINGS: dict[str, Any] = {"mode": "enforce", "profile": "standard", "state_files": [], "hook": []}
FILES: list[dict[str, str]] = [
    {"path": g.PROGRAM, "mode": "0755", "sha256": SHA},
    {"path": g.SOCKET_UNIT, "mode": "0644", "content": "socket\n"},
    {"path": UNIT, "mode": "0644", "content": "service\n"},
]
BARE_FILES = [FILES[0], {"path": "/usr/local/sbin/ledgerguard-supervise", "mode": "0755", "content": "sh\n"}]
NO_UNIT = {"active": False, "enabled": False, "stale": False}
GOOD_UNIT = {"active": True, "enabled": True, "stale": False}
ENGINE = {"running": True, "version": "29.3.1", "root_dir": "/var/lib/docker", "foreign": [], "unseen": 0}
NEW: dict[str, Any] = {
    "files": {}, "systemd": True, "service": NO_UNIT, "socket": NO_UNIT, "supervisor": 0, "status": {},
    "options": [], "plugins": [], "reload_pending": False, "data_root": "", "engine": ENGINE, "python": "3.11.2",
    "asked": None, "boot": False, "flags": [],
}  # fmt: skip
COMMAND = g.guard_command(NEW, SETTINGS)
STATUS = {"mode": "enforce", "program": SHA, "arguments": COMMAND[1:]}


def there(files: list[dict[str, str]]) -> dict[str, Any]:
    return {one["path"]: {**one, "uid": 0, "gid": 0} for one in g.file_digests(files, SHA)}


GUARDED: dict[str, Any] = {
    **NEW, "files": there(FILES), "service": GOOD_UNIT, "socket": GOOD_UNIT, "status": STATUS,
    "options": COMMAND[2:], "plugins": ["other", "ledgerguard"], "asked": True,
}  # fmt: skip
BARE: dict[str, Any] = {
    **GUARDED, "systemd": False, "files": there(BARE_FILES), "service": NO_UNIT, "socket": NO_UNIT, "supervisor": 7,
    "boot": True,
}  # fmt: skip


def plan(seen: dict[str, Any], files: list[dict[str, str]] = FILES, command: list[str] = COMMAND) -> dict[str, Any]:
    """What is to be done, without what is not."""
    return {name: value for name, value in g.guard_plan(seen, files, command).items() if value}


# The plan


def test_a_guarded_host_is_left_alone() -> None:
    assert plan(GUARDED) == {"settled": True}
    assert plan(BARE, BARE_FILES) == {"settled": True}


def test_a_new_host_gets_everything_and_the_key_last() -> None:
    everything = [one["path"] for one in FILES]
    assert plan(NEW) == {
        "stale": everything, "reload_units": True, "enable": True, "socket": "start", "service": "start",
        "turn_on": True,
    }  # fmt: skip
    bare = {**NEW, "systemd": False}
    assert plan(bare, BARE_FILES) == {
        "stale": [one["path"] for one in BARE_FILES], "enable": True, "service": "start", "turn_on": True,
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"mode": "0777"}, {"uid": 1000}, {"gid": 1000}, {"sha256": "b" * 64}])
def test_a_program_that_others_could_have_changed_is_installed_anew(change: dict[str, Any]) -> None:
    files = {**GUARDED["files"], g.PROGRAM: {**GUARDED["files"][g.PROGRAM], **change}}
    assert plan({**GUARDED, "files": files}) == {"stale": [g.PROGRAM]}


@pytest.mark.parametrize("status", [{**STATUS, "program": "b" * 64}, {**STATUS, "arguments": ["serve"]}, {"mode": "x"}])
@pytest.mark.parametrize(("seen", "files"), [(GUARDED, FILES), (BARE, BARE_FILES)])
def test_what_runs_is_exchanged_where_it_is_not_what_is_installed(
    seen: dict[str, Any], files: list[dict[str, str]], status: dict[str, Any]
) -> None:
    """Also after a run that was killed between the installation and the exchange."""
    assert plan({**seen, "status": status}, files) == {"service": "restart"}


def test_a_unit_that_changed_is_read_again_but_the_socket_is_kept() -> None:
    files = {path: one for path, one in GUARDED["files"].items() if path != UNIT}
    assert plan({**GUARDED, "files": files}) == {"stale": [UNIT], "reload_units": True, "service": "restart"}
    told = {**GUARDED, "service": {**GOOD_UNIT, "stale": True}}
    assert plan(told) == {"reload_units": True, "service": "restart"}


def test_only_another_socket_unit_exchanges_the_socket() -> None:
    files = {path: one for path, one in GUARDED["files"].items() if path != g.SOCKET_UNIT}
    assert plan({**GUARDED, "files": files})["socket"] == "restart"


@pytest.mark.parametrize(
    ("seen", "files"),
    [
        ({**GUARDED, "status": {}}, FILES),
        ({**GUARDED, "service": {**GOOD_UNIT, "active": False}}, FILES),
        ({**BARE, "status": {}}, BARE_FILES),
        ({**BARE, "supervisor": 0}, BARE_FILES),
    ],
)
def test_a_guard_that_does_not_run_is_started(seen: dict[str, Any], files: list[dict[str, str]]) -> None:
    assert plan(seen, files) == {"service": "start"}


@pytest.mark.parametrize(
    "change", [{"plugins": ["other"]}, {"reload_pending": True}, {"engine": {**ENGINE, "running": False}}]
)
def test_the_engine_is_told_where_it_may_not_know(change: dict[str, Any]) -> None:
    assert plan({**GUARDED, **change}) == {"turn_on": True, "settled": True}


def test_an_engine_that_has_the_key_and_does_not_ask_is_reloaded() -> None:
    assert plan({**GUARDED, "asked": False}) == {"turn_on": True, "reload": True, "settled": True}
    # With no answer of the guard it cannot be told; one without the key is told by its configuration.
    assert "reload" not in plan({**GUARDED, "status": {}, "asked": None})
    assert plan({**GUARDED, "asked": False, "plugins": []}) == {"turn_on": True, "settled": True}


def test_without_systemd_it_is_put_among_what_starts_at_boot() -> None:
    assert plan({**BARE, "boot": False}, BARE_FILES) == {"enable": True}


# Mode and command


def test_auto_observes_only_beside_foreign_containers_that_hold_volumes() -> None:
    foreign = {**NEW, "engine": {**ENGINE, "foreign": [f"shop{number}" for number in range(7)]}}
    made = g.guard_mode(foreign, "auto")
    assert made["mode"] == "observe"
    assert "shop4, …" in made["reason"]
    assert g.guard_mode(NEW, "auto")["mode"] == "enforce"
    stopped = g.guard_mode({**NEW, "engine": {**ENGINE, "running": False, "unseen": 2}}, "auto")
    assert (stopped["mode"], "keeps 2 containers" in stopped["reason"]) == ("observe", True)
    assert g.guard_mode(foreign, "enforce")["mode"] == "enforce"


def test_observe_first_observes_wherever_nothing_enforces_yet() -> None:
    assert g.guard_mode(NEW, "observe-first")["mode"] == "observe"
    assert g.guard_mode(GUARDED, "observe-first")["mode"] == "enforce"


@pytest.mark.parametrize("known", [{"options": ["--mode=enforce"]}, {"status": {"mode": "enforce"}}])
def test_auto_never_turns_an_enforcing_guard_back(known: dict[str, Any]) -> None:
    foreign = {**NEW, "engine": {**ENGINE, "foreign": ["shop"]}, **known}
    assert g.guard_mode(foreign, "auto")["mode"] == "enforce"
    assert g.guard_mode(foreign, "observe")["mode"] == "observe"


def test_the_engines_directory_is_known_while_the_engine_is_down() -> None:
    stopped = {**ENGINE, "running": False, "root_dir": ""}
    assert g.data_root({**NEW, "engine": stopped, "data_root": "/data"}) == "/data"
    assert g.data_root({**NEW, "engine": stopped}) == "/var/lib/docker"
    assert g.data_root({**NEW, "engine": {**ENGINE, "root_dir": "/other"}}) == "/other"


def test_a_command_line_survives_systemd_and_the_shell() -> None:
    words = g.guard_command(NEW, {**SETTINGS, "state_files": ["/a b/g.json"], "hook": ["mail", '100 % "of" $HOME\\']})
    assert words[-3:] == ["--state-file=/a b/g.json", "--hook=mail", '--hook=100 % "of" $HOME\\']
    assert g.unit_command(words[-1:]) == '"--hook=100 %% \\"of\\" $$HOME\\\\"'
    assert g.shell_command(["a b", "c"]) == "'a b' c"


def test_the_check_after_the_engines_start_expects_what_the_guard_is_told() -> None:
    words = g.guard_check_command(NEW, {**SETTINGS, "mode": "observe", "hook": ["mail", "root"]})
    assert words[1:3] == ["check", "--existing"]
    assert set(words[3:]) == {*g.guard_command(NEW, {**SETTINGS, "mode": "observe"})[2:], "--hook=mail", "--hook=root"}


# What is refused


@pytest.mark.parametrize(("systemd", "where"), [(True, "systemctl cat docker"), (False, "/etc/default/docker")])
def test_a_plugin_given_as_a_flag_is_refused_with_the_way_out(systemd: bool, where: str) -> None:
    seen = {**NEW, "systemd": systemd, "flags": ["--authorization-plugin=ledgerguard"]}
    (told,) = g.guard_faults(seen, ENGINE, "dev", [])["refusals"]
    assert told.startswith("engine: dockerd was given --authorization-plugin=ledgerguard: a reload drops")
    assert where in told.split("HINT: ")[1]


@pytest.mark.parametrize("python", ["", "3.9.2", "3.10.12"])
def test_a_python_that_is_too_old_is_refused(python: str) -> None:
    (told,) = g.guard_faults({**NEW, "python": python}, ENGINE, "dev", [])["refusals"]
    assert "3.11 or newer\nHINT: " in told


OLD = {"version": "26.1.5+dfsg1", "package_version": "26.1.5+dfsg1-9+b9", "distribution": "debian"}


@pytest.mark.parametrize("engine", [OLD, {"version": "20.10.24"}, {"version": "27.5.1", "distribution": "ubuntu"}])
def test_an_engine_without_the_fix_is_refused_in_prod_and_a_warning_elsewhere(engine: dict[str, str]) -> None:
    prod, dev = (g.guard_faults(NEW, engine, name, []) for name in ("prod", "dev"))
    assert "CVE-2026-34040" in prod["refusals"][0]
    assert "volume_guard_good_engines" in prod["refusals"][0]
    assert (prod["warnings"], dev["refusals"]) == ([], [])
    assert dev["warnings"] == prod["refusals"]


@pytest.mark.parametrize(
    ("engine", "good"),
    [
        ({"version": "29.3.1"}, []),
        ({**OLD, "package_version": "26.1.5+dfsg1-9+deb13u1"}, []),
        (OLD, [OLD["package_version"]]),
        ({"version": "27.5.1"}, ["27.5.1"]),
        ({}, []),  # not installed yet: looked at again once it is
    ],
)
def test_an_engine_that_has_it_or_is_known_to_passes(engine: dict[str, str], good: list[str]) -> None:
    assert g.guard_faults(NEW, engine, "prod", good) == {"refusals": [], "warnings": []}


def test_what_check_found_is_told_with_its_way_out() -> None:
    findings = [
        {"id": "canary", "verdict": "bad", "what": "NOT ACTIVE", "hint": ""},
        {"id": "mode", "verdict": "ok", "what": "", "hint": ""},
    ]
    told = g.check_text(json.dumps({"exit": 1, "findings": findings}))
    assert told == "guard: canary: bad: NOT ACTIVE\nHINT: sudo ledgerguard check"
    assert "guard: check said 'Traceback'" in g.check_text("Traceback")
    assert "guard: check said" in g.check_text('{"exit": 2, "findings": []}')


def test_a_volume_that_is_declared_and_not_made_yet_is_left_out_where_that_is_no_fault() -> None:
    findings = [{"id": "volume", "verdict": "bad", "what": "x: no record"}, {"id": "mode", "verdict": "ok", "what": ""}]
    output = json.dumps({"findings": findings})
    assert g.check_text(output, ["volume"]) == ""
    assert "x: no record" in g.check_text(output)


def test_what_would_have_been_refused_is_counted_by_kind() -> None:
    line = {"time": "t", "method": "DELETE", "uri": "/volumes/v", "volumes": ["v"], "reason": "why"}
    container = {**line, "time": "u", "uri": f"/containers/{SHA}/exec"}
    canary = {**line, "volumes": [g.CANARY]}
    lines = [line, container, canary, {**container, "uri": f"/containers/{'b' * 64}/exec"}]
    assert g.would_refuse_lines("\n".join(map(json.dumps, lines))) == [
        "1 times DELETE /volumes/v: why (last t)",
        "2 times DELETE /containers/…/exec: why (last u)",
    ]
    assert g.would_refuse_lines("") == []


# Another's volume

SHOP = {"Name": "shop", "Driver": "local", "Options": None, "Labels": {"com.docker.compose.volume": "shop"}}
GRANT = {"container": "shop-db-1", "images": ["sha256:" + SHA], "target": "/data"}


def granted(container: str, **grant: Any) -> dict[str, Any]:
    stdout = json.dumps({"shop": {**GRANT, "container": container, **grant}})
    return {"item": container, "rc": 0, "stdout": stdout, "stderr": ""}


def test_a_foreign_volume_is_declared_exactly_as_the_engine_has_it() -> None:
    settings = {"environment": "dev", "profile": "standard"}
    made = g.foreign_declaration(SHOP, [granted("shop-db-1")], {}, settings)
    assert made == {
        "environment": "dev", "driver": "local", "options": {}, "labels": SHOP["Labels"], "profile": "standard",
        "grants": [GRANT],
    }  # fmt: skip
    whole = {"schema": 1, "volumes": {"shop": made}}
    assert set(parse_declarations(json.dumps(whole)).volumes) == {"shop"}


def test_grants_of_containers_that_are_away_stay_and_those_that_changed_are_replaced() -> None:
    away = {**GRANT, "container": "shop-job-1"}
    known = {"volumes": {"shop": {"grants": [{**GRANT, "target": "/old"}, away]}, "other": {"grants": [GRANT]}}}
    made = g.foreign_declaration(SHOP, [granted("shop-db-1")], known, {"environment": "dev", "profile": "strict"})
    assert made["grants"] == [GRANT, away]


def test_a_holder_that_cannot_be_granted_is_told_and_left_out() -> None:
    failed = {"item": "odd", "rc": 1, "stdout": "", "stderr": "container odd: why\nHINT: x\n"}
    known = {"volumes": {"shop": {"grants": [{**GRANT, "container": "odd"}]}}}
    results = [granted("shop-db-1"), failed]
    made = g.foreign_declaration(SHOP, results, known, {"environment": "dev", "profile": "standard"})
    assert [one["container"] for one in made["grants"]] == ["shop-db-1"]
    assert g.grant_errors(results) == ["container odd: why\nHINT: x"]


def test_all_filters_are_there() -> None:
    ours = {name for name, function in FilterModule().filters().items() if function.__module__ == g.__name__}
    assert ours
    assert {name for name in ours if not name.startswith("guard_")} == set()


# A stack that goes

LABELS = {"com.ledgerflow.protect": "true"}
VOLUMES: dict[str, Any] = {
    "ledger_dev_db_data": {"labels": LABELS},
    "ledger_dev_media": {"labels": LABELS},
    "ledger_dev_scratch": {"labels": {"com.ledgerflow.scratch": "true"}},
    "ledger_devel_db_data": {"labels": LABELS},
    "ledger_prod_db_data": {"labels": LABELS},
}


def test_what_a_guard_keeps_of_this_stack_alone_has_to_be_unlocked() -> None:
    assert g.volumes_to_unlock(VOLUMES, "ledger_dev", {}) == ["ledger_dev_db_data", "ledger_dev_media"]


def test_a_volume_that_lost_its_label_is_kept_by_its_declaration() -> None:
    volumes = {"ledger_dev_db_data": {"labels": {}}, "ledger_dev_scratch": {"labels": None}}
    status = {"declared": ["ledger_dev_db_data", "ledger_prod_media"], "unlocks": []}
    assert g.volumes_to_unlock(volumes, "ledger_dev", status) == ["ledger_dev_db_data"]
    assert g.volumes_to_unlock(volumes, "ledger_dev", {}) == []


def test_a_volume_of_continuous_integration_needs_no_unlock_unless_it_is_declared() -> None:
    volumes = {"ledger_ci_db_data": {"labels": {**LABELS, "com.ledgerflow.environment": "ci"}}}
    assert g.volumes_to_unlock(volumes, "ledger_ci", {}) == []
    assert g.volumes_to_unlock(volumes, "ledger_ci", {"declared": ["ledger_ci_db_data"]}) == ["ledger_ci_db_data"]


@pytest.mark.parametrize(("operation", "left"), [("remove", ["ledger_dev_db_data"]), ("exec", None)])
def test_what_somebody_unlocked_for_removal_already_is_not_asked_again(operation: str, left: list[str] | None) -> None:
    status = {"declared": [], "unlocks": [{"volume": "ledger_dev_media", "operation": operation}]}
    wanted = left if left is not None else ["ledger_dev_db_data", "ledger_dev_media"]
    assert g.volumes_to_unlock(VOLUMES, "ledger_dev", status) == wanted


def test_only_a_stacks_own_declarations_are_forgotten() -> None:
    declared = {name: {"driver": "local"} for name in VOLUMES}
    assert set(g.without_volumes(declared, "ledger_dev")) == {"ledger_devel_db_data", "ledger_prod_db_data"}


def test_a_stack_that_goes_takes_its_networks_and_members_along_and_no_exception() -> None:
    document = {
        "schema": 2,
        "volumes": {name: {} for name in VOLUMES},
        "networks": ["ledger-dev-edge", "ledger-devel-edge"],
        "members": [{"container": "ledger-dev-redis-cache"}, {"container": "ledger-prod-redis-cache"}],
        "exceptions": [{"container": "traefik"}],
    }
    left = g.without_stack(document, "ledger_dev", "ledger-dev")
    assert set(left["volumes"]) == {"ledger_devel_db_data", "ledger_prod_db_data"}
    assert (left["networks"], left["exceptions"]) == (["ledger-devel-edge"], [{"container": "traefik"}])
    assert [one["container"] for one in left["members"]] == ["ledger-prod-redis-cache"]
    assert g.without_stack({"schema": 1, "volumes": {}}, "ledger_dev", "ledger-dev") == {"schema": 1, "volumes": {}}
