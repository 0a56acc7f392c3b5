"""Loads a dump into the throw-away server and reads it back on two cores.

`row_loader` loads the rows first, then small tables get their keys. Two connections share the remaining jobs: indexes,
other constraints and reading the tables, which do not block each other. At last large tables get their keys from
indexes that exist by then.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ledgervault.host import compression, process
from ledgervault.model import diagnosis, dump_format
from ledgervault.model.content import Table
from ledgervault.model.dump_format import Key, PostData, Statement
from ledgervault.model.proof import Check, failed
from ledgervault.postgres import argv, database
from ledgervault.postgres.database import Batch, Connection
from ledgervault.postgres.login import THROW_AWAY_SESSION, Login

_WORKERS = 2
# Sorting in parallel inside one index gains nothing while the other core builds the next one, and costs twice.
_SESSION = THROW_AWAY_SESSION | {"check_function_bodies": "off", "max_parallel_maintenance_workers": "0"}
_Job = Callable[[Connection], None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is known of a restored copy after loading. It is empty if psql loaded the dump."""

    tables: dict[str, Table] | None = None
    unbuilt: tuple[Statement, ...] = ()  # secondary indexes


def load_with_psql(
    path: Path, login: Login, variables: dict[str, str], timeout: float, session: dict[str, str]
) -> Check | None:
    """Loads the unchanged dump with one psql. Returns None, or a check with the error and its cause."""
    with compression.decompressing(path) as reader:
        stream = reader.output
        psql = argv.psql(variables, single_transaction=True)
        with process.Program(psql, stdin=stream, environment=login.environment(session)) as loader:
            stream.close()  # the loader alone reads: if it dies, the decompressor notices
            status = loader.finish(timeout)
            stderr = loader.errors()
        if status != 0:
            verdict, hint = diagnosis.diagnose_restore(stderr)
            return Check("restore", verdict, f"restore: {diagnosis.summary(stderr)}", hint)
        if reader.finish(timeout) != 0:
            return failed("restore", f"restore: {reader.errors().strip()}")
    return None


def build_and_read(login: Login, post_data: PostData, build: bool, say: Callable[[str], None]) -> Loaded:
    """Builds keys, then everything else, and reads every table. Raises psycopg.Error if a statement fails."""
    session = _SESSION | {"max_parallel_workers_per_gather": "0" if build else str(_WORKERS - 1)}
    tables: dict[str, Table] = {}
    with ExitStack() as stack:
        connections = [
            stack.enter_context(database.connect(login, "ledgervault prove", session)) for _ in range(_WORKERS)
        ]
        say("building the keys")
        large_keys = _keys_of_large_tables(connections[0], post_data.exclusive)
        execute(connections[0], (entry for entry in post_data.exclusive if entry not in large_keys))
        say("building indexes, reading the rows")
        then = [*(key.index for key in large_keys), *post_data.remaining]
        _in_parallel(connections, _jobs(connections[0], then, post_data.indexes if build else (), tables))
        execute(connections[0], (key.attach for key in large_keys))
    return Loaded(tables, () if build else post_data.indexes)


def execute(connection: Connection, entries: Iterable[Statement]) -> None:
    for entry in entries:
        connection.execute(entry.text)


def _keys_of_large_tables(connection: Connection, first: Iterable[Statement]) -> list[Key]:
    """Adding such a key by the dump's statement locks the table until its index is built."""
    large = {name.encode() for name in database.large_tables(connection)}
    return [entry for entry in first if isinstance(entry, Key) and entry.table in large]


def _jobs(
    connection: Connection, then: Iterable[Statement], indexes: Sequence[Statement], tables: dict[str, Table]
) -> deque[_Job]:
    """Slow jobs first, as far as one can tell: tables by size, then indexes by the number of their columns."""
    reading = (partial(_read_tables, batch=batch, tables=tables) for batch in database.table_batches(connection))
    building = (partial(execute, entries=[entry]) for entry in dump_format.widest_first(indexes))
    return deque([partial(execute, entries=then), *reading, *building])


def _read_tables(connection: Connection, batch: Batch, tables: dict[str, Table]) -> None:
    tables.update(database.read_batch(connection, batch))


def _in_parallel(connections: list[Connection], jobs: deque[_Job]) -> None:
    stop = threading.Event()

    def work(connection: Connection) -> None:
        try:
            while not stop.is_set():
                try:
                    job = jobs.popleft()
                except IndexError:
                    return
                job(connection)
        except BaseException:
            stop.set()
            raise

    with ThreadPoolExecutor(len(connections)) as pool:
        try:
            for job_result in [pool.submit(work, connection) for connection in connections]:
                job_result.result()
        except BaseException:
            stop.set()
            for connection in connections:
                database.stop(connection)
            raise
