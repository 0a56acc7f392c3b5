"""From the name of a tool to its result: which functions may be called at all, with which arguments.

A row of the database names a function; only what stands in settings.TOOL_FUNCTIONS is imported, so that who can write
to that table still cannot run anything else.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

TYPES: dict[object, Callable[[str], object]] = {str: str, int: int, float: float}
TRUE, FALSE = ("true", "yes", "1", "on"), ("false", "no", "0", "off", "")


class NotAllowed(Exception):
    """The function is not on the list."""


class WrongArgument(Exception):
    """An argument is missing or not of its type."""


@dataclass(frozen=True)
class Argument:
    name: str
    kind: str
    default: object
    required: bool


def function(path: str) -> Callable[..., object]:
    if path not in settings.TOOL_FUNCTIONS:
        allowed = ", ".join(settings.TOOL_FUNCTIONS)
        raise NotAllowed(f"{path!r} is not on the list of functions that may run\nHINT: choose one of: {allowed}")
    found: Callable[..., object] = import_string(path)
    return found


def arguments(path: str) -> list[Argument]:
    """What the function takes, by its signature; only text, numbers and yes or no can be given in a form."""
    found = []
    for one in inspect.signature(function(path), eval_str=True).parameters.values():
        required = one.default is inspect.Parameter.empty
        kind = getattr(one.annotation, "__name__", "str")
        found.append(Argument(one.name, kind, None if required else one.default, required))
    return found


def call(path: str, given: Mapping[str, str]) -> object:
    """The function's result, as something JSON can hold."""
    wanted = {one.name: one for one in arguments(path)}
    unknown = set(given) - set(wanted)
    if unknown:
        raise WrongArgument(f"{', '.join(sorted(unknown))}: no such argument\nHINT: it takes {', '.join(wanted)}")
    values = {name: _value(one, given[name]) for name, one in wanted.items() if given.get(name, "") != ""}
    missing = [name for name, one in wanted.items() if one.required and name not in values]
    if missing:
        raise WrongArgument(f"{', '.join(missing)}: missing\nHINT: give a value")
    return json.loads(json.dumps(function(path)(**values), default=str))


def _value(one: Argument, text: str) -> object:
    if one.kind == "bool":
        if text.lower() in TRUE + FALSE:
            return text.lower() in TRUE
        raise WrongArgument(f"{one.name}: not yes or no, value seen {text!r}\nHINT: write true or false")
    convert = next((convert for kind, convert in TYPES.items() if getattr(kind, "__name__", "") == one.kind), str)
    try:
        return convert(text)
    except ValueError:
        raise WrongArgument(f"{one.name}: not of type {one.kind}, value seen {text!r}\nHINT: write a number") from None
