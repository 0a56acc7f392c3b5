"""Decides what `ledger_docker` says to a command: go on, ask for the environment's name, or refuse.

A module of its own because it is pure: commands and what was seen go in, a verdict comes out, so every message is
tested without an engine. It is a friendly first word and not the protection: that is the engine's guard, which meets
every request.
"""

from __future__ import annotations

import shlex
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger_docker.arguments import ANONYMOUS, NAMED, PROJECT, RECREATED, UNUSED, Command, is_switch_on

PROTECT = "com.ledgerflow.protect"
ENVIRONMENT = "com.ledgerflow.environment"
SAFE_FILTER = f"label!={PROTECT}"
PRODUCTION, HARMLESS = "prod", ("", "dev", "ci", "staging")
NAMED_STAY_SINCE = (1, 42)  # from this version of the API on, a prune without --all takes anonymous volumes only
ALLOW, ASK, REFUSE = "allow", "ask", "refuse"


@dataclass(frozen=True)
class Volume:
    """A volume as the engine tells of it, or as it was declared where the engine does not know it."""

    name: str
    labels: Mapping[str, str]
    device: str = ""
    declared: bool = False

    @property
    def protected(self) -> bool:
        """By its label or by declaration."""
        return self.declared or self.labels.get(PROTECT, "").strip().lower() in {"true", "1", "yes"}

    @property
    def anonymous(self) -> bool:
        """Whether nobody named it: such a volume goes with its container where that is asked for."""
        nameless = len(self.name) == 64 and set(self.name) <= set("0123456789abcdef")
        return nameless or "com.docker.volume.anonymous" in self.labels

    @property
    def description(self) -> str:
        """Name, environment and place."""
        where = f", data in {plain(self.device)}" if self.device else ""
        return f"{plain(self.name)} (environment {plain(self.labels.get(ENVIRONMENT, 'unknown'))}{where})"


@dataclass(frozen=True)
class Inspection:
    """What a look at the engine and at compose's project showed of what a command may reach."""

    volumes: tuple[Volume, ...] = ()
    environments: frozenset[str] = frozenset()
    filters: tuple[str, ...] = ()  # those of a prune, with what docker's own configuration adds
    api: tuple[int, ...] = ()
    failed: str = ""  # why the look could not be made


@dataclass(frozen=True)
class Verdict:
    """ALLOW, ASK or REFUSE, with what to say. `word` is to be typed; `volumes` would be lost."""

    what: str
    text: str = ""
    word: str = ""
    volumes: tuple[str, ...] = ()


def plain(text: object) -> str:
    """Text made by others, safe on a terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in str(text))


def names_in(word: str) -> set[str]:
    """The volumes that a word on the command line may name: docker puts it into an address as it stands."""
    decoded = urllib.parse.unquote(word)
    bare = decoded.split("?")[0].split("#")[0].rstrip("/")
    return {word, decoded, bare, bare.rpartition("/")[2]}


def matches(filters: Sequence[str], key: str, labels: Mapping[str, str]) -> bool:
    """The engine's own rule: every value of this filter fits; true where the filter is not given."""
    for text in _filter_values(filters, key):
        name, equals, expected = text.partition("=")
        if name not in labels or (equals and labels[name] != expected):
            return False
    return True


def _filter_values(filters: Sequence[str], key: str) -> list[str]:
    pairs = [text.partition("=") for text in filters]
    return [setting.strip() for name, _, setting in pairs if name.strip().lower() == key]


def filters_match(filters: Sequence[str], labels: Mapping[str, str]) -> bool:
    """Whether a prune's filters let it take a volume. Of several `label!=` all must fit to keep it: two keep less."""
    if not matches(filters, "label", labels):
        return False
    return not (_filter_values(filters, "label!") and matches(filters, "label!", labels))


def prune_takes_named(command: Command, inspection: Inspection) -> bool:
    """Whether a prune takes volumes that have a name; where the version is not known, it does."""
    is_for_all = command.path[0] == "volume" and command.on("all")
    by_filter = any(is_switch_on(setting) for setting in _filter_values(inspection.filters, "all"))
    return is_for_all or by_filter or not inspection.api or inspection.api < NAMED_STAY_SINCE


def find_lost_volumes(command: Command, inspection: Inspection) -> list[Volume]:
    """The protected volumes that the command would remove."""
    lost_volumes: dict[str, Volume] = {}
    for kind in command.removes:
        for volume in inspection.volumes:
            if volume.protected and _reaches(kind, command, inspection, volume):
                lost_volumes[volume.name] = volume
    return list(lost_volumes.values())


def _reaches(kind: str, command: Command, inspection: Inspection, volume: Volume) -> bool:
    if kind == NAMED:
        return any(volume.name in names_in(word) for word in command.words)
    if kind == UNUSED:
        return filters_match(inspection.filters, volume.labels) and (
            volume.anonymous or prune_takes_named(command, inspection)
        )
    if kind == ANONYMOUS:
        return volume.anonymous
    return kind in {PROJECT, RECREATED}


def judge(command: Command, inspection: Inspection, environment: str) -> Verdict:
    """`environment` is LEDGER_ENV, empty where it is not set."""
    volumes = find_lost_volumes(command, inspection)
    if volumes:
        text = "\n".join([_would_remove(command, volumes), *_hints(command, volumes)])
        return Verdict(REFUSE, text, volumes=tuple(volume.name for volume in volumes))
    if command.removes and inspection.failed:
        return Verdict(REFUSE, _could_not_look(command, inspection.failed))
    word = asked_word(environment, inspection.environments) if command.interrupts else ""
    return Verdict(ASK, _question(command, environment, word), word) if word else Verdict(ALLOW)


def asked_word(environment: str, reached: Iterable[str]) -> str:
    """What has to be typed before something is stopped or replaced: the production environment's name, else nothing.

    What a container says of itself counts as much as the shell it is stopped from. A name that is unknown is taken
    for production: it may be a slip of the pen.
    """
    for name in (*sorted(reached), environment):
        if name == PRODUCTION or name not in HARMLESS:
            return name
    return ""


def _would_remove(command: Command, volumes: Sequence[Volume]) -> str:
    description = ", ".join(volume.description for volume in volumes)
    noun = "the protected volume" if len(volumes) == 1 else f"{len(volumes)} protected volumes:"
    return f"{command.name}: would remove {noun} {description}; nothing was stopped or removed"


def _hints(command: Command, volumes: Sequence[Volume]) -> list[str]:
    names = {volume.name for volume in volumes}
    hints = [_safe_command(command, names)]
    if lost_label := [volume.name for volume in volumes if PROTECT not in volume.labels]:
        hints.append(f"the label {PROTECT} is lost, so no filter spares it: docker volume inspect {lost_label[0]}")
    unlock = " && ".join(f"ledgerguard unlock {plain(name)}" for name in sorted(names)[:1])
    more = " (and so on for each)" if len(names) > 1 else ""
    hints.append(
        f"if it must go: make prove FILE=latest, then as root {unlock} --operation remove --reason '…' --for 5m{more}, "
        "and the same command with docker itself"
    )
    return [f"HINT: {hint}" for hint in hints if hint]


def _safe_command(command: Command, names: set[str]) -> str:
    kinds = set(command.removes)
    if NAMED in kinds:
        remaining = [word for word in command.words if not names_in(word) & names]
        return f"remove only the others: {_format_command(command.argv(words=remaining))}" if remaining else ""
    if UNUSED in kinds:
        options = tuple(pair for pair in command.options if not (pair[0] == "filter" and "!" in (pair[1] or "")))
        return f"prune all but the protected ones: {_format_command(command.argv((*options, ('filter', SAFE_FILTER))))}"
    if RECREATED in kinds and not kinds & {PROJECT, ANONYMOUS}:
        advice = "compose could make it anew without asking; declare it external, or leave out --yes"
        return f"{advice}: {_without_removal(command)}"
    return f"the same with every volume kept: {_without_removal(command)}"


def _without_removal(command: Command) -> str:
    """The command without the options that remove volumes."""
    switches = {"volumes", "renew-anon-volumes", "yes"}
    return _format_command(command.argv(tuple(pair for pair in command.options if pair[0] not in switches)))


def _format_command(argv: Sequence[str]) -> str:
    return plain(shlex.join(argv))


def _could_not_look(command: Command, failed: str) -> str:
    return (
        f"{command.name}: could not look whether it would remove a protected volume: {plain(failed.strip())}; nothing "
        f"was stopped or removed\nHINT: docker info; for compose: docker compose config"
    )


def _question(command: Command, environment: str, word: str) -> str:
    shell = f"LEDGER_ENV is {plain(environment)}" if environment else "LEDGER_ENV is not set"
    reached = "" if word == environment else f", but what it reaches is of environment {plain(word)}"
    strange = "" if word == PRODUCTION else " (not dev, ci, staging or prod, so taken for production)"
    return f"{command.name}: stops or replaces containers; {shell}{reached}{strange}"
