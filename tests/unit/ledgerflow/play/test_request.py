"""What make's variables become on ansible-playbook's command line, and what is refused before it starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ledgerflow.play.request import (
    Refusal,
    Request,
    check_request,
    has_agreed,
    playbook_argv,
    playbook_environment,
    playbook_variables,
    read_request,
    read_verdict,
    settings_text,
)
from ledgerflow.play.rights import Decision

PLAYBOOKS, INVENTORIES = {"deploy", "status", "preflight", "accept", "forget"}, {"dev", "ci"}
ROOT = Path("/somewhere")


def refusal_of(request: Request) -> Refusal:
    with pytest.raises(Refusal) as caught:
        check_request(request, PLAYBOOKS, INVENTORIES)
    return caught.value


def test_nothing_given_means_dev() -> None:
    request = read_request(["deploy"], {})
    assert (request.env, request.yes, request.cold, request.command) == ("dev", False, False, "make deploy")
    check_request(request, PLAYBOOKS, INVENTORIES)


def test_an_empty_environment_comes_from_a_variable_that_is_not_set_and_is_refused() -> None:
    refusal = refusal_of(read_request(["deploy"], {"ENV": ""}))
    assert (refusal.what, refusal.hint) == ("ENV=: unknown environment", "ENV= one of dev, ci, staging, prod")


@pytest.mark.parametrize("environ", [{"YES": "1"}, {"CI": "true"}])
def test_yes_and_ci_agree_beforehand_and_nothing_else_does(environ: dict[str, str]) -> None:
    assert has_agreed(environ)
    assert not has_agreed({name: "" for name in environ})
    assert read_request(["deploy"], environ).yes


@pytest.mark.parametrize(("request_", "what", "hint"), [
    (Request("deploi"), "playbooks/deploi.yml", "accept, deploy, forget, preflight, status"),
    (Request("preflight"), "OP=: not one of volume, database, deploy", "make preflight OP=volume"),
    (Request("preflight", operation="volumes"), "OP=volumes", "make preflight OP=volume"),
    (Request("deploy", env="production"), "ENV=production", "dev, ci, staging, prod"),
    (Request("deploy", env="prod"), "inventory/prod", "cp -r inventory/prod.example"),
    (Request("accept", reason="meant"), "FILE=: no backup is named", "make accept FILE=newest REASON="),
    (Request("accept", file="newest"), "REASON=: is empty", "make accept FILE=newest REASON="),
    (Request("forget", file="newest", reason=" "), "REASON=: is empty", "make forget FILE=newest REASON="),
    (Request("deploy", strategy="fast"), "STRATEGY=fast", "STRATEGY=mitogen"),
    (Request("deploy", settings="/no/such/file"), "/no/such/file", ".env.example"),
])  # fmt: skip
def test_it_refuses_what_is_not_there_by_name_with_a_hint(request_: Request, what: str, hint: str) -> None:
    refusal = refusal_of(request_)
    assert what in refusal.what
    assert hint in refusal.hint
    assert refusal.code == 64


@pytest.mark.parametrize("level", ["x", "-1", "7"])
def test_it_refuses_a_verbosity_that_is_none(level: str) -> None:
    with pytest.raises(Refusal, match=f"V={level}"):
        read_request(["deploy"], {"V": level})


def test_it_refuses_a_variable_without_a_value() -> None:
    with pytest.raises(Refusal, match="not NAME=VALUE"):
        read_request(["deploy", "-e", "confirm"], {})


@pytest.mark.parametrize(("value", "yes"), [("1", True), ("true", True), ("Yes", True), ("", False), ("0", False)])
def test_ci_and_yes_agree_in_advance(value: str, yes: bool) -> None:
    assert read_request(["deploy"], {"CI": value}).yes is yes
    assert read_request(["deploy"], {"YES": value}).yes is yes


def test_variables_of_make_reach_the_playbook_under_their_names() -> None:
    request = read_request(
        ["prove", "-e", "more=1"],
        {"FILE": "latest", "SERVICE": "searxng", "STACK": "t1", "CONFIRM": "t1-ci", "COLD": "1"},
    )
    values = playbook_variables(request, Decision(), ROOT)
    assert values["backup_file"] == "latest"
    assert values["deploy_service"] == "searxng"
    assert values["stack_name"] == "t1"
    assert values["confirm"] == "t1-ci"
    assert values["service_fingerprints_enabled"] is False
    assert values["more"] == "1"


@pytest.mark.parametrize(("given", "dry"), [("1", True), ("", None), ("0", None)])
def test_a_dry_run_removes_nothing_only_where_it_was_asked_for(given: str, dry: bool | None) -> None:
    values = playbook_variables(read_request(["prune"], {"DRY": given}), Decision(), ROOT)
    assert values.get("prune_dry_run") is dry


def test_a_decision_reaches_the_vault_with_its_backup_and_reason() -> None:
    request = read_request(["accept"], {"FILE": "newest", "REASON": "it was meant", "ENV": "ci"})
    check_request(request, PLAYBOOKS, INVENTORIES)
    values = playbook_variables(request, Decision(), ROOT)
    assert (values["backup_file"], values["backup_reason"]) == ("newest", "it was meant")
    assert read_verdict('{"verdict": "accepted"}') == ("VERDICT: accepted", 0)
    assert read_verdict('{"verdict": "forgotten"}') == ("VERDICT: forgotten", 0)


def test_a_checklist_is_named_for_preflight_alone() -> None:
    request = read_request(["preflight"], {"OP": "database", "ENV": "ci"})
    check_request(request, PLAYBOOKS, INVENTORIES)
    assert playbook_variables(request, Decision(), ROOT)["preflight_operation"] == "database"
    assert request.command == "make preflight ENV=ci OP=database"
    other = read_request(["migrate"], {"OP": "volume"})
    assert "preflight_operation" not in playbook_variables(other, Decision(), ROOT)


def test_variables_that_were_not_given_are_left_to_the_inventory() -> None:
    assert not playbook_variables(Request("deploy"), Decision(), ROOT).keys() & {
        "stack_name", "deploy_service", "backup_file", "confirm", "settings_file", "service_fingerprints_enabled",
    }  # fmt: skip


def test_a_run_on_a_users_own_engine_is_told_so_and_where_it_listens() -> None:
    reduced = Decision(reduced=True, docker_host="unix:///x")
    assert playbook_variables(Request("deploy"), reduced, ROOT)["engine_reduced"] is True
    assert playbook_environment(Request("deploy"), reduced, ROOT, ROOT)["DOCKER_HOST"] == "unix:///x"
    assert "engine_reduced" not in playbook_variables(Request("deploy"), Decision(), ROOT)
    assert "DOCKER_HOST" not in playbook_environment(Request("deploy"), Decision(), ROOT, ROOT)


def test_the_command_line_names_playbook_and_inventory_and_passes_the_rest_on() -> None:
    request = read_request(["deploy", "--", "--check", "--diff"], {"ENV": "ci", "V": "2"})
    argv = playbook_argv(request, Decision(), ROOT)
    assert argv[1:4] == ["playbooks/deploy.yml", "--inventory", "inventory/ci"]
    assert json.loads(argv[argv.index("--extra-vars") + 1])["play_results_dir"] == "/somewhere/build/results"
    assert argv[-3:] == ["-vv", "--check", "--diff"]
    assert "--ask-become-pass" not in argv
    assert "--ask-become-pass" in playbook_argv(request, Decision(become=True, password=True), ROOT)


def test_each_stack_has_its_own_cache_of_facts() -> None:
    places = {
        playbook_environment(Request("deploy", env=env, stack=stack), Decision(), ROOT, ROOT)[
            "ANSIBLE_CACHE_PLUGIN_CONNECTION"
        ]
        for env in ("dev", "ci")
        for stack in ("", "t1")
    }
    assert len(places) == 4


def test_a_cold_run_asks_for_all_facts_again_and_a_warm_one_does_not() -> None:
    assert (
        playbook_environment(Request("deploy", cold=True), Decision(), ROOT, ROOT)["ANSIBLE_CACHE_PLUGIN"] == "memory"
    )
    assert "ANSIBLE_CACHE_PLUGIN" not in playbook_environment(Request("deploy"), Decision(), ROOT, ROOT)


def test_the_strategy_is_an_option_found_in_the_virtual_environment(tmp_path: Path) -> None:
    plugins = tmp_path / ".venv/lib/python3.11/site-packages/ansible_mitogen/plugins/strategy"
    plugins.mkdir(parents=True)
    values = playbook_environment(Request("deploy", strategy="mitogen"), Decision(), tmp_path, ROOT)
    assert values["ANSIBLE_STRATEGY_PLUGINS"] == str(plugins)
    assert "ANSIBLE_STRATEGY" not in playbook_environment(Request("deploy"), Decision(), tmp_path, ROOT)


def test_the_first_settings_file_is_the_example_for_this_environment() -> None:
    assert settings_text("# what\nLEDGER_ENV=dev\nAPP_PORT=9001\n", "ci") == "# what\nLEDGER_ENV=ci\nAPP_PORT=9001\n"


@pytest.mark.parametrize(("text", "line", "code"), [
    ('{"verdict": "proven"}', "VERDICT: proven", 0),
    ('{"verdict": "holds"}', "VERDICT: holds", 0),
    ('{"verdict": "failed"}', "VERDICT: failed", 1),
    ('{"verdict": "inconclusive"}', "VERDICT: inconclusive", 2),
    ('{"verdict": "fine"}', "VERDICT: inconclusive", 2),
    ("[]", "VERDICT: inconclusive", 2),
    ("", "VERDICT: inconclusive", 2),
    (None, "VERDICT: inconclusive", 2),
])  # fmt: skip
def test_only_a_verdict_that_is_there_and_good_is_good(text: str | None, line: str, code: int) -> None:
    told, status = read_verdict(text)
    assert told.startswith(line)
    assert status == code
