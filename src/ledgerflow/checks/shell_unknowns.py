"""Decides whether a command with unknown words could remove volumes.

A module of its own because "nobody knows" is no pass, yet most unknown words can do no harm: the container that `docker
exec` names is never a command. So each unknown word is tried with those values that would turn a docker command into
one that loses data; if none of them does, the command is fine.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from ledgerflow.checks.shell_commands import Invocation, program_name
from ledgerflow.checks.shell_words import can_be, fill, is_known, is_several

Fields = tuple[str, ...]
Loses = Callable[[Sequence[str]], bool]

# What one unknown word may be to do harm, and what several may.
_WORD = ("down", "-v", "--volumes", "volume", "rm", "prune", "system", "compose")
_SEVERAL: tuple[Fields, ...] = (
    (), ("down", "-v"), ("-v",), ("volume", "rm", "x"), ("volume", "rm"), ("rm", "x"), ("rm",), ("volume",),
    ("volume", "prune", "-f"), ("prune", "-f"), ("system", "prune", "--volumes"), ("prune", "--volumes"), ("down",),
    ("compose", "down", "-v"), ("compose",), ("system",), ("system", "prune"),
)  # fmt: skip
_AT_ONCE = 3  # unknown words tried together; with more of them, each pair
_HARMLESS = "x"


def could_lose(command: Invocation, programs: Sequence[str], loses: Loses) -> bool:
    """Whether unknown words of the command leave room for a loss; `loses` judges one that is known in full."""
    if not command.values or all(map(is_known, command.values)):
        return False
    program, rest = program_name(command.values[0]), command.values[1:]
    if not is_known(program):
        if not command.is_program:
            return False
        if is_several(program):
            return True
        matching = [name for name in programs if can_be(program, name)]
        return any(loses((name, *words)) for name in matching for words in _possible_words(rest))
    return program in programs and any(loses((program, *words)) for words in _possible_words(rest))


def _possible_words(words: Fields) -> Iterator[list[str]]:
    """The words with every combination of harmful values for the unknown ones."""
    places = [place for place, word in enumerate(words) if not is_known(word)]
    alternatives = {place: _possible_values(words[place]) for place in places}
    together = len(places) if len(places) <= _AT_ONCE else 2
    for selection in itertools.combinations(places, together) if places else [()]:
        for combination in itertools.product(*(alternatives[place] for place in selection)):
            replacements = dict(zip(selection, combination, strict=True))
            yield [
                part for place, word in enumerate(words) for part in replacements.get(place, (fill(word, _HARMLESS),))
            ]


def _possible_values(word: str) -> list[Fields]:
    if is_several(word):
        return [(fill(word, _HARMLESS),), *_values_inside_word(word)]
    return [(fill(word, _HARMLESS),), *((text,) for text in _WORD if can_be(word, text))]


def _values_inside_word(word: str) -> Iterator[Fields]:
    """An unquoted variable inside of a word: its first and last words touch the rest, those between are free."""
    for some in _SEVERAL:
        yield tuple(fill(word, f" {' '.join(some)} ").split())
    yield from ((text,) for text in _WORD if can_be(word, text))
