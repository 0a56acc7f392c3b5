"""What is written down about a deployment is what runs, and only what is ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from filter_plugins.stack import FilterModule
from ledgerflow.stack.deployment import (
    deployment_facts,
    foreign_sentinels,
    guard_findings,
    guard_invitation,
    guard_text,
    proven_backup_due,
    pruned_lines,
    services_of_roles,
    stack_containers,
    unwell_services,
    vault_checks,
    vault_findings,
)
from ledgerguard.service.findings import Finding, summarize

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)
STACK = {"id": "ledger-dev", "name": "ledger", "environment": "dev"}


def container(image: str) -> dict[str, Any]:
    health = {"state": "running", "health": "healthy", "status": "Up 2 minutes (healthy)"}
    return {"image": image, "image_id": f"sha256:{image}", "id": "1", **health}


PROBE: dict[str, Any] = {
    "engine": {"version": "26.1.5"},
    "containers": {
        "ledger-dev-redis-queue": container("redis"),
        "ledger-dev-postgres": container("postgres"),
        "ledger-devel-postgres": container("x"),
        "ledger-prod-postgres": container("x"),
        "postgres": container("x"),
    },
}


def test_a_stack_s_containers_are_those_of_its_name_and_environment_in_order() -> None:
    assert list(stack_containers(PROBE["containers"], STACK)) == ["postgres", "redis-queue"]


def test_the_record_has_each_service_s_image_and_nothing_of_other_stacks() -> None:
    made = deployment_facts(PROBE, STACK, "abc")
    assert made["services"] == {
        "postgres": {"image": "postgres", "image_id": "sha256:postgres"},
        "redis-queue": {"image": "redis", "image_id": "sha256:redis"},
    }
    assert (made["schema"], made["stack"], made["environment"]) == (1, "ledger", "dev")
    assert (made["commit"], made["engine"]) == ("abc", "26.1.5")


def test_the_same_deployment_is_the_same_file_in_whatever_order_the_engine_lists_it() -> None:
    turned = {**PROBE, "containers": dict(reversed(PROBE["containers"].items()))}
    assert json.dumps(deployment_facts(turned, STACK, "abc")) == json.dumps(deployment_facts(PROBE, STACK, "abc"))


def test_another_image_is_another_record() -> None:
    renewed = {**PROBE, "containers": {**PROBE["containers"], "ledger-dev-postgres": container("postgres:2")}}
    assert deployment_facts(renewed, STACK, "abc") != deployment_facts(PROBE, STACK, "abc")


FILES = dict.fromkeys(["app-web-blue", "app-worker", "apple", "postgres", "redis-cache", "redis-queue"], "digest")


@pytest.mark.parametrize(("roles", "services"), [
    (["redis"], ["redis-cache", "redis-queue"]),
    (["app"], ["app-web-blue", "app-worker"]),
    (["postgres", "app"], ["app-web-blue", "app-worker", "postgres"]),
    (["vault"], []),
    ([], []),
])  # fmt: skip
def test_a_role_s_services_are_those_of_its_name(roles: list[str], services: list[str]) -> None:
    assert services_of_roles({"files": FILES}, roles) == services


def test_services_that_run_in_good_health_are_well() -> None:
    assert unwell_services(PROBE, STACK, ["postgres", "redis-queue"]) == []


@pytest.mark.parametrize(("changes", "what"), [
    ({"state": "exited", "health": "none", "status": "Exited (78) 5 seconds ago"}, "exited, none (Exited (78) 5 sec"),
    ({"health": "unhealthy", "status": "Up (unhealthy)"}, "running, unhealthy (Up (unhealthy))"),
    ({"health": "starting", "status": "Up (health: starting)"}, "running, starting"),
    ({"health": "none", "status": "Up 5 minutes"}, "running, none"),
])  # fmt: skip
def test_a_service_that_is_ill_is_one_finding_with_its_state_and_its_log(changes: dict[str, str], what: str) -> None:
    containers = {**PROBE["containers"], "ledger-dev-postgres": {**container("postgres"), **changes}}
    (found,) = unwell_services({**PROBE, "containers": containers}, STACK, ["postgres", "redis-queue"])
    assert found["where"] == "service postgres"
    assert what in found["what"]
    assert "docker logs ledger-dev-postgres" in found["hint"]


@pytest.mark.parametrize(("changes", "is_reported"), [
    ({"state": "restarting", "health": "none"}, True),
    ({"state": "exited", "health": "none"}, True),
    ({"health": "unhealthy"}, True),
    ({"health": "starting"}, False),  # a deploy is at work
    ({}, False),  # the version before, whose requests end
])  # fmt: skip
def test_a_version_beside_the_live_one_is_a_finding_only_where_it_is_ill(
    changes: dict[str, str], is_reported: bool
) -> None:
    containers = {
        "ledger-dev-app-web-blue": container("app"),
        "ledger-dev-app-web-green": {**container("app"), **changes},
        "ledger-dev-green": {**container("app"), "state": "exited"},  # nobody expects its other colour
    }
    found = unwell_services({**PROBE, "containers": containers}, STACK, ["app-web-blue"])
    assert [item["where"] for item in found] == (["service app-web-green"] if is_reported else [])
    assert all("make deploy ENV=dev removes it" in item["hint"] for item in found)


def test_an_expected_service_that_is_not_there_is_a_finding() -> None:
    (found,) = unwell_services(PROBE, STACK, ["searxng"])
    assert (found["where"], found["what"]) == ("service searxng", "not there")


OURS = json.dumps({"stack": "ledger", "environment": "ci", "uuid": "1"})


@pytest.mark.parametrize("text", [
    json.dumps({"stack": "other", "environment": "ci"}), json.dumps({"stack": "ledger", "environment": "prod"}),
    "{}", "[]", "null", "", "{", '"ledger"',
])  # fmt: skip
def test_another_s_sentinel_or_one_that_cannot_be_read_is_foreign(text: str) -> None:
    assert foreign_sentinels({"db_data": OURS, "media": text}, "ledger", "ci") == ["media"]


def test_our_own_sentinels_and_directories_without_one_are_not_foreign() -> None:
    assert foreign_sentinels({"db_data": OURS, "scratch": None}, "ledger", "ci") == []


def test_ansible_finds_the_filters_by_these_names() -> None:
    names = {"deployment_facts", "foreign_sentinels", "proven_backup_due", "services_of_roles", "stack_containers"}
    names |= {"guard_findings", "guard_invitation", "guard_text", "unwell_services"}
    names |= {"pruned_lines", "vault_checks", "vault_findings"}
    assert set(FilterModule().filters()) >= names


@pytest.mark.parametrize(
    ("vault", "due"),
    [
        ({}, True),
        ({"newest_proven": None}, True),
        ({"newest_proven": {"file": "one", "taken": "2026-11-21 11:00:01.72575+00"}}, False),
        ({"newest_proven": {"file": "one", "taken": "2026-11-20T11:59:59.000Z"}}, True),
        ({"newest_proven": {"file": "one", "taken": "2026-11-21T12:00:01.000Z"}}, True),  # not to be believed
        ({"newest_proven": {"file": "one", "taken": "2026-11-21T11:00:01"}}, True),
        ({"newest_proven": {"file": "one", "taken": "yesterday"}}, True),
    ],
)
def test_a_proven_backup_is_due_unless_a_young_one_is_told_of(vault: dict[str, Any], due: bool) -> None:
    assert proven_backup_due(vault, 24, datetime(2026, 11, 21, 12, tzinfo=UTC)) is due


GUARD = {"mode": "enforce", "profile": "strict", "fault": "", "age_seconds": 3}
FINDING = Finding("existing", "bad", "shop (running): why")
CHECK = {**summarize([FINDING, FINDING]), "time": "t"}


@pytest.mark.parametrize("wanted", ["enforce", "auto", "observe-first", "off"])
@pytest.mark.parametrize("check", [None, summarize([Finding("canary", "ok", "refused")])])
def test_a_guard_that_does_what_is_wanted_is_well(wanted: str, check: dict[str, Any] | None) -> None:
    guard = {**GUARD, "check": check}
    assert guard_text(GUARD) == guard_text(guard) == "enforce, strict"
    assert guard_findings(guard, wanted, "dev") == []


@pytest.mark.parametrize(
    ("guard", "wanted", "told"),
    [
        ({}, "enforce", "NOT ACTIVE here"),
        ({**GUARD, "age_seconds": 31}, "auto", "NOT ACTIVE here: silent for 31 s"),
        ({**GUARD, "mode": "observe"}, "enforce", "observe, strict"),
        ({**GUARD, "mode": "off"}, "auto", "off, strict"),
        ({**GUARD, "fault": "cannot be read"}, "enforce", "enforce, strict; fault: cannot be read"),
        (
            {**GUARD, "check": CHECK},
            "enforce",
            "enforce, strict; check at t: bad: existing: shop (running): why (and 1 more)",
        ),
    ],
)
def test_a_guard_that_does_not_is_found(guard: dict[str, Any], wanted: str, told: str) -> None:
    (found,) = guard_findings(guard, wanted, "dev")
    assert (found["where"], found["what"]) == ("engine guard", f"{told} (wanted: {wanted})")
    assert guard_findings(guard, "off", "dev") == []


def test_a_guard_that_only_observes_says_so_and_how_to_turn_it_on() -> None:
    for environment in ("dev", "prod"):
        (line,) = guard_invitation({**GUARD, "mode": "observe"}, environment, "ledger_dev_db_data")
        assert "nothing is refused yet" in line
        assert f"ENV={environment} scripts/play deploy -e volume_guard_mode=enforce" in line


def test_only_dev_is_invited_to_try_a_removal() -> None:
    (line,) = guard_invitation(GUARD, "dev", "ledger_dev_db_data")
    assert line.endswith("docker volume rm -f ledger_dev_db_data")
    assert guard_invitation(GUARD, "prod", "ledger_prod_db_data") == []
    assert guard_invitation(GUARD, "staging", "ledger_staging_db_data") == []


def test_nobody_is_invited_to_try_where_no_guard_answers() -> None:
    for guard in ({}, {**GUARD, "age_seconds": 31}, {**GUARD, "mode": "off"}):
        assert guard_invitation(guard, "dev", "ledger_dev_db_data") == []


def vault(minutes: float, started: float = 600, **changes: Any) -> dict[str, Any]:
    """What the vault says at noon of the day: a proven backup and a start so many minutes ago."""
    proven = {"file": "one.sql.gz", "taken": (NOON - timedelta(minutes=minutes)).isoformat()}
    return {"newest_proven": proven, "schedule_started": (NOON - timedelta(minutes=started)).isoformat(), **changes}


def test_a_vault_at_work_has_no_finding() -> None:
    assert vault_findings(vault(60), NOON) == []
    assert {check["result"] for check in vault_checks(vault(60), NOON)} == {"ok"}


@pytest.mark.parametrize(("told", "what"), [
    (vault(60 * 72), "newest proven backup: one.sql.gz, 3 days old, 150 min allowed"),
    (vault(60, newest_proven=None), "no backup is proven"),
    ({}, "no backup is proven"),
    (vault(60, last_failure={"time": "t", "text": "no room"}), "last failure: t: no room"),
])  # fmt: skip
def test_backups_that_stopped_are_a_finding_with_its_text_and_a_hint(told: dict[str, Any], what: str) -> None:
    (found,) = vault_findings(told, NOON)
    assert (found["where"], found["what"]) == ("backups", what)
    assert found["hint"].startswith("make ")


def test_in_the_first_hour_after_a_start_an_old_backup_is_a_note_and_no_finding() -> None:
    assert vault_findings(vault(60 * 72, started=59), NOON) == []
    assert [check["result"] for check in vault_checks(vault(60 * 72, started=59), NOON)] == ["note", "ok"]


def test_each_backup_of_a_prune_has_a_line_with_its_reason() -> None:
    files = [
        {"file": "a", "tier": "hourly", "removed": True, "reason": "old"},
        {"file": "b", "tier": "daily", "removed": False, "reason": "young"},
    ]
    assert pruned_lines(files, False) == ["removed hourly/a: old", "keeps daily/b: young"]
    assert pruned_lines(files, True) == ["would remove hourly/a: old", "keeps daily/b: young"]
    assert pruned_lines([], True) == []
