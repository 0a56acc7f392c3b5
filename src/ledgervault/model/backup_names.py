"""Names of backups, partial files, proofs and links. Pruning, listing and auditing decide from names."""

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
    time: datetime

    def __str__(self) -> str:
        return f"{self.prefix}_{self.kind}_backup_{self.time.strftime(STAMP)}{ENDINGS[self.kind]}"

    def later(self) -> BackupName:
        """The name one second later: two backups of one second must not share a name."""
        return BackupName(self.prefix, self.kind, self.time + timedelta(seconds=1))


def parse(name: str) -> BackupName | None:
    """Returns None if this is not the name of a backup."""
    match = _NAME.match(name)
    if not match or match["ending"] != ENDINGS[match["kind"]]:
        return None
    try:
        time = datetime.strptime(match["stamp"], STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return BackupName(match["prefix"], match["kind"], time)


def partial(name: str) -> str:
    """The name of a file that is being written. No listing takes it for a backup."""
    return f".{name}{PARTIAL}"


def unpartial(name: str) -> str | None:
    if name.startswith(".") and name.endswith(PARTIAL):
        return name[1 : -len(PARTIAL)]
    return None


def proof(file: str, time: datetime) -> str:
    return f"{file}.proof-{time.astimezone(UTC).strftime(PROOF_STAMP)}.json"


def is_proof_of(name: str, file: str) -> bool:
    return name.startswith(f"{file}.proof-") and name.endswith(".json")


def latest(kind: str) -> str:
    """The link to the newest proven backup of a kind, in a tier's directory."""
    return f"latest{ENDINGS[kind]}"
