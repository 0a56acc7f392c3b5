"""What turns red when backups stop: age, last failure, loss, queue, and what does not in the first hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledgervault.model import health_rules

NOON = datetime(2025, 4, 22, 12, 0, tzinfo=UTC)


def ago(minutes: float) -> str:
    return (NOON - timedelta(minutes=minutes)).isoformat()


def facts(**changes: Any) -> dict[str, Any]:
    return {
        "newest_proven": {"file": "one.sql.gz", "taken": ago(60), "shrunken": False},
        "last_failure": None,
        "queue": 1,
        "journal": {"broken": None},
        "schedule_started": ago(600),
        "proven_age_minutes": 150,
        **changes,
    }


def proven(minutes: float, **changes: Any) -> dict[str, Any]:
    return {"newest_proven": {"file": "one.sql.gz", "taken": ago(minutes), "shrunken": False, **changes}}


def bad_texts(changes: dict[str, Any]) -> list[str]:
    return [check.text for check in health_rules.judge(facts(**changes), NOON) if check.result == "failed"]


@pytest.mark.parametrize(
    "changes", [{}, proven(150), proven(-0.5), proven(-1), {"queue": 2}, {"schedule_started": None}]
)
def test_a_vault_that_works_is_well(changes: dict[str, Any]) -> None:
    assert bad_texts(changes) == []
    assert {check.result for check in health_rules.judge(facts(**changes), NOON)} == {"ok"}


FAILURE = {"time": "t", "text": "backup FAILED disk full"}


BAD: list[tuple[dict[str, Any], str]] = [
    (proven(151), "newest proven backup: one.sql.gz, 151 min old, 150 min allowed"),
    (proven(60 * 72), "newest proven backup: one.sql.gz, 3 days old, 150 min allowed"),
    (proven(-2), "newest proven backup: one.sql.gz, 2 min in the future"),
    ({"newest_proven": None}, "no backup is proven"),
    (proven(60, taken="2025-04-22T11:00:00"), "no backup is proven"),
    ({**proven(31), "proven_age_minutes": 30}, "31 min old, 30 min allowed"),
    ({"last_failure": FAILURE}, "last failure: t: backup FAILED disk full"),
    (proven(60, shrunken=True), "one.sql.gz: SHRUNKEN"),
    (
        {"unaccepted_loss": {"file": "two.sql.gz"}, "baseline": {"file": "one.sql.gz"}},
        "two.sql.gz: SHRUNKEN: rows are lost that one.sql.gz still holds",
    ),
    ({"queue": 3}, "3 backups wait for their proof"),
    ({"journal": {"broken": "line 3: x"}}, "journal: line 3: x"),
]


@pytest.mark.parametrize(("changes", "told"), BAD)
def test_what_stopped_is_bad_with_its_reason_and_hint(changes: dict[str, Any], told: str) -> None:
    (text,) = bad_texts(changes)
    assert told in text
    assert all(check.hint for check in health_rules.judge(facts(**changes), NOON) if check.result == "failed")


@pytest.mark.parametrize(("changes", "told"), BAD)
def test_in_the_first_hour_after_a_start_it_is_only_noted(changes: dict[str, Any], told: str) -> None:
    for minutes, noted in ((0, True), (59, True), (60, False), (-1, False)):
        checks = health_rules.judge(facts(**changes, schedule_started=ago(minutes)), NOON)
        assert [check.result for check in checks if told in check.text] == ["note" if noted else "failed"]


def test_facts_of_an_older_vault_are_judged_too() -> None:
    for minutes, result in ((150, "ok"), (150.5, "failed")):
        older = {"newest_proven": {"file": "one.sql.gz", "taken": ago(minutes)}, "journal": {}}
        assert [check.result for check in health_rules.judge(older, NOON)] == [result, "ok"]
    assert [check.result for check in health_rules.judge({}, NOON)] == ["failed", "ok"]
    assert health_rules.judge({}, NOON)[1].text == "0 backups wait for their proof"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 min old"),
        (179, "179 min old"),
        (180, "3 h old"),
        (-200, "3 h in the future"),
        (4319, "72 h old"),
        (4320, "3 days old"),
        (1_440_000, "1000 days old"),
    ],
)
def test_ages_are_written_for_people(minutes: float, text: str) -> None:
    assert health_rules.age_text(timedelta(minutes=minutes)) == text
