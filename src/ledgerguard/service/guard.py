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
from ledgerguard.lookups.declarations_file import DeclarationsFile
from ledgerguard.model import Lookups
from ledgerguard.refusal import LookupFailed, Verdict
from ledgerguard.rules.decision import ALLOWED, decide, find_route
from ledgerguard.rules.host_areas import HostAreas
from ledgerguard.rules.policy import Policy
from ledgerguard.service import findings
from ledgerguard.service.audit import Audit, escape, timestamp
from ledgerguard.service.unlocks import Unlock, Unlocks

Decide = Callable[[Request, Policy, Lookups], Verdict]


@dataclass
class Guard:
    """One engine's guard. `state_dir`: where `check` keeps its verdict.

    `program` and `arguments` tell what runs, so that whoever installs another one knows whether to start it: sha256 of
    the one file it is, and its command line."""

    lookups: Lookups
    watched: DeclarationsFile
    unlocks: Unlocks
    audit: Audit
    areas: HostAreas = field(default_factory=HostAreas)
    mode: str = "enforce"
    profile: str = "standard"
    decide: Decide = decide
    counts: Counter[str] = field(default_factory=Counter)
    started: str = field(default_factory=timestamp)
    program: str = ""
    arguments: tuple[str, ...] = ()
    last_refusal: dict[str, Any] | None = None
    state_dir: Path | None = None

    def judge(self, request: Request) -> Verdict:
        """What the engine is told; raises nothing."""
        if self.mode == "off" or request.is_plain_read:  # on the spot: also those the guard itself makes
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
            policy = Policy(self.watched.read(), self.profile, self.areas, unlocked)
            return self.decide(request, policy, self.lookups)
        except LookupFailed as error:
            return Verdict(False, f"the declarations cannot be read: {error}", "ledgerguard declare FILE")
        except Exception as error:  # whatever it is, the answer is no
            return Verdict(False, f"the guard failed: {type(error).__name__}: {error}", "ledgerguard check")

    def _unlocked(self, request: Request, verdict: Verdict) -> bool:
        """Whether every volume concerned is unlocked for this operation. Used up where the route carries it out."""
        if not verdict.volumes or not verdict.operation or self.mode != "enforce":
            return False
        unlocks = [self.unlocks.find(volume, verdict.operation) for volume in verdict.volumes]
        if not all(unlocks) or not self._decided(request, frozenset(verdict.volumes)).allow:
            return False  # something else is wrong with it too
        route = find_route(request)
        if route is None or not self._note("unlocked", request, verdict):
            return False
        if route.consumes:
            used = [self.unlocks.take(volume, verdict.operation) for volume in verdict.volumes]
            return all(used)
        return True

    def _told(self, request: Request, verdict: Verdict) -> Verdict:
        if verdict.allow:
            self.counts["allowed"] += 1
            if verdict.operation:  # what was let through and has to be known later
                self.audit.write(verdict.operation, **_audit_facts(request, verdict))
            return verdict
        self._note(self._refused, request, verdict)
        return verdict if self.mode == "enforce" else ALLOWED

    @property
    def _refused(self) -> str:
        return "refused" if self.mode == "enforce" else "would-refuse"

    def _note(self, event: str, request: Request, verdict: Verdict) -> bool:
        return self.audit.write(event, **self._remember(event, request, verdict))

    def _remember(self, event: str, request: Request, verdict: Verdict) -> dict[str, Any]:
        self.counts[event] += 1
        facts = _audit_facts(request, verdict)
        self.last_refusal = escape({"time": timestamp(), "verdict": event, **facts})
        return facts

    def status(self) -> dict[str, Any]:
        """What others may believe of the guard; every text is escaped."""
        try:
            declarations, fault = self.watched.read(), ""
        except LookupFailed as error:
            declarations, fault = Declarations(), str(error)
        profile = Policy(declarations, self.profile).profile
        status = {
            "schema": 1, "version": __version__, "pid": os.getpid(), "started": self.started, "updated": timestamp(),
            "program": self.program, "arguments": list(self.arguments),
            "mode": self.mode, "profile": profile, "declared": sorted(declarations.volumes), "fault": fault,
            "decisions": dict(self.counts), "last_refusal": self.last_refusal, "audit_lines_lost": self.audit.lost,
            "check": findings.load_summary(self.state_dir) if self.state_dir else None,
            "unlocks": [_unlock_facts(unlock) for unlock in self.unlocks.all()],
        }  # fmt: skip
        return dict(escape(status))


def _unlock_facts(unlock: Unlock) -> dict[str, Any]:
    seconds_left = int(unlock.expires - time.time())
    return {"volume": unlock.volume, "operation": unlock.operation, "seconds_left": seconds_left}


def _audit_facts(request: Request, verdict: Verdict) -> dict[str, Any]:
    return {
        "method": request.method,
        "uri": request.uri,
        "volumes": list(verdict.volumes),
        "operation": verdict.operation,
        "reason": verdict.reason,
    }
