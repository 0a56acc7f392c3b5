"""Work for the Celery worker."""

from django.db.models import F
from django.utils import timezone

from config.celery import app
from ledger.models import WorkerHeartbeat


@app.task(name="ledger.heartbeat")
def heartbeat() -> None:
    """Beat, queue, worker and database work together: one row says when they last did."""
    now = timezone.now()
    _, created = WorkerHeartbeat.objects.get_or_create(name="worker", defaults={"beats": 1, "ran_at": now})
    if not created:
        WorkerHeartbeat.objects.filter(name="worker").update(beats=F("beats") + 1, ran_at=now)
