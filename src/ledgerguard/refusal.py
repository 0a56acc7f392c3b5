"""What a refusal says and how it is cut to the engine's one line: every layer refuses in this form and no other."""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE = 480
OPERATIONS = ("remove", "mount", "exec", "copy", "attach", "rename")  # what `unlock` can be asked for


@dataclass(frozen=True)
class Verdict:
    """What was decided of one request. `operation` and `volumes` say what an unlock would have to name."""

    allow: bool
    reason: str = ""
    safe: str = ""
    volumes: tuple[str, ...] = ()
    operation: str = ""

    @property
    def line(self) -> str:
        """One line for the engine's answer: printable, short."""
        text = f"{self.reason}; instead: {self.safe}" if self.safe else self.reason
        return printable(text)[:MAX_LINE]


class Refusal(Exception):
    """A request that is not allowed: what is wrong with the value seen, and the safe command."""

    def __init__(self, reason: str, safe: str = "", *, volumes: tuple[str, ...] = (), operation: str = "") -> None:
        super().__init__(reason)
        self.verdict = Verdict(False, reason, safe, volumes, operation)

    def with_alternative(self, command: str) -> Refusal:
        """The same refusal, which names one more way out."""
        verdict = self.verdict
        safe = f"{verdict.safe}, or {command}" if verdict.safe else command
        return Refusal(verdict.reason, safe, volumes=verdict.volumes, operation=verdict.operation)


class LookupFailed(Exception):
    """What the engine knows could not be read: nothing may be allowed on a guess."""


def printable(text: str) -> str:
    """Attacker-made text without control characters, terminal sequences or line ends."""
    if text.isprintable():  # nearly every text there is, ten times as fast
        return text
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def volume_refusal(volumes: tuple[str, ...], operation: str, problem: str, safe: str = "") -> Refusal:
    """A refusal that protects `volumes`; it names the unlock where that is the way."""
    first = volumes[0]
    unlock = f"ledgerguard unlock {first} --operation {operation} --reason ... --for 5m"
    return Refusal(
        f"protected volume {', '.join(volumes)}: {problem}",
        f"{safe}, or {unlock}" if safe else unlock,
        volumes=volumes,
        operation=operation,
    )
