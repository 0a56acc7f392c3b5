"""The Celery application: `celery --app config.celery worker` and `… beat`.

Not imported by `config/__init__.py`, so that the health check and the web start without loading Celery.
"""

import logging.config
import os
from pathlib import Path
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from config import settings as _settings  # a wrong setting must stop the start here, with its one message
from config.healthcheck import BEAT_FILE, WORKER_FILE

app = Celery("ledger")
app.conf.update(
    broker_url=_settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,  # Redis may be away for as long as it likes
    broker_transport_options={"visibility_timeout": 3600, "socket_connect_timeout": 5, "socket_timeout": 30},
    timezone=_settings.CELERY_TIMEZONE,
    enable_utc=True,
    task_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    task_ignore_result=True,
    # A task counts as done when it has run, not when it was fetched: a killed worker's task runs again.
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    worker_max_tasks_per_child=1000,
    task_time_limit=600,
    task_soft_time_limit=540,
    task_default_queue=f"{_settings.STACK_NAME}-{_settings.LEDGER_ENV}",
    beat_scheduler="celery.beat:Scheduler",  # in memory: the usual one keeps pickles in a file
    beat_schedule={
        # Expires before the next one: a worker that was away does not work off a pile of old heartbeats.
        "heartbeat": {"task": "ledger.heartbeat", "schedule": 60.0, "options": {"expires": 55}},
    },
)
app.autodiscover_tasks(["ledger"])


@signals.setup_logging.connect
def _log_as_django_does(**_: Any) -> None:
    """That somebody listens here keeps Celery from setting up logging of its own."""
    logging.config.dictConfig(_settings.LOGGING)


@signals.worker_ready.connect
@signals.heartbeat_sent.connect  # every 2 s while the worker's connection to Redis is alive
def _worker_lives(**_: Any) -> None:
    Path(WORKER_FILE).touch()


@signals.beat_init.connect
def _beat_lives(**_: Any) -> None:
    """From here on this process is beat: each message it really handed to Redis is a sign of life."""
    Path(BEAT_FILE).touch()
    signals.after_task_publish.connect(_beat_published)


def _beat_published(**_: Any) -> None:
    Path(BEAT_FILE).touch()
