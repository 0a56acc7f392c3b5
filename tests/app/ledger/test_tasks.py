"""What the worker does; test_live.py shows that it really gets there through Redis."""

from __future__ import annotations

import pytest
from ledger.models import WorkerHeartbeat
from ledger.tasks import heartbeat


@pytest.mark.django_db
def test_each_heartbeat_counts_in_one_row() -> None:
    heartbeat()
    first = WorkerHeartbeat.objects.get()
    heartbeat()
    second = WorkerHeartbeat.objects.get()
    assert (first.beats, second.beats) == (1, 2) and second.ran_at > first.ran_at
