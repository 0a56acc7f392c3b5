"""Names of backups and what they say: pure, because pruning, listing and auditing all decide from names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

TIERS = ("hourly", "daily", "weekly", "monthly", "yearly")
PRE_RESTORE = "pre_restore"  # the database as a restore found it: no baseline, and never `latest`
ENDINGS = {"db": ".sql.gz", "full": ".tar.gz", PRE_RESTORE: ".sql.gz"}
LINKED = ("db", "full")  # kinds that `latest.*` links to
PARTIAL = ".partial"
STAMP = "%Y%m%d_%H%M%S"
PROOF_STAMP = "%Y%m%dT%H%M%S%fZ"

_NAME = re.compile(
    r"^(?P<prefix>[a-z][a-z0-9_-]*)_(?P<kind>db|full|pre_restore)_backup_(?P<stamp>\d{8}_\d{6})(?P<ending>\.\w+\.gz)$"
)


@dataclass(frozen=True, slots=True)
class BackupName:
    prefix: str
    kind: str
    taken: datetime

    def __str__(self) -> str:
        return f"{self.prefix}_{self.kind}_backup_{self.taken.strftime(STAMP)}{ENDINGS[self.kind]}"

    def later(self) -> BackupName:
        """The next name, a second on: two backups of one second must not share a name."""
        return BackupName(self.prefix, self.kind, self.taken + timedelta(seconds=1))


def parse(name: str) -> BackupName | None:
    """None for what is not the name of a backup."""
    match = _NAME.match(name)
    if not match or match["ending"] != ENDINGS[match["kind"]]:
        return None
    try:
        taken = datetime.strptime(match["stamp"], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return BackupName(match["prefix"], match["kind"], taken)


def partial(name: str) -> str:
    """The name a file has while it is being written: no listing takes it for a backup."""
    return f".{name}{PARTIAL}"


def unpartial(name: str) -> str | None:
    if name.startswith(".") and name.endswith(PARTIAL):
        return name[1 : -len(PARTIAL)]
    return None


def proof(file: str, when: datetime) -> str:
    return f"{file}.proof-{when.astimezone(UTC).strftime(PROOF_STAMP)}.json"


def is_proof_of(name: str, file: str) -> bool:
    return name.startswith(f"{file}.proof-") and name.endswith(".json")


def latest(kind: str) -> str:
    """The link to the newest proven backup of a kind; only in a tier's directory."""
    return f"latest{ENDINGS[kind]}"
