"""Settings a person edits, read strictly.

A module of its own because the `.env.<env>` file is the one input that people type: its grammar, its schema and its
messages belong together and know nothing of Ansible's engine, hosts or roles. The schema itself is data of the
inventory (`settings_schema`), so that another stack brings its own settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from ledgerflow.findings import Finding, finding

_LINE = re.compile(r"^(?P<name>[A-Za-z_][A-Za-z0-9_]*)=(?P<value>.*)$")
_NAME = re.compile(r"^[a-z][a-z0-9]{0,15}$")
_HOST = re.compile(r"^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$")
_USER = re.compile(r"^[A-Za-z0-9_.@+-]{1,150}$")
_REGISTRY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?(/[a-z0-9._/-]+)?$")
_ZONE = re.compile(r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$")
_PATH = re.compile(r"^(/[\w.@+~-]+)+/?$")
_INTEGER = re.compile(r"^(0|[1-9][0-9]{0,15})$")  # no leading zero: 080 and 80 would be one port under two names


def _is_integer(text: str, rule: Mapping[str, Any]) -> str | None:
    low, high = int(rule.get("minimum", 0)), int(rule.get("maximum", 2**31))
    if _INTEGER.match(text) and low <= int(text) <= high:
        return None
    return f"a whole number from {low} to {high}"


def _matches(pattern: re.Pattern[str], description: str) -> Callable[[str, Mapping[str, Any]], str | None]:
    def check(text: str, _rule: Mapping[str, Any]) -> str | None:
        return None if pattern.match(text) else description

    return check


def _is_choice(text: str, rule: Mapping[str, Any]) -> str | None:
    choices = [str(choice) for choice in rule["choices"]]
    return None if text in choices else "one of " + ", ".join(choices)


def _is_path(text: str, rule: Mapping[str, Any]) -> str | None:
    if text in [str(word) for word in rule.get("words", [])]:
        return None
    description = "an absolute path without '..' or spaces, of letters, digits and ._@+~-"
    return None if _PATH.match(text) and ".." not in text.split("/") else description


def _is_zone(text: str, _rule: Mapping[str, Any]) -> str | None:
    # Where this machine has no zones at all, a name that looks like one has to do.
    good = _ZONE.match(text) and (_has_zone(text) or not _has_zone("Etc/UTC"))
    return None if good else "a time zone such as UTC or Europe/Vienna"


def _has_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True


# Each check gives None when the value is good, else what was wanted, to be put into the message.
_CHECKS: dict[str, Callable[[str, Mapping[str, Any]], str | None]] = {
    "boolean": lambda value, _rule: None if value in {"true", "false"} else "true or false",
    "choice": _is_choice,
    "host": _matches(_HOST, "a host name"),
    "integer": _is_integer,
    "name": _matches(_NAME, "1 to 16 lower-case letters and digits, a letter first"),
    "path": _is_path,
    "port": lambda value, _rule: _is_integer(value, {"minimum": 1, "maximum": 65535}),
    "registry": _matches(_REGISTRY, "a registry's host, with port and path where needed"),
    "user": _matches(_USER, "a user name"),
    "zone": _is_zone,
}
_CASTS: dict[str, Callable[[str], Any]] = {
    "boolean": lambda value: value == "true",
    "integer": int,
    "port": int,
}


def parse_settings(text: str) -> tuple[dict[str, str], list[tuple[int, str, str]]]:
    """Reads NAME=value lines; gives the values and the (line number, reason, hint) of each line that is not one.

    What stands after a `=` in such a line is not shown: people paste passwords.
    """
    settings: dict[str, str] = {}
    first: dict[str, int] = {}
    faults: list[tuple[int, str, str]] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.match(line)
        if match is None:
            reason = f"not a NAME=value line: {line.partition('=')[0][:40]!r}"
            faults.append((number, reason, "write one NAME=value per line, # for a remark"))
        elif match["name"] in settings:
            reason = f"{match['name']} is set twice, first in line {first[match['name']]}"
            faults.append((number, reason, f"keep one of the lines {first[match['name']]} and {number}"))
        else:
            settings[match["name"]] = _unquote(match["value"].strip())
            first[match["name"]] = number
    return settings, faults


def _unquote(text: str) -> str:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def settings_findings(
    text: str, schema: Mapping[str, Mapping[str, Any]], environment: str, place: str
) -> list[Finding]:
    """Everything wrong with a settings file: unreadable lines, unknown, missing and bad values, wrong environment."""
    settings, faults = parse_settings(text)
    findings = [finding(f"{place}:{number}", reason, hint) for number, reason, hint in faults]
    for name in sorted(settings.keys() - schema.keys()):
        hint = f"remove the line, or see .env.example for the {len(schema)} names that are known"
        findings.append(finding(place, f"unknown setting {name}", hint))
    for name in [name for name in schema if name not in settings]:
        hint = f"add the line {name}={schema[name].get('default', '')}"
        findings.append(finding(place, f"setting {name} is missing", hint))
    for name in [name for name in schema if name in settings]:
        findings += _value_findings(name, settings[name], schema[name], place)
    good = {
        name: content
        for name, content in settings.items()
        if name in schema and not _expectation(content, schema[name])
    }
    stated = good.get("LEDGER_ENV", environment)
    if stated != environment:
        problem = f"LEDGER_ENV is {stated}, but the inventory is for {environment}"
        findings.append(finding(place, problem, f"run it with ENV={stated}, or correct the line"))
    return findings + _same_port_findings(good, schema, place)


def _expectation(text: str, rule: Mapping[str, Any]) -> str | None:
    return _CHECKS[str(rule["type"])](text, rule)


def _value_findings(name: str, content: str, rule: Mapping[str, Any], place: str) -> list[Finding]:
    expectation = _expectation(content, rule)
    if expectation is None:
        return []
    hint = f"set {name}={rule.get('default', '')}" if rule.get("default") else f"see {name} in .env.example"
    return [finding(place, f"{name} is {content!r}, wanted {expectation}", hint)]


def _same_port_findings(
    settings: Mapping[str, str], schema: Mapping[str, Mapping[str, Any]], place: str
) -> list[Finding]:
    owners: dict[str, str] = {}
    findings: list[Finding] = []
    for name in [name for name, rule in schema.items() if rule["type"] == "port" and name in settings]:
        first = owners.setdefault(settings[name], name)
        if first != name:
            problem = f"{name} and {first} are both {settings[name]}"
            findings.append(finding(place, problem, f"give {name} another port"))
    return findings


def settings_values(text: str, schema: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The settings by lower-case name, cast to their type; a missing or bad one is its default.

    The default stands in only so that the variables built on it can be templated until `settings_findings` has
    refused the run: preflight looks at the findings before anything else.
    """
    settings, _faults = parse_settings(text)
    converted: dict[str, Any] = {}
    for name, rule in schema.items():
        content = settings.get(name, str(rule.get("default", "")))
        if _expectation(content, rule) is not None:
            content = str(rule.get("default", ""))
        converted[name.lower()] = _CASTS.get(str(rule["type"]), str)(content) if content else content
    return converted
