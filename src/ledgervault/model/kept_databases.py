"""Names of the databases that a restore makes beside the live one, and the note that each carries. Pure.

A module of its own because killed runs are recognised by these names alone, and because nothing else is ever dropped.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from ledgervault.model.errors import UsageError

STAMP = "%Y%m%d_%H%M%S"
_NAME_LIMIT = 63  # bytes, in PostgreSQL
_LONGEST = "_restored_20260101_000000_restoring"
_NOTE = "ledgervault "


@dataclass(frozen=True, slots=True)
class Names:
    """The two names of one restore."""

    live: str
    id: str

    @property
    def copy(self) -> str:
        """Of the backup while it is restored and checked."""
        return f"{self.live}_restored_{self.id}"

    @property
    def kept(self) -> str:
        """Of what was live before."""
        return f"{self.live}_before_{self.id}"


def names(live: str, moment: datetime) -> Names:
    """UsageError where PostgreSQL would cut the names off."""
    if len((live + _LONGEST).encode()) > _NAME_LIMIT:
        limit = _NAME_LIMIT - len(_LONGEST)
        raise UsageError(f"database {live}", f"its name is too long for a restore beside it: {limit} bytes at most")
    return Names(live, moment.astimezone(UTC).strftime(STAMP))


def names_of_copy(live: str, copy: str) -> Names:
    """The names of the restore that made this copy; UsageError for any other database."""
    match = re.fullmatch(rf"{re.escape(live)}_restored_(\d{{8}}_\d{{6}})", copy)
    if match is None:
        hint = "make restore FILE=latest makes one and switches to it"
        raise UsageError(copy, f"is no copy that a restore of {live} made", hint)
    return Names(live, match[1])


def is_leftover(live: str, database: str) -> bool:
    """A copy, whole or half: a finished restore leaves none."""
    return re.fullmatch(rf"{re.escape(live)}_restored_\d{{8}}_\d{{6}}(_restoring)?", database) is not None


def is_kept(live: str, database: str) -> bool:
    """A database that a restore, or its undoing, replaced."""
    return replaced_by(live, database) is not None


def replaced_by(live: str, database: str) -> str | None:
    """The restore that gave the database this name."""
    match = re.fullmatch(rf"{re.escape(live)}_before_(\d{{8}}_\d{{6}})", database)
    return match[1] if match else None


@dataclass(frozen=True, slots=True)
class Note:
    """The comment on a database: which restore gave it its name, and the backup that holds what it held then ("" for
    none)."""

    id: str
    file: str
    kept: str = ""  # of the live one: the database that it replaced
    undoes: str = ""  # of the live one: the restore that its return undid

    def text(self) -> str:
        data = {"id": self.id, "file": self.file, "kept": self.kept, "undoes": self.undoes}
        return _NOTE + json.dumps(data, sort_keys=True)

    def journal_data(self, live: str) -> dict[str, str]:
        undoes = {"undoes": self.undoes} if self.undoes else {}
        return {"id": self.id, "database": live, "kept": self.kept} | undoes


def read_note(comment: str | None) -> Note | None:
    """None for a database without one, or with a comment of somebody else."""
    if comment is None or not comment.startswith(_NOTE):
        return None
    try:
        data = json.loads(comment.removeprefix(_NOTE))
    except ValueError:
        return None
    if not isinstance(data, Mapping):
        return None
    texts = [data.get(key, "" if key == "undoes" else None) for key in ("id", "file", "kept", "undoes")]
    return Note(*texts) if all(isinstance(text, str) for text in texts) else None
