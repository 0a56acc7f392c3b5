"""What every template may know of the site."""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, str]:
    return {"ledger_env": settings.LEDGER_ENV, "stack_name": settings.STACK_NAME}
