"""Whether a proven backup stands behind a dangerous step: read from the vault's state, its bytes hashed here.

A module of its own because it trusts nobody's word: the vault says which file was proven, the file itself is looked at.
Neither the engine nor the vault is asked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = 1
CHUNK = 1 << 20


class NotProven(Exception):
    """Why there is no proven backup to rely on."""


@dataclass(frozen=True)
class ProvenBackup:
    """A file that was proven and still has the bytes that were."""

    file: str
    sha256: str
    age_seconds: float


def find_proven_backup(vault_state: Path, backups: Path, max_age_seconds: float) -> ProvenBackup:
    """The newest proven backup, its bytes checked now. Raises NotProven."""
    try:
        state = json.loads(vault_state.read_text())
        if state["schema"] != SCHEMA:
            raise NotProven(f"{vault_state}: schema {state['schema']!r}, expected {SCHEMA}")
        newest = state["newest_proven"]
        if newest is None:
            raise NotProven(f"{vault_state}: no backup is proven")
        path, expected, taken_at = str(newest["path"]), str(newest["sha256"]), _parse_time(str(newest["taken"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotProven(f"{vault_state}: {type(error).__name__}: {error}") from None
    if newest.get("verdict") != "proven":
        raise NotProven(f"{vault_state}: {path} is {newest.get('verdict')!r}")
    age = (datetime.now(UTC) - taken_at).total_seconds()
    if not -300 <= age <= max_age_seconds:
        raise NotProven(f"{path} was taken {age / 3600:.1f} h ago, the limit is {max_age_seconds / 3600:.1f} h")
    file = backups / path
    if backups.resolve() not in file.resolve().parents:
        raise NotProven(f"{path} is not below {backups}")
    actual = _sha256(file)
    if actual != expected:
        raise NotProven(f"{file}: sha256 is {actual[:16]}..., proven was {expected[:16]}...")
    return ProvenBackup(path, expected, age)


def _parse_time(text: str) -> datetime:
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _sha256(file: Path) -> str:
    import hashlib  # here: it brings OpenSSL, which the serving guard has no use for

    total = hashlib.sha256()
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(CHUNK):
                total.update(chunk)
    except OSError as error:
        raise NotProven(f"{file}: {error.strerror}") from None
    return total.hexdigest()
