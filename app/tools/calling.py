"""From the name of a tool to its result: the functions that may be called, and their arguments.

A row of the database names a function; only functions in settings.TOOL_FUNCTIONS are imported, so that a writer of that
table cannot run anything else.
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
    imported: Callable[..., object] = import_string(path)
    return imported


def arguments(path: str) -> list[Argument]:
    """The function's arguments by its signature; only text, numbers and yes or no can be given in a form."""
    parameters = inspect.signature(function(path), eval_str=True).parameters.values()
    return [_argument(parameter) for parameter in parameters]


def _argument(parameter: inspect.Parameter) -> Argument:
    required = parameter.default is inspect.Parameter.empty
    kind = getattr(parameter.annotation, "__name__", "str")
    return Argument(parameter.name, kind, None if required else parameter.default, required)


def call(path: str, texts: Mapping[str, str]) -> object:
    """The function's result, as something JSON can hold."""
    parameters = {argument.name: argument for argument in arguments(path)}
    unknown = set(texts) - set(parameters)
    if unknown:
        raise WrongArgument(f"{', '.join(sorted(unknown))}: no such argument\nHINT: it takes {', '.join(parameters)}")
    filled = {name: text for name, text in texts.items() if text != ""}
    missing = [name for name, argument in parameters.items() if argument.required and name not in filled]
    converted = {name: _value(argument, filled[name]) for name, argument in parameters.items() if name in filled}
    if missing:
        raise WrongArgument(f"{', '.join(missing)}: missing\nHINT: give a value")
    return json.loads(json.dumps(function(path)(**converted), default=str))


def _value(argument: Argument, text: str) -> object:
    if argument.kind == "bool":
        if text.lower() in TRUE + FALSE:
            return text.lower() in TRUE
        raise WrongArgument(f"{argument.name}: not yes or no, value seen {text!r}\nHINT: write true or false")
    convert = next((convert for kind, convert in TYPES.items() if getattr(kind, "__name__", "") == argument.kind), str)
    try:
        return convert(text)
    except ValueError:
        raise WrongArgument(
            f"{argument.name}: not of type {argument.kind}, value seen {text!r}\nHINT: write a number"
        ) from None
