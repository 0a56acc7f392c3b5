"""Which search engines may be configured where, and how one list of them fits SearXNG and Debian's searx alike.

A module of its own because "nothing leaves this machine in dev and ci" is a promise about data, and is kept by reading
the list of engines before anything is deployed rather than by trusting a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from ledgerflow.findings import Finding, finding

Engine = Mapping[str, Any]

LOCAL_ENVIRONMENTS = frozenset({"dev", "ci"})
_NEEDED = ("name", "engine", "shortcut")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def searxng_settings(engines: list[Engine]) -> list[dict[str, Any]]:
    """The engines as both programs take them: categories as one string, plain HTTP where the address says so."""
    return [_engine(engine) for engine in engines]


def _engine(engine: Engine) -> dict[str, Any]:
    settings = {"disabled": False, **engine}
    if isinstance(settings.get("categories"), list):
        settings["categories"] = ", ".join(settings["categories"])
    if _address(engine).scheme == "http":
        settings.setdefault("enable_http", True)
    return settings


def searxng_findings(engines: list[Engine], environment: str, stack_id: str) -> list[Finding]:
    """Engines that cannot work, or that would ask outside where nothing may leave the machine."""
    findings = []
    for engine in engines:
        place = f"searxng_engines {engine.get('name', '?')}"
        if missing := [key for key in _NEEDED if not engine.get(key)]:
            findings.append(finding(place, f"no {', '.join(missing)}", "see roles/searxng/README.md"))
        elif environment in LOCAL_ENVIRONMENTS and (outside := _outside(engine, stack_id)):
            hint = f"a json_engine that asks http://{stack_id}-…, or leave it to staging and prod"
            findings.append(finding(place, f"{outside}; {environment} asks nothing outside", hint))
    for key in ("name", "shortcut"):
        names = [engine.get(key) for engine in engines if engine.get(key)]
        for double in sorted({str(name) for name in names if names.count(name) > 1}):
            problem = f"{key} {double!r} is given twice, so that one engine would hide the other"
            findings.append(finding("searxng_engines", problem, f"another {key}"))
    return findings


def _outside(engine: Engine, stack_id: str) -> str:
    """Why the engine is not local, or ""."""
    if engine["engine"] != "json_engine":
        return f"engine {engine['engine']} asks outside"
    host = _address(engine).hostname or ""
    if host in _LOOPBACK or host.startswith(f"{stack_id}-"):
        return ""
    return f"it asks {host or 'an address without a host'}"


def _address(engine: Engine) -> SplitResult:
    try:
        return urlsplit(str(engine.get("search_url", "")).split("?")[0])
    except ValueError:  # half an IPv6 address
        return urlsplit("")
