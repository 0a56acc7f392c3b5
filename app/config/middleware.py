"""Headers for every page, and who may see the debug toolbar."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# Everything comes from our own address; nothing is inline, so an injected script or style has nowhere to run.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class PageHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not settings.TOOLBAR:  # the toolbar sets styles of its own
            response.setdefault("Content-Security-Policy", POLICY)
        # Pages show money: no copy stays on a shared machine. Static files bring their own header.
        response.setdefault("Cache-Control", "no-store")
        return response


def show_toolbar(request: HttpRequest) -> bool:
    return bool(settings.TOOLBAR)
