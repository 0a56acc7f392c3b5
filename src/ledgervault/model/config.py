"""The configuration: one TOML file, parsed strictly. It holds everything the vault knows of the application."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from ledgervault.model import backup_names
from ledgervault.model.errors import UsageError
from ledgervault.model.records import RecordError, build

DEFAULT_PATH = Path("/config/vault.toml")
EXPECTATIONS = ("never", "after_first", "always")
_LEAST = 12
# kept: no row may vanish and fixed columns may not change. edited: all changes are allowed and listed. volatile: not
# compared.
KEPT, EDITED, VOLATILE = "kept", "edited", "volatile"


@dataclass(frozen=True, slots=True)
class DatabaseConfig:
    name: str
    user: str
    host: str  # a host name, or the directory of a unix socket
    port: int = 5432
    password_file: str | None = None
    connect_timeout_seconds: int = 10
    lock_wait_seconds: int = 60
    before_snapshot: str | None = None  # a statement: grants what the role cannot read by membership (large objects)


@dataclass(frozen=True, slots=True)
class RestoreConfig:
    """The role that may create databases. Only one-off containers configure it."""

    user: str
    password_file: str | None = None
    owner: str | None = None  # the role that owns the restored database and everything in it
    maintenance_database: str = "postgres"


@dataclass(frozen=True, slots=True)
class Places:
    backups: str
    scratch: str
    state: str | None = None
    deployment: str | None = None
    sentinel: str | None = None  # must exist before anything is written: an unmounted disk takes no backups


@dataclass(frozen=True, slots=True)
class TableConfig:
    name: str
    noun: str = "rows"
    empty: str = "the table is empty"
    expect_rows: str = "never"
    rows: str = EDITED
    fixed_columns: tuple[str, ...] = ()  # of a kept table: these never change
    newest_column: str | None = None  # its greatest value is shown before a restore


@dataclass(frozen=True, slots=True)
class Migrations:
    query: str


@dataclass(frozen=True, slots=True)
class Invariant:
    """A query that returns the number of rows that break the invariant."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Tier:
    keep_hours: int
    minute: int = 7
    keep_least: int | None = None  # proven ones, whatever their age

    @property
    def least(self) -> int:
        return max(1, min(_LEAST, self.keep_hours) if self.keep_least is None else self.keep_least)


@dataclass(frozen=True, slots=True)
class Limits:
    size_floor_bytes: int = 10240
    lock_wait_seconds: int = 600
    free_mb: int = 64
    shrink_allowed_percent: int = 10
    shared_buffers_mb: int = 128
    maintenance_work_mem_mb: int = 64
    proof_timeout_seconds: int = 14400
    backup_timeout_seconds: int = 14400
    proven_age_minutes: int = 150  # of the newest proven backup: above, the vault is not healthy


@dataclass(frozen=True, slots=True)
class Config:
    environment: str
    backup_prefix: str
    database: DatabaseConfig
    places: Places
    tables: tuple[TableConfig, ...] = ()
    invariants: tuple[Invariant, ...] = ()
    restore: RestoreConfig | None = None
    migrations: Migrations | None = None
    tiers: dict[str, Tier] = field(default_factory=lambda: {"hourly": Tier(keep_hours=48)})
    limits: Limits = field(default_factory=Limits)


def parse(text: str, source: str) -> Config:
    try:
        config = build(Config, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecordError) as error:
        raise UsageError(source, str(error), "see the example in docs/vault.toml") from error
    _check(config, source)
    return config


def _check(config: Config, source: str) -> None:
    for tier in config.tiers:
        if tier not in backup_names.TIERS:
            raise UsageError(source, f"tiers.{tier}: unknown tier", f"use one of {', '.join(backup_names.TIERS)}")
    for tier, rule in config.tiers.items():
        if not 0 <= rule.minute < 60:
            raise UsageError(source, f"tiers.{tier}.minute is {rule.minute}", "a minute of the hour: 0 to 59")
        if rule.keep_hours < 0:
            raise UsageError(source, f"tiers.{tier}.keep_hours is {rule.keep_hours}", "0 or more hours")
    for table in config.tables:
        if table.expect_rows not in EXPECTATIONS:
            raise UsageError(
                source, f"table {table.name}: expect_rows is '{table.expect_rows}'", f"use {', '.join(EXPECTATIONS)}"
            )
        _check_rows(table, source)
    probe = f"{config.backup_prefix}_db_backup_20250101_000000.sql.gz"
    if backup_names.parse(probe) is None:
        raise UsageError(source, f"backup_prefix is '{config.backup_prefix}'", "lower-case letters, digits, _ and -")


def _check_rows(table: TableConfig, source: str) -> None:
    choices = (KEPT, EDITED, VOLATILE)
    if table.rows not in choices:
        raise UsageError(source, f"table {table.name}: rows is '{table.rows}'", f"use {', '.join(choices)}")
    if table.fixed_columns and table.rows != KEPT:
        message = f"table {table.name}: fixed_columns, but rows is '{table.rows}'"
        raise UsageError(source, message, 'set rows = "kept": only a kept table is compared that closely')
