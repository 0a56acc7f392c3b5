"""Search the web through our own SearXNG. Which engines it asks, and whether any outside, is SearXNG's settings."""

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from django.conf import settings

MOST_RESULTS = 50
LONGEST_QUERY = 500
MOST_BYTES = 5 * 1024 * 1024
TIMEOUT_SECONDS = 10


class SearchFailed(Exception):
    """SearXNG did not answer as it should; the message says what a person can do."""


def search_web(
    query: str, num_results: int = 10, categories: str = "", language: str = "", page: int = 1
) -> list[dict[str, str]]:
    """At most `num_results` of {title, url, content}, best first. `categories` and `language` as SearXNG knows them."""
    query = query.strip()
    if not query or len(query) > LONGEST_QUERY:
        raise ValueError(f"query: {len(query)} characters; give 1 to {LONGEST_QUERY}")
    if not 1 <= num_results <= MOST_RESULTS:
        raise ValueError(f"num_results: value seen {num_results}; give 1 to {MOST_RESULTS}")
    parameters = {"q": query, "format": "json", "pageno": str(page), "categories": categories, "language": language}
    answer = _ask({key: text for key, text in parameters.items() if text})
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise SearchFailed("SearXNG answered without results\nHINT: see its log: make logs SERVICE=searxng")
    return [_result(entry) for entry in results if isinstance(entry, dict)][:num_results]


def _ask(query: dict[str, str]) -> Any:
    """SearXNG's answer. No redirect and no proxy: only the address of the settings is ever asked."""
    if not settings.SEARXNG_URL:
        raise SearchFailed("no SearXNG is configured\nHINT: set SEARXNG_URL, such as http://searxng:8080")
    url = f"{settings.SEARXNG_URL.rstrip('/')}/search?{urllib.parse.urlencode(query)}"
    headers = {"Accept": "application/json"}
    if settings.SEARCH_ENGINE_TOKEN:  # opens the engine that searches the ledger; in a cookie, so that no log has it
        headers["Cookie"] = f"tokens={settings.SEARCH_ENGINE_TOKEN}"
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  http(s): see settings
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            content = answer.read(MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise SearchFailed(_refused(error.code)) from None
    except OSError as error:
        reason = getattr(error, "reason", None) or error
        hint = "HINT: make status; then make deploy SERVICE=searxng. Nothing else needs the search"
        raise SearchFailed(f"SearXNG does not answer at {settings.SEARXNG_URL}: {reason}\n{hint}") from None
    if len(content) > MOST_BYTES:
        raise SearchFailed(f"SearXNG answered with more than {MOST_BYTES} bytes\nHINT: ask for something narrower")
    try:
        return json.loads(content)
    except ValueError:
        hint = "HINT: add json to search.formats in SearXNG's settings"
        raise SearchFailed(f"SearXNG did not answer in JSON, value seen {content[:80]!r}\n{hint}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _refused(code: int) -> str:
    hint = {
        403: "add json to search.formats in SearXNG's settings",
        429: "SearXNG limits requests; wait a minute, or turn its limiter off for this network",
    }.get(code, "see its log: make logs SERVICE=searxng")
    return f"SearXNG answered {code}\nHINT: {hint}"


def _result(entry: dict[str, Any]) -> dict[str, str]:
    return {key: str(entry.get(key) or "") for key in ("title", "url", "content")}
