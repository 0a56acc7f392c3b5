"""`/healthz`, `/readyz`, `/edgez`.

A middleware of its own, first in the list, because these three are asked by container name (Docker, Caddy) and must
answer before anything looks at the Host header, a session or a redirect. They name states, never reasons or versions.
"""

import logging
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from redis import Redis
from redis.exceptions import RedisError

REDIS_TIMEOUT_SECONDS: Final = 0.5
REDIS_REMEMBER_SECONDS: Final = 5.0
log = logging.getLogger("ledger.health")
_redis_seen: dict[str, tuple[float, str]] = {}


class HealthMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path not in settings.HEALTH_PATHS:
            return self.get_response(request)
        response = answer(request.path) if request.method in ("GET", "HEAD") else HttpResponse(status=405)
        response["Cache-Control"] = "no-store"
        return response


def answer(path: str) -> HttpResponse:
    if path == "/healthz":
        return HttpResponse("ok\n", content_type="text/plain")
    report = readiness()
    ready = report["status"] != "unavailable"
    if path == "/edgez":
        report["gate"] = gate(settings.GATE_FILE)
        ready = ready and report["gate"] != "closed"
        report["status"] = report["status"] if ready else "unavailable"
    return JsonResponse(report, status=200 if ready else 503)


def readiness() -> dict[str, str]:
    """Database and migrations decide; Redis only degrades, because pages work without it."""
    report = database_state()
    report["redis_queue"] = redis_state(settings.REDIS_URL)
    report["redis_cache"] = redis_state(settings.REDIS_CACHE_URL)
    return {"status": _status(report), **report}


def _status(report: dict[str, str]) -> str:
    if {report["database"], report["migrations"]} != {"ok"}:
        return "unavailable"
    return "degraded" if "unavailable" in report.values() else "ok"


def gate(path: Path | None) -> str:
    if path is None:
        return "not configured"
    return "open" if path.is_file() else "closed"


def database_state() -> dict[str, str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
            row = cursor.fetchone()
            applied: set[tuple[str, str]] = set()
            if row and row[0]:
                cursor.execute("SELECT app, name FROM django_migrations")
                applied = {(app, name) for app, name in cursor.fetchall()}
    except DatabaseError as error:
        log.warning("readyz: database: %s", type(error).__name__)
        connection.close()
        return {"database": "unavailable", "migrations": "unknown"}
    return {"database": "ok", "migrations": "ok" if newest_migrations() <= applied else "missing"}


@cache
def newest_migrations() -> frozenset[tuple[str, str]]:
    """What this code's last migrations are. More in the database is fine: an older colour beside a newer schema."""
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())


def redis_state(url: str) -> str:
    """`ok`, `unavailable` or `not configured`; a bad answer is remembered so that a hanging one slows one request."""
    if not url:
        return "not configured"
    until, state = _redis_seen.get(url, (0.0, ""))
    if state == "unavailable" and time.monotonic() < until:
        return state
    try:
        with Redis.from_url(
            url, socket_connect_timeout=REDIS_TIMEOUT_SECONDS, socket_timeout=REDIS_TIMEOUT_SECONDS
        ) as client:
            client.ping()
            state = "ok"
    except (RedisError, OSError) as error:
        log.warning("readyz: redis: %s", type(error).__name__)
        state = "unavailable"
    _redis_seen[url] = (time.monotonic() + REDIS_REMEMBER_SECONDS, state)
    return state
