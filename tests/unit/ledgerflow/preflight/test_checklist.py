"""A checklist is judged by facts given as data: a good stack holds, and each thing wrong is one line with its hint."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from filter_plugins.preflight import FilterModule
from ledgerflow.preflight.checklist import (
    findings_by_volume,
    preflight_lines,
    preflight_text,
    preflight_verdict,
    program_answer,
    rendered_files,
)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
NAME, DIRECTORY = "ledger_dev_db_data", "/srv/ledger/dev/db_data"
COMPOSE = (
    "name: p\nservices:\n  db: {image: postgres, volumes: ['v:/d']}\nvolumes:\n"
    "  v: {external: true, name: ledger_dev_db_data}"
)
BACKUP = {
    "file": "a.sql.gz", "verdict": "proven", "taken": "2026-01-02T11:00:00+00:00",
    "size": 20480, "rows": 5, "tables": 2,
    "judged": "2026-01-02T11:01:00+00:00", "shrunken": False, "bad": [],
}  # fmt: skip


def answered(rc: int = 0, text: str = "", error: str = "") -> dict[str, Any]:
    return {"rc": rc, "text": text, "error": error}


def rendered(text: str) -> str:
    return "\n".join(f"/etc/ledgerflow/ledger-dev/postgres/compose.yml:{line}" for line in text.splitlines())


def container(volume: str = NAME, environment: str = "dev") -> dict[str, Any]:
    labels = {"com.ledgerflow.environment": environment}
    return {"state": "running", "labels": labels, "mounts": [{"name": volume, "target": "/d"}]}


def host(**changes: Any) -> dict[str, Any]:
    """What a look at a good host shows."""
    good = {
        "engine": {"running": True, "error": ""},
        "stack_mode": "0750",
        "volumes": {NAME: {}},
        "records": {"db_data": "{1}"},
        "sentinels": {"db_data": "{1}"},
        "containers": {"ledger-dev-postgres": container(), "other": container("other")},
        "secrets": ["a"],
        "initialised": ["db_data"],
        "vault": {"newest": BACKUP, "newest_proven": BACKUP, "journal": {"broken": ""}},
    }
    return {**good, **changes}


def given(operation: str, **changes: Any) -> dict[str, Any]:
    """What the playbook hands over of a good stack."""
    good = {
        "operation": operation,
        "environment": "dev",
        "stack_id": "ledger-dev",
        "config_root": "/etc/ledgerflow/ledger-dev",
        "data_root": "/srv/ledger/dev",
        "settings_file": ".env.dev",
        "settings_environment": "dev",
        "shell_environment": "",
        "settings_count": 17,
        "settings_findings": [],
        "secret_findings": [],
        "host_findings": [],
        "volumes": [
            {"name": NAME, "path": DIRECTORY, "protected": True},
            {"name": "ledger_dev_scratch", "path": "", "protected": False},
        ],
        "volume_findings": [],
        "compose": answered(text=rendered(COMPOSE)),
        "wrapper": answered(),
        "guard": answered(),
        "verify": answered(text='{"file": "a.sql.gz", "verdict": "holds"}'),
        "verify_data": answered(text='{"checks": [{"result": "ok", "text": "table t: 5 rows"}]}'),
        "limit_hours": 24,
        "size_floor_bytes": 10240,
    }
    return {**good, **changes}


def lines(operation: str, probe: dict[str, Any] | None = None, **changes: Any) -> list[dict[str, str]]:
    return preflight_lines(host() if probe is None else probe, given(operation, **changes), NOW)


def wrong(*arguments: Any, **changes: Any) -> list[tuple[str, str]]:
    """(id, verdict) of the lines that are not well; each has a hint."""
    found = [one for one in lines(*arguments, **changes) if one["verdict"] not in ("ok", "note")]
    assert all(one["hint"] for one in found), found
    return [(one["id"], one["verdict"]) for one in found]


@pytest.mark.parametrize("operation", ["volume", "database", "deploy"])
def test_a_good_stack_holds_line_by_line(operation: str) -> None:
    found = lines(operation)
    assert {one["verdict"] for one in found} == {"ok"}
    assert preflight_verdict(found, "prod") == "holds"
    assert len(preflight_text(found).splitlines()) == len(found) > 5
    assert preflight_text(found, include_good=False) == ""


@pytest.mark.parametrize(("changes", "verdict"), [
    ({}, "ok"), ({"shell_environment": "dev"}, "ok"), ({"shell_environment": "prod"}, "bad"),
    ({"settings_environment": "prod"}, "bad"), ({"environment": "prod", "settings_environment": "prod"}, "bad"),
    ({"environment": "prod", "settings_environment": "prod", "shell_environment": "prod"}, "ok"),
    ({"environment": "prod", "settings_environment": "prod", "shell_environment": "dev"}, "bad"),
])  # fmt: skip
def test_one_environment_is_meant_by_all(changes: dict[str, str], verdict: str) -> None:
    (line,) = [one for one in lines("database", **changes) if one["id"] == "environment"]
    assert line["verdict"] == verdict


@pytest.mark.parametrize(("text", "verdict"), [
    (COMPOSE.replace("external: true", "external: false"), "bad"),
    (COMPOSE.replace("'v:/d'", "'/srv/ledger/dev:/d'"), "bad"),
    (COMPOSE.replace("'v:/d'", "'$X:/d'"), "unknown"),
    (COMPOSE.replace("volumes: ['v:/d']", "ports: ['5432:5432']"), "bad"),
])  # fmt: skip
def test_a_rendered_compose_file_is_checked_as_the_repositorys_are(text: str, verdict: str) -> None:
    assert wrong("volume", compose=answered(text=rendered(text))) == [("compose", verdict)]


def test_the_line_of_the_rendered_file_is_told() -> None:
    text = rendered(COMPOSE.replace("external: true", "external: false"))
    (line,) = [one for one in lines("volume", compose=answered(text=text)) if one["id"] == "compose"]
    assert line["what"].startswith(
        "/etc/ledgerflow/ledger-dev/postgres/compose.yml:5: volume v: ledger_dev_db_data is protected"
    )


def test_nothing_deployed_is_unknown_before_a_change_of_volumes_and_fine_before_a_deploy() -> None:
    bare = host(stack_mode="", records={}, sentinels={}, containers={}, volumes={}, initialised=[], vault={})
    empty = answered(1, error="find: No such file or directory")
    assert wrong("volume", bare, compose=empty) == [("compose", "unknown"), ("labels", "bad")]
    assert wrong("deploy", bare, compose=empty) == []
    assert preflight_verdict(lines("deploy", bare, compose=empty), "prod") == "holds"
    assert wrong("deploy", host(), compose=answered(1, error="find: permission denied")) == [("compose", "unknown")]


@pytest.mark.parametrize("what", ["wrapper", "guard"])
def test_what_is_not_installed_is_a_line_of_its_own_and_excused_in_dev_only(what: str) -> None:
    found = lines("volume", **{what: answered(127)})
    assert [(one["id"], one["verdict"]) for one in found if one["verdict"] != "ok"] == [(what, "unknown")]
    assert "not installed" in preflight_text(found, include_good=False)
    verdicts = {env: preflight_verdict(found, env) for env in ("dev", "ci", "staging", "prod")}
    assert verdicts == {"dev": "holds", "ci": "holds", "staging": "inconclusive", "prod": "inconclusive"}


@pytest.mark.parametrize(("rc", "verdict"), [(1, "bad"), (2, "unknown")])
def test_a_guard_that_is_there_and_not_well_is_told_in_its_own_words(rc: int, verdict: str) -> None:
    found = lines("volume", guard=answered(rc, text="ledgerguard: canary\nthe canary was removed\n"))
    (line,) = [one for one in found if one["id"] == "guard"]
    assert (line["verdict"], "the canary was removed" in line["what"]) == (verdict, True)
    assert wrong("volume", wrapper=answered(1, error="broken")) == [("wrapper", "bad")]


def test_a_volume_that_is_otherwise_than_declared_or_gone_is_bad() -> None:
    finding = f"volume {NAME}: label com.ledgerflow.protect is missing\nHINT: its data is in {DIRECTORY}"
    assert findings_by_volume(given("volume")["volumes"], [finding]) == [[NAME, finding]]
    (line,) = [one for one in lines("volume", volume_findings=[[NAME, finding]]) if one["id"] == "labels"]
    assert (line["verdict"], line["hint"]) == ("bad", f"its data is in {DIRECTORY}")
    assert wrong("volume", host(volumes={})) == [("labels", "bad")]
    assert wrong("deploy", host(volumes={})) == []
    assert wrong("volume", host(engine={"running": False, "error": "refused"})) == [("labels", "unknown")]
    assert ("labels", "unknown") in wrong("volume", volumes=[])


@pytest.mark.parametrize("sentinels", [{}, {"db_data": None}, {"db_data": "{2}"}])
def test_a_directory_that_is_not_the_recorded_one_is_bad(sentinels: dict[str, Any]) -> None:
    assert wrong("deploy", host(sentinels=sentinels)) == [("directories", "bad")]


@pytest.mark.parametrize(
    ("name", "environment"), [("web", "dev"), ("ledger-dev-web", "prod"), ("ledger-prod-web", "prod")]
)
def test_a_stranger_that_holds_a_protected_volume_is_bad(name: str, environment: str) -> None:
    found = wrong(
        "volume", host(containers={"ledger-dev-postgres": container(), name: container(environment=environment)})
    )
    assert found == [("mounts", "bad")]


FAILED = {**BACKUP, "verdict": "failed", "bad": ["table t"]}


@pytest.mark.parametrize(("vault", "expected"), [
    ({}, [("backup", "unknown")]),
    ({"newest": None, "newest_proven": None}, [("backup exists", "bad")]),
    ({"newest": {**BACKUP, "verdict": "unproven"}, "newest_proven": None}, [("backup proven", "bad")]),
    ({"newest": FAILED, "newest_proven": BACKUP}, [("backup exists", "bad")]),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "taken": "2026-01-01T11:00:00+00:00"}}, [("backup recent", "bad")]),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "taken": "2026-01-02T13:00:00+00:00"}}, [("backup recent", "bad")]),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "taken": "2026-01-02T11:00:00"}}, [("backup recent", "unknown")]),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "size": 0}}, [("backup size", "bad")]),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "size": 6600}}, []),
    ({"newest": BACKUP, "newest_proven": {**BACKUP, "shrunken": True}}, [("backup counts", "bad")]),
    ({"newest": BACKUP, "newest_proven": BACKUP, "unaccepted_loss": BACKUP}, [("backup counts", "bad")]),
    ({"newest": BACKUP, "newest_proven": BACKUP, "unaccepted_loss": None, "baseline": BACKUP}, []),
    ({"newest": BACKUP, "newest_proven": BACKUP, "journal": {"broken": "line 3"}}, [("journal", "bad")]),
])  # fmt: skip
def test_only_a_recent_proven_backup_holds(vault: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert wrong("database", host(vault=vault)) == expected


def test_a_small_proven_backup_is_told_and_passes() -> None:
    found = lines("database", host(vault={"newest": BACKUP, "newest_proven": {**BACKUP, "size": 6600}}))
    (line,) = [one for one in found if one["id"] == "backup size"]
    assert (line["verdict"], "6600 bytes" in line["what"]) == ("note", True)


@pytest.mark.parametrize(("verify", "expected"), [
    (answered(1, '{"file": "a", "verdict": "failed"}'), "bad"), (answered(2, error="no such container"), "unknown"),
    (answered(127), "unknown"), (answered(1, error="Error response from daemon: No such container: x"), "unknown"),
    (answered(0, "nonsense"), "unknown"),
])  # fmt: skip
def test_the_backups_bytes_are_looked_at(verify: dict[str, Any], expected: str) -> None:
    assert wrong("database", verify=verify) == [("backup bytes", expected)]


def test_rows_that_are_gone_are_told_each_and_an_answer_without_checks_is_unknown() -> None:
    checks = [{"result": "failed", "text": "table t: 3 transactions, 5 in a"}, {"result": "ok", "text": "x"}]
    assert wrong("database", verify_data=answered(1, json.dumps({"checks": checks}))) == [("counts", "bad")]
    for answer in (answered(0, '{"checks": []}'), answered(2, error="down"), answered(0, "nonsense")):
        assert wrong("database", verify_data=answer) == [("counts", "unknown")]


def test_the_rows_that_people_watch_are_told() -> None:
    checks = [{"id": "table public.t", "result": "ok", "text": "table public.t: 7 rows, 5 in the backup"}]
    vault = {"newest": BACKUP, "newest_proven": {**BACKUP, "watched": {"public.t": 5}}}
    found = lines("database", host(vault=vault), verify_data=answered(0, json.dumps({"checks": checks})))
    assert found[-1]["what"].endswith("; table public.t: 7 rows, 5 in the backup")


def test_before_a_deploy_an_old_backup_is_bad_in_production_and_told_elsewhere() -> None:
    old = host(vault={"newest": BACKUP, "newest_proven": {**BACKUP, "taken": "2025-12-01T00:00:00+00:00"}})
    assert wrong("deploy", old) == []
    assert "732" in preflight_text(lines("deploy", old), include_good=False) or "hours old" in preflight_text(
        lines("deploy", old)
    )
    everywhere = {"environment": "prod", "settings_environment": "prod", "shell_environment": "prod"}
    old["containers"] = {}
    assert wrong("deploy", old, **everywhere) == [("backup recent", "bad")]


@pytest.mark.parametrize("what", ["settings", "secret", "host"])
def test_variables_secrets_and_host_are_told_each(what: str) -> None:
    finding = {"where": "x", "what": "is wrong", "hint": "mend it"}
    id_ = {"settings": "variables", "secret": "secrets", "host": "host"}[what]
    assert wrong("deploy", **{f"{what}_findings": [finding, finding]}) == [(id_, "bad")] * 2


def test_bad_outweighs_unknown_and_nothing_is_inconclusive() -> None:
    ok, unknown, bad = ({"id": "x", "verdict": verdict} for verdict in ("ok", "unknown", "bad"))
    assert preflight_verdict([ok, unknown, bad], "dev") == "bad"
    assert preflight_verdict([ok, unknown], "dev") == "inconclusive"
    assert preflight_verdict([], "dev") == "inconclusive"
    assert preflight_verdict([{"id": "x", "verdict": "note"}], "dev") == "inconclusive"


def test_a_hint_stands_below_its_line() -> None:
    text = preflight_text(lines("volume", host(volumes={})), include_good=False).splitlines()
    assert text[0].split()[:2] == ["FAIL", "labels"]
    assert text[1].strip().startswith("HINT: make deploy ENV=dev")


def test_answers_of_programs_and_rendered_files_are_read() -> None:
    assert program_answer({}) == {"rc": 127, "text": "", "error": ""}
    assert program_answer({"rc": 1, "stdout": "a", "stderr": "b", "msg": "c"}) == {"rc": 1, "text": "a", "error": "b"}
    assert rendered_files("/a/compose.yml:x: 1\n/a/compose.yml:\n/b/compose.yml:y:z\nnoise") == {
        "/a/compose.yml": "x: 1\n", "/b/compose.yml": "y:z",
    }  # fmt: skip
    assert set(FilterModule().filters()) >= {"preflight_lines", "preflight_text", "preflight_verdict"}
