"""The log of `ledger_docker`: one JSON line for each command that could do harm, and a line in syslog.

A module of its own because a log must never be the reason that a command does not run, and must hold no secret: only
commands that remove, stop or replace are written, and none of those takes one.
"""

from __future__ import annotations

import json
import os
import syslog
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

LIMIT_BYTES = 4 * 2**20
FOR_ROOT = Path("/var/log/ledgerguard/docker.jsonl")


def place(environ: Mapping[str, str], uid: int) -> Path:
    """LEDGER_DOCKER_LOG, else one log for root and one for each user."""
    if environ.get("LEDGER_DOCKER_LOG"):
        return Path(environ["LEDGER_DOCKER_LOG"])
    if uid == 0:
        return FOR_ROOT
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "/nonexistent") / ".local/state")
    return Path(state) / "ledgerguard/docker.jsonl"


def entry(argv: Sequence[str], environ: Mapping[str, str], **facts: Any) -> dict[str, Any]:
    """What is written: when, who, where, what, and `facts` (verdict, volumes …)."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "uid": os.getuid(),
        "sudo_user": environ.get("SUDO_USER", ""),
        "directory": _directory(),
        "environment": environ.get("LEDGER_ENV", ""),
        "arguments": list(argv),
        **facts,
    }


def _directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed under the shell
        return ""


def write(path: Path, line: Mapping[str, Any]) -> str:
    """Adds the line, one file kept before it; gives what went wrong, or nothing."""
    text = json.dumps(line, sort_keys=True)
    syslog.openlog("ledger_docker")
    syslog.syslog(syslog.LOG_WARNING if line.get("verdict") == "refused" else syslog.LOG_INFO, text)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > LIMIT_BYTES:
            path.replace(path.with_name(path.name + ".1"))
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, text.encode() + b"\n")
        finally:
            os.close(file)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return ""
