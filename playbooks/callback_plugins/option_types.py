"""Gives each option that came as text the type of its specification, before the first task of a run.

A module of its own because `-e name=false` is the text "false", which is true, and `-e name=5000` cannot be compared
with a number; roles would have to convert each option at each place that reads it. Ansible validates a role's options
but hands them on as they came. This covers all sources: command line, inventory, group_vars and host_vars.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import yaml
from ansible.module_utils.common.validation import check_type_bool, check_type_dict, check_type_float, check_type_int
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: option_types
type: aggregate
short_description: Convert options given as text to the type of their specification
description: Reads roles/*/meta/argument_specs.yml, and inventory/argument_specs.yml for what no role owns.
"""

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ("{{", "{%", "{#")  # what Ansible makes of such a text has a type of its own

Rule = Mapping[str, Any]


def option_rule(name: str, root: Path = ROOT) -> Rule | None:
    """The specification of an option, from the role whose name begins the option's, or from the inventory's own."""
    roles = [part.name for part in _roles(root) if name.startswith(f"{part.name}_")]
    files = [root / "roles" / role / "meta/argument_specs.yml" for role in roles]
    for file in [*files, root / "inventory/argument_specs.yml"]:
        if name in _options(file):
            return _options(file)[name]
    return None


@cache
def _roles(root: Path) -> list[Path]:
    return sorted((root / "roles").iterdir())


@cache
def _options(file: Path) -> dict[str, Rule]:
    points = yaml.safe_load(file.read_text())["argument_specs"].values() if file.exists() else []
    return {name: rule for point in points for name, rule in (point.get("options") or {}).items()}


def typed(value: str, kind: str, elements: str = "str") -> Any:
    """The text as a value of an option's type; ValueError or TypeError where it is none."""
    if kind == "list":
        return [typed(item, elements) if isinstance(item, str) else item for item in _items(value)]
    converters: dict[str, Callable[[str], Any]] = {
        "bool": check_type_bool,
        "int": check_type_int,
        "float": check_type_float,
        "dict": _mapping,
    }
    return converters[kind](str(value)) if kind in converters else value


def _items(value: str) -> list[Any]:
    if value.lstrip().startswith("["):
        return list(_parsed(value, list))
    return [item.strip() for item in value.split(",")] if value.strip() else []


def _mapping(value: str) -> dict[str, Any]:
    if value.lstrip().startswith("{"):
        return dict(_parsed(value, dict))
    return dict(check_type_dict(value)) if value.strip() else {}


def _parsed(value: str, kind: type) -> Any:
    try:
        result = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    if not isinstance(result, kind):
        raise ValueError(f"{value}: not a {kind.__name__}")
    return result


def conversions(variables: Mapping[str, Any], root: Path = ROOT) -> tuple[dict[str, Any], list[str]]:
    """Options that are text and should be something else, converted; and a line for each that cannot be."""
    converted, refused = {}, []
    for name, value in variables.items():
        rule = option_rule(name, root) if _is_plain_text(value) else None
        kind = str((rule or {}).get("type", "str"))
        if rule is None or kind in ("str", "path", "raw"):
            continue
        try:
            converted[name] = typed(str(value), kind, str(rule.get("elements", "str")))
        except (TypeError, ValueError):
            refused.append(f"{name}: {str(value)[:60]!r} is not of type {kind}")
    return converted, refused


def _is_plain_text(value: Any) -> bool:
    return isinstance(value, str) and not any(mark in value for mark in TEMPLATES)


def refuse(lines: list[str]) -> NoReturn:
    """Ends the run: a callback that raises an ordinary error is only warned about."""
    print("\n".join(lines), file=sys.stderr)
    print("HINT: the roles' README files list each option with its type", file=sys.stderr)
    sys.exit(2)


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible publishes no types; until it does
    """What Ansible loads."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "option_types"

    def __init__(self) -> None:
        """The work is done once in a run: what plays set later is theirs."""
        super().__init__()
        self._is_done = False

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Changes the variables where Ansible keeps them, in the order of their precedence."""
        if self._is_done:
            return
        self._is_done = True
        manager = play.get_variable_manager()
        converted, refused = conversions(manager.extra_vars)
        manager.extra_vars.update(converted)
        for host in manager._inventory.get_hosts(play.hosts):
            refused += self._convert_host(manager, host)
        if refused:
            refuse(refused)

    def _convert_host(self, manager: Any, host: Any) -> list[str]:
        """A variable of the host itself outranks the files of its groups."""
        converted, refused = conversions(self._own_variables(manager, host))
        for name, value in converted.items():
            host.set_variable(name, value)
        still_text, _ = conversions(self._own_variables(manager, host)) if converted else ({}, [])
        return refused + [f"{name}: text in host_vars, where its type is needed" for name in still_text]

    def _own_variables(self, manager: Any, host: Any) -> dict[str, Any]:
        variables = manager.get_vars(host=host, include_hostvars=False)
        return {name: value for name, value in variables.items() if name not in manager.extra_vars}
