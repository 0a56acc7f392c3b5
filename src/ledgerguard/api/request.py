"""A request as the engine shows it to a plugin, taken apart: method, route path, query, body. Pure.

A module of its own because each way of writing one route twice (percent-encoding, absolute URI, version prefix, doubled
parameters, hidden bodies) ends here; behind it there is one spelling.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from ledgerguard.refusal import Refusal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
STREAM_TYPES = frozenset(
    {"", "application/tar", "application/x-tar", "application/octet-stream", "application/gzip", "text/plain",
     "application/json", "application/x-gzip"}
)  # fmt: skip
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?://[^/]*)?(/.*)", re.DOTALL)
_VERSION = re.compile(r"/v(?P<version>[0-9.]+)(?P<path>/.*)", re.DOTALL)
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_JSON_TYPE = re.compile(r"application/json(?:\s*;\s*charset=utf-8)?", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """As the engine shows it: header names folded; `body` is empty where the engine showed none."""

    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def content_type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def is_plain_read(self) -> bool:
        """Nine of ten calls: nothing a GET can write but an attached terminal."""
        return self.method in SAFE_METHODS and "attach" not in self.uri and "%" not in self.uri

    @property
    def empty(self) -> bool:
        """Certainly without a body. (A chunked one shows neither a length nor itself.)"""
        return self.headers.get("content-length") == "0" and not self.body


def split_uri(uri: str) -> tuple[str, str]:
    """(path decoded and without version, raw query) of a request URI, as Go's parser and the router see it."""
    decoded, query = _decode_uri(uri)
    version = _VERSION.fullmatch(decoded)
    return (version["path"] if version else decoded), query


def api_version(uri: str) -> tuple[int, ...] | None:
    """The version a URI asks for, to be compared as the engine does; None where it names none: the engine's own."""
    version = _VERSION.fullmatch(_decode_uri(uri)[0])
    return tuple(int(part or 0) for part in version["version"].split(".")) if version else None


def _decode_uri(uri: str) -> tuple[str, str]:
    """(path decoded, raw query)."""
    absolute = _ABSOLUTE.fullmatch(uri.partition("?")[0])
    before, _, query = uri.partition("?")
    path = absolute[1] if absolute else before
    if _ESCAPE.search(path):
        raise Refusal("the request's path has a broken escape")
    return unquote_to_bytes(path.encode("utf-8", "surrogatepass")).decode("utf-8", "replace"), query


def parse_query(raw: str, repeated: frozenset[str] = frozenset()) -> dict[str, str]:
    """The parameters; a name given twice is refused, unless the engine reads it as a list and no rule reads it at all
    (`repeated`), as is what Go's parser and others read differently."""
    parameters: dict[str, str] = {}
    for pair in filter(None, raw.split("&")):
        if ";" in pair or _ESCAPE.search(pair):
            raise Refusal("the query has a ';' or a broken escape")
        name, _, value = (_unquote(part) for part in pair.partition("="))
        if name in parameters and name not in repeated:
            raise Refusal(f"the query has {name!r} twice", "send each parameter once")
        parameters[name] = value
    return parameters


def _unquote(part: str) -> str:
    raw = unquote_to_bytes(part.replace("+", " ").encode("utf-8", "surrogatepass"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("the query is not UTF-8") from None


def is_true(word: str | None) -> bool:
    """The engine's reading of a boolean parameter: anything but these words is true. (Go trims them, but other
    characters than Python: a padded word counts as true.)"""
    return (word or "").lower() not in {"", "0", "no", "false", "none"}


def read_json_body(request: Request) -> bytes:
    """The body of a route that reads JSON; refused where the plugin was not shown all of it."""
    if not request.body:
        raise Refusal(
            f"the body is not visible to the guard (length {request.headers.get('content-length', 'not given')}, "
            f"type {request.content_type or 'not given'})",
            "send Content-Type: application/json with a Content-Length below 1 MiB, not chunked",
        )
    if not _JSON_TYPE.fullmatch((request.content_type or "").strip()):
        raise Refusal(f"the body's type is {request.content_type!r}", "send Content-Type: application/json")
    length = request.headers.get("content-length")
    if length is not None and length != str(len(request.body)):
        raise Refusal(f"the guard was shown {len(request.body)} bytes of a body of {length}")
    return request.body


def refuse_form(request: Request) -> None:
    """Refuses a body that may be a form: the engine lets its fields override the query, and no plugin sees it.

    A shown body was JSON by the *first* Content-Type, the one the engine reads; the header shown here is the last.
    """
    if request.empty or request.body or request.content_type is None:
        return
    raise Refusal(
        f"a body of type {request.content_type!r} is not visible to the guard and may override the query",
        "send the request without a body (Content-Length: 0)",
    )


def refuse_form_stream(request: Request) -> None:
    """Refuses a stream of a type that the engine would read as a form."""
    if request.empty:
        return
    kind = (request.content_type or "").partition(";")[0].strip().lower()
    if kind not in STREAM_TYPES:
        raise Refusal(f"a stream of type {request.content_type!r}", "send Content-Type: application/x-tar")
