"""What a restore will do, as data and as the lines a person reads before anything happens. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledgervault.model import health_rules

_KEYS_IN_TEXT = 5
Heads = tuple[tuple[str, ...], ...] | None


@dataclass(frozen=True, slots=True)
class Table:
    """A watched table, or another whose rows differ. `live` is None where it cannot be read or is not there."""

    name: str
    noun: str
    backup: int
    live: int | None
    problem: str = ""
    newest: str = ""  # the newest row that is live, by the configured column
    added: int = 0  # live only: these go
    changed: int = 0  # edited since: these become what they were
    missing: int = 0  # in the backup only: these come back
    keys: tuple[str, ...] = ()  # of what goes

    def lines(self) -> Iterator[str]:
        newest = f", newest {self.newest}" if self.newest else ""
        live = f"cannot be read: {self.problem}" if self.live is None else f"{self.live} live{newest}"
        yield f"  {self.name}: {self.backup} {self.noun} in the backup, {live}"
        changes = [f"{count} {word}" for count, word in ((self.added, "added"), (self.changed, "changed")) if count]
        if changes:
            shown = "; ".join(self.keys[:_KEYS_IN_TEXT])
            yield f"    is lost: {', '.join(changes)} since the backup{f' ({shown}, …)' if shown else ''}"
        if self.missing:
            yield f"    comes back: {self.missing}"


@dataclass(frozen=True, slots=True)
class Plan:
    id: str
    environment: str
    database: str
    file: str
    taken: str
    verdict: str
    rows: int
    copy: str
    kept: str
    tables: tuple[Table, ...]
    uncompared: tuple[str, ...]  # what is live and replaced as well, without a comparison of its rows
    database_problem: str  # why the live database could not be compared by key; "" where it was
    to_migrate: tuple[str, ...]  # live has run these, the backup has not: they run on the copy
    unknown_migrations: tuple[str, ...]  # the backup has run these, live has not
    passed_over: tuple[str, ...]  # newer backups that have lost rows
    live_bytes: int | None
    needed_bytes: int
    leftovers: tuple[str, ...]  # of killed restores: dropped
    kept_databases: tuple[str, ...]

    def lines(self, now: datetime) -> list[str]:
        return [*self._lines(now)]

    def _lines(self, now: datetime) -> Iterator[str]:
        age = health_rules.age_text(now - datetime.fromisoformat(self.taken))
        yield f"restore {self.file} into database {self.database} of environment {self.environment}"
        yield f"  backup: taken {self.taken[:16]} UTC, {age}; {self.verdict}; {self.rows} rows"
        if self.passed_over:
            yield f"  passed over, as rows are lost in them: {', '.join(self.passed_over)} (FILE=NAME takes one)"
        for table in self.tables:
            yield from table.lines()
        if self.uncompared:
            yield f"  not compared, becomes what the backup holds: {', '.join(self.uncompared)}"
        if self.database_problem:
            yield f"  the live database cannot be compared row by row: {self.database_problem}"
        elif not any(table.added or table.changed for table in self.tables):
            yield f"  nothing {'else ' if self.uncompared else ''}that is live now is lost"
        if self.to_migrate:
            yield f"  migrations that run on the copy: {', '.join(self.to_migrate)}"
        if self.unknown_migrations:
            yield f"  NEWER than what is live: the backup has run {', '.join(self.unknown_migrations)}"
        yield f"  disk: about {size(self.needed_bytes)} beside the live database ({size(self.live_bytes)})"
        yield f"  the old database is kept as {self.kept}"
        for name in self.leftovers:
            yield f"  removed first, left by a restore that was stopped: {name}"
        if self.kept_databases:
            yield f"  kept by earlier restores: {', '.join(self.kept_databases)} (make restore-drop NAME=…)"


def migrations_between(backup: Heads, live: Heads) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """(live only, backup only), written `app name`; nothing where one of the two is unknown."""
    if backup is None or live is None:
        return (), ()
    before, now = ({" ".join(head) for head in heads} for heads in (backup, live))
    return tuple(sorted(now - before)), tuple(sorted(before - now))


def size(number: int | None) -> str:
    return "size unknown" if number is None else f"{number / (1 << 20):.0f} MB"


def needed_bytes(live: int | None, uncompressed: int) -> int:
    """Of the copy with its indexes and the WAL of making it. A live database that lost its rows is no measure."""
    return int(max(live or 0, 2 * uncompressed) * 1.2) + (64 << 20)


def chosen_tables(tables: Sequence[Table], watched: Sequence[str]) -> tuple[Table, ...]:
    """Watched ones first, then those with differences."""
    order = {name: place for place, name in enumerate(watched)}
    kept = [table for table in tables if table.name in order or table.added or table.changed or table.missing]
    return tuple(sorted(kept, key=lambda table: (order.get(table.name, len(order)), table.name)))
