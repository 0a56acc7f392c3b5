"""Questions a file leaves open, and the answers a person gave.

A module of its own because every decision goes through it: an answer comes first, then certain evidence, then the
question. All questions of a file are collected, so that a person answers once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from statements.reading.parsing import LeftOut, Record, Unreadable

KEYS = (
    "date_order",
    "decimal_mark",
    "amount_sign",
    "amount_column",
    "money_out_column",
    "mixed_signs",
    "fee",
    "status",
    "memo",
    "direction",
    "section",
    "balance_rows",
    "undated_rows",
    "currency",
    "own_account",
    "encoding",
)
EACH = "each"


@dataclass(frozen=True)
class Choice:
    value: str
    label: str


@dataclass(frozen=True)
class Question:
    """`about` names the state or the text of a row that the answer is limited to; "" for an answer about the file."""

    key: str
    text: str
    choices: tuple[Choice, ...]
    about: str = ""


class Asked(Exception):
    """The file cannot be read before these are answered; nothing was saved."""

    def __init__(
        self, filename: str, questions: tuple[Question, ...], layout: str, left_out: tuple[LeftOut, ...] = ()
    ) -> None:
        self.filename, self.questions, self.layout, self.left_out = filename, questions, layout, left_out
        super().__init__("; ".join(question.text for question in questions))


def is_key(key: str) -> bool:
    """`status`, or `status:on its way` for one of several."""
    return key.partition(":")[0] in KEYS


@dataclass
class Desk:
    """Where one file's decisions are made. `subjects` is what each answer was about."""

    answers: Mapping[str, str]
    questions: list[Question] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    subjects: dict[str, str] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)

    def decide(
        self, key: str, proven: str, text: str, choices: Mapping[str, str], *, likely: str = "", about: str = ""
    ) -> str:
        """The answer, or what the file proves; else the question is asked and its first choice assumed meanwhile.

        `likely` is the choice that comes first.
        """
        answer = self.answers.get(key)
        if answer is not None:
            if answer not in choices:
                raise Unreadable(f"the answer {key}={answer!r} is none of: {', '.join(choices)}")
            self.subjects[key] = about
            return answer
        if proven:
            return proven
        ordered = sorted(choices, key=lambda choice: choice != likely)
        if all(question.key != key for question in self.questions):
            offers = tuple(Choice(choice, choices[choice]) for choice in ordered)
            self.questions.append(Question(key, text, offers, about))
        return ordered[0]

    def decide_each(
        self, key: str, texts: Mapping[str, str], text: str, choices: Mapping[str, str], likely: str
    ) -> dict[str, str]:
        """The answer about each of several things, all in one or one by one. `texts` are the questions about one."""
        names = list(texts)
        if not names:
            return {}
        one_by_one = {**choices, EACH: "ask about each by itself"}
        if len(names) == 1 and self.answers.get(key) != EACH:
            return {names[0]: self.decide(key, "", texts[names[0]], choices, likely=likely, about=names[0])}
        answer = self.decide(key, "", text, one_by_one, likely=likely, about="|".join(names))
        if answer != EACH:
            return dict.fromkeys(names, answer)
        return {name: self.decide(f"{key}:{name}", "", texts[name], choices, likely=likely) for name in names}

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def leave_out(self, record: Record, why: str) -> None:
        self.left_out.append(LeftOut(record.line, why, record.text))
