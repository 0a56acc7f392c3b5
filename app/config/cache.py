"""A Redis cache that may vanish.

A module of its own because Django's backend raises when Redis is away, and a sign-in or a page must not fail with it:
every error is logged and counts as a miss. After an error the process leaves Redis alone for a moment, so that a
hanging network costs one time-out and not one per key. Values are JSON: Django's own pickle runs what Redis says.
"""

import json
import logging
import time
from collections.abc import Callable
from typing import Any, cast

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

PAUSE_SECONDS = 5.0
log = logging.getLogger("ledger.cache")
_paused_until: dict[str, float] = {}  # per server, shared by the threads of the process


class UnreadableValue(Exception):
    """Redis holds something under our key that this app did not write."""


class JsonSerializer:
    """Values as JSON; a whole number is the same text in Redis' own form, so that `incr` works."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, allow_nan=False).encode()

    def loads(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UnreadableValue(f"a value is not JSON: {type(error).__name__}") from None


class SoftRedisCache(RedisCache):
    """Django's Redis backend; errors are misses, and nothing stays longer than `longest_seconds`."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        options = dict(params.get("OPTIONS", {}))
        self._longest = int(options.pop("longest_seconds", 86400))
        super().__init__(server, {**params, "OPTIONS": {"serializer": JsonSerializer(), **options}})
        self._server = server

    def get_backend_timeout(self, timeout: Any = None) -> int:
        seconds = super().get_backend_timeout(timeout)
        return self._longest if seconds is None else min(int(seconds), self._longest)

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._softly(lambda: super(SoftRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, timeout: Any = 300, version: int | None = None) -> None:
        self._softly(lambda: super(SoftRedisCache, self).set(key, value, timeout, version), None)

    def add(self, key: Any, value: Any, timeout: Any = 300, version: int | None = None) -> bool:
        # True although nothing is kept: callers ask "was it new?", and a vanished cache holds nothing.
        return cast(bool, self._softly(lambda: super(SoftRedisCache, self).add(key, value, timeout, version), True))

    def touch(self, key: Any, timeout: Any = 300, version: int | None = None) -> bool:
        return cast(bool, self._softly(lambda: super(SoftRedisCache, self).touch(key, timeout, version), False))

    def delete(self, key: Any, version: int | None = None) -> bool:
        return cast(bool, self._softly(lambda: super(SoftRedisCache, self).delete(key, version), False))

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return cast(bool, self._softly(lambda: super(SoftRedisCache, self).has_key(key, version), False))

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        return cast(dict[Any, Any], self._softly(lambda: super(SoftRedisCache, self).get_many(keys, version), {}))

    def set_many(self, data: Any, timeout: Any = 300, version: int | None = None) -> list[Any]:
        failed = self._softly(lambda: super(SoftRedisCache, self).set_many(data, timeout, version), None)
        return list(data) if failed is None else cast(list[Any], failed)

    def delete_many(self, keys: Any, version: int | None = None) -> None:
        self._softly(lambda: super(SoftRedisCache, self).delete_many(keys, version), None)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return cast(int, self._softly(lambda: super(SoftRedisCache, self).incr(key, delta, version), delta))

    def clear(self) -> None:
        self._softly(super().clear, None)

    def _softly(self, call: Callable[[], Any], miss: Any) -> Any:
        if time.monotonic() < _paused_until.get(self._server, 0.0):
            return miss
        try:
            return call()
        except UnreadableValue as error:
            log.warning("cache: %s; it counts as a miss", error)
            return miss
        except (RedisError, OSError) as error:
            _paused_until[self._server] = time.monotonic() + PAUSE_SECONDS
            log.warning("cache: %s; going on without it for %.0f s", type(error).__name__, PAUSE_SECONDS)
            return miss
