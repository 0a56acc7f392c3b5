"""The health of the vault's container: the schedule's heartbeat, its work and the free space.

A deploy waits only for the heartbeat: an unhealthy vault must not block the deploy that repairs it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

from ledgervault.commands import state
from ledgervault.commands.context import Context
from ledgervault.model import health_rules
from ledgervault.model.errors import CouldNot
from ledgervault.model.proof import Check, failed, ok

HEARTBEAT = "heartbeat"
STALE_SECONDS = 60


def note_start(context: Context) -> None:
    (context.scratch / state.STARTED).touch()


def beat(context: Context) -> None:
    (context.scratch / HEARTBEAT).touch()


def heartbeat(context: Context) -> Check:
    """Raises CouldNot if the schedule's heartbeat is missing or old."""
    place = context.scratch / HEARTBEAT
    try:
        age = time.time() - place.stat().st_mtime
    except OSError as error:
        hint = "is `ledgervault schedule` running here?"
        raise CouldNot(str(place), f"no heartbeat: {error.strerror}", hint) from error
    if age > STALE_SECONDS:
        raise CouldNot(str(place), f"the last heartbeat is {age:.0f} s old", "restart the vault's container")
    return ok("heartbeat", f"schedule: heartbeat {max(age, 0):.0f} s ago")


def judge(context: Context, now: datetime) -> list[Check]:
    """Checks heartbeat, work and free space. A schedule without a recorded start has just been installed."""
    facts = state.collect_facts(context)
    started = {"schedule_started": facts["schedule_started"] or now.isoformat()}
    return [heartbeat(context), *health_rules.judge(facts | started, now), *_room(context)]


def _room(context: Context) -> Iterator[Check]:
    try:
        context.check_room(0)
    except (CouldNot, OSError) as error:
        yield failed("room", str(error), "ledgervault prune --dry-run says why each backup stays")
