"""One decision: from a request to allowed or refused with its reason. Pure but for the look-ups; raises nothing.

A module of its own because it is the one place where an exception becomes a refusal: whatever is not understood, and
whatever could not be looked up, is not allowed.
"""

from __future__ import annotations

from ledgerguard.api.request import SAFE_METHODS, Request, json_body, no_form, path_of, query_of, stream_body
from ledgerguard.model import Lookups
from ledgerguard.refusal import LookupFailed, Refused, Verdict
from ledgerguard.rules import routes
from ledgerguard.rules.call import Call
from ledgerguard.rules.policy import Policy, Scene
from ledgerguard.rules.routes import Body, Route

ALLOWED = Verdict(True)


def decide(request: Request, policy: Policy, lookups: Lookups) -> Verdict:
    """The verdict as *enforce* gives it."""
    try:
        return _judge(request, policy, lookups) or ALLOWED
    except Refused as refusal:
        return refusal.verdict
    except LookupFailed as error:
        return Verdict(False, f"could not look up what the engine knows: {error}", "ledgerguard check")
    except Exception as error:  # a mistake of ours must not let anything through
        return Verdict(
            False, f"the guard failed on this request: {type(error).__name__}: {str(error)[:120]}", "ledgerguard check"
        )


def route_of(request: Request) -> Route | None:
    """The table's entry for a request, if it is in it."""
    try:
        found = routes.find(request.method, path_of(request.uri)[0])
    except Refused:
        return None
    return found[0] if found else None


def _judge(request: Request, policy: Policy, lookups: Lookups) -> Verdict | None:
    """What the audit has to say of a call that is allowed, if anything."""
    if request.plain_read:
        return None
    path, query = path_of(request.uri)
    found = routes.find(request.method, path)
    if found is None:
        if request.method in SAFE_METHODS and not path.rstrip("/").endswith("attach/ws"):
            return None
        raise Refused(f"unknown route {request.method[:20]} {path[:100]}", "docs/guard-matrix.md lists what is known")
    route, names = found
    body = b""
    if route.body is Body.JSON:
        body = json_body(request)
    elif route.body is Body.NONE:
        no_form(request)
    else:
        stream_body(request)
    return route.rule(Call(request, names, query_of(query, route.repeated), body, Scene(policy, lookups)))
