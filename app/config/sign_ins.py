"""Logs sign-ins with user and client address, and refuses an attempt after too many failures.

A module of its own because a person signs in on two pages (the app's and the admin's), and both meet here: Django
sends a signal for each failure, and asks the first authentication backend before it looks at a password.
"""

import ipaddress
import logging
from typing import Any, Final

from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.dispatch import receiver
from django.http import HttpRequest

WINDOW_SECONDS: Final = 15 * 60
MOST_OF_A_USER: Final = 10  # failures of one user name from one address
MOST_OF_AN_ADDRESS: Final = 50
LONGEST_NAME: Final = 100
log = logging.getLogger("ledger.sign_ins")


class ThrottleBackend:
    """Refuses an attempt after too many failures, before a password is compared. Signs nobody in."""

    def authenticate(self, request: HttpRequest | None, username: str | None = None, **_: Any) -> None:
        if request is not None and any(cache.get(key, 0) >= most for key, most in limits(request, username)):
            raise PermissionDenied("too many failed sign-ins")


def client_address(request: HttpRequest) -> str:
    """The address that Caddy saw: it appends it to the header. Without Caddy the peer's own."""
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(forwarded))
    except ValueError:
        return str(request.META.get("REMOTE_ADDR") or "unknown")


def limits(request: HttpRequest, username: str | None) -> list[tuple[str, int]]:
    """(key of a count in the cache, how many it allows). A name is in it as hex: keys allow no spaces."""
    address = client_address(request)
    name = (username or "")[:LONGEST_NAME].encode().hex()
    return [(f"sign-ins:{address}:{name}", MOST_OF_A_USER), (f"sign-ins:{address}", MOST_OF_AN_ADDRESS)]


@receiver(user_login_failed)
def log_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    if request is None:  # a command, not a person at the door
        return
    username = str(credentials.get("username") or "")[:LONGEST_NAME]
    counts = [(_count(key), most) for key, most in limits(request, username)]
    throttled = any(count > most for count, most in counts)
    outcome = f"refused for {WINDOW_SECONDS // 60} minutes, too many" if throttled else "failed"
    # !r: a user name may hold line ends, and would forge lines of the log.
    log.warning("sign-in %s: user %r from %s", outcome, username, client_address(request))


@receiver(user_logged_in)
def log_success(request: HttpRequest | None, user: Any, **_: Any) -> None:
    if request is None:
        return
    cache.delete(limits(request, user.get_username())[0][0])
    log.info("sign-in: user %r from %s", user.get_username(), client_address(request))


def _count(key: str) -> int:
    cache.add(key, 0, WINDOW_SECONDS)
    try:
        return cache.incr(key)
    except ValueError:  # it expired in between
        return 1
