"""Shows the logs of a stack's containers, merged by time.

A module of its own because the engine keeps one log for each container, and what went wrong is mostly between two of
them. It reads from the engine that `docker` talks to: for a stack elsewhere set DOCKER_HOST=ssh://user@host.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping

from ledgerflow.play.request import LOCAL, Refusal

LEVELS = ("debug", "info", "notice", "warning", "error", "critical")
# The words that programs use for the levels, in capitals or as the value of a JSON field.
NAMES = {
    "PANIC": "critical", "FATAL": "critical", "CRITICAL": "critical", "EMERG": "critical", "ALERT": "critical",
    "DPANIC": "critical", "ERROR": "error", "WARNING": "warning", "WARN": "warning", "NOTICE": "notice", "INFO": "info",
    "LOG": "info", "STATEMENT": "info", "DETAIL": "info", "HINT": "info", "CONTEXT": "info", "DEBUG": "debug",
    "TRACE": "debug",
}  # fmt: skip
_NAMED = re.compile(rf"(?<![\w/]){'(' + '|'.join(NAMES) + ')'}\d?(?![\w/])")
# What a program writes without a level of its own; the gravest first.
WORDS = {
    "critical": ("critical", "fatal", "panic", "emerg", "alert"),
    "error": ("error", "err]"),
    "warning": ("warning", "warn"),
    "notice": ("notice",),
    "debug": ("debug",),
}
_REQUEST = re.compile(r'"[A-Z]+ [^"]*" ([1-5])\d\d\b')
# A healthy stack writes these once, when it starts, and none can be turned off.
EXPECTED = (
    "WARNING Memory overcommit must be enabled!",  # Redis, of the host's setting, which is not this stack's to change
)
COULD_NOT = 2

Entry = tuple[str, str, str]  # time as the engine writes it (UTC, sorts as text), container, text


def level_of(text: str) -> str:
    """The level that a line has: its own, as a field or a word in capitals; else what its words seem to say."""
    head = text[:160]
    if any(line in head for line in EXPECTED):
        return "notice"
    if text.startswith("{") and (level := _field(text)):
        return level
    if request := _REQUEST.search(head):  # a path may hold any word
        return "error" if request[1] == "5" else "info"
    if match := _NAMED.search(head):
        return NAMES[match[1]]
    return next((level for level, words in WORDS.items() if any(word in head.lower() for word in words)), "info")


def _field(text: str) -> str:
    """The level of a JSON line, empty where it has none."""
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    return (
        NAMES.get(str(document.get("level", document.get("severity", ""))).upper(), "")
        if isinstance(document, dict)
        else ""
    )


def entries(container: str, text: str) -> list[Entry]:
    """A container's lines with their times; what has none is a message of docker itself and left out."""
    parsed: list[Entry] = []
    for line in text.splitlines():
        timestamp, _space, rest = line.partition(" ")
        if len(timestamp) >= 20 and timestamp[4] == "-" and "T" in timestamp:
            parsed.append((timestamp, container, rest))
    return parsed


def merge_entries(logs: Iterable[list[Entry]], least: str) -> Iterator[Entry]:
    """All entries by time, those of the least level and above."""
    for entry in heapq.merge(*logs):
        if LEVELS.index(level_of(entry[2])) >= LEVELS.index(least):
            yield entry


def check_request(environ: Mapping[str, str]) -> tuple[str, str]:
    """(environment, least level); raises Refusal where one is unknown."""
    env, level = environ.get("ENV") or "dev", environ.get("LEVEL") or "debug"
    if level not in LEVELS:
        raise Refusal(f"LEVEL={level}: unknown", f"one of: {', '.join(LEVELS)}")
    if env not in LOCAL and not environ.get("DOCKER_HOST"):
        raise Refusal(f"ENV={env}: its engine is on another host", f"DOCKER_HOST=ssh://user@host make logs ENV={env}")
    return env, level


def docker(*argv: str) -> str:
    """What docker answers, its standard error included where it is a container's; raises Refusal when it cannot."""
    try:
        process = subprocess.run(["docker", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Refusal(f"docker {argv[0]}: {error}", "make deploy installs the engine", COULD_NOT) from None
    text = process.stdout.decode(errors="replace")
    if process.returncode:
        raise Refusal(f"docker {argv[0]}: {text.strip()}", "is the engine running, and may you use it?", COULD_NOT)
    return text


def containers(env: str, stack: str, service: str) -> list[str]:
    """Names of the stack's containers, stopped ones too."""
    labels_by_key = {"environment": env, "stack": stack, "service": service}
    labels = [f"--filter=label=com.ledgerflow.{key}={label}" for key, label in labels_by_key.items() if label]
    return sorted(docker("ps", "--all", "--format={{.Names}}", *labels).split())


def main() -> int:
    """Returns 0 when there was something to show, 2 when not."""
    try:
        env, level = check_request(os.environ)
        service, stack = os.environ.get("SERVICE", ""), os.environ.get("STACK", "")
        names = containers(env, stack, service)
        if not names:
            raise Refusal(f"no container of {service or 'any service'} in {env}", "make status", COULD_NOT)
        since = os.environ.get("SINCE") or "1h"
        logs = [entries(name, docker("logs", "--timestamps", f"--since={since}", name)) for name in names]
        for timestamp, name, text in merge_entries(logs, level):
            print(f"{timestamp[:23]}Z {name}: {text}")
    except Refusal as refusal:
        print(f"{refusal.what}\nHINT: {refusal.hint}", file=sys.stderr)
        return refusal.code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
