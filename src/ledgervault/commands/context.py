"""The context of a command: configuration, store, log-ins and where progress is written."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledgervault.model import config
from ledgervault.model.config import Config
from ledgervault.model.errors import CouldNot, UsageError
from ledgervault.postgres.login import Login
from ledgervault.storage.store import HEAD_NAME, Store

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Context:
    config: Config
    store: Store
    say: Say

    @property
    def scratch(self) -> Path:
        return Path(self.config.places.scratch)

    def source(self, database: str | None = None) -> Login:
        """The backup role's log-in."""
        settings = self.config.database
        password = read_password(settings.password_file)
        name = database or settings.name
        return Login(settings.host, settings.port, settings.user, name, password, settings.connect_timeout_seconds)

    def restorer(self, database: str) -> Login:
        settings = self.config.restore
        if settings is None:
            raise UsageError(
                "restore", "the configuration has no [restore] part", "use a one-off container that has it"
            )
        source, password = self.config.database, read_password(settings.password_file)
        return Login(source.host, source.port, settings.user, database, password, source.connect_timeout_seconds)

    def deployment(self) -> dict[str, Any] | None:
        """Commit and images as the last deploy recorded them; None before the first deploy."""
        place = self.config.places.deployment
        if place is None or not Path(place).exists():
            return None
        try:
            record = json.loads(Path(place).read_bytes())
        except (OSError, ValueError) as error:
            raise CouldNot(place, f"cannot be read: {error}", "deploy again: it writes this file") from error
        return record if isinstance(record, dict) else None

    def check_mounted(self) -> None:
        sentinel = self.config.places.sentinel
        if sentinel is not None and not Path(sentinel).is_file():
            raise CouldNot(sentinel, "the volume's sentinel is missing", "the backups volume is not mounted")

    def check_room(self, extra_bytes: int) -> None:
        free = shutil.disk_usage(self.store.root).free
        required_bytes = extra_bytes + self.config.limits.free_mb * 1024 * 1024
        if free < required_bytes:
            message = f"{free >> 20} MB free, {required_bytes >> 20} MB wanted"
            hint = "free space on the backups volume; `ledgervault prune --dry-run` says why each backup stays"
            raise CouldNot(str(self.store.root), message, hint)

    def expected_size(self) -> int:
        """The expected size of the next backup in bytes."""
        entries = self.store.entries()
        return int(entries[-1].line.data["size"] * 1.2) if entries else 0


def make_context(config: Config, say: Say) -> Context:
    head = Path(config.places.state).with_name(HEAD_NAME) if config.places.state is not None else None
    store = Store(Path(config.places.backups), config.environment, config.backup_prefix, head)
    return Context(config, store, say)


def load_config(path: Path) -> Config:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(str(path), f"cannot be read: {error}", "name the configuration with --config FILE") from error
    return config.parse(text, str(path))


def read_password(path: str | None) -> str | None:
    if path is None:
        return None
    try:
        password = Path(path).read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise CouldNot(
            path, f"the password cannot be read: {error.strerror}", "mount the secrets of this service"
        ) from error
    if not password:
        raise CouldNot(path, "the password file is empty", "deploy again: it writes this file")
    return password


def silent(_: str) -> None:
    """Discards progress: machines read the JSON result."""


def to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
