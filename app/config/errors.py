"""The page for "something broke", which separates a database that is away (503, try again) from a bug (500)."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:
    """Called inside Django's except block. The template asks neither session nor database: one may be away."""
    away = isinstance(sys.exc_info()[1], (OperationalError, InterfaceError))
    response = HttpResponse(render_to_string("error.html", {"away": away}), status=503 if away else 500)
    if away:
        response["Retry-After"] = "5"
    return response
