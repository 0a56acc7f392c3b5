"""One's own ledger as a search engine: SearXNG's json_engine asks here.

It answers 200 with a list, whatever happens: searx suspends an engine that says 403 or 429 for hours. Without the
token the list is empty.
"""

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.request import split_domain_port
from django.shortcuts import resolve_url
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from ledger.models import Transaction
from ledger.search import Filters, find
from ledger.templatetags.money import money

MOST_RESULTS = 20
LONGEST_QUERY = 200


@login_not_required
@require_safe
def search(request: HttpRequest) -> JsonResponse:
    q = request.GET.get("q", "")[:LONGEST_QUERY].replace("\x00", "").strip()
    token = request.GET.get("token", "")
    allowed = bool(settings.API_SEARCH_TOKEN) and constant_time_compare(token, settings.API_SEARCH_TOKEN)
    matches = find(Filters(q=q))[:MOST_RESULTS] if allowed and q else []
    return JsonResponse([_result(request, transaction) for transaction in matches], safe=False)


@login_not_required
@require_safe
def signed_in(request: HttpRequest) -> HttpResponse:
    """Caddy asks here before each request for the search page: 204 with the engine's token, or the way to sign in."""
    if request.user.is_authenticated:
        return HttpResponse(
            status=204, headers={"X-Search-Token": settings.SEARCH_ENGINE_TOKEN, "Cache-Control": "no-store"}
        )
    return HttpResponseRedirect(_sign_in_address(request), headers={"Cache-Control": "no-store"})


def _sign_in_address(request: HttpRequest) -> str:
    """On the app's port, under the name that the person uses: a cookie belongs to a name and knows no port."""
    path = resolve_url(settings.LOGIN_URL)
    public = urlsplit(settings.PUBLIC_URL)
    if not public.port:
        return f"{settings.PUBLIC_URL}{path}"
    name, _ = split_domain_port(request.get_host())
    return f"{public.scheme}://{name}:{public.port}{path}"


def _result(request: HttpRequest, transaction: Transaction) -> dict[str, str]:
    path = transaction.get_absolute_url()
    amount = f"{money(transaction.amount)} {transaction.account.currency}"
    category = f" · {transaction.category}" if transaction.category else ""
    return {
        "title": transaction.description,
        "url": f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path),
        "content": f"{transaction.date} · {amount} · {transaction.account}{category}",
    }
