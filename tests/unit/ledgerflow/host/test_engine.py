"""What happens to an engine, and what is refused, on hosts given as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from filter_plugins.host import FilterModule
from ledgerflow.host import engine as e

ROOT = Path(__file__).resolve().parents[4]
PACKAGES = yaml.safe_load((ROOT / "roles/docker_engine/vars/main.yml").read_text())["__docker_engine_packages"]
SETTINGS: dict[str, Any] = {
    "manage": "auto",
    "options": {},
    "fresh_options": {"live-restore": True},
    "restart_allowed": False,
    "packages": PACKAGES,
}
HOST: dict[str, Any] = {"system": "Linux", "distribution": "debian", "distribution_version": "13", "systemd": True}
NEW: dict[str, Any] = {**HOST, "installed": False, "running": False, "uid": 0}
RUNNING: dict[str, Any] = {
    **HOST,
    "installed": True,
    "running": True,
    "version": "26.1.5+dfsg1",
    "compose": "2.26.1-4",
    "buildx": "0.13.1",
    "binary": "/usr/sbin/dockerd",
    "package": "docker.io",
    "package_version": "26.1.5+dfsg1-9+deb13u1",
    "daemon_json": "",
    "uid": 0,
}


def plan(engine: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return e.engine_plan(engine, {**SETTINGS, **settings})


def refused(engine: dict[str, Any], **settings: Any) -> str:
    made = plan(engine, **settings)
    assert len(made["refusals"]) == 1, made["refusals"]
    assert "\nHINT: " in made["refusals"][0]
    assert not made["settled"]
    return str(made["refusals"][0])


# Engines that are there


def test_an_engine_as_wanted_is_left_alone() -> None:
    made = plan(RUNNING)
    assert (made["settled"], made["warnings"], made["refusals"]) == (True, [], [])


def test_the_first_look_alone_is_enough_for_an_engine_as_wanted() -> None:
    known = ("installed", "running", "version", "compose", "buildx", "daemon_json")
    assert plan({key: RUNNING[key] for key in known})["settled"]


def test_a_foreign_distribution_may_bring_its_own_engine() -> None:
    fedora = {**RUNNING, "distribution": "fedora", "distribution_version": "44", "package": "", "version": "29.3.1"}
    assert plan(fedora)["settled"]


def test_a_stopped_engine_is_started_and_keeps_its_configuration() -> None:
    made = plan({**RUNNING, "running": False})
    assert (made["start"], made["packages"], made["write"], made["apply"]) == (True, [], False, "none")


@pytest.mark.parametrize("version", ["19.03.15", "18.09.1", "1.13.1"])
def test_an_engine_older_than_20_10_is_refused(version: str) -> None:
    assert refused({**RUNNING, "version": version}).startswith(f"engine: {version} is older than 20.10")


def test_20_10_is_accepted_with_a_warning() -> None:
    made = plan({**RUNNING, "version": "20.10.24+dfsg1", "package_version": "20.10.24+dfsg1-1+deb12u1+b6"})
    assert made["settled"]
    assert "lacks the fix of CVE-2026-34040" in made["warnings"][0]


@pytest.mark.parametrize(
    ("version", "package", "distribution", "fixed"),
    [
        ("26.1.5+dfsg1", "26.1.5+dfsg1-9+deb13u1", "debian", True),
        ("26.1.5+dfsg1", "26.1.5+dfsg1-9+deb13u2", "debian", True),
        ("26.1.5+dfsg1", "26.1.5+dfsg1-9+b4", "debian", False),
        ("26.1.5+dfsg1", "26.1.5+dfsg1-9", "debian", False),
        ("26.1.5+dfsg1", "", "", None),
        ("26.1.4", "", "debian", False),
        ("29.3.1", "", "", True),
        ("29.3.0", "5:29.3.0-1~debian.13~trixie", "debian", False),
        ("30.0", "", "debian", True),
        ("27.5.1", "27.5.1-0ubuntu3", "ubuntu", None),
    ],
)
def test_the_fix_is_known_missing_or_not_known(
    version: str, package: str, distribution: str, fixed: bool | None
) -> None:
    engine = {"version": version, "package_version": package, "distribution": distribution}
    assert e.has_fix(engine) is fixed


def test_what_cannot_be_checked_is_said_to_be_so() -> None:
    warning = plan({**RUNNING, "package_version": ""})["warnings"][0]
    assert "may lack (its package's revision is not known)" in warning


# Installing


@pytest.mark.parametrize(
    ("distribution", "version", "packages"),
    [
        ("debian", "12", ["docker.io", "docker-cli", "docker-compose", "docker-buildx"]),
        ("debian", "13", ["docker.io", "docker-cli", "docker-compose", "docker-buildx"]),
        ("ubuntu", "24.04", ["docker.io", "docker-compose-v2", "docker-buildx"]),
    ],
)
def test_a_host_without_an_engine_gets_the_distributions(distribution: str, version: str, packages: list[str]) -> None:
    made = plan({**NEW, "distribution": distribution, "distribution_version": version})
    assert made["packages"][: len(packages)] == packages
    assert (made["start"], json.loads(made["daemon_json"]), made["validate"]) == (True, {"live-restore": True}, False)


def test_debian_12_takes_only_four_packages_from_debian_13() -> None:
    made = plan({**NEW, "distribution_version": "12"})
    four = ["docker.io", "docker-cli", "docker-compose", "docker-buildx"]
    assert made["suite"] == {"from": "bookworm", "to": "trixie", "packages": four}


def test_debian_13_needs_no_other_suite() -> None:
    assert plan(NEW)["suite"] == {}


@pytest.mark.parametrize(
    ("distribution", "version"), [("debian", "11"), ("ubuntu", "22.04"), ("fedora", "44"), ("", "")]
)
def test_a_distribution_without_known_packages_is_refused(distribution: str, version: str) -> None:
    text = refused({**NEW, "distribution": distribution, "distribution_version": version})
    assert f"{distribution} {version}".strip() in text
    assert "known: debian 12, debian 13, ubuntu 24.04" in text


def test_what_a_person_wrote_before_the_first_install_stays() -> None:
    made = plan({**NEW, "daemon_json": '{"live-restore": false, "log-level": "warn"}'})
    assert (made["refusals"], made["write"]) == ([], False)


def test_an_interrupted_installation_is_finished() -> None:
    made = plan({**RUNNING, "running": False, "compose": "", "buildx": "", "dpkg_interrupted": True})
    assert (made["heal_dpkg"], made["start"]) == (True, True)
    assert set(made["packages"]) >= {"docker.io", "docker-compose", "docker-buildx"}


def test_an_interrupted_dpkg_of_something_else_is_none_of_our_business() -> None:
    assert plan({**RUNNING, "dpkg_interrupted": True})["settled"]


def test_another_user_than_root_cannot_install() -> None:
    assert "runs as uid 1000" in refused({**NEW, "uid": 1000})


def test_another_user_may_use_an_engine_as_wanted() -> None:
    assert plan({**RUNNING, "uid": 1000})["settled"]


# Plugins


@pytest.mark.parametrize(("missing", "package"), [("compose", "docker-compose"), ("buildx", "docker-buildx")])
def test_only_the_missing_plugin_of_the_distributions_engine_is_installed(missing: str, package: str) -> None:
    made = plan({**RUNNING, missing: ""})
    assert (made["packages"], made["start"], made["write"]) == ([package], False, False)


def test_compose_1_counts_as_missing() -> None:
    assert plan({**RUNNING, "compose": "1.29.2"})["packages"] == ["docker-compose"]


def test_debian_12s_own_engine_is_not_pinned_to_debian_13_for_its_plugins() -> None:
    old = {**RUNNING, "distribution_version": "12", "version": "20.10.24+dfsg1", "compose": "", "buildx": ""}
    assert plan(old)["suite"]["packages"] == ["docker-compose", "docker-buildx"]


def test_a_missing_plugin_of_dockers_own_packages_is_refused_with_its_package() -> None:
    assert "apt-get install docker-compose-plugin" in refused({**RUNNING, "package": "docker-ce", "compose": ""})


def test_a_missing_plugin_of_an_unknown_engine_is_refused() -> None:
    assert "docker buildx is missing (an engine that is not" in refused({**RUNNING, "package": "", "buildx": ""})


def test_a_system_python_that_cannot_talk_to_the_engine_gets_its_library() -> None:
    assert plan({**RUNNING, "requests_importable": False})["packages"] == ["python3-requests"]


# manage


def test_always_upgrades_the_distributions_packages() -> None:
    made = plan(RUNNING, manage="always")
    assert (made["upgrade"], made["packages"][0]) == (True, "docker.io")


def test_always_does_not_replace_dockers_own_packages() -> None:
    ce = {**RUNNING, "package": "docker-ce", "version": "29.3.1"}
    assert "docker-ce" in refused(ce, manage="always")
    assert plan(ce)["settled"]


def test_never_refuses_what_it_would_have_to_install_or_start() -> None:
    assert "no engine is installed" in refused(NEW, manage="never", fresh_options={})
    assert "does not run" in refused({**RUNNING, "running": False}, manage="never")
    assert "compose" in refused({**RUNNING, "compose": ""}, manage="never")
    assert plan(RUNNING, manage="never")["settled"]


# daemon.json


def test_merging_keeps_what_is_there_and_adds_what_is_wanted() -> None:
    existing = {"log-driver": "json-file", "log-opts": {"max-size": "10m"}, "insecure-registries": ["a"]}
    wanted = {"live-restore": True, "log-opts": {"max-file": "5"}, "insecure-registries": ["a", "b"]}
    merge = e.merge_daemon_json(existing, wanted)
    assert merge["conflicts"] == []
    assert merge["changed"] == ["live-restore", "log-opts.max-file", "insecure-registries"]
    assert merge["merged"] == {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "5"},
        "insecure-registries": ["a", "b"],
        "live-restore": True,
    }
    assert existing["insecure-registries"] == ["a"]


def test_merging_twice_changes_nothing() -> None:
    wanted = {"live-restore": True, "authorization-plugins": ["ledgerguard"], "log-opts": {"max-size": "10m"}}
    merged = e.merge_daemon_json({"authorization-plugins": ["other"]}, wanted)["merged"]
    assert e.merge_daemon_json(merged, wanted) == {"merged": merged, "conflicts": [], "changed": []}


@pytest.mark.parametrize(
    ("existing", "wanted", "option"),
    [
        ({"live-restore": False}, {"live-restore": True}, "live-restore"),
        ({"log-opts": {"max-size": "1m"}}, {"log-opts": {"max-size": "10m"}}, "log-opts.max-size"),
        ({"dns": ["192.0.2.1"]}, {"dns": ["192.0.2.2"]}, "dns"),
        ({"debug": 1}, {"debug": True}, "debug"),
        ({"hosts": "x"}, {"hosts": ["x"]}, "hosts"),
    ],
)
def test_another_value_is_a_conflict_and_stays(existing: dict[str, Any], wanted: dict[str, Any], option: str) -> None:
    merge = e.merge_daemon_json(existing, wanted)
    assert (merge["merged"], merge["changed"]) == (existing, [])
    assert [conflict["option"] for conflict in merge["conflicts"]] == [option]


def test_a_conflict_is_refused_with_both_values() -> None:
    text = refused({**RUNNING, "daemon_json": '{"live-restore": false}'}, options={"live-restore": True})
    assert "live-restore is false, LedgerFlow wants true" in text


def test_a_daemon_json_that_is_not_json_is_refused_with_its_line() -> None:
    text = refused({**RUNNING, "daemon_json": '{\n  "debug": true,\n  "bip" "x"\n}\n'}, options={"live-restore": True})
    assert "/etc/docker/daemon.json: line 3, column 9 is not JSON" in text
    assert '\'"bip" "x"\'' in text


@pytest.mark.parametrize("text", ["[]", "null", '"x"'])
def test_a_daemon_json_that_is_no_object_is_refused(text: str) -> None:
    assert "not an object" in refused({**RUNNING, "daemon_json": text})


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_an_empty_daemon_json_is_as_good_as_none(text: str) -> None:
    made = plan({**RUNNING, "daemon_json": text}, options={"live-restore": True})
    assert json.loads(made["daemon_json"]) == {"live-restore": True}


def test_what_the_engine_takes_over_while_it_runs_is_reloaded() -> None:
    made = plan(RUNNING, options={"live-restore": True, "authorization-plugins": ["ledgerguard"]})
    assert (made["write"], made["apply"], made["validate"], made["refusals"]) == (True, "reload", True, [])


def test_what_needs_a_restart_is_refused_unless_a_restart_is_allowed() -> None:
    options = {"log-opts": {"max-size": "10m"}}
    assert "log-opts need a restart" in refused(RUNNING, options=options)
    made = plan(RUNNING, options=options, restart_allowed=True)
    assert (made["apply"], made["refusals"]) == ("restart", [])


def test_a_stopped_engine_takes_any_option_over_when_it_starts() -> None:
    made = plan({**RUNNING, "running": False}, options={"log-opts": {"max-size": "10m"}})
    assert (made["apply"], made["start"], made["refusals"]) == ("none", True, [])


def test_options_in_place_need_nothing() -> None:
    engine = {**RUNNING, "daemon_json": '{"live-restore": true, "debug": false}'}
    assert plan(engine, options={"live-restore": True})["settled"]


def test_a_reload_that_a_killed_run_did_not_reach_is_made_up_for() -> None:
    made = plan({**RUNNING, "daemon_json": '{"live-restore": true}', "reload_pending": True})
    assert (made["apply"], made["write"]) == ("reload", False)


@pytest.mark.parametrize("flag", ["--live-restore", "--live-restore=true"])
def test_an_option_that_is_also_a_flag_is_refused(flag: str) -> None:
    assert "also given to dockerd as a flag" in refused({**RUNNING, "flags": [flag]}, options={"live-restore": True})


def test_another_flag_does_no_harm() -> None:
    assert plan({**RUNNING, "flags": ["-H", "fd://"]}, options={"live-restore": True})["refusals"] == []


def test_an_engine_that_cannot_validate_is_not_asked_to() -> None:
    made = plan({**RUNNING, "version": "20.10.24"}, options={"live-restore": True})
    assert (made["write"], made["validate"]) == (True, False)


# Reduced


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"desktop": True}, "Docker Desktop"),
        ({"rootless": True}, "rootless engine"),
        ({"system": "Darwin"}, "Darwin"),
    ],
)
def test_without_an_engine_of_ours_the_mode_is_reduced_and_says_so_first(facts: dict[str, Any], reason: str) -> None:
    mode = e.engine_mode({"system": "Linux", "home": "/home/ann", **facts})
    assert (mode["mode"], mode["bind_backed"], mode["data_root"]) == ("reduced", False, "")
    assert mode["message"].startswith("engine guard: NOT ACTIVE here (" + reason)
    assert mode["promises_lost"] and all(text in mode["message"] for text in mode["promises_lost"])
    assert mode["config_root"] == "/home/ann/.config/ledgerflow"


def test_docker_desktop_also_loses_the_return_after_a_reboot() -> None:
    assert any("after a reboot" in text for text in e.engine_mode({"desktop": True})["promises_lost"])
    assert not any("after a reboot" in text for text in e.engine_mode({"rootless": True})["promises_lost"])


def test_a_configuration_directory_of_ones_own_is_used() -> None:
    assert e.engine_mode({"rootless": True, "xdg_config_home": "/x"})["config_root"] == "/x/ledgerflow"


def test_on_a_linux_host_nothing_is_lost() -> None:
    mode = e.engine_mode(RUNNING)
    assert (mode["mode"], mode["config_root"], mode["data_root"]) == ("full", "/etc/ledgerflow", "/srv")
    assert (mode["bind_backed"], mode["promises_lost"], mode["message"]) == (True, [], "")


def test_a_reduced_engine_is_used_and_never_changed() -> None:
    desktop = {**RUNNING, "desktop": True, "reduced": True, "installed": False, "version": "29.3.1"}
    made = plan(desktop, options={"live-restore": True}, manage="always")
    assert (made["settled"], made["write"], made["packages"]) == (True, False, [])
    assert "are not applied" in made["warnings"][0]


def test_a_reduced_engine_that_lacks_something_is_refused() -> None:
    desktop = {**RUNNING, "desktop": True, "reduced": True, "version": "29.3.1"}
    assert "does not answer" in refused({**desktop, "running": False})
    assert "docker compose is missing" in refused({**desktop, "compose": ""})


@pytest.mark.parametrize("kind", [{"desktop": True}, {"rootless": True}, {"system": "Darwin"}])
def test_an_engine_that_can_only_be_used_reduced_is_refused_until_that_is_asked_for(kind: dict[str, Any]) -> None:
    engine = {**RUNNING, "version": "29.3.1", **kind}
    assert "HINT: make deploy" in refused(engine) and "-e engine_reduced=true" in refused(engine)
    assert plan({**engine, "reduced": True})["settled"]


def test_an_ordinary_engine_asked_for_reduced_is_never_changed_and_loses_the_same_promises() -> None:
    asked = {**RUNNING, "reduced": True}
    made = plan(asked, options={"live-restore": True}, manage="always")
    assert (made["refusals"], made["write"], made["packages"], made["apply"]) == ([], False, [], "none")
    assert e.engine_mode(asked)["message"].startswith("engine guard: NOT ACTIVE here (asked for by engine_reduced)")


# Places

MAC = {
    "system": "Darwin",
    "desktop": True,
    "home": "/Users/ann",
    "docker_host": "unix:///Users/ann/.docker/run/docker.sock",
}
LINUX_DESKTOP = {
    "system": "Linux",
    "desktop": True,
    "home": "/homes/ann",
    "docker_host": "unix:///homes/ann/.docker/desktop/docker.sock",
}
ROOTLESS = {
    "system": "Linux",
    "rootless": True,
    "home": "/homes/ann",
    "docker_host": "unix:///run/user/1000/docker.sock",
    "xdg_config_home": "/homes/ann/etc",
    "xdg_cache_home": "/var/tmp/ann",
}


@pytest.mark.parametrize(
    ("facts", "config", "work", "socket"),
    [
        (MAC, "/Users/ann/.config", "/Users/ann/.cache", "/Users/ann/.docker/run/docker.sock"),
        (LINUX_DESKTOP, "/homes/ann/.config", "/homes/ann/.cache", "/homes/ann/.docker/desktop/docker.sock"),
        (ROOTLESS, "/homes/ann/etc", "/var/tmp/ann", "/run/user/1000/docker.sock"),
        ({"system": "Linux", "reduced": True, "home": "/h"}, "/h/.config", "/h/.cache", "/var/run/docker.sock"),
    ],
)
def test_a_users_engine_has_its_files_in_the_users_home_and_its_data_in_the_engine(
    facts: dict[str, Any], config: str, work: str, socket: str
) -> None:
    # scripts/play tells the inventory only that it is so, and Ansible reads the rest from the environment
    for given in (facts, {**facts, "desktop": False, "rootless": False, "system": "Linux", "reduced": True}):
        assert e.engine_place(given, "/srv") == {
            "reduced": True,
            "config_root": f"{config}/ledgerflow",
            "data_root": "",
            "bind_backed": False,
            "owner": "",
            "images_state_dir": f"{config}/ledgerflow/images",
            "images_work_dir": f"{work}/ledgerflow/images",
            "socket": socket,
        }


@pytest.mark.parametrize("facts", [{}, {"system": "Linux", "reduced": False, "home": "/h", "docker_host": "unix:///x"}])
def test_an_ordinary_engine_has_everything_where_only_root_writes(facts: dict[str, Any]) -> None:
    assert e.engine_place(facts, "/data") == {
        "reduced": False,
        "config_root": "/etc/ledgerflow",
        "data_root": "/data",
        "bind_backed": True,
        "owner": "root",
        "images_state_dir": "/etc/ledgerflow/images",
        "images_work_dir": "/var/cache/ledgerflow/images",
        "socket": "/var/run/docker.sock",
    }


@pytest.mark.parametrize("relative", ["", "etc", "./etc"])
def test_a_relative_directory_of_ones_own_is_none(relative: str) -> None:
    place = e.engine_place({**MAC, "xdg_config_home": relative, "xdg_cache_home": relative}, "")
    assert place["config_root"] == "/Users/ann/.config/ledgerflow"
    assert place["images_work_dir"] == "/Users/ann/.cache/ledgerflow/images"


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "ssh://host", ""])
def test_an_engine_without_a_socket_here_is_looked_for_at_the_usual_one(host: str) -> None:
    assert e.engine_place({**MAC, "docker_host": host}, "")["socket"] == "/var/run/docker.sock"


# After a start


def test_an_engine_that_does_not_answer_is_refused_with_its_log() -> None:
    text = e.unanswered_text({"log": "level=fatal msg=x", "systemd": True})
    assert "level=fatal msg=x" in text and "HINT: journalctl -u docker" in text
    assert "HINT: tail -n 50 /var/log/docker.log" in e.unanswered_text({"log": ""})


def test_a_guard_that_is_not_there_is_named_as_the_likely_cause() -> None:
    text = e.unanswered_text({"daemon_json": '{"authorization-plugins": ["ledgerguard"]}'})
    assert "names the guard ledgerguard: start it first" in text


@pytest.mark.parametrize(
    ("daemon_json", "asked"),
    [
        ("", []),
        ("{}", []),
        ("{ not JSON", []),
        ('{"authorization-plugins": null}', []),
        ('{"authorization-plugins": ["ledgerguard", "another"]}', ["ledgerguard", "another"]),
    ],
)
def test_what_the_engine_asks_before_it_answers_stands_in_its_configuration(daemon_json: str, asked: list[str]) -> None:
    assert e.asked_plugins({"daemon_json": daemon_json}) == asked


def test_options_the_engine_shows_are_checked_after_a_reload() -> None:
    options = {"live-restore": True, "authorization-plugins": ["ledgerguard"], "debug": True}
    # It lists the plugins it was started with: after a reload that says nothing.
    assert e.unapplied_options({"live_restore": True, "authorization": []}, options) == []
    assert len(e.unapplied_options({"live_restore": False, "authorization": []}, options)) == 1
    assert e.unapplied_options({"live_restore": True}, {}) == []


def test_only_the_entry_that_is_ours_is_taken_out_and_reloaded() -> None:
    removed = {"authorization-plugins": ["ledgerguard"]}
    there = {**RUNNING, "daemon_json": '{"bip": "x", "authorization-plugins": ["other", "ledgerguard"]}'}
    made = plan(there, removed_options=removed)
    assert json.loads(made["daemon_json"]) == {"bip": "x", "authorization-plugins": ["other"]}
    assert (made["apply"], made["refusals"]) == ("reload", [])
    alone = {**RUNNING, "daemon_json": '{"authorization-plugins": ["ledgerguard"]}'}
    assert json.loads(plan(alone, removed_options=removed)["daemon_json"]) == {}
    assert plan(RUNNING, removed_options=removed)["settled"]


# Versions


def test_debian_versions_are_ordered_as_dpkg_orders_them() -> None:
    ordered = ["1.0~rc1-1", "1.0-1", "1.0-1+b1", "1.0-1+deb13u1", "1.0-2", "1.0.1-1", "1.10-1", "1:0.1-1"]
    assert sorted(reversed(ordered), key=e.debian_version_key) == ordered
    assert e.debian_version_key("1.0") < e.debian_version_key("1.0-1")


@pytest.mark.parametrize(("text", "numbers"), [("v2.26.1-4", (2, 26, 1)), ("26.1.5+dfsg1", (26, 1, 5)), ("dev", ())])
def test_numbers_lead_a_version(text: str, numbers: tuple[int, ...]) -> None:
    assert e.version_numbers(text) == numbers


def test_every_filter_can_be_called() -> None:
    assert all(callable(filter_) for filter_ in FilterModule().filters().values())
