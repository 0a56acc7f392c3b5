"""The extension keep_rows in a server of the test's own: what holds rows is dropped only with a proven backup named."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import suppress

import pytest

START = """
PATH=/usr/lib/postgresql/17/bin:$PATH
initdb -D /tmp/data -U postgres -A trust --no-sync >/dev/null
exec postgres -D /tmp/data -c listen_addresses= -c unix_socket_directories=/tmp -c fsync=off"""
GROUND = """
CREATE ROLE owner LOGIN;
CREATE DATABASE ledger OWNER owner;
\\c ledger
ALTER SCHEMA public OWNER TO owner;
CREATE EXTENSION keep_rows;
SET ROLE owner;
CREATE TABLE full_one (id int PRIMARY KEY, note text);
INSERT INTO full_one VALUES (1, 'a'), (2, 'b');
ALTER TABLE full_one ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE TABLE empty_one (id int, note text);
CREATE TABLE "Überweisungen" (id int);
INSERT INTO "Überweisungen" VALUES (1);
CREATE TABLE parted (id int, day date) PARTITION BY RANGE (day);
CREATE TABLE parted_2025 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO parted VALUES (1, '2025-05-05');
CREATE TYPE mood AS ENUM ('good');
CREATE TABLE typed (id int, how mood);
INSERT INTO typed VALUES (1, 'good');
CREATE SCHEMA apart;
CREATE TABLE apart.rows (id int);
INSERT INTO apart.rows VALUES (1);
CREATE VIEW seen AS SELECT id FROM full_one;
CREATE INDEX by_note ON full_one (note);
CREATE FUNCTION half(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 / 2';
CREATE TABLE by_half (id int) PARTITION BY RANGE (half(id));
CREATE TABLE by_half_1 PARTITION OF by_half FOR VALUES FROM (0) TO (10);
INSERT INTO by_half VALUES (4);
"""
NAMED = "SET keep_rows.proven_backup = 'ledgerflow_db_backup_20251121_120000.sql.gz';"


class Server:
    """One PostgreSQL in a container without a network."""

    def __init__(self) -> None:
        self.name = f"lftest-{secrets.token_hex(4)}"
        image = os.environ["POSTGRES_IMAGE"]
        given = ["--network", "none", "--read-only", "--tmpfs", "/tmp:mode=1777", "--user", "5432:5432"]
        subprocess.run(
            ["docker", "run", "-d", "--name", self.name, *given, "--entrypoint", "sh", image, "-ec", START],
            check=True, capture_output=True,
        )  # fmt: skip

    def psql(self, text: str, role: str = "owner", database: str = "ledger") -> tuple[int, str]:
        """Exit status and what was said, errors too; everything in one transaction that is rolled back."""
        argv = ["docker", "exec", "-i", self.name, "psql", "-XqAt", "-h", "/tmp", "-U", role, "-d", database]
        done = subprocess.run(
            [*argv, "-v", "ON_ERROR_STOP=1"], input=text, capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def tried(self, text: str) -> tuple[int, str]:
        return self.psql(f"BEGIN;\n{text};\nROLLBACK;\n")

    def remove(self) -> None:
        subprocess.run(["docker", "rm", "-f", "-v", self.name], capture_output=True, check=False)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    one = Server()
    try:
        ready = ["docker", "exec", one.name, "sh", "-c", "until pg_isready -qh /tmp; do sleep 0.1; done"]
        with suppress(subprocess.CalledProcessError):
            subprocess.run(["timeout", "30", *ready], check=True, capture_output=True)
        status, said = one.psql(GROUND, role="postgres", database="postgres")
        assert status == 0, said
        yield one
    finally:
        one.remove()


REFUSED = {
    "a table": "DROP TABLE full_one CASCADE",
    "a table whose name is quoted": 'DROP TABLE "Überweisungen"',
    "one of two": "DROP TABLE empty_one, full_one CASCADE",
    "a partitioned table": "DROP TABLE parted",
    "a partition": "DROP TABLE parted_2025",
    "a schema": "DROP SCHEMA apart CASCADE",
    "a column": "ALTER TABLE full_one DROP COLUMN note",
    "a column of a partitioned table": "ALTER TABLE parted DROP COLUMN id",
    "a column by its type": "DROP TYPE mood CASCADE",
    "a table by the function that parts it": "DROP FUNCTION half(int) CASCADE",
    "all one owns": "DROP OWNED BY owner CASCADE",
    "in a block": "DO $$ BEGIN EXECUTE 'DROP TABLE full_one CASCADE'; END $$",
    "with a name that is no backup's": "SET keep_rows.proven_backup = 'yes'; DROP TABLE full_one CASCADE",
    "after another command noted nothing": "DROP TABLE empty_one; DROP TABLE full_one CASCADE",
    "with a note of one's own": "SELECT set_config('keep_rows.noted', 'looked ', true); DROP TABLE full_one CASCADE",
}
ALLOWED = {
    "an empty table": "DROP TABLE empty_one",
    "a column of an empty table": "ALTER TABLE empty_one DROP COLUMN note",
    "an index": "DROP INDEX by_note",
    "a view": "DROP VIEW seen",
    "a constraint": "ALTER TABLE full_one DROP CONSTRAINT full_one_pkey",
    "a temporary table": "CREATE TEMP TABLE mine AS SELECT 1 AS id; DROP TABLE mine",
    "a column's other type": "ALTER TABLE full_one ALTER COLUMN note TYPE varchar(9)",
    "a table, the backup named": f"{NAMED} DROP TABLE full_one CASCADE",
    "a column, the backup named": f"{NAMED} ALTER TABLE full_one DROP COLUMN note",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_holds_rows_is_not_dropped(server: Server, what: str) -> None:
    status, said = server.tried(REFUSED[what])
    assert status != 0
    assert "and no proven backup is named" in said
    assert "HINT:  Take and prove a backup" in said


@pytest.mark.parametrize("what", ALLOWED)
def test_what_holds_none_or_is_in_the_named_backup_is_dropped(server: Server, what: str) -> None:
    assert server.tried(ALLOWED[what])[0] == 0, server.tried(ALLOWED[what])


def test_the_owner_of_the_database_cannot_take_it_away(server: Server) -> None:
    attempts = "DROP EXTENSION keep_rows", "ALTER EVENT TRIGGER keep_rows_refuse DISABLE", "SET event_triggers = off"
    for attempt in attempts:
        status, said = server.tried(attempt)
        assert status != 0, attempt
        assert "must be owner" in said or "permission denied" in said


def test_a_dump_restored_by_the_owner_has_it_again(server: Server) -> None:
    server.psql("CREATE DATABASE again OWNER owner", role="postgres", database="postgres")
    dump, restore = "pg_dump -h /tmp -U postgres ledger", "psql -Xq -h /tmp -U owner -v ON_ERROR_STOP=1 again"
    whole = f"{dump} > /tmp/dump && {restore} < /tmp/dump"
    prepared = server.psql("ALTER SCHEMA public OWNER TO owner", role="postgres", database="again")
    assert prepared[0] == 0, prepared
    done = subprocess.run(
        ["docker", "exec", server.name, "sh", "-c", whole], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    status, said = server.psql("DROP TABLE full_one CASCADE", database="again")
    assert status != 0
    assert "and no proven backup is named" in said
