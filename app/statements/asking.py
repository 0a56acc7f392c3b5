"""Questions a file leaves open, and the answers a person gave.

A module of its own because every decision goes through it: an answer comes first, then certain evidence, then the
question. All questions of a file are collected, so that a person answers once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from statements.parsing import Unreadable

KEYS = (
    "date_order",
    "decimal_mark",
    "amount_sign",
    "amount_column",
    "money_out_column",
    "mixed_signs",
    "fee",
    "status",
    "balance_rows",
    "currency",
    "own_account",
)


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class Question:
    key: str
    text: str
    choices: tuple[Choice, ...]


class Asked(Exception):
    """The file cannot be read before these are answered; nothing was saved."""

    def __init__(self, filename: str, questions: tuple[Question, ...], layout: str) -> None:
        self.filename, self.questions, self.layout = filename, questions, layout
        super().__init__("; ".join(question.text for question in questions))


@dataclass
class Desk:
    """Where one file's decisions are made."""

    answers: Mapping[str, str]
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def decide(self, key: str, found: str, text: str, choices: Mapping[str, str]) -> str:
        """The answer, or what was found; else the question is asked and its first choice taken to find the others."""
        answer = self.answers.get(key)
        if answer is not None:
            if answer not in choices:
                raise Unreadable(f"the answer {key}={answer!r} is none of: {', '.join(choices)}")
            return answer
        if found:
            return found
        if all(question.key != key for question in self.questions):
            self.questions.append(Question(key, text, tuple(Choice(*pair) for pair in choices.items())))
        return next(iter(choices))

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
