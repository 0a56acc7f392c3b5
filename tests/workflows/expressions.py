"""The expressions of GitHub's workflows, as far as ours use them: names, texts, calls without arguments, and logic.

A module of its own because it can be wrong by itself; what it does not know is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|\(|\)|[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)")
EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
STATUS = re.compile(r"\b(always|cancelled|success|failure)\(\)")


def evaluate(expression: str, contexts: Mapping[str, Any], status: str = "success") -> Any:
    """The value of an expression without its braces; ValueError where it holds what is not known here."""
    return _Parser(_tokens(expression), contexts, status).whole()


def fill(text: str, contexts: Mapping[str, Any], status: str = "success") -> str:
    """A text with its `${{ … }}` replaced; nothing is written as the empty text, as GitHub does."""
    return EMBEDDED.sub(lambda found: told(evaluate(found[1], contexts, status)), text)


def holds(condition: str, contexts: Mapping[str, Any], status: str) -> bool:
    """Whether an `if` lets a step or a job run; one that does not ask for the status wants success."""
    inner = EMBEDDED.fullmatch(condition.strip())
    expression = inner[1] if inner else condition
    if not STATUS.search(expression):
        expression = f"success() && ({expression})"
    return bool(evaluate(expression, contexts, status))


def told(value: Any) -> str:
    """A value as text."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _tokens(expression: str) -> list[str]:
    found, place = [], 0
    text = expression.strip()
    while place < len(text):
        token = TOKEN.match(text, place)
        if token is None:
            raise ValueError(f"{expression.strip()!r}: {text[place:]!r} is not known here")
        found.append(token[1])
        place = token.end()
    return found


class _Parser:
    """Recursive descent; `&&` and `||` give one of their sides, as GitHub's do."""

    def __init__(self, tokens: list[str], contexts: Mapping[str, Any], status: str) -> None:
        self.tokens, self.contexts, self.status = tokens, contexts, status

    def whole(self) -> Any:
        value = self._either()
        if self.tokens:
            raise ValueError(f"{self.tokens[0]!r} is one too many")
        return value

    def _take(self, *wanted: str) -> str:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in wanted else ""

    def _either(self) -> Any:
        value = self._both()
        while self._take("||"):
            other = self._both()
            value = value or other
        return value

    def _both(self) -> Any:
        value = self._equal()
        while self._take("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        value = self._one()
        while sign := self._take("==", "!="):
            same = told(value).lower() == told(self._one()).lower()
            value = same if sign == "==" else not same
        return value

    def _one(self) -> Any:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            value = self._either()
            if not self._take(")"):
                raise ValueError("a closing parenthesis is missing")
            return value
        if not self.tokens:
            raise ValueError("the expression ends too early")
        token = self.tokens.pop(0)
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return self._call(token) if self._take("(") else self._look_up(token)

    def _call(self, name: str) -> bool:
        if not self._take(")"):
            raise ValueError(f"{name}: calls with arguments are not known here")
        answers = {"always": True, "cancelled": self.status == "cancelled", "success": self.status == "success"}
        answers["failure"] = self.status == "failure"
        if name not in answers:
            raise ValueError(f"{name}(): is not known here")
        return answers[name]

    def _look_up(self, name: str) -> Any:
        first, *rest = name.split(".")
        if first in ("true", "false", "null") and not rest:
            return {"true": True, "false": False, "null": None}[first]
        if first not in self.contexts:
            raise ValueError(f"{first}: no context of this name is given here")
        value: Any = self.contexts[first]
        for part in rest:
            value = value.get(part) if isinstance(value, Mapping) else None
        return value
