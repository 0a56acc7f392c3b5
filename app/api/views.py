"""One's own ledger as a search engine: SearXNG's json_engine asks here.

It answers 200 with a list, whatever happens: searx suspends an engine that says 403 or 429 for hours. Without the
token the list is empty.
"""

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.http import require_safe

from ledger.models import Transaction
from ledger.search import Wanted, find
from ledger.templatetags.money import money

MOST_RESULTS = 20
LONGEST_QUERY = 200


@login_not_required
@require_safe
def search(request: HttpRequest) -> JsonResponse:
    q = request.GET.get("q", "")[:LONGEST_QUERY].replace("\x00", "").strip()
    token = request.GET.get("token", "")
    allowed = bool(settings.API_SEARCH_TOKEN) and constant_time_compare(token, settings.API_SEARCH_TOKEN)
    found = find(Wanted(q=q))[:MOST_RESULTS] if allowed and q else []
    return JsonResponse([_result(request, one) for one in found], safe=False)


def _result(request: HttpRequest, one: Transaction) -> dict[str, str]:
    path = one.get_absolute_url()
    category = f" · {one.category}" if one.category else ""
    return {
        "title": one.description,
        "url": f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL else request.build_absolute_uri(path),
        "content": f"{one.date} · {money(one.amount)} {one.account.currency} · {one.account}{category}",
    }
