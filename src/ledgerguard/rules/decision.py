"""One decision: from a request to allowed or refused with its reason. Pure but for the look-ups; raises nothing.

A module of its own because it is the one place where an exception becomes a refusal: whatever is not understood, and
whatever could not be looked up, is not allowed.
"""

from __future__ import annotations

from ledgerguard.api.request import (
    SAFE_METHODS,
    Request,
    parse_query,
    read_json_body,
    refuse_form,
    refuse_form_stream,
    split_uri,
)
from ledgerguard.model import Lookups
from ledgerguard.refusal import LookupFailed, Refusal, Verdict
from ledgerguard.rules import routes
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Context, Policy
from ledgerguard.rules.routes import Body, Route

ALLOWED = Verdict(True)


def decide(request: Request, policy: Policy, lookups: Lookups) -> Verdict:
    """The verdict as *enforce* gives it."""
    try:
        return _judge(request, policy, lookups) or ALLOWED
    except Refusal as refusal:
        return refusal.verdict
    except LookupFailed as error:
        return Verdict(False, f"could not look up what the engine knows: {error}", "ledgerguard check")
    except Exception as error:  # a mistake of ours must not let anything through
        return Verdict(
            False, f"the guard failed on this request: {type(error).__name__}: {str(error)[:120]}", "ledgerguard check"
        )


def find_route(request: Request) -> Route | None:
    """The table's entry for a request, if it is in it."""
    try:
        match = routes.find(request.method, split_uri(request.uri)[0])
    except Refusal:
        return None
    return match[0] if match else None


def _judge(request: Request, policy: Policy, lookups: Lookups) -> Verdict | None:
    """What the audit has to say of a call that is allowed, if anything."""
    if request.is_plain_read:
        return None
    path, query = split_uri(request.uri)
    match = routes.find(request.method, path)
    if match is None:
        if request.method in SAFE_METHODS and not path.rstrip("/").endswith("attach/ws"):
            return None
        raise Refusal(f"unknown route {request.method[:20]} {path[:100]}", "docs/guard-matrix.md lists what is known")
    route, names = match
    body = b""
    if route.body is Body.JSON:
        body = read_json_body(request)
    elif route.body is Body.NONE:
        refuse_form(request)
    else:
        refuse_form_stream(request)
    return route.rule(Call(request, names, parse_query(query, route.repeated), body, Context(policy, lookups)))
