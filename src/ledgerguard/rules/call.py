"""A request on a known route, as every rule receives it.

A module of its own because the table of routes and all rules share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledgerguard.api.request import Request
from ledgerguard.rules.policy import Context


@dataclass(frozen=True)
class Call:
    """A request on a known route: the names in its path, its query; `body` only where the route reads JSON."""

    request: Request
    names: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    context: Context

    @property
    def name(self) -> str:
        return self.names["name"]
