"""A restored copy becomes the live database, and what was live stays beside it under another name.

Apart from `restore`, which only ever adds a database. Nothing here drops what holds rows except `drop`, which a person
asks for by name.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ledgervault.commands import restore, restore_plan, state
from ledgervault.commands.context import Context
from ledgervault.model import kept_databases
from ledgervault.model.errors import CouldNot, UsageError, VaultError
from ledgervault.model.kept_databases import Note
from ledgervault.model.proof import Proof
from ledgervault.model.restore_plan import migrations_between
from ledgervault.postgres import database, databases
from ledgervault.postgres.database import Connection
from ledgervault.postgres.databases import Database, Exchange
from ledgervault.postgres.login import SESSION
from ledgervault.storage import files

WAIT_SECONDS = 120.0  # for sessions that we may not end
_POLL_SECONDS = 0.5
_NO_FILE = ""
_UNSEEN = "a session that comes and goes, or an open transaction with a COMMENT or ALTER of this database"


@dataclass(frozen=True, slots=True)
class Switched:
    """`rows_before` was counted in the database that is kept, after the switch: nobody writes to it any more."""

    database: str
    file: str
    kept: str
    safety: str
    seconds_refused: float
    rows_before: dict[str, int | str]
    rows_after: dict[str, int | str]
    returned: str = ""  # the kept database that an undo made live
    unmigrated: tuple[str, ...] = ()  # migrations that are in the kept database only
    problem: str = ""  # with the journal or the state, after the switch


def prepare(context: Context, path: Path, copy: str) -> Proof:
    """FILE restored as the database `copy` and compared with its manifest. Copies of killed runs are dropped first."""
    live = context.config.database.name
    kept_databases.names_of_copy(live, copy)
    with _exclusively(context, "restore"):
        clean(context)
        result = restore.restore(context, path, copy, unproven=False)
        _analyze(context, copy)
        return result


def _analyze(context: Context, copy: str) -> None:
    """pg_dump has no statistics of the planner, and the app is to be as fast after the switch as before it."""
    owner = context.config.restore.owner if context.config.restore else None
    session = SESSION | ({"role": owner} if owner else {})
    with database.connect(context.restorer(copy), "ledgervault restore", session) as connection:
        connection.execute("ANALYZE")


def clean(context: Context) -> list[str]:
    """Drops copies that no restore finished; finishes the journal's part of a switch. Gives the dropped names."""
    live = context.config.database.name
    finish(context)
    with _admin(context) as admin:
        names = [one.name for one in databases.listed(admin) if kept_databases.is_leftover(live, one.name)]
        for name in names:
            databases.drop(admin, name, force=True)
    return names


def switch(context: Context, path: Path, copy: str, safety: str) -> Switched:
    """The copy of FILE becomes live. CouldNot after WAIT_SECONDS, with everything as it was."""
    live = context.config.database.name
    names = kept_databases.names_of_copy(live, copy)
    with _exclusively(context, "restore"):
        return _switch(context, copy, Note(names.id, path.name, names.kept), safety)


def undo(context: Context, name: str | None = None) -> Switched:
    """The database that the newest restore replaced (or the one named) becomes live again."""
    live = context.config.database.name
    with _exclusively(context, "restore undo"):
        finish(context)
        now = _live_note(context)
        chosen = _kept(context, name or (now.kept if now else None))
        names = kept_databases.names(live, files.now())
        file = chosen.note.file if chosen.note else _NO_FILE
        undoes = kept_databases.replaced_by(live, chosen.name) or ""
        return _switch(context, chosen.name, Note(names.id, file, names.kept, undoes), now.file if now else _NO_FILE)


def drop(context: Context, name: str) -> Database:
    """Removes one kept database. CouldNot while somebody is connected to it."""
    with _exclusively(context, "restore drop"):
        finish(context)
        chosen = _kept(context, name)
        with _admin(context) as admin:
            holders = databases.sessions(admin, [name])
            if holders:
                raise CouldNot(f"database {name}", f"is in use by {_texts(holders)}", "end these sessions, then again")
            databases.drop(admin, name)
        context.store.log(f"dropped {name}, which a restore had replaced")
        return chosen


def finish(context: Context) -> None:
    """Adds the journal's line of a switch whose run was killed before it could. Does nothing otherwise."""
    try:
        note = _live_note(context)
    except CouldNot:
        return  # a live database that cannot be entered may be the reason to restore
    record(context, note)


def record(context: Context, note: Note | None) -> None:
    """Once for each switch, whoever comes first."""
    if note is None:
        return
    context.store.restored(note.file, note.journal_data(context.config.database.name))


def _switch(context: Context, copy: str, note: Note, safety: str) -> Switched:
    live, kept = context.config.database.name, note.kept
    exchange = Exchange(live, copy, kept, note, Note(note.id, safety))
    lock = context.store.backing_up("restore: exchanging two databases", WAIT_SECONDS)  # refuses a broken journal
    with lock, _admin(context) as admin, _admin(context) as other:
        _refuse_missing(admin, (live, copy))
        refused = _exchange(admin, other, exchange)
    problem = _recorded(context, note, copy)
    before, after = restore_plan.count_watched(context, kept), restore_plan.count_watched(context, live)
    returned = copy if note.undoes else ""
    figures = (round(refused, 3), dict(before), dict(after))
    return Switched(live, note.file, kept, safety, *figures, returned, _unmigrated(context, kept), problem)


def _unmigrated(context: Context, kept: str) -> tuple[str, ...]:
    """What was live had run these migrations. A restore's copy has them; what an undo brings back may lack them."""
    query = context.config.migrations.query if context.config.migrations else None
    now, before = (restore_plan.heads(context, query, name) for name in (None, kept))
    return migrations_between(now, before)[0]


def _recorded(context: Context, note: Note, copy: str) -> str:
    """What went wrong with it. The databases are switched already: this is no reason to say that they are not."""
    try:
        record(context, note)
        live = context.config.database.name
        context.store.log(f"restored {note.file or copy} as {live}; what was live is {note.kept}")
        state.update(context)
    except (VaultError, OSError) as error:
        return " ".join(str(error).split())
    return ""


def _exchange(admin: Connection, other: Connection, exchange: Exchange) -> float:
    """Seconds in which sessions were ended and new ones had to wait."""
    end, refused = time.monotonic() + WAIT_SECONDS, 0.0
    names = (exchange.live, exchange.copy)
    while True:
        holders = [session for session in databases.sessions(other, names) if not session.may_end]
        if not holders:
            began = time.monotonic()
            is_done = databases.try_exchange(admin, other, exchange)
            refused += time.monotonic() - began
            if is_done:
                return refused
            holders = databases.sessions(other, names)
        if time.monotonic() > end:
            what = f"still in use after {WAIT_SECONDS:.0f} s by {_texts(holders) or _UNSEEN}"
            hint = "end that session (a psql, Adminer, a report), then run it again; the live database is as it was"
            raise CouldNot(f"database {exchange.live}", what, hint)
        time.sleep(_POLL_SECONDS)


def _texts(sessions: Sequence[databases.Session]) -> str:
    return ", ".join(session.text() for session in sessions)


def _refuse_missing(admin: Connection, names: Sequence[str]) -> None:
    known = {one.name for one in databases.listed(admin)}
    for name in names:
        if name not in known:
            raise CouldNot(f"database {name}", "is not there", "make restore FILE=latest starts from the backup")


def _kept(context: Context, name: str | None) -> Database:
    """Without a name there is none: an older one is never taken instead of what the newest restore replaced."""
    kept = [one for one in _all(context) if kept_databases.is_kept(context.config.database.name, one.name)]
    for one in kept:
        if one.name == name:
            return one
    listed = ", ".join(one.name for one in kept) or "none"
    what = f"no such database is kept; kept: {listed}"
    raise UsageError(name or "restore-undo", what, "make status lists them; make restore-undo NAME=… takes one")


def _all(context: Context) -> list[Database]:
    with _admin(context) as admin:
        return databases.listed(admin)


def _live_note(context: Context) -> Note | None:
    live = context.config.database.name
    return next((one.note for one in _all(context) if one.name == live), None)


@contextmanager
def _admin(context: Context) -> Iterator[Connection]:
    maintenance = context.config.restore.maintenance_database if context.config.restore else "postgres"
    try:
        with database.connect(context.restorer(maintenance), "ledgervault restore") as connection:
            yield connection
    except psycopg.Error as error:
        raise CouldNot("restore", str(error).strip(), "may the restore role do this? see roles/postgres") from error


@contextmanager
def _exclusively(context: Context, what: str) -> Iterator[None]:
    """One restore at a time, in whichever container."""
    with files.locked(context.store.root / ".restore.lock", what, 0):
        yield
