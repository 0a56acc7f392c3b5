"""Judges from `state/vault.json` whether backups are taken and proven.

It needs no database driver: the container's health check calls it, and so do `make health-check` and `make status` on
the controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ledgervault.model.proof import NOTE, OK, Check, failed, ok

GRACE = timedelta(hours=1)  # after a start of the schedule: the first backup is due within it
ALLOWED_MINUTES = 150  # an hour between backups, the time of a proof, one missed backup
_QUEUE = 2  # backups that may wait for their proof


def judge(facts: Mapping[str, Any], now: datetime) -> list[Check]:
    """In the first hour after a start, problems are only notes."""
    checks = [*_judge_work(facts, now)]
    started = _time(facts.get("schedule_started"))
    if started is not None and timedelta(0) <= now - started < GRACE:
        return [check if check.result == OK else replace(check, result=NOTE) for check in checks]
    return checks


def _judge_work(facts: Mapping[str, Any], now: datetime) -> Iterator[Check]:
    proven = facts.get("newest_proven") or {}
    yield _judge_age(proven, now, timedelta(minutes=facts.get("proven_age_minutes", ALLOWED_MINUTES)))
    if failure := facts.get("last_failure"):
        yield failed("last run", f"last failure: {failure['time']}: {failure['text']}", "make backup")
    if broken := (facts.get("journal") or {}).get("broken"):
        yield failed("journal", f"journal: {broken}", "ledgervault audit")
    if proven.get("shrunken") or facts.get("unaccepted_loss"):
        first, base = facts.get("unaccepted_loss") or proven, facts.get("baseline") or {}
        text = f"{first['file']}: SHRUNKEN: rows are lost that {base.get('file', 'an earlier backup')} still holds"
        hint = "make verify-data says which; was it meant: make accept FILE=newest REASON='…'"
        yield failed("shrunken", text, hint)
    waiting = int(facts.get("queue", 0))
    text = f"{waiting} backups wait for their proof"
    yield failed("queue", text, "make prove FILE=newest") if waiting > _QUEUE else ok("queue", text)


def _judge_age(proven: Mapping[str, Any], now: datetime, limit: timedelta) -> Check:
    hint = "make backup says what is wrong; backup.log says since when"
    time = _time(proven.get("taken"))
    if time is None:
        return failed("age", "no backup is proven", hint)
    text = f"newest proven backup: {proven['file']}, {age_text(now - time)}"
    if now - time < -timedelta(minutes=1):
        return failed("age", text, "set the clock; the next proven backup ends this")
    return (
        failed("age", f"{text}, {limit / timedelta(minutes=1):.0f} min allowed", hint)
        if now - time > limit
        else ok("age", text)
    )


def age_text(age: timedelta) -> str:
    """`35 min old`, `5 h old`, `2 days in the future`."""
    minutes = abs(age) / timedelta(minutes=1)
    text = (
        f"{minutes:.0f} min"
        if minutes < 180
        else f"{minutes / 60:.0f} h"
        if minutes < 4320
        else f"{minutes / 1440:.0f} days"
    )
    return f"{text} old" if age >= timedelta(0) else f"{text} in the future"


def _time(text: object) -> datetime | None:
    """Returns None for a text that is no time or has no zone."""
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else None
