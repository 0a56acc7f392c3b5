"""The guard as it runs: declarations as they are now, the mode, unlocks, counts and the audit, around one decision.

A module of its own because decisions are pure and sockets are the server's: this is what lies between, and what the
command line asks for its status.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledgerguard import __version__
from ledgerguard.api.request import Request
from ledgerguard.declarations.model import Declarations
from ledgerguard.lookups.declarations_file import Watched
from ledgerguard.model import Lookups
from ledgerguard.refusal import LookupFailed, Verdict
from ledgerguard.rules.decision import ALLOWED, decide, route_of
from ledgerguard.rules.host_areas import Places
from ledgerguard.rules.policy import Policy
from ledgerguard.service import findings
from ledgerguard.service.audit import Audit, escaped, now
from ledgerguard.service.unlocks import Unlocks

Decide = Callable[[Request, Policy, Lookups], Verdict]


@dataclass
class Guard:
    """One engine's guard. `state_dir`: where `check` keeps its verdict.

    `program` and `arguments` tell what runs, so that whoever installs another one knows whether to start it: sha256 of
    the one file it is, and its command line."""

    lookups: Lookups
    watched: Watched
    unlocks: Unlocks
    audit: Audit
    places: Places = field(default_factory=Places)
    mode: str = "enforce"
    profile: str = "standard"
    decide: Decide = decide
    counts: Counter[str] = field(default_factory=Counter)
    started: str = field(default_factory=now)
    program: str = ""
    arguments: tuple[str, ...] = ()
    last_refusal: dict[str, Any] | None = None
    state_dir: Path | None = None

    def judge(self, request: Request) -> Verdict:
        """What the engine is told; raises nothing."""
        if self.mode == "off" or request.plain_read:  # on the spot: also those the guard itself makes
            self.counts["allowed"] += 1
            return ALLOWED
        verdict = self._decided(request)
        if not verdict.allow and self._unlocked(request, verdict):
            return ALLOWED
        return self._told(request, verdict)

    def late(self, request: Request, seconds: float) -> Verdict:
        """What the engine is told where no verdict came. Past the audit's file: its disk may be what hangs."""
        verdict = Verdict(False, f"no decision within {seconds:g} s", "ledgerguard check")
        self._remember(self._refused, request, verdict)
        self.audit.lost += 1
        return verdict if self.mode == "enforce" else ALLOWED

    def _decided(self, request: Request, unlocked: frozenset[str] = frozenset()) -> Verdict:
        try:
            policy = Policy(self.watched.read(), self.profile, self.places, unlocked)
            return self.decide(request, policy, self.lookups)
        except LookupFailed as error:
            return Verdict(False, f"the declarations cannot be read: {error}", "ledgerguard declare FILE")
        except Exception as error:  # whatever it is, the answer is no
            return Verdict(False, f"the guard failed: {type(error).__name__}: {error}", "ledgerguard check")

    def _unlocked(self, request: Request, verdict: Verdict) -> bool:
        """Whether every volume concerned is unlocked for this operation. Used up where the route carries it out."""
        if not verdict.volumes or not verdict.operation or self.mode != "enforce":
            return False
        wanted = [self.unlocks.find(volume, verdict.operation) for volume in verdict.volumes]
        if not all(wanted) or not self._decided(request, frozenset(verdict.volumes)).allow:
            return False  # something else is wrong with it too
        route = route_of(request)
        if route is None or not self._note("unlocked", request, verdict):
            return False
        if route.consumes:
            taken = [self.unlocks.take(volume, verdict.operation) for volume in verdict.volumes]
            return all(taken)
        return True

    def _told(self, request: Request, verdict: Verdict) -> Verdict:
        if verdict.allow:
            self.counts["allowed"] += 1
            if verdict.operation:  # what was let through and has to be known later
                self.audit.write(verdict.operation, **_facts(request, verdict))
            return verdict
        self._note(self._refused, request, verdict)
        return verdict if self.mode == "enforce" else ALLOWED

    @property
    def _refused(self) -> str:
        return "refused" if self.mode == "enforce" else "would-refuse"

    def _note(self, what: str, request: Request, verdict: Verdict) -> bool:
        return self.audit.write(what, **self._remember(what, request, verdict))

    def _remember(self, what: str, request: Request, verdict: Verdict) -> dict[str, Any]:
        self.counts[what] += 1
        facts = _facts(request, verdict)
        self.last_refusal = escaped({"time": now(), "verdict": what, **facts})
        return facts

    def status(self) -> dict[str, Any]:
        """What others may believe of the guard; every text is escaped."""
        try:
            known, wrong = self.watched.read(), ""
        except LookupFailed as error:
            known, wrong = Declarations(), str(error)
        profile = Policy(known, self.profile).profile
        found = {
            "schema": 1, "version": __version__, "pid": os.getpid(), "started": self.started, "updated": now(),
            "program": self.program, "arguments": list(self.arguments),
            "mode": self.mode, "profile": profile, "declared": sorted(known.volumes), "fault": wrong,
            "decisions": dict(self.counts), "last_refusal": self.last_refusal, "audit_lines_lost": self.audit.lost,
            "check": findings.read(self.state_dir) if self.state_dir else None,
            "unlocks": [
                {"volume": one.volume, "operation": one.operation, "seconds_left": int(one.expires - time.time())}
                for one in self.unlocks.all()
            ],
        }  # fmt: skip
        return dict(escaped(found))


def _facts(request: Request, verdict: Verdict) -> dict[str, Any]:
    return {
        "method": request.method,
        "uri": request.uri,
        "volumes": list(verdict.volumes),
        "operation": verdict.operation,
        "reason": verdict.reason,
    }
